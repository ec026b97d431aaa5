"""Chromium through Playwright, and what has to be true of every page it shows."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from typing import Any
from urllib.parse import urlsplit

ARGUMENTS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
    "--no-default-browser-check",
    "--hide-scrollbars",
)


def missing() -> str:
    """Why there can be no browser here; "" when there can."""
    if find_spec("playwright") is None:
        return "playwright is not installed (pip install playwright)"
    return "" if _chromium() else "Chromium is not installed (apt install chromium)"


def _chromium() -> str | None:
    """The shell first: the same engine without a browser's windows, of which each context
    of a whole Chromium opens one, for half a second of CPU."""
    names = ("chromium-headless-shell", "chromium", "chromium-browser")
    return next(filter(None, map(shutil.which, names)), None)


@contextmanager
def browser() -> Iterator[Any]:
    from playwright.sync_api import sync_playwright

    with sync_playwright() as play:
        found = play.chromium.launch(
            executable_path=_chromium(), args=list(ARGUMENTS), headless=True
        )
        try:
            yield found
        finally:
            found.close()


def watch(page: Any) -> list[str]:
    """What goes wrong on this page from now on: script errors, requests elsewhere."""
    wrong: list[str] = []

    def request(asked: Any) -> None:
        parts = urlsplit(asked.url)
        if parts.scheme not in ("data", "blob") and parts.hostname != "127.0.0.1":
            wrong.append(f"request to {asked.url}")

    def console(message: Any) -> None:
        if message.type in ("error", "warning"):
            wrong.append(f"{message.type}: {message.text} ({message.location['url']})")

    page.on("pageerror", lambda error: wrong.append(f"script: {error}"))
    page.on("console", console)
    page.on("request", request)
    page.on("dialog", lambda dialog: wrong.append(f"dialog: {dialog.message}"))
    return wrong


RING = """node => node === document.activeElement && [node, node.nextElementSibling].some(
  (one) => one && getComputedStyle(one).outlineStyle !== "none"
    && parseFloat(getComputedStyle(one).outlineWidth) >= 1)"""
"""Is the keyboard there, and can that be seen? Of a hidden radio, its label has the ring."""


def tab_to(page: Any, target: Any, *, key: str = "Tab", most: int = 90) -> None:
    """Press the key until the target has the keyboard, which has to be seen."""
    for _ in range(most):
        page.keyboard.press(key)
        if target.evaluate("node => node === document.activeElement"):
            assert target.evaluate(RING), "the focus cannot be seen"
            return
    here = page.evaluate("document.activeElement.outerHTML.slice(0, 200)")
    raise AssertionError(f"{key} {most} times does not lead there, but to {here}")
