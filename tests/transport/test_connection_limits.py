"""Whose connection goes, and when: the decisions, without sockets."""

import resource

import pytest

from llm_gateway.transport.connection_limits import (
    FEWEST_CONNECTIONS,
    HEAD_SECONDS,
    IDLE_SECONDS,
    Seen,
    Sight,
    Stage,
    makes_room,
    most_connections,
    note,
    overdue,
)

HEAD, IDLE, BUSY = Sight(Stage.HEAD, 1), Sight(Stage.IDLE, 1), Sight(Stage.BUSY)


def test_time_runs_from_the_first_look_at_a_state() -> None:
    seen = note({}, [("a", HEAD), ("b", IDLE)], 10)
    seen = note(seen, [("a", HEAD), ("b", Sight(Stage.IDLE, 3)), ("c", BUSY)], 12)
    assert seen == {
        "a": Seen(HEAD, 10),
        "b": Seen(Sight(Stage.IDLE, 3), 12),
        "c": Seen(BUSY, 12),
    }
    assert note(seen, [("c", BUSY)], 13) == {"c": Seen(BUSY, 12)}


@pytest.mark.parametrize(
    ("sight", "age", "gone"),
    [
        (HEAD, HEAD_SECONDS - 0.1, False),
        (HEAD, HEAD_SECONDS, True),
        (IDLE, HEAD_SECONDS, False),
        (IDLE, IDLE_SECONDS, True),
        (Sight(Stage.BODY, 1), HEAD_SECONDS, False),
        (Sight(Stage.BODY, 1), IDLE_SECONDS, True),
        (BUSY, 1e6, False),
    ],
)
def test_overdue(sight: Sight, age: float, gone: bool) -> None:
    assert overdue({"a": Seen(sight, 100)}, 100 + age) == (["a"] if gone else [])


def of(*rows: tuple[str, str, Sight | None, float]) -> tuple[dict, dict]:
    """(id, host, sight, since) -> hosts, seen."""
    hosts = {id: host for id, host, _, _ in rows}
    return hosts, {id: Seen(s, since) for id, _, s, since in rows if s}


@pytest.mark.parametrize(
    ("rows", "leaves"),
    [
        ([("new", "x", HEAD, 9)], None),
        ([("a", "x", BUSY, 1), ("new", "x", HEAD, 9)], None),
        ([("a", "x", HEAD, 2), ("b", "x", IDLE, 1), ("new", "x", HEAD, 9)], "b"),
        ([("a", "x", HEAD, 2), ("b", "x", BUSY, 1), ("new", "x", HEAD, 9)], "a"),
        # Two of a crowd before the only one of somebody else, however long it waits.
        (
            [
                ("a", "few", IDLE, 1),
                ("b", "crowd", HEAD, 2),
                ("c", "crowd", HEAD, 3),
                ("new", "other", HEAD, 9),
            ],
            "b",
        ),
        ([("a", "x", None, 0), ("new", "x", HEAD, 9)], None),
    ],
)
def test_who_makes_room(rows: list, leaves: str | None) -> None:
    assert makes_room("new", *of(*rows)) == leaves


@pytest.mark.parametrize(
    ("soft", "hard", "most"),
    [
        (4096, 4096, 512),
        (256, 4096, 512),
        (256, 256, 96),
        (64, 64, FEWEST_CONNECTIONS),
        (resource.RLIM_INFINITY, resource.RLIM_INFINITY, 512),
        (1024, resource.RLIM_INFINITY, 512),
    ],
)
def test_few_descriptors_few_connections(
    monkeypatch: pytest.MonkeyPatch, soft: int, hard: int, most: int
) -> None:
    monkeypatch.setattr(resource, "getrlimit", lambda _: (soft, hard))
    monkeypatch.setattr(resource, "setrlimit", lambda _, limits: None)
    assert most_connections() == most
