"""The pages in Chromium, against a real Datasette and a small gateway.

Every page that is opened is watched: a script error, a refused resource or a request to
another host fails the test that saw it.
"""

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from . import browsing
from .fake_gateway import CONFIG, FakeGateway
from .ledgers import Ledger, candidate
from .serving import Served, datasette

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(bool(browsing.missing()), reason=browsing.missing() or "there"),
]

EVIL = "<img src=x onerror=alert(1)>\"'><script>alert(2)</script>"
MODEL = "llama-3.3-70b-versatile"
SOON = 6_000
"""Milliseconds that the page may take to show what is new, on a busy machine."""


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


def kpi(page: Any, key: str) -> Any:
    return page.locator(f'.kpi[data-key="{key}"] .big')


def expect(found: Any) -> Any:
    from playwright.sync_api import expect as playwright_expect

    return playwright_expect(found)


# --- live -----------------------------------------------------------------------------


def test_a_request_changes_the_numbers_within_two_seconds(stage: Stage) -> None:
    page = stage.open("/-/gateway")
    expect(kpi(page, "requests")).to_have_text("0")
    took = []
    for n in range(1, 4):
        stage.ledger.request(time.time(), saved_nano=1_000_000_000)
        written = time.monotonic()
        expect(kpi(page, "requests")).to_have_text(str(n), timeout=SOON)
        took.append(time.monotonic() - written)
    expect(kpi(page, "saved")).to_have_text("$3.00")
    expect(page.locator("#ticker li")).to_have_count(3)
    expect(page.locator("#ticker .hop").last).to_have_text("groq")
    row = page.locator(".row.model", has_text=MODEL)
    expect(row.locator(".figure").nth(1)).to_have_text("3,600")
    # On a machine that does other things too, the best of three counts.
    assert min(took) < 2.0


def test_a_bar_is_what_limit_state_says_and_changes_colour_and_word(
    stage: Stage,
) -> None:
    page = stage.open("/-/gateway")
    row = page.locator(".row.model", has_text=MODEL)
    bar = row.locator(".limit")
    expect(bar.locator(".value")).to_have_text("700 of 1,000")
    expect(bar).to_have_attribute("data-level", "ok")
    expect(row.locator(".word b")).to_have_text("ready")
    assert bar.locator("[role=progressbar]").get_attribute("aria-valuenow") == "700"
    calm = bar.locator(".used").evaluate(
        "node => getComputedStyle(node).backgroundColor"
    )
    assert abs(bar.locator(".used").evaluate("n => n.getBoundingClientRect().width / n.parentNode.getBoundingClientRect().width") - 0.7) < 0.02  # fmt: skip
    stage.ledger.limit("groq", MODEL, "requests", "day", 921, 1000, time.time() + 7200)
    expect(bar).to_have_attribute("data-level", "hot", timeout=SOON)
    expect(bar.locator(".value")).to_have_text("921 of 1,000")
    expect(row.locator(".word b")).to_have_text("near limit")
    expect(page.locator("#alerts")).to_contain_text("92 % of requests per day used")
    expect(page).to_have_title("▲ 1 near limit · Live · LLM Gateway")
    expect(page.locator("#say")).to_contain_text("near limit")
    hot = bar.locator(".used").evaluate(
        "node => getComputedStyle(node).backgroundColor"
    )
    assert hot != calm
    stage.ledger.limit("groq", MODEL, "requests", "day", 1000, 1000, time.time() + 7200)
    expect(row.locator(".word b")).to_have_text("at limit", timeout=SOON)
    expect(bar.locator("[role=progressbar]")).to_have_attribute("aria-valuenow", "1000")
    expect(kpi(page, "ready")).to_have_text("1 of 2")


def test_windows_filter_pause_and_keys(stage: Stage) -> None:
    stage.ledger.request(time.time() - 600)
    page = stage.open("/-/gateway")
    expect(kpi(page, "requests")).to_have_text("0")
    page.keyboard.press("4")
    expect(kpi(page, "requests")).to_have_text("1", timeout=SOON)
    assert "window=30" in page.url
    page.get_by_text("1 min", exact=True).click()
    expect(kpi(page, "requests")).to_have_text("0", timeout=SOON)
    page.keyboard.press("/")
    page.keyboard.type("gpt-4o")
    expect(page.locator(".row.model:visible")).to_have_count(1)
    page.keyboard.type(" no such")
    expect(page.locator("#nothing")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.locator(".row.model:visible")).to_have_count(2)
    page.keyboard.press("p")
    expect(page.locator("#pulse")).to_have_attribute("data-state", "paused")
    stage.ledger.request(time.time())
    page.wait_for_timeout(1500)
    expect(kpi(page, "requests")).to_have_text("0")
    page.get_by_role("button", name="Resume").click()
    expect(kpi(page, "requests")).to_have_text("1", timeout=SOON)


