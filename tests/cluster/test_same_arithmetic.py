"""The shared counters and the memory engine give the same answers to the same calls."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
import redis
from examples import examples
from fakes.counter_server import CounterServer
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule

from llm_gateway.cluster import batches
from llm_gateway.cluster.names import Names
from llm_gateway.cluster.script import SCRIPT
from llm_gateway.cluster.script_call import Reply, read
from llm_gateway.domain import Charge, Limit, Metric, Reset, Window
from llm_gateway.limits.limiter import Limiter, LimitRefusal, Reservation
from llm_gateway.limits.shared import SharedLimiter

pytestmark = pytest.mark.process
T0 = 1793480400.0
"""The evening of 31 October 2026 in California: a month and a day end, a clock change follows."""
PACIFIC = Reset(zone="America/Los_Angeles")
ACCOUNT = ("provider", "p", "")
MODEL = ("model", "p", "", "m")
NAMES = Names({("p", ""): "account"})

amounts = st.integers(1, 12)
scopes = st.sampled_from([ACCOUNT, MODEL, ("client", "c"), ("budget",)])
clocks = st.sampled_from(
    [
        (Window.MINUTE, None),
        (Window.HOUR, None),
        (Window.DAY, None),
        (Window.DAY, PACIFIC),
        (Window.MONTH, None),
        (Window.MONTH, PACIFIC),
    ]
)
some_limits = st.lists(
    st.builds(
        lambda scope, metric, clock, amount: Limit(
            scope, metric, clock[0], amount, clock[1]
        ),
        scopes,
        st.sampled_from(Metric),
        clocks,
        amounts,
    ),
    min_size=1,
    max_size=5,
    unique_by=lambda limit: limit.key,
).map(tuple)
needs = st.builds(Charge, st.integers(0, 2), st.integers(0, 5), st.integers(0, 5))
waits = st.sampled_from([0.0, 0.25, 7, 59.75, 60, 61, 3599, 3600, 40_000, 90_000])


class Counters:
    """The script, with a clock of the test's."""

    def __init__(self, server: CounterServer, name: str = "t") -> None:
        self.prefix = f"llm-gateway:{{{name}}}:"
        self.client = server.client
        self.raw: redis.Redis[Any] = redis.Redis(port=server.port)
        self.run = self.client.register_script(SCRIPT)
        self.generation = ""

    def begin(self) -> None:
        self.client.flushall()
        self.generation = ""
        self.generation = self.call(T0, ["hello", "salt", [], ""]).generation

    def call(self, now: float, *ops: Any, **more: Any) -> Reply:
        header = {"member": "a", "instance": "1", "generation": self.generation}
        call = {**header, "fresh": "g", "now": batches.micro(now), "ops": ops, **more}
        found = self.run([self.prefix], [json.dumps(call)], client=self.raw)
        return read(found, now, now)

    def one(self, now: float, op: Any, **more: Any) -> Any:
        reply = self.call(now, op, **more)
        assert reply.status == "ok"
        [result] = reply.results
        return result


class BothSay(RuleBasedStateMachine):
    counters: Counters

    @initialize(limits=some_limits)
    def begin(self, limits: tuple[Limit, ...]) -> None:
        self.counters.begin()
        self.limits, self.now = limits, T0
        self.alone, self.engine = Limiter(), SharedLimiter()
        self.held: list[Reservation] = []
        self.serial = 0

    @rule(seconds=waits)
    def wait(self, seconds: float) -> None:
        self.now += seconds
        self.same()

    @rule(need=needs)
    def reserve(self, need: Charge) -> None:
        self.serial += 1
        id = f"r{self.serial}"
        alone = self.alone.reserve(self.limits, need, self.now, id=id)
        rows = batches.rows_of(
            self.engine.rows(self.limits, (), self.now), NAMES, self.now, 0.0
        )[1]
        op = batches.reserve(id, need, rows)
        shared = self.counters.one(self.now, op)
        assert shared[0] == (0 if isinstance(alone, LimitRefusal) else 1)
        if isinstance(alone, Reservation):
            self.held.append(alone)
            # Once more: it is held already, and nothing is added.
            assert self.counters.one(self.now, op)[0] == 1
        elif alone.fits_at is None:
            assert shared[1] == 0
        else:
            assert shared[1] == pytest.approx(batches.micro(alone.fits_at), abs=2)
        self.same()

    @rule(which=st.integers(0, 5), real=needs)
    def settle(self, which: int, real: Charge) -> None:
        if not self.held:
            return
        one = self.held.pop(which % len(self.held))
        self.alone.settle(one, real, self.now)
        calendar = [
            [row[0], row[4], row[5]]
            for row in batches.rows_of(
                self.engine.rows(self.limits, (), self.now), NAMES, self.now, 0.0
            )[1]
            if not row[3]
        ]
        op = batches.settle(one.id, real, calendar)
        assert self.counters.one(self.now, op) == [1]
        assert self.counters.one(self.now, op) == [0]  # again: nothing
        self.same()

    @rule(which=st.integers(0, 5))
    def release(self, which: int) -> None:
        self.settle(which, Charge())

    def same(self) -> None:
        rows = batches.rows_of(
            self.engine.rows(self.limits, (), self.now), NAMES, self.now, 0.0
        )[1]
        # A need of nothing brings each window up to this moment.
        self.counters.one(self.now, ["reserve", "nothing", 1, [0, 0, 0], rows])
        self.counters.one(self.now, ["settle", "nothing", [0, 0, 0]])
        for status, row in zip(
            self.alone.status(self.limits, self.now), rows, strict=True
        ):
            found = self.counters.client.hgetall(f"llm-gateway:{{t}}:window:{row[0]}")
            said = int(found["used"]), int(found["reserved"])
            assert said == (status.used, status.reserved), (status.limit, self.now - T0)


