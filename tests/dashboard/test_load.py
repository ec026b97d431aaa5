"""What open tabs cost, in CPU time of the dashboard's process."""

from pathlib import Path

import pytest

from .load import measure


@pytest.mark.chaos
@pytest.mark.process
@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="needs /proc")
def test_ten_tabs_cost_less_than_a_twentieth_of_a_core_with_200_000_rows() -> None:
    share, times = measure(tabs=10, rows=200_000, seconds=10)
    assert len(times) > 50
    assert share < 0.05