def test_simulated_requests_can_be_hidden(stage: Stage) -> None:
    stage.ledger.request(time.time(), simulated=1)
    page = stage.open("/-/gateway")
    expect(kpi(page, "requests")).to_have_text("1")
    expect(page.locator("#ticker .sim")).to_have_text("simulated")
    page.get_by_label("Hide simulated").check()
    expect(kpi(page, "requests")).to_have_text("0", timeout=SOON)
    expect(page.locator("#ticker .sim")).to_have_count(0)


def test_a_gateway_that_falls_silent_and_comes_back(stage: Stage) -> None:
    page = stage.open("/-/gateway")
    expect(page.locator("#pulse")).to_have_attribute("data-state", "live")
    stage.ledger.beat(time.time() - 200)
    expect(page.locator("#pulse")).to_contain_text("gateway silent 3 m", timeout=SOON)
    expect(page.locator("#banners code")).to_have_text("mitmdump -s addon/gateway.py")
    expect(kpi(page, "ready")).to_be_visible()
    stage.ledger.beat(time.time() + 600, degraded='["ledger: disk full"]')
    expect(page.locator("#pulse")).to_contain_text("degraded", timeout=SOON)
    expect(page.locator("#alerts")).to_contain_text("ledger: disk full")
    expect(page.locator("#banners code")).to_contain_text("curl")


def test_nothing_asked_yet_shows_a_line_to_try(stage: Stage) -> None:
    page = stage.open("/-/gateway")
    line = page.locator("#banners code")
    expect(line).to_contain_text("curl http://127.0.0.1:8080/v1/chat/completions")
    expect(line).to_contain_text('"model":"gpt-4o-mini"')
    stage.ledger.request(time.time())
    expect(line).to_have_count(0, timeout=SOON)


def test_paid_use_without_a_budget_is_said(stage: Stage) -> None:
    page = stage.open("/-/gateway")
    note = page.locator('.kpi[data-key="spent"] .note')
    expect(note).to_have_text("no budget: paid use is unlimited")
    stage.ledger.limit(
        "", "", "cost", "day", 0.25, 1.0, time.time() + 60, scope="budget"
    )
    expect(note).to_have_text("of $1.00 budget", timeout=SOON)


def test_details_and_who_is_next(stage: Stage) -> None:
    asked = stage.ledger.request(time.time())
    stage.ledger.attempt(
        asked, 1, time.time(), outcome="failed", reason="503 overloaded"
    )
    page = stage.open("/-/gateway")
    page.get_by_role("button", name=MODEL).click()
    expect(page.locator(".detail:visible")).to_contain_text("503 overloaded")
    page.get_by_role("button", name="who is next?").last.click()
    expect(page.locator(".next:visible")).to_contain_text("most headroom, 71% left")


def test_theme_and_narrow_screens(stage: Stage) -> None:
    page = stage.open("/-/gateway", color_scheme="dark")
    background = "getComputedStyle(document.body).backgroundColor"
    expect(kpi(page, "ready")).to_be_visible()
    dark = page.evaluate(background)
    page.get_by_label("Switch between light and dark").click()
    light = page.evaluate(background)
    assert dark != light
    page.reload()
    assert page.evaluate(background) == light
    page.set_viewport_size({"width": 390, "height": 800})
    expect(kpi(page, "ready")).to_be_visible()
    wide = page.evaluate("document.documentElement.scrollWidth")
    assert wide <= 390


