"""A stage for browser tests: one server, an empty ledger for each test, watched pages.

Every page that is opened is watched: a script error, a refused resource or a request to
another host fails the test that saw it. The fixtures live no longer than a module:
Playwright's loop and asyncio's cannot run in one thread at the same time.
"""

import time
from collections.abc import Iterator
from typing import Any

import pytest

from . import browsing
from .fake_gateway import CONFIG, FakeGateway
from .ledgers import Ledger
from .serving import Served, datasette

needs_browser = [
    pytest.mark.browser,
    pytest.mark.skipif(bool(browsing.missing()), reason=browsing.missing() or "there"),
]

MODEL = "llama-3.3-70b-versatile"
SOON = 6_000
"""Milliseconds that the page may take to show what is new, on a busy machine."""


def expect(found: Any) -> Any:
    from playwright.sync_api import expect as playwright_expect

    return playwright_expect(found)


@pytest.fixture(scope="module")
def chromium() -> Iterator[Any]:
    with browsing.browser() as found:
        yield found


class Stage:
    """A ledger, its gateway, the server, and pages that are watched."""

    def __init__(
        self, chromium: Any, ledger: Ledger, gateway: FakeGateway, served: Served
    ) -> None:
        self.chromium, self.ledger, self.gateway = chromium, ledger, gateway
        self.served = served
        self.cookies: list[Any] = []
        self.wrong: list[list[str]] = []
        self.contexts: list[Any] = []

    def open(self, path: str, *, sign_in: bool = False, **options: Any) -> Any:
        context = self.chromium.new_context(
            viewport={"width": 1280, "height": 900}, locale="en-GB", **options
        )
        self.contexts.append(context)
        page = context.new_page()
        self.wrong.append(browsing.watch(page))
        if sign_in and self.cookies:
            context.add_cookies(self.cookies)
        elif sign_in:
            page.goto(self.served.sign_in)
            self.cookies = context.cookies()
        page.goto(self.served.url + path)
        return page

    def close(self) -> None:
        """Ends the test's pages. None of them may have gone wrong."""
        for context in self.contexts:
            context.close()
        wrong = [one for page in self.wrong for one in page]
        self.contexts, self.wrong = [], []
        assert wrong == []


@pytest.fixture(scope="module")
def house(chromium: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    """One server for all; `stage` empties its ledger for each test."""
    home = tmp_path_factory.mktemp("house")
    ledger = Ledger(home / "usage.db")
    with FakeGateway() as gateway:
        (home / "admin-token").write_text(gateway.token)
        env = {"LLM_GATEWAY_HOME": str(home), "LLM_GATEWAY_URL": gateway.url}
        with datasette(home, str(ledger.path), env=env) as served:
            yield Stage(chromium, ledger, gateway, served)
    ledger.close()


@pytest.fixture
def stage(house: Stage) -> Iterator[Stage]:
    now = time.time()
    ledger = house.ledger
    ledger.clear()
    house.gateway.config = CONFIG
    house.gateway.kept.clear()
    house.gateway.calls.clear()
    ledger.provider("groq", "groq", free=1)
    ledger.model("groq", MODEL, "llama-70b")
    ledger.offer("groq", MODEL)
    ledger.provider("openai", "openai")
    ledger.model("openai", "gpt-4o-mini", free=0)
    ledger.offer("openai", "gpt-4o-mini")
    ledger.limit("groq", MODEL, "requests", "day", 700, 1000, now + 7200)
    ledger.beat(now + 600)
    yield house
    house.close()
