"""What the Live page costs a browser: 30 providers with 20 models, 100 requests a second.

    python -m dashboard.page_load --seconds 20

Run it in tests/, with PYTHONPATH=../addon. Prints the first paint, the bytes of JSON a
second, the main thread's share of a core under load and idle, and the server's.
"""

import argparse
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

from llm_gateway.dashboard.availability import stamp

from .browsing import browser
from .ledgers import Ledger
from .load import cpu_seconds
from .serving import datasette

PROVIDERS, MODELS, A_SECOND = 30, 20, 100


def fill(ledger: Ledger, now: float) -> None:
    ledger.db.execute("BEGIN")
    for p in range(PROVIDERS):
        ledger.provider(f"p{p:02}", free=1)
        for m in range(MODELS):
            model = f"vendor/model-{m:02}"
            ledger.model(f"p{p:02}", model, f"model-{m:02}")
            ledger.offer(f"p{p:02}", model)
            for window in ("minute", "day"):
                ledger.limit(f"p{p:02}", model, "requests", window, m, 100, now + 3600)
    ledger.beat(now)
    for n in range(5_000):
        ledger.request(now - n / 20, provider=f"p{n % PROVIDERS:02}", model=f"vendor/model-{n % MODELS:02}")  # fmt: skip
    ledger.db.execute("COMMIT")


def living(path: Path, stop: threading.Event) -> None:
    """As many requests a second as are wanted, in tenths, and the limits they move."""
    ledger = Ledger(path)
    n = 0
    while not stop.wait(0.1):
        now = time.time()
        ledger.db.execute("BEGIN IMMEDIATE")
        for _ in range(A_SECOND // 10):
            n += 1
            provider, model = f"p{n % PROVIDERS:02}", f"vendor/model-{n % MODELS:02}"
            ledger.request(now, provider=provider, model=model)
        ledger.limit(provider, model, "requests", "day", n % 100, 100, now + 3600)
        ledger.db.execute("COMMIT")
    ledger.close()


def beating(path: Path, stop: threading.Event) -> None:
    """What a gateway writes while nobody asks: its heartbeat, and all limits as they were."""
    ledger = Ledger(path)
    since = stamp(time.time() - 3600)
    while not stop.wait(2.0):
        now = time.time()
        ledger.db.execute("BEGIN IMMEDIATE")
        ledger.beat(now, started_at=since, config_loaded_at=since)
        for table in ("limit_state", "offer_state"):
            ledger.db.execute(f"UPDATE {table} SET updated_at = ?", (stamp(now),))
        ledger.db.execute("COMMIT")
    ledger.close()


def renderer_cpu(session: Any) -> float:
    """CPU seconds of the processes that run and draw pages: scripts, layout, painting."""
    said = session.send("SystemInfo.getProcessInfo")["processInfo"]
    return float(sum(one["cpuTime"] for one in said if one["type"] == "renderer"))


def shares(
    page: Any, session: Any, whole: Any, pid: int, seconds: float
) -> dict[str, float]:
    """Of a core: scripts, all that the page takes, Datasette; bytes of JSON a second.

    Scripts are timed by the clock, so on a busy machine they seem to take longer.
    """

    def now() -> dict[str, float]:
        said = session.send("Performance.getMetrics")["metrics"]
        return {one["name"]: one["value"] for one in said}

    page.evaluate("performance.clearResourceTimings()")
    before, cpu, began = now(), cpu_seconds(pid), time.monotonic()
    drawn = renderer_cpu(whole)
    page.wait_for_timeout(seconds * 1000)
    after, took = now(), time.monotonic() - began
    sizes = page.evaluate(
        "performance.getEntriesByType('resource').filter((one) => one.name.includes('live.json'))"
        ".map((one) => [one.encodedBodySize, one.decodedBodySize])"
    )
    return {
        "script": (after["ScriptDuration"] - before["ScriptDuration"]) / took,
        "page": (renderer_cpu(whole) - drawn) / took,
        "server": (cpu_seconds(pid) - cpu) / took,
        "sent": sum(one[0] for one in sizes) / took,
        "as text": sum(one[1] for one in sizes) / took,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=20)
    seconds = parser.parse_args().seconds
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "usage.db"
        ledger = Ledger(path)
        fill(ledger, time.time())
        stop, ended = threading.Event(), threading.Event()
        writer = threading.Thread(target=living, args=(path, stop), daemon=True)
        heart = threading.Thread(target=beating, args=(path, ended), daemon=True)
        with datasette(Path(folder), str(path)) as served, browser() as found:
            page = found.new_page(viewport={"width": 1440, "height": 900})
            page.goto(served.url + "/-/gateway/apps")  # the server has started
            heart.start()
            writer.start()
            try:
                page.goto(served.url + "/-/gateway")
                page.wait_for_selector(".group")
                paint = page.evaluate(
                    "performance.getEntriesByName('first-contentful-paint')[0].startTime"
                )
                table = page.evaluate("performance.now()")
                session = page.context.new_cdp_session(page)
                session.send("Performance.enable")
                whole = found.new_browser_cdp_session()
                busy = shares(page, session, whole, served.process.pid, seconds)
            finally:
                stop.set()
                writer.join()
            page.wait_for_timeout(2000)
            try:
                idle = shares(page, session, whole, served.process.pid, seconds)
            finally:
                ended.set()
                heart.join()
        ledger.close()
    print(f"first paint {paint:.0f} ms, table drawn {table:.0f} ms")
    for name, of in (("100 requests/s", busy), ("idle", idle)):
        print(
            f"{name}: script {of['script']:.1%}, whole page {of['page']:.1%}, "
            f"server {of['server']:.1%} of a core; JSON {of['sent'] / 1000:.1f} KB/s sent, "
            f"{of['as text'] / 1000:.1f} KB/s as text"
        )


if __name__ == "__main__":
    main()
