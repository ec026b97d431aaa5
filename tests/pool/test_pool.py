"""Parked connections: whose they are, how long they lie, when they are let go."""

import asyncio
from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llm_gateway.pool import pool
from llm_gateway.pool.pool import ConnectionPool, IdleConnection, OriginKey


@dataclass(frozen=True)
class Origin:
    scheme: str
    host: str
    port: int


A = OriginKey("a.example", 443, True, "a.example")
B = OriginKey("b.example", 443, True, "b.example")
PLAIN = OriginKey("a.example", 80, False, None)
ORIGINS = [
    Origin("https", "a.example", 443),
    Origin("https", "b.example", 443),
    Origin("http", "a.example", 80),
]


class Line(asyncio.Transport):
    """A connection that goes nowhere."""

    def __init__(self):
        super().__init__()
        self.protocol = asyncio.Protocol()
        self.closed = False

    def get_protocol(self):
        return self.protocol

    def set_protocol(self, protocol):
        self.protocol = protocol

    def is_closing(self):
        return self.closed


class Writer:
    def __init__(self):
        self.transport = Line()

    def close(self):
        self.transport.closed = True


def line(key):
    return IdleConnection(key, None, Writer(), None, {})


def closed(parked):
    return parked.writer.transport.closed


class House:
    """A `ConnectionPool` with a clock to turn and spare connections to order."""

    def __init__(self, origins=ORIGINS):
        self.time = 1000.0
        self.opened = []
        self.fails = False
        self.warm = ConnectionPool(
            self.open_one, now=lambda: self.time, start=self.start
        )
        self.warm.set_origins(origins)

    async def open_one(self, key):
        if self.fails:
            raise OSError("refused")
        self.opened.append(line(key))
        return self.opened[-1]

    def start(self, work):
        with pytest.raises(StopIteration):
            work.send(None)  # nothing here waits

    def lying(self, key):
        place = self.warm.places.get(key)
        return len(place.parked) if place else 0


@pytest.fixture
def house():
    return House()


def test_who_comes_next_gets_it(house):
    parked = line(A)
    assert house.warm.release(parked)
    assert house.warm.acquire(A) is parked
    assert not closed(parked)
    assert house.warm.acquire(A) is None


@pytest.mark.parametrize(
    "other",
    [
        B,
        PLAIN,
        OriginKey("a.example", 8443, True, "a.example"),
        OriginKey("a.example", 443, False, None),
        OriginKey("a.example", 443, True, "another.example"),
    ],
)
def test_nobody_else_gets_it(house, other):
    house.warm.release(line(A))
    assert house.warm.acquire(other) is None
    assert house.lying(A) == 1


def test_the_last_one_is_the_first(house):
    old, new = line(A), line(A)
    house.warm.release(old)
    house.warm.release(new)
    assert house.warm.acquire(A) is new
    assert house.warm.acquire(A) is old


def test_other_hosts_are_not_kept(house):
    parked = line(OriginKey("bank.example", 443, True, "bank.example"))
    assert not house.warm.release(parked)
    assert not closed(parked), "it is still the caller's"


def test_after_a_reload_only_the_new_ones(house):
    a, b = line(A), line(B)
    house.warm.release(a)
    house.warm.release(b)
    house.warm.set_origins([Origin("https", "b.example", 443)])
    assert (closed(a), closed(b)) == (True, False)
    assert house.warm.acquire(A) is None
    assert house.warm.acquire(B) is b


def test_too_long_is_too_long(house):
    parked = line(A)
    house.warm.release(parked)
    house.time += 50.0
    assert house.warm.acquire(A) is None
    assert closed(parked)


def test_a_sweep_closes_what_lies_too_long(house):
    old = line(A)
    house.warm.release(old)
    house.time += 30.0
    young = line(A)
    house.warm.release(young)
    house.time += 20.0
    house.warm.sweep()
    assert (closed(old), closed(young)) == (True, False)


def test_places_that_nobody_uses_are_forgotten(house):
    house.warm.acquire(A)
    house.time += 301.0
    house.warm.sweep()
    assert not house.warm.places


def test_no_more_than_so_many_per_origin(house):
    lines = [line(A) for _ in range(33)]
    assert [house.warm.release(one) for one in lines] == [True] * 32 + [False]
    assert not any(map(closed, lines))


def test_no_more_than_so_many_in_all_the_oldest_goes(monkeypatch):
    monkeypatch.setattr(pool, "IN_ALL", 2)
    house = House()
    first, second, third = line(A), line(B), line(PLAIN)
    for one in (first, second, third):
        assert house.warm.release(one)
        house.time += 1.0
    assert [closed(one) for one in (first, second, third)] == [True, False, False]


# What the peer does


