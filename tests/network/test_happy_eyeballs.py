"""Addresses of one name: order, the race, and what is remembered of it."""

import asyncio
import socket
from collections.abc import Iterator

import pytest
from fakes.black_hole import black_hole

from llm_gateway.network.happy_eyeballs import (
    REMEMBERED_SECONDS,
    HappyEyeballs,
    Streams,
    in_turn,
    race,
)

SIX, SIX2, FOUR, FOUR2 = "2001:db8::1", "2001:db8::2", "192.0.2.1", "192.0.2.2"


@pytest.mark.parametrize(
    ("found", "first", "order"),
    [
        ([], None, []),
        ([FOUR], None, [FOUR]),
        ([FOUR, FOUR], None, [FOUR]),
        ([SIX, SIX2, FOUR], None, [SIX, FOUR, SIX2]),
        ([FOUR, SIX], None, [FOUR, SIX]),
        ([FOUR, FOUR2, SIX, SIX2], None, [FOUR, SIX, FOUR2, SIX2]),
        ([SIX, FOUR], FOUR, [FOUR, SIX]),
        ([SIX, FOUR], FOUR2, [SIX, FOUR]),
    ],
)
def test_families_take_turns(
    found: list[str], first: str | None, order: list[str]
) -> None:
    assert in_turn(found, first) == order


class Net:
    """Connections to addresses that answer, refuse or say nothing."""

    def __init__(self, **fates: str) -> None:
        self.fates = fates
        self.asked: list[str] = []
        self.cancelled: list[str] = []

    async def connect(self, address: str) -> Streams:
        self.asked.append(address)
        match self.fates[address]:
            case "refuses":
                raise ConnectionRefusedError(f"{address} refuses")
            case "silent":
                try:
                    await asyncio.Event().wait()
                finally:
                    self.cancelled.append(address)
        return asyncio.StreamReader(), None  # type: ignore[return-value]


@pytest.mark.parametrize(
    ("fates", "winner", "asked"),
    [
        ({"a": "answers", "b": "answers"}, "a", ["a"]),
        ({"a": "refuses", "b": "answers"}, "b", ["a", "b"]),
        ({"a": "silent", "b": "answers"}, "b", ["a", "b"]),
        ({"a": "silent", "b": "refuses", "c": "answers"}, "c", ["a", "b", "c"]),
        ({"a": "silent", "b": "silent", "c": "answers"}, "c", ["a", "b", "c"]),
    ],
)
async def test_the_first_to_answer_wins(
    fates: dict[str, str], winner: str, asked: list[str]
) -> None:
    net = Net(**fates)
    assert (await race(list(fates), net.connect, delay=0.005))[0] == winner
    await asyncio.sleep(0)
    assert net.asked == asked
    silent = [a for a in asked if fates[a] == "silent"]
    assert sorted(net.cancelled) == silent


async def test_where_none_answers_the_first_ones_error_is_told() -> None:
    net = Net(a="refuses", b="refuses")
    with pytest.raises(ConnectionRefusedError, match="a refuses"):
        await race(["a", "b"], net.connect, delay=0.005)


async def test_giving_up_gives_up_all_of_them() -> None:
    net = Net(a="silent", b="silent")
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.05):
            await race(["a", "b"], net.connect, delay=0.001)
    await asyncio.sleep(0)
    assert sorted(net.cancelled) == ["a", "b"]


@pytest.fixture
def half_dead() -> Iterator[int]:
    """A port at which 127.0.0.1 answers and 127.0.0.2 is silent."""
    with socket.create_server(("127.0.0.1", 0)) as alive:
        port = alive.getsockname()[1]
        with black_hole("127.0.0.2", port):
            yield port


async def test_the_living_address_is_remembered_for_ten_minutes(half_dead: int) -> None:
    clock = [0.0]
    eyeballs = HappyEyeballs(lambda: clock[0])
    loop = asyncio.get_running_loop()
    took = []
    for at in (0.0, 1.0, REMEMBERED_SECONDS - 1, REMEMBERED_SECONDS + 1):
        clock[0] = at
        began = loop.time()
        _, writer = await eyeballs.open(
            "name.test", half_dead, addresses=("127.0.0.2", "127.0.0.1")
        )
        took.append(loop.time() - began)
        assert writer.get_extra_info("peername")[0] == "127.0.0.1"
        writer.close()
    # Counted again from its last answer: it has been one all the time.
    assert 0.2 < took[0] < 2
    assert max(took[1:]) < 0.2


async def test_a_remembered_address_that_died_costs_one_delay(half_dead: int) -> None:
    eyeballs = HappyEyeballs(lambda: 0.0)
    eyeballs.remember("name.test", half_dead, "127.0.0.2")
    for _ in range(2):
        _, writer = await eyeballs.open(
            "name.test", half_dead, addresses=("127.0.0.1", "127.0.0.2")
        )
        writer.close()
    assert eyeballs.remembered("name.test", half_dead) == "127.0.0.1"
