"""Models that answer twice that they do not exist."""

import pytest

from llm_gateway.routing.retirement import NotFoundCounter

KEY = ("p", "", "m")


@pytest.mark.parametrize(
    ("second", "last_good", "retired"),
    [
        pytest.param((700.0, 699.0), None, True, id="told twice"),
        pytest.param((101.0, 99.0), None, False, id="on its way already"),
        pytest.param((700.0, 699.0), 300.0, False, id="answered in between"),
        pytest.param((700.0, 699.0), 50.0, True, id="answered before"),
    ],
)
def test_the_second_time_counts(
    second: tuple[float, float], last_good: float | None, retired: bool
) -> None:
    counter = NotFoundCounter()
    assert not counter.record(KEY, 100.0, left_at=99.0, last_good=None)
    now, left_at = second
    assert counter.record(KEY, now, left_at=left_at, last_good=last_good) is retired


def test_each_offer_counts_for_itself() -> None:
    counter = NotFoundCounter()
    for model in "abc":
        assert not counter.record(("p", "", model), 1.0, left_at=0.0, last_good=None)
    counter.forget("p")
    assert not counter.record(("p", "", "a"), 9.0, left_at=8.0, last_good=None)
