"""The fast path is optional: switched off or deleted, the gateway serves and fails over."""

import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from fakes import FakeProvider, answers

from gateway import SCRIPT, GatewayProcess, chat, provider

WAYS = {
    "switched off": "The fast path is off (LLM_GATEWAY_FASTPATH).",
    "deleted": "The fast path is not installed.",
}


@pytest.fixture(params=WAYS)
def gateway(request, tmp_path: Path, confdir: Path) -> Iterator[GatewayProcess]:
    script, env = SCRIPT, {"LLM_GATEWAY_FASTPATH": "off"}
    if request.param == "deleted":
        addon = tmp_path / "addon"
        shutil.copytree(
            SCRIPT.parent,
            addon,
            ignore=shutil.ignore_patterns("__pycache__", "fastpath"),
        )
        script, env = addon / "gateway.py", {"LLM_GATEWAY_FASTPATH": None}
    with FakeProvider() as one, FakeProvider() as two:
        config = {"providers": [provider(one, "one", free=True), provider(two, "two")]}
        process = GatewayProcess(
            tmp_path, config, confdir=confdir, env=env, script=script
        )
        with process:
            process.wait_log(WAYS[request.param])
            process.one, process.two = one, two
            yield process


def test_it_serves_and_fails_over(gateway):
    gateway.one.then(answers.status(500), answers.stream())
    status, headers, _ = gateway.post("/v1/chat/completions", chat())
    assert status == 200
    assert headers["x-gateway-provider"] == "two"
    assert headers["x-gateway-attempts"] == "2"
    status, headers, body = gateway.post("/v1/chat/completions", chat(stream=True))
    assert (status, headers["x-gateway-provider"]) == (200, "one")
    assert body.rstrip().endswith(b"data: [DONE]")
    assert json.loads(gateway.ask("GET", "/health")[2])["status"] == "ok"
    assert "Traceback" not in gateway.log()
