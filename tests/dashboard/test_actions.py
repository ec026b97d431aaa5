"""From the page through the plugin to the gateway's management routes, and back."""

import json
from pathlib import Path
from typing import Any

import pytest

from llm_gateway.gateway_client import base_url

from .conftest import Serve
from .fake_gateway import CONFIG, FakeGateway
from .ledgers import Ledger

SAVE = "/-/gateway/config/save"


async def test_earlier_versions(
    serve: Serve, ledger: Ledger, gateway: FakeGateway
) -> None:
    gateway.take(CONFIG.replace("2000", "3000"))
    client, path = serve(ledger.path), "/-/gateway/config/versions.json"
    for asked in (path, f"{path}?id=v0"):
        assert (await client.get(asked)).status_code == 403
    assert gateway.calls == []
    found = (await client.get(path, root=True)).json()
    assert [one["id"] for one in found["versions"]] == ["v0"]
    found = (await client.get(f"{path}?id=v0", root=True)).json()
    assert any(line.startswith("+") for line in found["difference"])
    assert (await client.get(f"{path}?id=v7", root=True)).status_code == 404
    restore = "/-/gateway/config/restore"
    assert (await client.post(restore, {"id": "v0"})).status_code == 400
    stale = await client.post(restore, {"id": "v0", "hash": "x"})
    assert stale.status_code == 409
    done = await client.post(restore, {"id": "v0", "hash": gateway.hash})
    assert (done.status_code, gateway.config) == (200, CONFIG)


async def test_the_configuration_is_read(
    serve: Serve, ledger: Ledger, gateway: FakeGateway
) -> None:
    found = (await serve(ledger.path).get("/-/gateway/config.json", root=True)).json()
    assert found["text"] == CONFIG
    assert found["hash"] == gateway.hash
    assert found["config"]["budget"] == {"costPerDay": 1.0}
    method, path, headers, _ = gateway.calls[0]
    assert (method, path) == ("GET", "/config?format=text")
    assert headers["authorization"] == f"Bearer {gateway.token}"


async def test_a_text_is_checked_and_saved(
    serve: Serve, ledger: Ledger, gateway: FakeGateway
) -> None:
    client = serve(ledger.path)
    body = {"text": CONFIG.replace("24000", "30000"), "hash": gateway.hash}
    dry = await client.post(SAVE, body | {"dry_run": True})
    assert (dry.status_code, dry.json()["message"]) == (200, "valid")
    assert gateway.config == CONFIG
    done = await client.post(SAVE, body)
    assert done.json()["message"] == "active"
    assert done.json()["hash"] == gateway.hash
    assert "30000" in gateway.config
    assert "// Free ones first." in gateway.config
    _, path, headers, sent = gateway.calls[-1]
    assert path == "/config"
    assert headers["content-type"] == "application/jsonc"
    assert headers["if-match"] == body["hash"]
    assert sent.decode() == body["text"]


async def test_single_values_go_as_an_object(
    serve: Serve, ledger: Ledger, gateway: FakeGateway
) -> None:
    config = {"providers": [{"id": "groq", "limits": {"requestsPerDay": 5}}]}
    body = {"config": config, "hash": gateway.hash}
    assert (await serve(ledger.path).post(SAVE, body)).status_code == 200
    assert gateway.calls[-1][2]["content-type"] == "application/json"
    assert json.loads(gateway.config) == config


async def test_mistakes_name_path_and_line_and_change_nothing(
    serve: Serve, ledger: Ledger, gateway: FakeGateway
) -> None:
    client = serve(ledger.path)
    body = {"text": CONFIG.replace("24000", "-1"), "hash": gateway.hash}
    expected = {
        "message": "providers[0].models[0].limits.tokensPerMinute: found -1; write a whole number above 0",
        "path": "providers[0].models[0].limits.tokensPerMinute",
        "line": 14,
        "column": 46,
    }
    answer = await client.post(SAVE, body)
    assert answer.status_code == 422
    assert answer.json()["errors"] == [expected]
    # a draft with mistakes is a good answer to the question whether it has any
    dry = await client.post(SAVE, body | {"dry_run": True})
    assert dry.status_code == 200
    assert dry.json()["valid"] is False
    assert dry.json()["errors"] == [expected]
    assert gateway.config == CONFIG


async def test_a_file_that_changed_meanwhile(
    serve: Serve, ledger: Ledger, gateway: FakeGateway
) -> None:
    answer = await serve(ledger.path).post(SAVE, {"text": "{}", "hash": "older"})
    assert answer.status_code == 409
    assert "has changed" in answer.json()["error"]["message"]


@pytest.mark.parametrize(
    "body", [{}, {"text": 5}, {"config": []}, {"text": None, "config": "x"}]
)
async def test_nonsense_is_not_forwarded(
    body: dict[str, Any], serve: Serve, ledger: Ledger, gateway: FakeGateway
) -> None:
    answer = await serve(ledger.path).post(SAVE, body)
    assert answer.status_code == 400
    assert gateway.calls == []


async def test_a_body_that_is_no_object(
    serve: Serve, ledger: Ledger, gateway: FakeGateway
) -> None:
    assert (await serve(ledger.path).post(SAVE, [1])).status_code == 400
    assert gateway.calls == []


