"""The data on the server: what is thrown away, outlives its members, or is of somebody else."""

from typing import Any

import pytest
from fakes.counter_server import CounterServer

from .test_same_arithmetic import T0, Counters

pytestmark = pytest.mark.process
PREFIX = "llm-gateway:{t}:"
MINUTE = 60_000_000
DAY = 86_400.0
ROWS = [["w", 0, 100, MINUTE, 0, 0], ["t", 1, 100, 24 * 60 * MINUTE, 0, 0], ["c", 2, 100, 0, 1, 10**16]]  # fmt: skip


@pytest.fixture
def counters(server: CounterServer) -> Counters:
    found = Counters(server)
    found.begin()
    return found


def reserve(counters: Counters, now: float, id: str, **more: Any) -> int:
    op = ["reserve", id, 60_000_000, [1, 7, 5], ROWS]
    return int(counters.one(now, op, **more)[0])


def revision(counters: Counters, now: float) -> int:
    """Another one: every member folds again."""
    return int(counters.one(now, ["beat", "{}", []])[0])


def test_all_that_is_kept_ends_by_itself(counters: Counters) -> None:
    """But for what a living cluster has once; whatever was written, by whom, in which order."""
    for member in ("a", "b"):
        counters.call(T0, ["hello", "salt", [], ""], member=member)
        counters.one(T0, ["fold_begin", []], member=member)
        for name, _, bound, *shape in ROWS:
            op = ["fold", name, name, bound, *shape, 0, 0, [], []]
            counters.one(T0, op, member=member)
        assert reserve(counters, T0, f"{member}1", member=member)
        counters.one(T0, ["settle", f"{member}1", [1, 7, 5]], member=member)
        # The first entries have gone, and others come.
        assert reserve(counters, T0 + 90, f"{member}2", member=member)
        counters.one(T0 + 90, ["settle", f"{member}2", [1, 7, 5]], member=member)
    once = {"meta", "members", "windows", "instances", "expected", "folded"}
    once |= {"ledgers"}
    forever = {
        key.removeprefix(PREFIX)
        for key in counters.client.scan_iter("*")
        if counters.client.ttl(key) < 0
    }
    assert forever <= once


@pytest.mark.parametrize("kind", ["window", "entries", "amounts"])
def test_what_is_thrown_away_is_noticed(kind: str, counters: Counters) -> None:
    """A server that evicts keys: everybody folds, at the latest when it would have ended;
    nothing is ever less than nothing."""
    assert reserve(counters, T0, "r1")
    counters.one(T0, ["settle", "r1", [1, 7, 5]])
    before = revision(counters, T0)
    assert counters.client.delete(f"{PREFIX}{kind}:w")
    assert reserve(counters, T0 + 61, "r2")
    assert revision(counters, T0 + 61) != before
    found = counters.client.hgetall(f"{PREFIX}window:w")
    assert int(found["used"]) >= 1
    counters.one(T0 + 61, ["fold", "w", "w", 100, MINUTE, 0, 0, 0, 0, [], []])
    counters.one(T0 + 200, ["look", ["w"]])
    assert int(counters.client.hget(f"{PREFIX}window:w", "used")) == 0


def test_names_of_members_do_not_pile_up(counters: Counters) -> None:
    """One for each container that ever ran: what it had is gone with its last window."""
    for n in range(3):
        counters.call(T0, ["hello", "salt", [], ""], member=f"gone{n}")
        counters.one(T0, ["fold", "c", "c", 9, 0, 1, 10**16, 3, 0, [], []], member=f"gone{n}")  # fmt: skip
        counters.one(T0, ["fold", "w", "w", 9, MINUTE, 0, 0, 0, 0, [], []], member=f"gone{n}")  # fmt: skip
    for day in range(39):
        counters.one(T0 + day * DAY, ["beat", "{}", ["c", "w"]])
    assert "gone0" in counters.client.hgetall(f"{PREFIX}members")
    for second in range(3):
        counters.one(T0 + 41 * DAY + second, ["beat", "{}", ["c", "w"]])
    assert counters.client.hkeys(f"{PREFIX}members") == ["a"]
    assert counters.client.smembers(f"{PREFIX}expected") <= {"a"}
    assert not [f for f in counters.client.hkeys(f"{PREFIX}window:w") if "gone" in f]
    # What still counts is not forgotten.
    assert counters.client.hget(f"{PREFIX}window:c", "used") == "9"
    assert counters.client.hget(f"{PREFIX}window:c", "u:gone0") == "3"


