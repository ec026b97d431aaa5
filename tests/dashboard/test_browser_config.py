"""The config page in Chromium, against a small gateway."""

import json
import time
from pathlib import Path
from typing import Any

from .browsing import RING, tab_to
from .fake_gateway import CONFIG, FakeGateway
from .ledgers import Ledger
from .serving import datasette
from .staging import MODEL, SOON, Stage, expect, needs_browser

pytestmark = needs_browser


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
    for path in ("", "/requests", "/history", "/apps", "/receipt", "/config"):
        page.goto(stage.served.url + "/-/gateway" + path)
        page.locator("summary", has_text="Sign in to add a key").click()
        command = page.locator(".sign-in .command")
        expect(command).to_contain_text("llm-gateway dashboard --link")
        expect(command.get_by_role("button", name="Copy")).to_be_in_viewport()


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


def test_forms_live_on_after_the_text_was_edited(stage: Stage) -> None:
    """Discarded or saved: neither part waits for the other any more."""
    page = stage.open("/-/gateway/config", sign_in=True)
    number = page.locator(".number input").first
    area = page.locator("textarea")
    for end in ("Discard", "Save"):
        page.get_by_text("Edit as text").click()
        area.fill(area.input_value().replace("// Free", "// Still free"))
        page.get_by_role("button", name=end).click()
        page.locator("#tabs").get_by_text("Providers").click()
        expect(page.locator("#cards")).not_to_have_attribute("inert", "")
        number.fill("1234")
        expect(page.locator("#pending")).to_contain_text("1 change", timeout=SOON)
        page.get_by_role("button", name="Discard").click()
        page.get_by_text("Edit as text").click()
        area.fill(area.input_value() + " ")
        expect(area).to_be_editable()
        page.get_by_role("button", name="Discard").click()
        page.locator("#tabs").get_by_text("Providers").click()


def test_a_provider_is_added_with_a_key(stage: Stage) -> None:
    stage.gateway.free_tiers = {"groq": ["7 requests/day for each of m"]}
    page = stage.open("/-/gateway/config", sign_in=True)
    page.get_by_text("+ Add a provider").click()
    key = page.get_by_placeholder("Paste the API key")
    for typed, whose in (("sk-or-v1-x", "OpenRouter"), ("sk-x", "OpenAI"), ("AIzaX", "Google AI Studio")):  # fmt: skip
        key.fill(typed)
        expect(page.locator("#key-says")).to_have_text(f"That is a key of {whose}.")
    key.fill("gsk_abcdefghijklmnop")
    expect(page.locator("#key-says")).to_have_text("That is a key of Groq.")
    expect(page.locator(".gives")).to_contain_text("7 requests/day for each of m")
    expect(page.get_by_label("every model that is free there")).to_be_checked()
    page.get_by_role("button", name="Add", exact=True).click()
    expect(page.locator("#pending")).to_contain_text("Valid.", timeout=SOON)
    expect(page.locator("#pending")).not_to_contain_text("gsk_abcdef")
    page.get_by_role("button", name="Save").click()
    expect(page.locator("#pending")).to_contain_text("active in the gateway", timeout=SOON)  # fmt: skip
    saved = stage.gateway.config
    # the name was taken, so the second is told apart
    for part in ('"groq-2"', '"gsk_abcdefghijklmnop"', '"tier": "free"', '"models": "free"'):  # fmt: skip
        assert part in saved
    stage.ledger.provider("groq-2", "groq")
    stage.ledger.model("groq-2", "openai/gpt-oss-20b")
    card = page.get_by_role("article", name="groq-2", exact=True)
    card.get_by_role("button", name="Test").click()
    expect(card.locator(".test [role=status]")).to_contain_text("✗", timeout=SOON)
    assert json.loads(stage.gateway.calls[-1][3])["model"] == "groq-2/openai/gpt-oss-20b"  # fmt: skip


