"""Pictures of every page, made from the demo ledger.

    cd tests && PYTHONPATH=../addon python -m dashboard.shots ../docs/img --readme
    cd tests && PYTHONPATH=../addon python -m dashboard.shots /tmp/shots

The first makes the pictures that the README shows; the second all states, for looking
at them. Needs `pip install playwright` and Chromium (Debian: `apt install chromium`).
"""

import argparse
import random
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

from . import demo
from .browsing import browser, watch
from .fake_gateway import FakeGateway
from .ledgers import Ledger
from .serving import datasette

PICTURE = {"width": 1440, "height": 860}
WIDE = {"width": 1440, "height": 900}
LAPTOP = {"width": 1180, "height": 860}
PHONE = {"width": 390, "height": 844}


def living(path: Path, stop: threading.Event) -> None:
    """What a running gateway would write."""
    ledger, chance = Ledger(path), random.Random(8)
    while not stop.wait(0.5):
        now = time.time()
        if chance.random() < 0.5:
            demo.one_request(ledger, now, chance)
        demo.limits(ledger, now)
    ledger.close()


class Camera:
    def __init__(self, found: Any, url: str, out: Path) -> None:
        self.browser, self.url, self.out = found, url, out
        self.wrong: list[str] = []
        self.cookies: list[Any] = []

    def take(
        self,
        name: str,
        path: str,
        *,
        size: dict[str, int] = WIDE,
        theme: str = "light",
        whole: bool = False,
        wait: str = "#main, section.content",
        act: Any = None,
        sign_in: str = "",
    ) -> None:
        context = self.browser.new_context(
            viewport=size, color_scheme=theme, locale="en-GB", timezone_id="UTC"
        )
        page = context.new_page()
        wrong = watch(page)
        if sign_in and not self.cookies:
            page.goto(sign_in)
            self.cookies = context.cookies()
        elif sign_in:
            context.add_cookies(self.cookies)
        page.goto(self.url + path)
        page.wait_for_selector(wait)
        page.wait_for_timeout(2300)  # two ticks: the second moves what the first drew
        if act:
            act(page)
            page.wait_for_timeout(700)
        page.screenshot(path=self.out / f"{name}.png", full_page=whole)
        self.wrong += [f"{name}: {one}" for one in wrong]
        context.close()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("out", type=Path)
    parser.add_argument("--readme", action="store_true")
    parser.add_argument("--only", default="")
    arguments = parser.parse_args()
    arguments.out.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder, FakeGateway() as gateway:
        home = Path(folder)
        (home / "admin-token").write_text(gateway.token)
        path = home / "usage.db"
        ledger = Ledger(path)
        demo.fill(ledger, time.time())
        env = {"LLM_GATEWAY_HOME": folder, "LLM_GATEWAY_URL": gateway.url}
        stop = threading.Event()
        writer = threading.Thread(target=living, args=(path, stop))
        writer.start()
        try:
            with datasette(home, str(path), env=env) as served, browser() as found:
                camera = Camera(found, served.url, arguments.out)
                take_all(camera, ledger, served.sign_in, arguments)
                stop.set()
                writer.join()
                if not arguments.readme:
                    states(camera, ledger, arguments)
        finally:
            stop.set()
            writer.join()
            ledger.close()
        print("\n".join(camera.wrong) or "no errors on any page")


