"""Disks that let the ledger down, under a gateway that goes on answering.

Each fault comes while clients ask; each request is answered, the flag shows while it
lasts and goes when it is over, what was held back is written, and the event loop never
waited: a second script in the same mitmdump looks at how long it was away, beside the
same clients before the fault.

    LOCKED_SECONDS=10 pytest -s tests/end_to_end/test_disk.py     as long as one likes
"""

import itertools
import json
import os
import sqlite3
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from pathlib import Path

import pytest
from fakes import FakeProvider
from fakes.disk import Remount, small_disk

from gateway import provider

from .conftest import Start

LOCKED_SECONDS = float(os.environ.get("LOCKED_SECONDS", "2"))
CLIENTS = 8
CALM = 40
"""Requests before the fault comes: they show what this machine, this Python and this load
make of the loop."""
MORE = {"busy": 0.3, "away": 0.5, "waits": 4}
"""Beyond twice the calm: seconds that the loop may be busy (collecting all garbage takes a
tenth), seconds by the clock, and waits. A loop that writes itself waits for each write
while the file is locked, more often than that in a second."""
LAGGING = Path(__file__).with_name("lagging.py")


@pytest.fixture
def fake() -> Iterator[FakeProvider]:
    with FakeProvider() as fake:
        yield fake


class Watched:
    """A gateway on a disk of its own, with clients that ask all the time."""

    def __init__(self, start: Start, fake: FakeProvider, disk: Path, lag: Path) -> None:
        self.lag = lag
        self.gateway = start(
            {"providers": [provider(fake, "a", free=True)]},
            env={
                "LAGGING_FILE": str(lag),
                "LLM_GATEWAY_DB": str(disk / "usage.db"),
            },
            arguments=("-s", str(LAGGING)),
        )
        self.gateway.database = disk / "usage.db"
        self.asked = 0
        self.answered = itertools.count(1)
        self.calm = threading.Event()
        self.wrong: list[object] = []
        self.slowest = 0.0

    def health(self) -> tuple[str, str]:
        _, _, health = self.gateway.get("/health")
        return health["status"], " ".join(health.get("degraded", ()))

    def ask(self, stop: threading.Event) -> int:
        count = 0
        while not stop.is_set():
            began = time.monotonic()
            status, _, body = self.gateway.chat(model="m", user="x" * 50)
            self.slowest = max(self.slowest, time.monotonic() - began)
            count += 1
            if next(self.answered) == CALM:
                self.calm.set()
            if status != 200:
                self.wrong.append((status, body))
        return count

    def longest(self) -> dict[str, float]:
        """How long the loop was busy and away in one go since the last call; its waits."""
        self.gateway.wait_for(self.lag.exists, "a look")
        found: dict[str, float] = json.loads(self.lag.read_text())
        self.lag.unlink()
        return found

    @contextmanager
    def under_load(self) -> Iterator[None]:
        """Clients ask while the block lasts; then all of it is looked at."""
        assert self.gateway.chat()[0] == 200
        self.gateway.get("/usage/current")
        self.longest()
        stop = threading.Event()
        with ThreadPoolExecutor(CLIENTS) as pool:
            clients = [pool.submit(self.ask, stop) for _ in range(CLIENTS)]
            try:
                assert self.calm.wait(60)
                calm = self.longest()
                yield
            finally:
                stop.set()
            self.asked = 1 + sum(client.result() for client in clients)
        found = self.longest()
        print(
            f"\n{self.asked} requests, the slowest {self.slowest:.2f} s; the loop was"
            f" {found}, in the calm {calm}"
        )
        assert self.wrong == []
        for what, more in MORE.items():
            assert found[what] < 2 * calm[what] + more, (what, found, calm)

    def wait_degraded(self, word: str) -> None:
        self.gateway.wait_for(lambda: word in self.health()[1], f"{word!r} in /health")
        assert self.health()[0] == "degraded"
        _, _, usage = self.gateway.get("/usage/current")
        assert word in " ".join(usage["degraded"])

    def wait_well(self) -> None:
        self.gateway.wait_for(lambda: self.health()[0] == "ok", "the flag to go")

    def counted(self) -> int:
        return self.gateway.rows("select count(*) n from requests")[0]["n"]


