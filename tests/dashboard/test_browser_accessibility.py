"""Every page as a screen reader, a keyboard and a phone have it: axe-core, in Chromium.

Colours are judged in both themes, what scrolls at the width of a phone, all else once.
The page's own scripts and styles are what is judged, so the ledger is small: the rules
look at each element.
"""

import time
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

from llm_gateway.dashboard.availability import stamp

from .ledgers import candidate
from .staging import MODEL, Stage, expect, needs_browser


def axe_core() -> Path | None:
    found = find_spec("axe_playwright_python")
    if found is None or found.origin is None:
        return None
    return Path(found.origin).with_name("axe.min.js")


pytestmark = [
    *needs_browser,
    pytest.mark.skipif(
        axe_core() is None, reason="needs pip install axe-playwright-python"
    ),
]

ASK = """([rules, text]) => {
  if (!window.axe) (0, eval)(text);
  return axe.run(document, {
    resultTypes: ["violations"], preload: false, iframes: false, ...(rules ? { runOnly: { type: "rule", values: rules } } : {}),
  }).then((found) => found.violations.flatMap((one) => one.nodes.map(
    (node) => `${one.impact} ${one.id}: ${node.html.slice(0, 120)}`)));
}"""
COLOURS = ["color-contrast", "link-in-text-block"]
ON_A_PHONE = ["scrollable-region-focusable"]
WIDE, PHONE = {"width": 1280, "height": 900}, {"width": 390, "height": 844}


def fill(stage: Stage) -> str:
    """One request of every kind, a provider in every state; the id of one with a story."""
    ledger, now = stage.ledger, time.time()
    for provider, state in (("b", "failing"), ("c", "disabled")):
        ledger.provider(provider, provider)
        ledger.model(provider, MODEL, "llama-70b", enabled=int(state != "disabled"))
        ledger.offer(
            provider, MODEL, state, reason="503, twice", returns_at=stamp(now + 600)
        )
        ledger.limit(provider, MODEL, "tokens", "minute", 950, 1000, now + 40)
    for outcome in ("error", "refused", "passthrough"):
        ledger.request(now - 50, outcome=outcome, error="503")
    ledger.put("quirks", provider="groq", model=MODEL, dialect="chat", quirk="message:name",
               says="without messages[].name", learned_at="2026-03-01T12:00:00.000Z",
               wording=1, words="'name' is not supported", uses=3)  # fmt: skip
    asked = ledger.request(now, saved_nano=1_000_000_000, attempts=2)
    ledger.attempt(asked, 1, now, provider="b", outcome="failed", reason="503")
    ledger.attempt(asked, 2, now)
    ledger.decision(asked, now, [candidate("groq", MODEL, "taken"), candidate("b", MODEL, "skipped")])  # fmt: skip
    return asked


NARROWED = """async (width) => {
  const page = document.documentElement;
  for (let i = 0; i < 120 && page.scrollWidth > width; i++)
    await new Promise((drawn) => requestAnimationFrame(drawn));
  return page.scrollWidth;
}"""
"""How wide the page is once charts are drawn anew, a moment after their place has shrunk."""


def pages(asked: str) -> list[tuple[str, str]]:
    """(path, what is there when it is drawn)."""
    return [
        ("/-/gateway", ".row.model"),
        ("/-/gateway/history?range=24h", ".u-wrap"),
        ("/-/gateway/requests", "tbody tr"),
        (f"/-/gateway/requests/{asked}", ".candidates"),
        ("/-/gateway/receipt", ".receipt"),
        ("/-/gateway/apps", ".app-card"),
        ("/-/gateway/config", ".provider-card"),
        ("/-/gateway/sign-in", "main [class=command]"),
    ]


class Judge:
    """A page that is open, and what the rules say of it."""

    def __init__(self, page: Any, text: str) -> None:
        self.page, self.text = page, text
        self.wrong: list[str] = []

    def rules(self, where: str, only: list[str] | None = None) -> None:
        said = self.page.evaluate(ASK, [only, self.text])
        self.wrong += [f"{where}: {one}" for one in said]

    def look(self, where: str) -> None:
        """In both themes, and on a phone."""
        self.rules(where)
        self.page.emulate_media(color_scheme="dark")
        self.rules(f"{where} in the dark", COLOURS)
        self.page.emulate_media(color_scheme="light")
        self.page.set_viewport_size(PHONE)
        self.rules(f"{where} at 390 px", ON_A_PHONE)
        wide = self.page.evaluate(NARROWED, PHONE["width"])
        if wide > PHONE["width"]:
            self.wrong.append(f"{where} is {wide} px wide")


def test_no_rule_is_broken_and_no_page_is_wider_than_its_screen(stage: Stage) -> None:
    asked, text = fill(stage), (axe_core() or Path()).read_text()
    wrong = []
    for path, drawn in pages(asked):
        page = stage.open(path, bypass_csp=True)
        expect(page.locator(drawn).first).to_be_visible()
        judge = Judge(page, text)
        if path == "/-/gateway/receipt":
            page.locator(".sign-in summary").click()
        judge.look(path)
        wrong += judge.wrong
        page.context.close()
    page = stage.open("/-/gateway/config", sign_in=True, bypass_csp=True)
    expect(page.locator(".provider-card input").first).to_be_visible()
    judge = Judge(page, text)
    for tab in ("cards", "text", "simulate", "versions"):
        page.set_viewport_size(WIDE)
        page.locator(f"#tabs input[value={tab}]").check(force=True)
        expect(page.locator(f"#{tab}")).to_be_visible()
        judge.look(f"config, {tab}")
    assert wrong + judge.wrong == []