@pytest.fixture(scope="module")
def counters(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Counters]:
    with CounterServer(tmp_path_factory.mktemp("counters")) as server:
        yield Counters(server)


def test_memory_and_server_agree(counters: Counters) -> None:
    BothSay.counters = counters
    state = BothSay.TestCase()
    state.settings = examples(60, stateful_step_count=40)
    state.runTest()


ROW = ["w", 0, 1, 60_000_000, 0, 0]


def test_a_reservation_after_its_deadline_does_nothing(counters: Counters) -> None:
    counters.begin()
    op = ["reserve", "r", 60_000_000, [1, 0, 0], [ROW]]
    late = counters.one(T0, op, deadline=batches.micro(T0 - 1))
    assert late == [3, 0]
    assert counters.one(T0, op, deadline=batches.micro(T0 + 1))[0] == 1


def test_a_lease_that_ends_is_use_at_the_reserved_amount(counters: Counters) -> None:
    counters.begin()
    rows = [ROW, ["t", 1, 10, 60_000_000, 0, 0], ["c", 2, 10, 0, 1, 10**16]]
    op = ["reserve", "r", batches.micro(30), [1, 7, 5], rows]
    assert counters.one(T0, op)[0] == 1
    counters.one(T0 + 29, ["beat", "{}", []])
    assert window(counters, "t") == (0, 7)
    counters.one(T0 + 29, ["renew", ["r"], batches.micro(30)])
    counters.one(T0 + 58, ["beat", "{}", []])
    assert window(counters, "t") == (0, 7)
    counters.one(T0 + 59.5, ["beat", "{}", []])
    assert [window(counters, name) for name in "wtc"] == [(1, 0), (7, 0), (5, 0)]
    assert counters.one(T0 + 59.6, ["settle", "r", [1, 2, 2]]) == [0]


def window(counters: Counters, name: str) -> tuple[int, int]:
    found = counters.client.hgetall(f"llm-gateway:{{t}}:window:{name}")
    return int(found["used"]), int(found["reserved"])


def test_money_is_exact_to_the_nano_dollar(counters: Counters) -> None:
    counters.begin()
    row = ["c", 2, 2**53, 60_000_000, 0, 0]
    large = 4_503_599_627_370_497
    for n, amount in enumerate((large, 1, 999_999_937)):
        op = ["reserve", f"r{n}", 60_000_000, [0, 0, amount], [row]]
        assert counters.one(T0, op)[0] == 1
    assert window(counters, "c") == (0, large + 1 + 999_999_937)
    counters.one(T0, ["settle", "r0", [0, 0, large - 2]])
    assert window(counters, "c") == (large - 2, 1 + 999_999_937)


def test_another_of_the_same_name_and_an_earlier_connection_are_refused(
    counters: Counters,
) -> None:
    counters.begin()
    counters.call(T0, ["hello", "salt", [], ""], instance="2")
    assert counters.call(T0, ["beat", "{}", []]).status == "replaced"
    assert counters.call(T0, ["beat", "{}", []], instance="2").status == "ok"
