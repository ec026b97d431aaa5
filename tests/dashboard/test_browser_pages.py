"""Names from outside, History and the Request page in Chromium."""

import time

from .browsing import tab_to
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
    changed = {
        "dropped": [{"part": EVIL}],
        "approximated": [{"part": EVIL, "how": EVIL}],
    }
    ledger.decision(asked, time.time(), [candidate(EVIL, EVIL, "taken", reason=EVIL, adaptation=changed)])  # fmt: skip
    ledger.put("quirks", provider="groq", model=EVIL, dialect="chat", quirk=EVIL, says=EVIL,
               learned_at="2026-03-01T12:00:00.000Z", wording=1, words=EVIL)  # fmt: skip
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
    expect(pages[2].locator(".adapted")).to_have_text(
        f"adapted: without {EVIL}; {EVIL}: {EVIL}"
    )
    expect(pages[3].locator(".learned td").nth(2)).to_have_text(EVIL)
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


def test_history_of_own_dates_beside_the_time_before_by_keyboard(stage: Stage) -> None:
    now = time.time()
    day = 86_400
    for ago, n in ((0, 4), (1, 3), (2, 2), (3, 1)):
        for _ in range(n):
            stage.ledger.request(now - ago * day, outcome="error" if ago == 3 else "ok")
    page = stage.open("/-/gateway/history", timezone_id="UTC")
    # Nothing was chosen, and there is more than a day.
    expect(page.locator("#ranges input[value='7d']")).to_be_checked()
    expect(page.locator(".requests .big")).to_have_text("10")
    page.locator("#ranges input:checked").focus()
    for _ in range(4):
        page.keyboard.press("ArrowRight")
    expect(page.locator("#ranges input[value=own]")).to_be_focused()
    page.keyboard.press("Tab")
    expect(page.locator("#from")).to_be_focused()
    dates = [time.strftime("%Y-%m-%d", time.gmtime(now - ago * day)) for ago in (2, 1)]
    page.locator("#from").fill(dates[0])
    page.locator("#to").fill(dates[1])
    expect(page.locator(".requests .big")).to_have_text("5", timeout=SOON)
    page.get_by_label("Compare with the time before").focus()
    page.keyboard.press("Space")
    then = page.locator(".requests .then")
    expect(then).to_have_text("▲ 400 %, 1 in the time before", timeout=SOON)
    expect(page.locator(".failures .then")).to_have_text(
        "▼ 100 %, 1 in the time before"
    )
    assert f"from={dates[0]}&to={dates[1]}" in page.url
    page.reload()
    expect(then).to_have_text("▲ 400 %, 1 in the time before")
    page.locator(".totals").get_by_role("link", name="5", exact=True).click()
    expect(page.locator(".request-list tbody tr")).to_have_count(5)


def test_a_ticker_line_leads_to_the_reasons(stage: Stage) -> None:
    now = time.time()
    asked = stage.ledger.request(now)
    stage.ledger.attempt(asked, 1, now)
    stage.ledger.decision(asked, now, [candidate("groq", MODEL, "taken", reason="most headroom, 70% left")])  # fmt: skip
    page = stage.open("/-/gateway")
    page.locator("#ticker a").click()
    expect(page.locator("h1")).to_have_text(f"gpt-4o-mini → groq / {MODEL}")
    expect(page.locator("article")).to_contain_text("most headroom, 70% left")


def test_what_was_learned_and_changed_is_read_on_a_phone(stage: Stage) -> None:
    """Without scrolling sideways, in a card as in its form."""
    ledger, now = stage.ledger, time.time()
    for n in range(3):
        ledger.put("quirks", provider="groq", model=MODEL, dialect="chat", quirk=f"message:x{n}",
                   says=f"without messages[].x{n}", learned_at=f"2026-03-0{n + 1}T12:00:00.000Z",
                   wording=n, words="the words of a refusal, " * 6, uses=1240 + n)  # fmt: skip
    asked = ledger.request(now, adapted="channel")
    ledger.attempt(asked, 1, now, outcome="failed", reason="503 overloaded, said of it")
    changed = {
        "dropped": [{"part": f"member_{n}"} for n in range(9)],
        "approximated": [],
    }
    ledger.decision(asked, now, [candidate("groq", MODEL, "taken", adaptation=changed)])
    for sign_in in (True, False):
        page = stage.open("/-/gateway/config", sign_in=sign_in)
        page.set_viewport_size({"width": 390, "height": 844})
        learned = page.locator("[data-learned=groq]")
        expect(learned.locator("tbody tr")).to_have_count(3)
        expect(learned).to_contain_text("1,242")
        assert learned.evaluate("e => e.scrollWidth <= e.clientWidth")
    page = stage.open(f"/-/gateway/requests/{asked}")
    page.set_viewport_size({"width": 390, "height": 844})
    expect(page.locator(".adapted")).to_contain_text("member_8")
    for told in (page.locator(".adapted"), page.get_by_text("503 overloaded, said of it")):  # fmt: skip
        box = told.bounding_box()
        assert box["x"] + box["width"] <= 390


def test_an_app_is_connected_and_its_first_request_is_seen(stage: Stage) -> None:
    page = stage.open("/-/gateway/apps")
    expect(page.locator(".app-card", has_text="curl").locator("code")).to_contain_text('"model": "gpt-4o-mini"')  # fmt: skip
    expect(page.locator("#seen")).to_have_text("Waiting for the first request …")
    stage.ledger.request(time.time() + 1, client="aider")
    expect(page.locator("#seen")).to_contain_text("✓ aider", timeout=SOON)
    expect(page.locator("#seen")).to_contain_text("answered by groq in 1.2 s")


def test_the_keyboard_alone_filters_opens_and_connects(stage: Stage) -> None:
    now = time.time()
    for n, outcome in enumerate(("ok", "error", "error", "refused")):
        stage.ledger.request(now - n, outcome=outcome, client="aider" if n < 2 else "kids")  # fmt: skip
    page = stage.open("/-/gateway/requests")
    rows = page.locator(".request-list tbody tr")
    expect(rows).to_have_count(4)
    outcome = page.locator("select[name=outcome]")
    tab_to(page, outcome)
    page.keyboard.press("ArrowDown")
    expect(rows).to_have_count(3)
    expect(outcome).to_be_focused()
    client = page.locator("input[name=client]")
    tab_to(page, client)
    page.keyboard.type("kids")
    page.keyboard.press("Enter")
    expect(rows).to_have_count(2)
    expect(client).to_be_focused()
    tab_to(page, rows.first.locator("a").first)
    page.keyboard.press("Enter")
    expect(page.locator("h1")).to_contain_text("gpt-4o-mini")
    page.keyboard.press("ArrowRight")
    expect(page.locator(".crumbs a[rel=prev]")).to_be_visible()
    expect(page.locator(".crumbs a[rel=next]")).to_have_count(0)
    apps = page.get_by_role("link", name="Connect an app")
    tab_to(page, apps)
    page.keyboard.press("Enter")
    expect(page.locator("#seen")).to_be_visible()
    button = page.locator(".app-card").first.get_by_role("button")
    tab_to(page, button)
    page.keyboard.press("Enter")
    expect(page.locator(".app-card").first.locator("button")).not_to_have_text("Copy")
