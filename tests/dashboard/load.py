"""What open tabs cost: CPU of the dashboard's process while they poll.

    python -m dashboard.load --tabs 10 --rows 200000 --seconds 20

Run it in tests/. Prints the share of one core, and the answer times.
"""

import argparse
import os
import tempfile
import threading
import time
import urllib.request
from pathlib import Path

from . import demo
from .ledgers import Ledger
from .serving import datasette

TICKS = os.sysconf("SC_CLK_TCK")

MORE = """
WITH RECURSIVE one(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM one WHERE n < :count)
INSERT INTO requests (id, ts, client, app, dialect, requested_model, provider, account,
  model, status, outcome, attempts, input_tokens, output_tokens, cost_nano, saved_nano,
  ttft_ms, duration_ms)
SELECT printf('00000000-%012d', n),
  strftime('%Y-%m-%dT%H:%M:%fZ', :end - n * 20, 'unixepoch'),
  'cursor', 'cursor', 'chat', 'gpt-4o-mini', 'groq', '', 'llama-3.3-70b-versatile',
  200, 'ok', 1, 900, 300, 0, 2000000, 240, 1200
FROM one
"""
"""Further requests, one each 20 s before `end`."""


def cpu_seconds(pid: int) -> float:
    """User and system time of a process, all threads."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


def tab(url: str, until: float, times: list[float]) -> None:
    while (began := time.monotonic()) < until:
        with urllib.request.urlopen(url + "/-/gateway/live.json?window=5") as answer:
            answer.read()
        times.append(time.monotonic() - began)
        time.sleep(1)


def measure(tabs: int, rows: int, seconds: float) -> tuple[float, list[float]]:
    """(share of one core, answer times in seconds, sorted)."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "usage.db"
        ledger = Ledger(path)
        now = time.time()
        demo.fill(ledger, now, days=60, recent=600)
        ledger.db.execute("BEGIN")
        have = ledger.db.execute("SELECT count(*) FROM requests").fetchone()[0]
        ledger.db.execute(MORE, {"count": rows - have, "end": now - 3700})
        ledger.db.execute("COMMIT")
        ledger.db.execute("PRAGMA optimize")
        ledger.beat(now + 600)
        with datasette(Path(folder), str(path)) as served:
            pid = served.process.pid
            tab(served.url, time.monotonic() + 1, [])
            times: list[float] = []
            until = time.monotonic() + seconds
            threads = [
                threading.Thread(target=tab, args=(served.url, until, times))
                for _ in range(tabs)
            ]
            before, began = cpu_seconds(pid), time.monotonic()
            for thread in threads:
                thread.start()
                time.sleep(1 / tabs)
            for thread in threads:
                thread.join()
            share = (cpu_seconds(pid) - before) / (time.monotonic() - began)
        ledger.close()
    return share, sorted(times)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tabs", type=int, default=10)
    parser.add_argument("--rows", type=int, default=200_000)
    parser.add_argument("--seconds", type=float, default=20)
    given = parser.parse_args()
    share, times = measure(given.tabs, given.rows, given.seconds)
    middle, late = times[len(times) // 2], times[len(times) * 95 // 100]
    print(
        f"{given.tabs} tabs, {given.rows} rows: {share:.1%} of a core, "
        f"{middle * 1000:.1f} ms median, {late * 1000:.1f} ms at 95 %"
    )


if __name__ == "__main__":
    main()