async def test_reload_and_simulate(
    serve: Serve, ledger: Ledger, gateway: FakeGateway
) -> None:
    client = serve(ledger.path)
    assert (await client.post("/-/gateway/reload")).json()["message"] == "reloaded"
    sent = {"providerId": "groq", "model": "", "tokens": 50, "cost": 0.1, "other": 1}
    answer = await client.post("/-/gateway/simulate", sent)
    assert answer.json()["message"] == "counted"
    _, path, headers, body = gateway.calls[-1]
    assert path == "/usage/simulate"
    assert json.loads(body) == {"providerId": "groq", "tokens": 50, "cost": 0.1}
    assert "authorization" not in headers


async def test_copilot_login(
    serve: Serve, ledger: Ledger, gateway: FakeGateway
) -> None:
    client = serve(ledger.path)
    started = await client.post("/-/gateway/copilot/start", {"providerId": "copilot"})
    assert started.json()["user_code"] == "WXYZ-1234"
    flow = {"flow": started.json()["flow"]}
    statuses = [
        (await client.post("/-/gateway/copilot/poll", flow)).json()["status"]
        for _ in range(2)
    ]
    assert statuses == ["pending", "done"]
    assert (await client.post("/-/gateway/copilot/start", {})).status_code == 400
    assert (await client.get("/-/gateway/copilot/finish", root=True)).status_code == 404


async def test_status_and_route_need_no_permission(
    serve: Serve, ledger: Ledger, gateway: FakeGateway
) -> None:
    ledger.event(
        1_000.0, "config", "refused", "the old configuration serves on: line 3"
    )
    client = serve(ledger.path)
    found = (await client.get("/-/gateway/status.json")).json()
    assert found["down"] is None
    assert found["health"]["config"]["revision"] == gateway.hash
    assert found["events"][0]["subject"] == "refused"
    route = (await client.get("/-/gateway/route.json?model=gpt-4o")).json()
    assert route["model"] == "gpt-4o"
    assert all("authorization" not in headers for _, _, headers, _ in gateway.calls)


async def test_without_a_gateway_reads_work_and_writes_say_how_to_start_it(
    serve: Serve,
    ledger: Ledger,
    gateway: FakeGateway,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("LLM_GATEWAY_URL", "http://127.0.0.1:1")
    client = serve(ledger.path)
    answer = await client.post("/-/gateway/reload")
    assert answer.status_code == 503
    message = answer.json()["error"]["message"]
    assert "http://127.0.0.1:1" in message
    assert "mitmdump -s addon/gateway.py" in message
    assert (await client.get("/-/gateway/live.json")).status_code == 200
    assert (await client.get("/-/gateway/config", root=True)).status_code == 200
    status = (await client.get("/-/gateway/status.json")).json()
    assert "mitmdump" in status["down"]


async def test_without_a_token(
    serve: Serve, ledger: Ledger, gateway: FakeGateway, own_home: Path
) -> None:
    (own_home / "admin-token").unlink()
    answer = await serve(ledger.path).post("/-/gateway/reload")
    assert answer.status_code == 503
    assert str(own_home / "admin-token") in answer.json()["error"]["message"]
    assert gateway.calls == []


async def test_a_wrong_token_is_not_the_readers_fault(
    serve: Serve, ledger: Ledger, gateway: FakeGateway, own_home: Path
) -> None:
    (own_home / "admin-token").write_text("another")
    answer = await serve(ledger.path).post("/-/gateway/reload")
    assert answer.status_code == 502
    assert "another" not in answer.text


async def test_the_token_is_nowhere_in_the_answers(
    serve: Serve, ledger: Ledger, gateway: FakeGateway
) -> None:
    client = serve(ledger.path)
    for path in (
        *("/-/gateway", "/-/gateway/config", "/-/gateway/config.json"),
        *("/-/gateway/status.json", "/-/gateway/live.json", "/-/gateway/history.json"),
        *("/-/plugins.json", "/-/metadata.json", "/-/config.json", "/-/settings.json"),
    ):
        answer = await client.get(path, root=True)
        assert gateway.token not in answer.text
        assert gateway.token not in str(answer.headers)


@pytest.mark.parametrize(
    ("environment", "port", "expected"),
    [
        ("", None, "http://127.0.0.1:8080"),
        ("", 9000, "http://127.0.0.1:9000"),
        ("http://127.0.0.1:7000/", 9000, "http://127.0.0.1:7000"),
    ],
)
def test_where_the_gateway_is(
    environment: str,
    port: int | None,
    expected: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("LLM_GATEWAY_URL", environment)
    assert base_url(port) == expected


async def test_the_ledger_says_where_the_gateway_is(
    serve: Serve,
    ledger: Ledger,
    gateway: FakeGateway,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv("LLM_GATEWAY_URL")
    ledger.beat(1_000.0, port=int(gateway.url.rpartition(":")[2]))
    answer = await serve(ledger.path).post("/-/gateway/reload")
    assert answer.status_code == 200


async def test_without_a_ledger_no_gateway_is_asked_that_happens_to_run(
    serve: Serve,
    gateway: FakeGateway,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("llm_gateway.gateway_client.DEFAULT_PORT", int(gateway.url.rpartition(":")[2]))  # fmt: skip
    monkeypatch.delenv("LLM_GATEWAY_URL")
    client = serve()
    status = (await client.get("/-/gateway/status.json")).json()
    assert status["health"] is None
    assert f"no usage database at {tmp_path / 'elsewhere.db'}" in status["down"]
    assert (await client.get("/-/gateway/config.json", root=True)).status_code >= 500
    assert gateway.calls == []
    # Named, it is asked.
    monkeypatch.setenv("LLM_GATEWAY_URL", gateway.url)
    assert (await client.get("/-/gateway/status.json")).json()["health"]