def test_data_of_another_version_is_not_touched(counters: Counters) -> None:
    meta = f"{PREFIX}meta"
    counters.client.hset(meta, "format", "2")
    before = counters.client.hgetall(meta)
    for op in (["hello", "salt", [], ""], ["reserve", "r", 9, [1, 0, 0], ROWS[:1]]):
        assert counters.call(T0, op).status == "format"
    assert counters.client.hgetall(meta) == before
    assert not counters.client.exists(f"{PREFIX}window:w")
    counters.client.hdel(meta, "format")  # as it was before there were versions
    assert counters.call(T0, ["hello", "salt", [], ""]).status == "ok"


ODD = ["ä:ö|x", "a b\n\x00", "\u2028'\"\\", "%s%n*?[]{}", "x" * 4000]


def test_names_of_any_kind(counters: Counters) -> None:
    for at, name in enumerate(ODD):
        op = ["reserve", f"r{name}", MINUTE, [1, 0, 0], [[name, 0, 1, MINUTE, 0, 0]]]
        assert counters.one(T0, op)[0] == 1
        assert counters.one(T0, [*op[:1], f"s{at}", *op[2:]])[0] == 0
        assert counters.one(T0, ["settle", f"r{name}", [0, 0, 0]]) == [1]
    found = counters.one(T0, ["windows"])
    assert {name.decode() for name in found} == {*ODD}


def test_two_clusters_on_one_server_share_nothing(
    counters: Counters, server: CounterServer
) -> None:
    assert reserve(counters, T0, "r")
    for name in ("u", "t:window", "T"):
        other = Counters(server, name)
        other.generation = other.call(T0, ["hello", "salt", [], ""]).generation
        assert other.one(T0, ["windows"]) == []
        assert reserve(other, T0, "r")
        other.one(T0, ["settle", "r", [0, 0, 0]])
    assert counters.client.hget(f"{PREFIX}window:w", "used") == "1"


@pytest.mark.parametrize("amount", [1, 2000], ids=["a little", "most of it"])
def test_a_refusal_costs_the_server_no_more_where_much_is_counted(
    amount: int, counters: Counters
) -> None:
    """All members wait meanwhile, and who has no room asks again and again."""

    def seconds(name: str, entries: int) -> float:
        """For a call of many that are refused."""
        row = [name, 1, entries, 24 * 60 * MINUTE, 0, 0]
        found = [[f"b|{name}{n}", 0, 10**15 * 2, 1] for n in range(entries)]
        shape = [24 * 60 * MINUTE, 0, 0]
        op = ["fold", name, name, entries, *shape, 0, 0, found, []]
        counters.call(T0, ["hello", "salt", [], ""], member="b")
        assert counters.one(T0, op, member="b") == [1]
        need = [0, min(amount, entries), 0]
        refused = [["reserve", f"r{n}", MINUTE, need, [row]] for n in range(200)]
        took = []
        for _ in range(5):
            before = spent(counters)
            assert all(one[0] == 0 for one in counters.call(T0, *refused).results)
            took.append(spent(counters) - before)
        return min(took)

    assert seconds("crowded", 2500) < 5 * seconds("sparse", 10)


def spent(counters: Counters) -> float:
    """Seconds that scripts took so far."""
    return float(counters.client.info("commandstats")["cmdstat_evalsha"]["usec"]) / 1e6
