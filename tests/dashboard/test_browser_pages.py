"""Names from outside, History and the Request page in Chromium."""

import time

from .ledgers import candidate
from .staging import MODEL, SOON, Stage, expect, needs_browser

pytestmark = needs_browser

EVIL = "<img src=x onerror=alert(1)>\"'><script>alert(2)</script>"


def test_names_from_outside_come_out_as_text(stage: Stage) -> None:
    ledger = stage.ledger
    ledger.provider(EVIL, EVIL)
    ledger.model(EVIL, EVIL, EVIL, aliases=[EVIL])
    ledger.offer(EVIL, EVIL, "failing", reason=EVIL)
    asked = ledger.request(time.time(), client=EVIL, requested_model=EVIL, provider=EVIL,
                           model=EVIL, error=EVIL, outcome="error")  # fmt: skip
    ledger.attempt(asked, 1, time.time(), provider=EVIL, model=EVIL, outcome="failed", reason=EVIL)  # fmt: skip
    ledger.decision(asked, time.time(), [candidate(EVIL, EVIL, "taken", reason=EVIL)])
    ledger.event(time.time(), "config", EVIL, EVIL)
    live = stage.open("/-/gateway")
    expect(live.locator("#ticker .hop").first).to_have_text(EVIL)
    expect(live.locator(".group h2", has_text="onerror")).to_have_text(EVIL)
    live.locator("button.name", has_text="onerror").click()
    expect(live.locator(".detail:visible")).to_contain_text("onerror")
    pages = [
        live,
        stage.open("/-/gateway/history?range=6h&by=client"),
        stage.open(f"/-/gateway/requests/{asked}"),
        stage.open("/-/gateway/config", sign_in=True),
        stage.open("/usage/requests"),
    ]
    expect(pages[1].locator("#legend")).to_contain_text(EVIL)
    for page in pages:
        page.wait_for_timeout(300)
        assert page.locator("img[src='x']").count() == 0


def test_history_charts_tables_and_links(stage: Stage) -> None:
    now = time.time()
    for n in range(40):
        stage.ledger.request(now - n * 3600, client="cursor" if n % 2 else "aider")
    page = stage.open("/-/gateway/history?range=7d&by=client")
    expect(page.locator(".u-wrap")).to_have_count(4)
    expect(page.locator(".requests .big")).to_have_text("40")
    expect(page.locator("#legend li")).to_have_count(2)
    page.locator(".requests").get_by_role("button", name="Table").click()
    expect(page.locator(".requests table tbody tr")).to_have_count(40)
    page.locator(".requests .u-over").hover()
    expect(page.locator(".requests .tip")).to_be_visible()
    page.get_by_text("24 hours").click()
    expect(page.locator(".requests .big")).to_have_text("24", timeout=SOON)
    assert "range=24h" in page.url
    csv = (
        page.locator(".requests").get_by_role("link", name="CSV").get_attribute("href")
    )
    assert "range=24h" in csv
    page.locator(".requests").get_by_role("link", name="SQL").click()
    expect(page.locator("table.rows-and-columns tbody tr").first).to_be_visible()


def test_a_ticker_line_leads_to_the_reasons(stage: Stage) -> None:
    now = time.time()
    asked = stage.ledger.request(now)
    stage.ledger.attempt(asked, 1, now)
    stage.ledger.decision(asked, now, [candidate("groq", MODEL, "taken", reason="most headroom, 70% left")])  # fmt: skip
    page = stage.open("/-/gateway")
    page.locator("#ticker a").click()
    expect(page.locator("h1")).to_have_text(f"gpt-4o-mini → groq / {MODEL}")
    expect(page.locator("article")).to_contain_text("most headroom, 70% left")
