"""The whole of it: a real gateway, the dashboard that it started, a browser."""

import contextlib
import os
import re
import socket
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("mitmproxy")

from fakes import FakeProvider, answers
from fakes.steps import Answer, Received

from gateway import GatewayProcess

from . import browsing

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(bool(browsing.missing()), reason=browsing.missing() or "there"),
]

CONFIG = """{
  // Two models that need no key.
  "providers": [
    {
      "id": "sim", "type": "simulator", "free": true, "apiKey": "sk-CANARY-nobody-sees-this",
      "simulator": {"latencyMs": 1, "tokensPerSecond": 10000, "outputTokens": 5},
      "models": [
        {"name": "demo", "limits": {"requestsPerDay": 4}}, // small on purpose
        {"name": "other"}
      ]
    }
  ]
}
"""


def free_port() -> int:
    """None of those that the system gives to who asks for any, as the gateway does."""
    for port in range(20_000 + os.getpid() % 10_000, 32_000):
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port
    raise AssertionError("no port is free")


@pytest.fixture(scope="module")
def running(
    tmp_path_factory: pytest.TempPathFactory, confdir: Path
) -> Iterator[tuple[GatewayProcess, str]]:
    """(gateway, sign-in link)"""
    folder: Path = tmp_path_factory.mktemp("gateway")
    port = free_port()
    with GatewayProcess(
        folder,
        CONFIG,
        confdir=confdir,
        options={"gateway_dashboard_port": str(port)},
    ) as gateway:
        gateway.wait_log("sign in once with http://")
        link = re.search(r"sign in once with (http://\S+)", gateway.log())
        assert link is not None
        yield gateway, link[1]


@pytest.fixture(scope="module")
def page(running: tuple[GatewayProcess, str]) -> Iterator[Any]:
    _, link = running
    with browsing.browser() as chromium:
        page = chromium.new_page()
        wrong = browsing.watch(page)
        page.goto(link)
        yield page
        assert wrong == []


def expect(found: Any) -> Any:
    from playwright.sync_api import expect as playwright_expect

    return playwright_expect(found)


def limit(gateway: GatewayProcess) -> dict[str, Any]:
    """`requestsPerDay` of the model `demo`, as /usage/current has it."""
    _, _, usage = gateway.get("/usage/current")
    [demo] = [one for one in usage["providers"][0]["models"] if one["name"] == "demo"]
    found: dict[str, Any] = demo["limits"]["requestsPerDay"]
    return found


def test_requests_show_and_bars_equal_usage_current(
    running: tuple[GatewayProcess, str], page: Any
) -> None:
    gateway, _ = running
    row = page.locator(".row.model", has_text="demo")
    value, word = row.locator(".limit .value"), row.locator(".word b")
    expect(value).to_have_text("0 of 4")
    for n, (level, said) in enumerate(
        [("ok", "ready"), ("ok", "ready"), ("near", "near limit"), ("full", "at limit")], 1
    ):  # fmt: skip
        status, _, _ = gateway.chat("demo")
        assert status == 200
        expect(value).to_have_text(f"{n} of 4")
        expect(row.locator(".limit")).to_have_attribute("data-level", level)
        expect(word).to_have_text(said)
        assert limit(gateway)["consumed"] == n
    status, _, _ = gateway.chat("demo")
    assert status == 429
    expect(page.locator("#ticker li")).to_have_count(5)
    expect(page.locator("#ticker li").first).to_contain_text("refused")
    expect(page.locator('.kpi[data-key="ready"] .big')).to_have_text("1 of 2")


