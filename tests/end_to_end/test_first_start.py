"""From keys in the environment to the first answer, without a line of configuration typed."""

import json
import shlex
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from fakes import FakeProvider, answers
from fakes.certs import Authority
from fakes.outbound import OutboundProxy
from fakes.steps import Answer, Received

from gateway import GatewayProcess
from llm_gateway.cli import main

SECONDS = 60
"""What the first answer may take."""

KEYS = {"OPENROUTER_API_KEY": "sk-or-CANARY", "GEMINI_API_KEY": "AIza-CANARY"}


def said(value: object) -> Answer:
    return Answer(200, (answers.JSON,), (json.dumps(value).encode(),))


def openrouter(request: Received) -> Answer:
    if request.target == "/api/v1/models":
        prices = {"a/b:free": "0", "a/b": "0.000001"}
        models = [
            {"id": name, "pricing": {"prompt": price, "completion": price}}
            for name, price in prices.items()
        ]
        return said({"data": models})
    if request.target == "/api/v1/key":
        return said({"data": {"is_free_tier": True, "usage": 0}})
    return answers.ok("from openrouter")(request)


def google(request: Received) -> Answer:
    if request.target.startswith("/v1beta/models"):
        names = ("gemini-3.5-flash-lite", "gemini-3.1-pro-preview", "gemini-3.8-flash")
        methods = ["generateContent"]
        models = [
            {"name": f"models/{n}", "supportedGenerationMethods": methods}
            for n in names
        ]
        return said({"models": models})
    return answers.ok("from google")(request)


@pytest.fixture(scope="module")
def wide(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """An environment with two keys, and the two providers behind its outbound proxy."""
    hosts = {
        "openrouter.ai": openrouter,
        "generativelanguage.googleapis.com": google,
    }
    authority = Authority(tmp_path_factory.mktemp("authority"))
    tls = authority.server_context(*hosts)
    fakes = {host: FakeProvider(answer, tls=tls) for host, answer in hosts.items()}
    for fake in fakes.values():
        fake.start()
    with OutboundProxy("http", {h: f.port for h, f in fakes.items()}) as proxy:
        yield {
            **KEYS,
            "HTTPS_PROXY": proxy.url,
            "NO_PROXY": "127.0.0.1",
            "SSL_CERT_FILE": str(authority.ca),
        }
    for fake in fakes.values():
        fake.stop()


def test_two_keys_are_enough_for_an_answer_of_a_free_model(
    tmp_path: Path,
    confdir: Path,
    wide: dict[str, str],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    began = time.monotonic()
    home = tmp_path / "empty"
    home.mkdir()
    wide = wide | {"HOME": str(home)}
    monkeypatch.setattr("os.environ", wide)
    monkeypatch.chdir(tmp_path)
    assert main(["init", "--detect"]) == 0
    told = capsys.readouterr().out
    monkeypatch.undo()
    assert not [*home.iterdir()]
    assert "CANARY" not in told + (tmp_path / "config.jsonc").read_text()
    assert "openrouter (OPENROUTER_API_KEY)\n  50 requests/day, " in told
    assert "500 requests/day, 15 requests/minute for each of gemini-" in told

    with GatewayProcess(tmp_path, None, confdir=confdir, env=wide) as gateway:
        gateway.wait_log("Try: curl ")
        gateway.wait_log("models listed", times=2)
        line = next(li for li in gateway.log().splitlines() if "Try: curl " in li)
        asked = json.loads(shlex.split(line.partition("Try: ")[2])[-1])
        assert asked["model"].startswith(("a/b:free", "gemini-3.5", "gemini-3.8"))
        status, _, answer = gateway.post("/v1/chat/completions", asked)
        assert status == 200, answer
        assert time.monotonic() - began < SECONDS

        _, _, listed = gateway.get("/v1/models")
        names = {model["id"] for model in listed["data"]}
        assert {"a/b:free", "gemini-3.5-flash-lite"} <= names
        assert not names & {"a/b", "gemini-3.1-pro-preview"}
        gateway.wait_log("google: the free tier of gemini-3.6-flash*, ")
        assert gateway.log().count("is uncertain: ") == 1

        for model, provider in (
            ("a/b:free", "openrouter"),
            ("gemini-3.5-flash-lite", "google"),
        ):
            status, headers, answer = gateway.chat(model)
            assert status == 200, answer
            assert headers["x-gateway-provider"] == provider
            text = answer["choices"][0]["message"]["content"]
            assert text.startswith(f"from {provider}")
        rows = gateway.ended(3)
        assert [row["cost_usd"] for row in rows] == [0, 0, 0]
        assert gateway.config_path.read_text().count('"free"') == 4
