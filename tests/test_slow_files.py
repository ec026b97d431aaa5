"""The table of slow files names files that are there, the slowest first."""

from pathlib import Path

from slow_files import SECONDS

HERE = Path(__file__).parent


def test_every_slow_file_is_there() -> None:
    assert [name for name in SECONDS if not (HERE / name).is_file()] == []


def test_the_slowest_come_first() -> None:
    assert [*SECONDS.values()] == sorted(SECONDS.values(), reverse=True)