def take_all(camera: Camera, ledger: Ledger, sign_in: str, arguments: Any) -> None:
    request = ledger.db.execute(
        "SELECT request FROM attempts WHERE n = 2 ORDER BY request DESC LIMIT 1"
    ).fetchone()[0]
    live = {"path": "/-/gateway?window=30", "wait": ".group"}
    config = {"path": "/-/gateway/config", "sign_in": sign_in, "wait": ".provider-card"}
    story = {"path": f"/-/gateway/requests/{request}"}
    shots: dict[str, dict[str, Any]] = {
        "live-light": {**live, "size": PICTURE},
        "live-dark": {**live, "size": PICTURE, "theme": "dark"},
        "history": {"path": "/-/gateway/history?range=30d", "wait": ".u-wrap", "size": PICTURE},
        "request": {**story, "size": PICTURE},
    }  # fmt: skip
    if not arguments.readme:
        shots |= {
            "live-wide": {**live, "size": WIDE, "whole": True},
            "live-laptop": {**live, "size": LAPTOP, "whole": True},
            "live-phone": {**live, "size": PHONE},
            "live-phone-2": {**live, "size": PHONE, "act": lambda page: page.mouse.wheel(0, 800)},
            "live-phone-3": {**live, "size": PHONE, "act": lambda page: page.locator("#ticker").scroll_into_view_if_needed()},
            "live-detail": {**live, "act": lambda page: page.locator(".name", has_text="gemini-2.5-flash").first.click()},
            "history-dark": {"path": "/-/gateway/history?range=7d&by=model", "wait": ".u-wrap", "theme": "dark", "whole": True},
            "history-phone": {"path": "/-/gateway/history", "wait": ".u-wrap", "size": PHONE},
            "history-hover": {"path": "/-/gateway/history?range=30d", "wait": ".u-wrap", "act": lambda page: page.locator(".u-over").first.hover()},
            "requests-light": {"path": "/-/gateway/requests"},
            "requests-dark": {"path": "/-/gateway/requests?outcome=unanswered", "theme": "dark"},
            "requests-phone": {"path": "/-/gateway/requests?outcome=unanswered", "size": PHONE},
            "datasette-table": {"path": "/usage/requests"},
            "datasette-dark": {"path": "/usage/daily_cost", "theme": "dark"},
            "apps-light": {"path": "/-/gateway/apps", "wait": ".app-card"},
            "apps-phone": {"path": "/-/gateway/apps", "size": PHONE, "theme": "dark", "wait": ".app-card"},
            "receipt-light": {"path": "/-/gateway/receipt"},
            "receipt-phone": {"path": "/-/gateway/receipt", "size": PHONE, "theme": "dark"},
            "request-dark": {**story, "theme": "dark"},
            "request-phone": {**story, "size": PHONE, "whole": True},
            "config": config,
            "config-dark": {**config, "theme": "dark"},
            "config-text": {**config, "act": edit_text},
            "config-error": {**config, "act": edit_wrong},
            "config-phone": {**config, "size": PHONE},
            "config-anonymous": {"path": "/-/gateway/config", "whole": True},
        }  # fmt: skip
    for name, shot in shots.items():
        if name.startswith(arguments.only):
            camera.take(name, **shot)


def edit_text(page: Any) -> None:
    page.get_by_text("Edit as text").click()
    area = page.locator("textarea")
    area.fill(area.input_value().replace("2000}}", "-3}}"))


def edit_wrong(page: Any) -> None:
    page.locator(".number input").nth(1).fill("-5")
    page.locator(".number input").nth(0).fill("1500")


def states(camera: Camera, ledger: Ledger, arguments: Any) -> None:
    """Degraded, stale, without requests, without providers."""

    def take(name: str, **more: Any) -> None:
        if name.startswith(arguments.only):
            camera.take(name, path="/-/gateway", **more)

    now = time.time()
    ledger.beat(now + 6, degraded='["ledger: database or disk is full, 41 rows held back"]',
                config_error="line 41: providers[2].limits.requestsPerDay: found -5; write a whole number above 0")  # fmt: skip
    take("state-degraded", wait=".group")
    ledger.beat(now - 140)
    take("state-stale", wait=".group")
    take("state-stale-dark", wait=".group", theme="dark")
    ledger.db.execute("DELETE FROM requests")
    ledger.beat(now + 60)
    take("state-empty", wait=".group")
    for table in ("limit_state", "offer_state", "models", "providers"):
        ledger.db.execute(f"DELETE FROM {table}")
    take("state-no-providers", wait=".blank")


if __name__ == "__main__":
    main()