def test_models_can_be_written_out_as_well(stage: Stage) -> None:
    page = stage.open("/-/gateway/config", sign_in=True)
    page.get_by_text("+ Add a provider").click()
    page.get_by_placeholder("Paste the API key").fill("gsk_abcdefghijklmnop")
    models = page.get_by_label("or models, with commas between")
    expect(models).to_be_disabled()
    page.get_by_label("every model that is free there").uncheck()
    models.fill("one, two")
    page.get_by_role("button", name="Add", exact=True).click()
    page.get_by_role("button", name="Save").click(timeout=SOON)
    expect(page.locator("#pending")).to_contain_text("active in the gateway", timeout=SOON)  # fmt: skip
    found = json.loads(stage.gateway.config)["providers"][-1]
    assert found["models"] == [{"name": "one"}, {"name": "two"}]


def test_keys_models_budget_policy_and_apps_have_forms(stage: Stage) -> None:
    page = stage.open("/-/gateway/config", sign_in=True)
    page.get_by_label("Policy", exact=True).select_option("free-only")
    page.locator(".number", has_text="$ / month").locator("input").fill("12")
    groq = page.get_by_role("article", name="groq", exact=True)
    groq.get_by_label("Add another account's key").fill("gsk_second")
    groq.get_by_label("Another model of groq").fill("new-model")
    groq.get_by_role("button", name="Add model").click()
    groq.get_by_label("Remove the model openai/gpt-oss-120b").click()
    page.get_by_label("Name of a new app").fill("cursor")
    page.get_by_role("button", name="Add app").click()
    expect(page.get_by_text("Key of cursor, shown once")).to_be_visible()
    page.get_by_role("article", name="deepseek").get_by_role("button", name="Remove provider").click()  # fmt: skip
    expect(page.locator("#pending")).to_contain_text("Valid.", timeout=SOON)
    page.get_by_role("button", name="Save").click()
    expect(page.locator("#pending")).to_contain_text("active in the gateway", timeout=SOON)  # fmt: skip
    saved = stage.gateway.config
    for part in ('"free-only"', '"costPerMonth": 12', '"gsk_second"', '"new-model"', '"cursor"'):  # fmt: skip
        assert part in saved
    for part in ('"deepseek"', '"openai/gpt-oss-120b"'):
        assert part not in saved


def test_an_earlier_version_is_looked_at_and_restored(stage: Stage) -> None:
    stage.gateway.take(CONFIG.replace("24000", "25000"))
    page = stage.open("/-/gateway/config", sign_in=True)
    page.get_by_text("Versions", exact=True).click()
    # What the page has read by now does not matter: the difference is with the file as it is.
    stage.gateway.config = CONFIG.replace("24000", "26000")
    page.get_by_role("button", name="What would change").click()
    lines = page.locator(".difference pre span")
    expect(lines.locator("visible=true").first).to_be_visible()
    assert [line.strip()[0] for line in lines.all_text_contents() if "000" in line and "Minute" in line] == ["−", "+"]  # fmt: skip
    expect(page.locator(".difference [data-kind=goes]")).to_contain_text("26000")
    expect(page.locator(".difference [data-kind=comes]")).to_contain_text("24000")
    page.get_by_role("button", name="Restore this version").click()
    expect(page.locator("#pending")).to_contain_text("active in the gateway", timeout=SOON)  # fmt: skip
    assert stage.gateway.config == CONFIG
    # What was replaced is a version now.
    expect(page.locator(".version")).to_have_count(2, timeout=SOON)


def test_a_version_is_not_restored_over_somebody_elses_change(stage: Stage) -> None:
    stage.gateway.take(CONFIG.replace("24000", "25000"))
    page = stage.open("/-/gateway/config", sign_in=True)
    page.get_by_text("Versions", exact=True).click()
    page.get_by_role("button", name="What would change").click()
    restore = page.get_by_role("button", name="Restore this version")
    expect(restore).to_be_visible()
    stage.gateway.config = other = CONFIG.replace("24000", "26000")
    restore.click()
    expect(page.locator(".difference [role=status]")).to_contain_text("has changed")
    assert stage.gateway.config == other
    stage.wrong.clear()  # the browser's own line for a 409