def test_an_edit_takes_effect_in_the_gateway_within_three_seconds(
    running: tuple[GatewayProcess, str], page: Any
) -> None:
    gateway, link = running
    page.goto(link.partition("/-/")[0] + "/-/gateway/config")
    field = page.locator(".number", has_text="requests / day").locator("input")
    expect(field).to_have_value("4")
    field.fill("none")
    expect(page.locator(".problems")).to_contain_text("providers[0].models[0].limits.requestsPerDay")  # fmt: skip
    expect(page.locator(".problems")).to_contain_text("line 8")
    assert limit(gateway)["limit"] == 4
    assert gateway.config_path.read_text() == CONFIG
    field.fill("40")
    expect(page.locator("#pending")).to_contain_text("Valid.")
    started = time.monotonic()
    page.get_by_role("button", name="Save").click()
    expect(page.locator("#pending")).to_contain_text("active in the gateway")
    assert limit(gateway)["limit"] == 40
    assert time.monotonic() - started < 3
    # Only the number changed: comments stay, and so does the key that was never shown.
    assert gateway.config_path.read_text() == CONFIG.replace('"requestsPerDay": 4', '"requestsPerDay": 40')  # fmt: skip
    assert "CANARY" not in page.content()
    assert gateway.chat("demo")[0] == 200


def test_simulated_use_is_counted_and_marked(
    running: tuple[GatewayProcess, str], page: Any
) -> None:
    gateway, link = running
    before = limit(gateway)["consumed"]
    page.get_by_text("Simulate", exact=True).click()
    page.get_by_role("button", name="Count it").click()
    expect(page.locator(".simulate")).to_contain_text("1 of 1 counted for sim.")
    assert limit(gateway)["consumed"] == before + 1
    page.goto(link.partition("/-/")[0] + "/-/gateway")
    expect(page.locator("#ticker .sim")).to_have_count(1)
    page.locator("#ticker a").nth(1).click()
    expect(page.locator("h1")).to_have_text("demo → sim / demo")
    expect(page.locator("article")).to_contain_text("Why there?")


KEY = "sk-the-right-key-of-somebody"


def only_with_the_key(request: Received) -> Answer:
    if request.header("authorization") != f"Bearer {KEY}":
        error = {"message": "Incorrect API key provided", "code": "invalid_api_key"}
        return answers.status(401, {"error": error})
    answer = answers.ok()
    return answer if isinstance(answer, Answer) else answer(request)


def test_a_provider_is_added_tested_and_answers(
    running: tuple[GatewayProcess, str], page: Any
) -> None:
    """With the wrong key first: the test call says so; replaced, it answers, and so does
    the first request of an app."""
    gateway, link = running
    pending = page.locator("#pending")
    with FakeProvider(only_with_the_key) as fake:
        page.goto(link.partition("/-/")[0] + "/-/gateway/config")
        page.get_by_text("+ Add a provider").click()
        page.locator(".add-provider select").select_option("openai-compatible")
        page.get_by_label("Address").fill(f"{fake.base_url}/v1")
        page.get_by_label("Name here").fill("friend")
        page.get_by_label("every chat model that its own list has").uncheck()
        page.get_by_label("or models").fill("fake-one, fake-two")
        page.get_by_label("its answers cost nothing").check()
        page.get_by_placeholder("Paste the API key").fill('"sk-wrong"')
        page.get_by_role("button", name="Add", exact=True).click()
        expect(pending).to_contain_text("Valid.")
        expect(pending.locator(".odd")).to_contain_text("begins or ends with a quote")
        pending.get_by_role("button", name="Save").click()
        expect(pending).to_contain_text("active in the gateway")
        card = page.get_by_role("article", name="friend", exact=True)
        said = card.locator(".test [role=status]").first
        card.get_by_role("button", name="Test").first.click()
        expect(said).to_have_text("✗ key refused: 401 invalid_api_key")
        # with a blank before it and the end of its line after it, as it is copied
        card.get_by_label("Replace", exact=True).fill(f" {KEY}\n")
        expect(pending).to_contain_text("Valid.")
        expect(pending.locator(".odd")).to_have_count(0)
        pending.get_by_role("button", name="Save").click()
        expect(pending).to_contain_text("active in the gateway")
        card.get_by_role("button", name="Test").first.click()
        expect(said).to_contain_text("✓ answered in")
        status, headers, _ = gateway.chat("fake-two")
        assert (status, headers["x-gateway-provider"]) == (200, "friend")
        assert f'"apiKey": "{KEY}"' in gateway.config_path.read_text()
    assert "the-right-key" not in page.content()