def test_a_tick_is_cheap(stage: Stage) -> None:
    for n in range(10):
        stage.ledger.provider(f"p{n}")
        for m in range(2):
            stage.ledger.model(f"p{n}", f"m{m}")
            stage.ledger.offer(f"p{n}", f"m{m}")
            for window in ("minute", "day"):
                stage.ledger.limit(f"p{n}", f"m{m}", "requests", window, n, 10, time.time() + 60)  # fmt: skip
    page = stage.open("/-/gateway?window=1")
    expect(page.locator(".row.model")).to_have_count(22)
    for n in range(6):
        for m in range(4):
            stage.ledger.request(time.time(), provider=f"p{m}", model=f"m{n % 2}")
        page.wait_for_timeout(700)
    ticks = page.evaluate(
        "performance.getEntriesByName('gw-tick').map(one => one.duration)"
    )
    # The first one builds the table; of the others, the middle one on a shared machine.
    later = sorted(ticks[1:])
    assert len(later) >= 3
    assert later[len(later) // 2] < 10


# --- stored names ---------------------------------------------------------------------


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


# --- history and request --------------------------------------------------------------


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


# --- configuration --------------------------------------------------------------------


def test_a_form_edit_takes_effect_in_the_gateway(stage: Stage) -> None:
    page = stage.open("/-/gateway/config", sign_in=True)
    field = page.locator(".number", has_text="tokens / minute").locator("input")
    expect(field).to_have_value("24000")
    field.fill("30000")
    expect(page.locator("#pending")).to_contain_text("Valid.", timeout=SOON)
    page.get_by_text("1 change", exact=True).click()
    expect(page.locator("#pending")).to_contain_text(f"groq {MODEL} tokensPerMinute: 24000 → 30000")  # fmt: skip
    started = time.monotonic()
    page.get_by_role("button", name="Save").click()
    expect(page.locator("#pending")).to_contain_text(
        "active in the gateway", timeout=SOON
    )
    assert time.monotonic() - started < 3
    assert '"tokensPerMinute": 30000' in stage.gateway.config
    expect(field).to_have_value("30000")


def test_a_mistake_names_path_and_line_and_changes_nothing(stage: Stage) -> None:
    page = stage.open("/-/gateway/config", sign_in=True)
    page.get_by_text("Edit as text").click()
    area = page.locator("textarea")
    area.fill(CONFIG.replace("24000", "-4"))
    problem = page.locator("#pending .problems")
    expect(problem).to_contain_text("line 14", timeout=SOON)
    expect(problem).to_contain_text("providers[0].models[0].limits.tokensPerMinute")
    expect(page.locator(".gutter .wrong")).to_have_text("14")
    expect(page.get_by_role("button", name="Save")).to_be_disabled()
    assert stage.gateway.config == CONFIG
    problem.get_by_role("button").click()
    assert page.evaluate("getSelection().toString()") or area.evaluate("n => n.value.slice(n.selectionStart, n.selectionEnd)").strip().startswith('"limits"')  # fmt: skip
    area.fill(CONFIG.replace("24000", "25000"))
    expect(page.locator("#pending")).to_contain_text("Valid.", timeout=SOON)
    page.get_by_role("button", name="Save").click()
    expect(page.locator("#pending")).to_contain_text(
        "active in the gateway", timeout=SOON
    )
    assert stage.gateway.config == CONFIG.replace("24000", "25000")


def test_a_limit_is_added_and_removed(stage: Stage) -> None:
    page = stage.open("/-/gateway/config", sign_in=True)
    scope = page.locator(".provider-card", has_text="copilot").locator(".scope").first
    scope.locator("select").select_option("requestsPerDay")
    page.keyboard.type("45")
    expect(page.locator("#pending")).to_contain_text("Valid.", timeout=SOON)
    scope.get_by_label("Remove the limit requests / month").click()
    expect(page.locator("#pending")).to_contain_text("Valid.", timeout=SOON)
    page.get_by_role("button", name="Save").click()
    expect(page.locator("#pending")).to_contain_text("active", timeout=SOON)
    assert '"requestsPerDay": 45' in stage.gateway.config
    assert "requestsPerMonth" not in stage.gateway.config


def test_copilot_login_and_simulated_use(stage: Stage) -> None:
    page = stage.open("/-/gateway/config", sign_in=True)
    card = page.locator(".provider-card", has_text="copilot")
    card.get_by_role("button", name="Sign in to GitHub").click()
    expect(card.locator(".device-code")).to_have_text("WXYZ-1234")
    link = card.get_by_role("link")
    expect(link).to_have_attribute("href", "https://github.com/login/device")
    expect(card.locator(".login")).to_contain_text("Signed in.", timeout=SOON)
    page.get_by_text("Simulate", exact=True).click()
    page.get_by_label("How often").fill("3")
    page.get_by_role("button", name="Count it").click()
    expect(page.locator(".simulate")).to_contain_text(
        "3 of 3 counted for groq.", timeout=SOON
    )
    assert sum(path == "/usage/simulate" for _, path, _, _ in stage.gateway.calls) == 3


def test_no_secret_reaches_the_page(stage: Stage) -> None:
    answers: list[str] = []
    page = stage.open("/-/gateway/config", sign_in=True)
    page.on("response", lambda answer: answers.append(answer.url + str(answer.headers) + answer.text()))  # fmt: skip
    page.reload()
    expect(page.locator(".number").first).to_be_visible()
    page.wait_for_timeout(500)
    assert len(answers) > 5
    assert stage.gateway.token not in "".join(answers)
    assert stage.gateway.token not in page.content()


def test_anonymous_readers_see_what_runs_and_how_to_sign_in(stage: Stage) -> None:
    page = stage.open("/-/gateway/config")
    expect(page.locator("#sign-in")).to_contain_text("sign in once")
    expect(page.locator(".provider-card").first).to_contain_text(MODEL)
    expect(page.get_by_role("button", name="Save")).to_have_count(0)
    expect(page.locator(".number")).to_have_count(0)


def test_without_a_gateway_the_page_says_how_to_start_it(
    chromium: Any,
    ledger: Ledger,
    gateway: FakeGateway,
    own_home: Path,
    tmp_path: Path,
) -> None:
    ledger.provider("groq", "groq")
    ledger.model("groq", MODEL)
    env = {"LLM_GATEWAY_HOME": str(own_home), "LLM_GATEWAY_URL": "http://127.0.0.1:1"}
    with datasette(tmp_path, str(ledger.path), env=env) as served:
        stage = Stage(chromium, ledger, gateway, served)
        page = stage.open("/-/gateway/config", sign_in=True)
        expect(page.locator("#banners code")).to_have_text(
            "mitmdump -s addon/gateway.py"
        )
        expect(page.locator(".provider-card")).to_contain_text(MODEL)
        live = stage.open("/-/gateway")
        expect(live.locator("#pulse")).to_contain_text("no gateway yet")
        stage.close()