def test_the_keyboard_alone_adds_edits_and_restores(stage: Stage) -> None:
    page = stage.open("/-/gateway/config", sign_in=True)
    pending = page.locator("#pending")
    add = page.get_by_text("+ Add a provider")
    expect(add).to_be_visible()
    tab_to(page, add)
    page.keyboard.press("Enter")
    tab_to(page, page.get_by_placeholder("Paste the API key"), most=1)
    page.keyboard.type("gsk_abcdefghijklmnop")
    tab_to(page, page.get_by_role("button", name="Add", exact=True), most=10)
    page.keyboard.press("Enter")
    card = page.get_by_role("article", name="groq-2", exact=True)
    assert card.locator(":focus").count() == 1
    expect(pending).to_contain_text("Valid.", timeout=SOON)
    page.keyboard.press("Control+s")
    expect(pending).to_contain_text("active in the gateway", timeout=SOON)
    assert '"gsk_abcdefghijklmnop"' in stage.gateway.config
    # still there, and on to the limits of what was there before
    assert card.locator(":focus").count() == 1
    limit = page.locator(".number", has_text="tokens / minute").locator("input")
    tab_to(page, limit, key="Shift+Tab")
    page.keyboard.press("Control+a")
    page.keyboard.type("31000")
    expect(pending).to_contain_text("Valid.", timeout=SOON)
    save = page.get_by_role("button", name="Save")
    tab_to(page, save)
    page.keyboard.press("Enter")
    expect(pending).to_contain_text("active in the gateway", timeout=SOON)
    assert '"tokensPerMinute": 31000' in stage.gateway.config
    assert pending.evaluate(RING), "where the answer is said"
    # a control that removes itself leaves the keyboard where it was
    remove = page.get_by_label("Remove the limit tokens / minute")
    tab_to(page, remove, key="Shift+Tab")
    page.keyboard.press("Enter")
    assert page.locator("#cards :focus").count() == 1
    expect(pending).to_contain_text("Valid.", timeout=SOON)
    tab_to(page, page.get_by_role("button", name="Discard"))
    page.keyboard.press("Enter")
    tabs = page.locator("#tabs input:checked")
    expect(tabs).to_be_focused()
    for _ in range(3):
        page.keyboard.press("ArrowRight")
    tab_to(page, page.get_by_role("button", name="What would change").first, most=5)
    page.keyboard.press("Enter")
    restore = page.get_by_role("button", name="Restore this version")
    expect(restore).to_be_visible()
    tab_to(page, restore, most=5)
    page.keyboard.press("Enter")
    expect(pending).to_contain_text("active in the gateway", timeout=SOON)
    assert '"tokensPerMinute": 24000' in stage.gateway.config


def test_what_runs_is_shown_beside_the_forms(stage: Stage) -> None:
    stage.ledger.put("limits", scope="provider", provider="groq", metric="requests", window="minute",
                     amount=30, source="preset")  # fmt: skip
    stage.ledger.provider("deepseek", "deepseek", enabled=0, reason="not configured: DEEPSEEK_API_KEY is not set")  # fmt: skip
    page = stage.open("/-/gateway/config", sign_in=True)
    card = page.get_by_role("article", name="groq", exact=True)
    card.get_by_text("As it runs").click()
    expect(card.locator("[data-running]")).to_contain_text("30 requests per minute")
    expect(card.locator("[data-running] table")).to_contain_text(MODEL)
    other = page.get_by_role("article", name="deepseek", exact=True)
    expect(other.locator("header")).to_contain_text("DEEPSEEK_API_KEY is not set")
    # drawn anew, it is still there
    card.get_by_label("enabled").uncheck()
    expect(card.locator("[data-running]")).to_contain_text("30 requests per minute")