@pytest.mark.parametrize(
    "event",
    [
        lambda parked: parked.data_received(b"HTTP/1.1 408 Request Timeout\r\n"),
        lambda parked: parked.eof_received(),
        lambda parked: parked.connection_lost(None),
        lambda parked: parked.connection_lost(ConnectionResetError()),
    ],
    ids=["speaks", "closes", "lost", "resets"],
)
def test_a_peer_that_moves_loses_its_place(house, event):
    parked = line(A)
    house.warm.release(parked)
    event(parked.writer.transport.get_protocol())
    assert closed(parked)
    assert house.warm.acquire(A) is None


def test_one_that_is_closing_is_not_parked_and_not_handed_out(house):
    dead = line(A)
    dead.writer.close()
    assert not house.warm.release(dead)
    dying = line(A)
    house.warm.release(dying)
    dying.writer.close()
    assert house.warm.acquire(A) is None


def test_one_that_was_stale_takes_the_others_along(house):
    others = [line(A), line(A)]
    kept = line(B)
    for one in (*others, kept):
        house.warm.release(one)
    house.warm.discard(A)
    assert all(map(closed, others))
    assert not closed(kept)
    assert house.warm.acquire(A) is None


# Spare connections


def test_wanted_once_is_not_worth_a_spare_one(house):
    house.warm.acquire(A)
    assert house.opened == []


def test_wanted_twice_one_is_opened_ahead(house):
    house.warm.acquire(A)
    house.time += 200.0
    house.warm.acquire(A)
    assert [one.key for one in house.opened] == [A]
    assert house.warm.acquire(A) is house.opened[0]
    assert len(house.opened) == 2, "and one for the next"


def test_twice_in_a_long_time_is_not_worth_it(house):
    house.warm.acquire(A)
    house.time += 301.0
    house.warm.acquire(A)
    assert house.opened == []


def test_plain_connections_are_only_reused(house):
    house.warm.acquire(PLAIN)
    house.warm.acquire(PLAIN)
    assert house.opened == []


def test_while_it_is_in_use_there_is_always_one(house):
    house.warm.acquire(A)
    house.warm.acquire(A)
    for _ in range(10):
        house.time += 50.0
        house.warm.sweep()
    # The first one, and one after 50, 100, ... 300 seconds without use; then none.
    assert len(house.opened) == 7
    assert house.lying(A) == 0


def test_a_spare_one_that_fails_is_not_tried_until_it_is_wanted(house):
    house.fails = True
    house.warm.acquire(A)
    house.warm.acquire(A)
    house.fails = False
    house.warm.sweep()
    assert house.opened == []
    house.warm.acquire(A)
    assert len(house.opened) == 1


def test_a_provider_that_closes_early_gets_no_spare_one(house):
    house.warm.acquire(A)
    house.warm.acquire(A)
    house.time += 5.0
    house.opened[0].eof_received()
    house.warm.sweep()
    assert len(house.opened) == 1


def test_a_provider_that_closes_late_gets_another(house):
    house.warm.acquire(A)
    house.warm.acquire(A)
    house.time += 20.0
    house.opened[0].eof_received()
    house.warm.sweep()
    assert len(house.opened) == 2


def test_a_spare_one_for_an_origin_that_is_gone_is_closed(house):
    house.warm.acquire(A)

    async def reload_meanwhile(key):
        house.warm.set_origins([])
        house.opened.append(line(key))
        return house.opened[-1]

    house.warm.open_one = reload_meanwhile
    house.warm.acquire(A)
    assert closed(house.opened[0])


def test_the_end(house):
    parked = line(A)
    house.warm.release(parked)
    house.warm.close()
    assert closed(parked)
    assert not house.warm.release(line(A))
    assert house.warm.acquire(A) is None


steps = st.lists(
    st.one_of(
        st.tuples(st.sampled_from(["give", "take", "die"]), st.sampled_from([A, B])),
        st.tuples(st.just("wait"), st.sampled_from([1.0, 30.0, 60.0])),
        st.tuples(st.sampled_from(["sweep", "forget"]), st.just(A)),
    ),
    max_size=60,
)


@given(steps)
def test_each_has_one_owner_and_its_own_origin(steps):
    """Whatever happens: nothing is handed out twice, to another origin, dead or stale."""
    house = House()
    handed = []
    for what, it in steps:
        match what:
            case "give":
                house.warm.release(line(it))
            case "take":
                if taken := house.warm.acquire(it):
                    assert not any(taken is one for one in handed)
                    handed.append(taken)
                    assert taken.key == it
                    assert taken.alive
                    assert house.time - taken.since < 50.0
                    assert taken.writer.transport.get_protocol() is taken.own
            case "die":
                if house.lying(it):
                    house.warm.places[it].parked[0].eof_received()
            case "wait":
                house.time += it
            case "sweep":
                house.warm.sweep()
            case "forget":
                house.warm.discard(it)
        assert all(
            not closed(one) and one.key == key
            for key, place in house.warm.places.items()
            for one in place.parked
        )
