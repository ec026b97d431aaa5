"""How far the server's clock is ahead, whatever the way there takes and whoever sets a clock."""

import pytest

from llm_gateway.cluster.clock import SAMPLES, Offset


def test_the_shortest_way_wins() -> None:
    offset = Offset()
    for took, ahead in ((0.8, 3.3), (0.01, 3.0), (0.4, 2.9)):
        offset.add(100, 100 + took, 100 + took / 2 + ahead)
    assert offset.seconds == pytest.approx(3.0)


@pytest.mark.parametrize("jump", [-3600.0, -1.0, 0.5, 90.0])
@pytest.mark.parametrize("took", [0.001, 0.2])
def test_a_clock_that_was_set_is_known_by_the_next_answer(
    jump: float, took: float
) -> None:
    """Not when the last answer of before is forgotten: until then every reservation would
    come too late, or with a moment that is not yet."""
    offset = Offset()
    for at in range(SAMPLES):
        assert offset.add(at, at + 0.001, at + 0.0005) == 0.0
    step = offset.add(500 - jump, 500 - jump + took, 500 + took / 2)
    assert step == pytest.approx(jump, abs=took)
    assert offset.seconds == pytest.approx(jump, abs=took)
    assert offset.add(501, 501.001, 501.0005 + jump) == 0.0


@pytest.mark.parametrize("jump", [-3600.0, 90.0])
@pytest.mark.parametrize("theirs", [-7200.0, 0.0, 90.0])
def test_our_own_step_is_not_the_servers(jump: float, theirs: float) -> None:
    """Both may be one machine, whose clock is set once."""
    offset = Offset()
    offset.add(0, 0.001, 5.0005)
    offset.clock_set(jump)
    assert offset.seconds == pytest.approx(5 - jump)
    at = 10 + jump
    step = offset.add(at, at + 0.001, 15.0005 + theirs)
    assert step == pytest.approx(theirs, abs=0.01)
    assert offset.seconds == pytest.approx(5 - jump + theirs, abs=0.01)


def test_a_slow_answer_is_no_clock_that_was_set() -> None:
    """All of its delay on one way: the other answers are believed on."""
    offset = Offset()
    offset.add(0, 0.001, 0.0005)
    offset.add(1, 3, 1)
    offset.add(5, 7, 7)
    assert offset.seconds == 0.0