def sound(path: Path) -> bool:
    connection = sqlite3.connect(path)
    try:
        return connection.execute("pragma quick_check").fetchall() == [("ok",)]
    except sqlite3.DatabaseError:
        return False
    finally:
        connection.close()


@pytest.fixture
def small(tmp_path: Path) -> Iterator[tuple[Path, Remount]]:
    """A file system of its own, smaller than an empty ledger, and what changes it."""
    with small_disk(tmp_path / "disk", "256k") as remount:
        yield tmp_path / "disk", remount


def test_locked_by_another_program(
    start: Start, fake: FakeProvider, tmp_path: Path
) -> None:
    watched = Watched(start, fake, tmp_path, tmp_path / "lag.json")
    with watched.under_load():
        other = sqlite3.connect(watched.gateway.database, isolation_level=None)
        other.execute("begin immediate")
        watched.wait_degraded("locked")
        threading.Event().wait(LOCKED_SECONDS)
        other.execute("rollback")
        other.close()
        watched.wait_well()
    watched.gateway.ended(watched.asked)
    assert watched.counted() == watched.asked


def test_a_disk_that_fills_up_and_is_enlarged(
    start: Start,
    fake: FakeProvider,
    small: tuple[Path, Remount],
    tmp_path: Path,
) -> None:
    folder, remount = small
    # The start alone takes more than there is: one line says so, and nothing runs.
    with pytest.raises(Exception, match="full"):
        Watched(start, fake, folder, tmp_path / "lag.json")
    remount("size=2m")
    watched = Watched(start, fake, folder, tmp_path / "lag.json")
    with watched.under_load():
        watched.wait_degraded("the disk is full")
        assert sound(folder / "usage.db")
        remount("size=64m")
        watched.wait_well()
    watched.gateway.ended(watched.asked)
    assert watched.counted() == watched.asked
    assert sound(folder / "usage.db")


def test_a_disk_that_is_read_only(
    start: Start,
    fake: FakeProvider,
    small: tuple[Path, Remount],
    tmp_path: Path,
) -> None:
    folder, remount = small
    remount("size=64m")
    first = Watched(start, fake, folder, tmp_path / "lag.json")
    assert first.gateway.chat()[0] == 200
    first.gateway.stop()
    remount("size=64m", "ro")
    with pytest.raises(Exception, match="Read-only file system"):
        Watched(start, fake, folder, tmp_path / "lag.json")
    remount("size=64m", "rw")


def test_damage_in_the_middle_of_the_file(
    start: Start, fake: FakeProvider, tmp_path: Path
) -> None:
    """Found at the start; what limits need is carried over, and nobody waits for that."""
    first = Watched(start, fake, tmp_path, tmp_path / "lag.json")
    with first.under_load():
        first.gateway.wait_for(lambda: first.counted() > 200, "some rows")
    first.gateway.ended(first.asked)
    first.gateway.stop()
    path = first.gateway.database
    # Behind the roots of all tables: without one of them nothing of its table is found.
    with closing(sqlite3.connect(path)) as db:
        [[roots]] = db.execute("SELECT max(rootpage) FROM sqlite_master")
    with path.open("r+b") as file:
        file.seek((roots + path.stat().st_size // 4096) // 2 * 4096)
        file.write(b"\xff" * 4096)
    assert not sound(path)
    watched = Watched(start, fake, tmp_path, tmp_path / "lag.json")
    with watched.under_load():
        watched.wait_degraded("damaged")
    kept_files = sorted(tmp_path.glob("usage.db.corrupt-*"))
    aside = kept_files[0]
    assert aside.name in watched.health()[1]
    assert sound(path)
    watched.gateway.wait_rows(
        "select count(*) n from requests where outcome = 'ok'",
        lambda rows: rows[0]["n"] == watched.asked,
    )
    [kept] = watched.gateway.rows("select count(*) n from attempts")
    assert kept["n"] > watched.asked + first.asked * 0.6
