"""Pictures of every page, made from the demo ledger.

    python -m dashboard.shots OUT              all states, for looking at them
    python -m dashboard.shots OUT --readme     the ones that the README shows

Run it in tests/, with `pip install playwright` and Debian's chromium.
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
        wait: str = "#main",
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
        try:
            page.wait_for_selector(wait, timeout=8000)
        except Exception:
            print(name, page.content()[:3000], wrong)
            raise
        page.wait_for_timeout(2300)
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
    shots: dict[str, dict[str, Any]] = {
        "live": {"path": "/-/gateway", "wait": ".group"},
        "live-dark": {"path": "/-/gateway", "wait": ".group", "theme": "dark"},
        "history": {"path": "/-/gateway/history?range=30d", "wait": ".u-wrap", "whole": True},
        "request": {"path": f"/-/gateway/requests/{request}"},
        "config": {"path": "/-/gateway/config", "sign_in": sign_in, "wait": ".provider-card"},
    }  # fmt: skip
    if not arguments.readme:
        shots |= {
            "live-laptop": {"path": "/-/gateway", "wait": ".group", "size": LAPTOP, "whole": True},
            "live-phone": {"path": "/-/gateway", "wait": ".group", "size": PHONE},
            "live-phone-2": {"path": "/-/gateway", "wait": ".group", "size": PHONE, "act": lambda page: page.mouse.wheel(0, 800)},
            "live-phone-3": {"path": "/-/gateway", "wait": ".group", "size": PHONE, "act": lambda page: page.locator("#ticker").scroll_into_view_if_needed()},
            "live-60": {"path": "/-/gateway?window=60", "wait": ".group", "whole": True},
            "live-detail": {"path": "/-/gateway?window=60", "wait": ".group", "act": lambda page: page.locator(".name", has_text="gemini-2.5-flash").first.click()},
            "history-dark": {"path": "/-/gateway/history?range=7d&by=model", "wait": ".u-wrap", "theme": "dark", "whole": True},
            "history-phone": {"path": "/-/gateway/history", "wait": ".u-wrap", "size": PHONE},
            "history-hover": {"path": "/-/gateway/history?range=30d", "wait": ".u-wrap", "act": lambda page: page.locator(".u-over").first.hover()},
            "config-text": {"path": "/-/gateway/config", "sign_in": sign_in, "wait": ".provider-card", "act": edit_text},
            "config-error": {"path": "/-/gateway/config", "sign_in": sign_in, "wait": ".provider-card", "act": edit_wrong},
            "config-phone": {"path": "/-/gateway/config", "sign_in": sign_in, "wait": ".provider-card", "size": PHONE},
            "request-dark": {"path": f"/-/gateway/requests/{request}", "theme": "dark"},
            "request-phone": {"path": f"/-/gateway/requests/{request}", "size": PHONE, "whole": True},
            "config-anonymous": {"path": "/-/gateway/config", "whole": True},
            "datasette": {"path": "/", "wait": "body"},
        }  # fmt: skip
    for name, shot in shots.items():
        if arguments.only and not name.startswith(arguments.only):
            continue
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
        if not arguments.only or name.startswith(arguments.only):
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
