"""Apps that nobody changed: SDKs and curl, by base URL and through HTTPS_PROXY.

The programs in `programs/` know nothing of a gateway. By base URL they are told so by
the variables that their SDKs read; as proxy they run under `llm-gateway run`, ask the
hosts that they always ask, and trust what the launcher makes them trust.
"""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
from fakes import Answer, Authority, FakeProvider, Received, Way, answers, reach

from gateway import GatewayProcess, provider

from .conftest import Start
from .speaker import speak

PROGRAMS = Path(__file__).with_name("programs")
ADDON = Path(__file__).parents[2] / "addon"
TIMEOUT = 120
WAYS = ("base url", "proxy")
EVERYTHING = ["chat", "completions", "embeddings", "responses", "messages"]
ARGUMENTS = '{"city":"Paris"}'
PRICING = {"inputCostPerMillionTokens": 3, "outputCostPerMillionTokens": 15}
CHAT = {"model": "gpt-4o-mini", "messages": [{"role": "user", "content": "Hi"}]}


@pytest.fixture(scope="module")
def speaker() -> Iterator[FakeProvider]:
    with FakeProvider(speak) as fake:
        yield fake


@pytest.fixture(scope="module")
def gateway(start_shared: Start, speaker: FakeProvider) -> GatewayProcess:
    models = [
        {"name": "real/mini:free", "mappedName": "gpt-4o-mini"},
        {"name": "embed-1", "mappedName": "text-embedding-3-small"},
        {"name": "claude-real", "aliases": ["claude-*"]},
    ]
    spent = provider(speaker, "spent", "spent", limits={"requestsPerDay": 0})
    return start_shared(
        {
            "providers": [
                provider(speaker, "a", free=True, models=models, dialects=EVERYTHING),
                {**spent, "dialects": ["chat", "messages"]},
            ]
        }
    )


def run(
    gateway: GatewayProcess, way: str, command: Sequence[str], **env: str
) -> subprocess.CompletedProcess[str]:
    """The command as a user would run it; no variable of this machine leads elsewhere."""
    url = f"http://127.0.0.1:{gateway.port}"
    clean = {k: v for k, v in os.environ.items() if not k.lower().endswith("_proxy")}
    environ = {
        **clean,
        "LLM_GATEWAY_HOME": str(gateway.home),
        "OPENAI_API_KEY": "sk-CANARY-APP",
        "ANTHROPIC_API_KEY": "sk-ant-CANARY-APP",
    }
    if way == "proxy":
        environ["PYTHONPATH"] = str(ADDON)
        launcher = [sys.executable, "-m", "llm_gateway", "run"]
        launcher += ["--port", str(gateway.port), "--confdir", str(gateway.confdir)]
        command = [*launcher, "--", *command]
    else:
        environ |= {"OPENAI_BASE_URL": f"{url}/v1", "ANTHROPIC_BASE_URL": url}
    return subprocess.run(
        command, env={**environ, **env}, capture_output=True, text=True, timeout=TIMEOUT
    )


def program(gateway: GatewayProcess, way: str, name: str) -> Any:
    done = run(gateway, way, [sys.executable, str(PROGRAMS / name)])
    assert done.returncode == 0, done.stderr + gateway.log()
    assert done.stderr == ""
    return json.loads(done.stdout)


@pytest.mark.parametrize("way", WAYS)
def test_the_openai_sdk(gateway: GatewayProcess, way: str) -> None:
    found = program(gateway, way, "openai_program.py")
    assert found == {
        "served by": "a",
        "plain": "Hello",
        "model": "real/mini:free",
        "usage": 10,
        "stream": ["Hel", "lo"],
        "usage unasked": [],
        "usage asked": [10],
        "tool": ["weather", ARGUMENTS],
        "tool streamed": ["weather", ARGUMENTS],
        "embedding": [0.5, 0.25],
        "completion": "Hello",
        "completion streamed": ["Hel", "lo"],
        "response": ["Hello", 10],
        "response tool": ["weather", ARGUMENTS],
        "response streamed": [["Hel", "lo"], "Hello", 10],
        "response tool streamed": ["weather", ARGUMENTS],
        # An intercepted app is told by its own host what that has; here nobody is there.
        "models": ["claude-real", "gpt-4o-mini"]
        if way == "base url"
        else "upstream_unreachable",
        "spent": "rate_limit_exceeded",
        "async": ["Hello"] * 4,
    }


@pytest.mark.parametrize("way", WAYS)
def test_the_anthropic_sdk(gateway: GatewayProcess, way: str) -> None:
    found = program(gateway, way, "anthropic_program.py")
    assert found == {
        "served by": "a",
        "plain": "Hello",
        "usage": [7, 3],
        "tool": ["weather", {"city": "Paris"}],
        "stream": [["Hel", "lo"], 3],
        "tool streamed": ["weather", {"city": "Paris"}],
        "stop reason": "tool_use",
        "beta": "Hello",
        "count": 7 if way == "base url" else "api_error",
        "spent": "rate_limit_error",
        "async": ["Hello"] * 4,
    }


def node_version() -> tuple[int, int]:
    """(0, 0) where there is no Node, or the SDKs are not installed beside the program."""
    if not shutil.which("node") or not (PROGRAMS / "node_modules" / "openai").exists():
        return 0, 0
    said = subprocess.run(["node", "--version"], capture_output=True, text=True).stdout
    major, minor, _ = said.removeprefix("v").split(".", 2)
    return int(major), int(minor)


@pytest.mark.parametrize(
    ("way", "needed"), [("base url", (20, 0)), ("proxy", (22, 21))]
)
def test_the_sdks_for_node(
    gateway: GatewayProcess, way: str, needed: tuple[int, int]
) -> None:
    """Node's own fetch knows proxies from 22.21 on."""
    if node_version() < needed:
        pytest.skip(
            f"needs Node {needed[0]}.{needed[1]} and: npm install --no-save "
            "--prefix tests/end_to_end/programs openai @anthropic-ai/sdk"
        )
    done = run(gateway, way, ["node", str(PROGRAMS / "node_program.mjs")])
    assert done.returncode == 0, done.stderr + gateway.log()
    assert json.loads(done.stdout) == {
        "plain": "Hello",
        "stream": ["Hel", "lo"],
        "tool": ["weather", ARGUMENTS],
        "toolStreamed": ARGUMENTS,
        "response": "Hello",
        "responseStreamed": "Hello",
        "embedding": [0.5, 0.25],
        "claude": "Hello",
        "claudeStreamed": "Hello",
    }


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("streamed", [False, True])
def test_curl(gateway: GatewayProcess, way: str, streamed: bool) -> None:
    base = f"http://127.0.0.1:{gateway.port}"
    if way == "proxy":
        base = "https://api.openai.com"
    command = ["curl", "-sSi", f"{base}/v1/chat/completions"]
    command += ["-H", "content-type: application/json"]
    command += ["-H", "authorization: Bearer sk-CANARY-APP"]
    done = run(gateway, way, [*command, "-d", json.dumps({**CHAT, "stream": streamed})])
    assert (done.returncode, done.stderr) == (0, "")
    heads, _, body = done.stdout.replace("\r\n", "\n").rpartition("\n\n{")
    if streamed:
        heads, _, body = done.stdout.replace("\r\n", "\n").partition("\n\ndata: ")
        assert body.endswith("data: [DONE]\n\n")
    else:
        content = json.loads("{" + body)["choices"][0]["message"]["content"]
        assert content == "Hello"
    # HTTP/1.1 to our own port, HTTP/2 inside of CONNECT.
    assert " 200" in heads.splitlines()[0]
    assert "\nx-gateway-provider: a\n" in heads + "\n"


def test_no_key_of_an_app_left_and_no_key_is_in_the_log(
    gateway: GatewayProcess, speaker: FakeProvider
) -> None:
    run(
        gateway,
        "proxy",
        [
            "curl",
            "-sS",
            "-H",
            "authorization: Bearer sk-CANARY-APP",
            "-d",
            json.dumps(CHAT),
            "https://api.openai.com/v1/chat/completions",
        ],
    )
    assert b"sk-CANARY-a" in speaker.bytes_in()
    assert b"CANARY-APP" not in speaker.bytes_in()
    assert "CANARY" not in gateway.log()


CLAUDE_CODE = rb"""{"model":"claude-opus-4-5-20251101","messages":[{"role":"user","content":[{"type":"text","text":"<system-reminder>\nToday is 2026-11-24.\n</system-reminder>\n"},{"type":"text","text":"What is on this picture? \u00e9\ud83c\udf89","cache_control":{"type":"ephemeral"}},{"type":"image","source":{"type":"base64","media_type":"image/png","data":"iVBORw0KGgo="}}]},{"role":"assistant","content":[{"type":"thinking","thinking":"A file.","signature":"EqQBCgIYAhIM"},{"type":"tool_use","id":"toolu_01A","name":"Read","input":{"file_path":"/tmp/a.png"}}]},{"role":"user","content":[{"tool_use_id":"toolu_01A","type":"tool_result","content":"1\tmodel: \"claude-opus-4-5-20251101\"","cache_control":{"type":"ephemeral"}}]}],"system":[{"type":"text","text":"x-anthropic-billing-header: cc_version=2.1"},{"type":"text","text":"You are Claude Code, Anthropic's official CLI for Claude.","cache_control":{"type":"ephemeral"}}],"tools":[{"name":"Read","description":"Reads a file.","input_schema":{"$schema":"https://json-schema.org/draft/2020-12/schema","type":"object","properties":{"file_path":{"type":"string"},"limit":{"type":"number","exclusiveMinimum":0}},"required":["file_path"],"additionalProperties":false}},{"type":"web_search_20250305","name":"web_search","max_uses":8}],"metadata":{"user_id":"user_0a1b_account__session_9f"},"max_tokens":32000,"thinking":{"budget_tokens":31999,"type":"enabled"},"context_management":{"edits":[{"type":"clear_thinking_20251015","keep":"all"}]},"stream":true}"""
CLAUDE_CODE_HEADERS = {
    "accept": "application/json",
    "anthropic-beta": "claude-code-20250219,interleaved-thinking-2025-05-14",
    "anthropic-dangerous-direct-browser-access": "true",
    "anthropic-version": "2023-06-01",
    "x-api-key": "sk-ant-CANARY-APP",
    "content-type": "application/json",
    "user-agent": "claude-cli/2.1.51 (external, cli)",
    "x-app": "cli",
    "x-stainless-lang": "js",
    "x-stainless-retry-count": "0",
    "cookie": "session=CANARY-APP",
    "accept-encoding": "gzip, deflate, br, zstd",
}

CODEX = rb"""{"model":"gpt-5-codex","instructions":"You are Codex, based on GPT-5.","input":[{"type":"message","role":"developer","content":[{"type":"input_text","text":"<permissions instructions>"}]},{"type":"message","role":"user","content":[{"type":"input_text","text":"What is on this picture?"},{"type":"input_image","image_url":"data:image/png;base64,iVBORw0KGgo="}]},{"type":"reasoning","summary":[],"content":null,"encrypted_content":"gAAAAABo"},{"type":"function_call","name":"shell","arguments":"{\"command\":[\"ls\"],\"model\":\"gpt-5-codex\"}","call_id":"call_1"},{"type":"function_call_output","call_id":"call_1","output":"{\"output\":\"a.png\\n\",\"metadata\":{\"exit_code\":0}}"}],"tools":[{"type":"function","name":"shell","description":"Runs a shell command.","strict":false,"parameters":{"type":"object","properties":{"command":{"type":"array","items":{"type":"string"}}},"required":["command"],"additionalProperties":false}},{"type":"custom","name":"apply_patch","description":"Edits files.","format":{"type":"grammar","syntax":"lark","definition":"start: begin_patch"}},{"type":"web_search","external_web_access":false}],"tool_choice":"auto","parallel_tool_calls":false,"reasoning":{"effort":"medium","summary":"auto"},"store":false,"stream":true,"include":["reasoning.encrypted_content"],"prompt_cache_key":"019a-thread","text":{"verbosity":"low"}}"""
CODEX_HEADERS = {
    "accept": "text/event-stream",
    "authorization": "Bearer sk-CANARY-APP",
    "content-type": "application/json",
    "openai-beta": "responses=experimental",
    "originator": "codex_cli_rs",
    "session_id": "019a-thread",
    "conversation_id": "019a-thread",
    "user-agent": "codex_cli_rs/0.63.0 (Debian 12; x86_64) xterm",
}


@pytest.fixture(scope="module")
def labs(start_shared: Start) -> Iterator[tuple[GatewayProcess, FakeProvider]]:
    """Anthropic and OpenAI as their rows in the table have them, at another address."""
    with FakeProvider(speak) as fake:
        anthropic = provider(fake, "anthropic", type="anthropic", free=True)
        anthropic["baseURL"] = fake.base_url
        anthropic["models"] = [{"name": "claude-mine", "aliases": ["claude-opus-*"]}]
        openai = provider(fake, "openai", type="openai", free=True)
        openai["models"] = [{"name": "gpt-mine", "mappedName": "gpt-5-codex"}]
        yield (
            start_shared(
                {"providers": [anthropic, openai], "routing": {"translate": False}}
            ),
            fake,
        )


@pytest.mark.parametrize(
    ("path", "body", "headers", "model", "mine", "sent"),
    [
        (
            "/v1/messages?beta=true",
            CLAUDE_CODE,
            CLAUDE_CODE_HEADERS,
            b"claude-opus-4-5-20251101",
            b"claude-mine",
            {
                "accept": "*/*",
                "x-api-key": "sk-CANARY-anthropic",
                "anthropic-beta": "claude-code-20250219,interleaved-thinking-2025-05-14",
                "anthropic-version": "2023-06-01",
            },
        ),
        (
            "/v1/responses",
            CODEX,
            CODEX_HEADERS,
            b"gpt-5-codex",
            b"gpt-mine",
            {
                "accept": "*/*",
                "authorization": "Bearer sk-CANARY-openai",
                "openai-beta": "responses=experimental",
            },
        ),
    ],
    ids=["claude-code", "codex"],
)
def test_agents_requests_are_changed_in_auth_host_and_model_only(
    labs: tuple[GatewayProcess, FakeProvider],
    path: str,
    body: bytes,
    headers: Mapping[str, str],
    model: bytes,
    mine: bytes,
    sent: Mapping[str, str],
) -> None:
    gateway, fake = labs
    status, found, answer = gateway.ask("POST", path, body, headers)
    assert (status, found["content-type"]) == (200, answers.SSE[1])
    request = fake.requests[-1]
    # The first place is the model's; the same words in a tool's output stay.
    assert request.body == body.replace(model, mine, 1)
    assert request.target.partition("?")[0] == path.partition("?")[0]
    own = {"host", "content-length", "content-type", "user-agent", "accept-encoding"}
    assert {k: v for k, v in request.headers if k not in own} == sent
    assert request.header("host") == f"127.0.0.1:{fake.port}"
    assert request.header("accept-encoding") == "identity"
    assert answer == b"".join(speak(request).body)
    assert b"CANARY-APP" not in fake.bytes_in()


def test_names_may_choose_a_provider(
    gateway: GatewayProcess, speaker: FakeProvider
) -> None:
    for name in ("gpt-4o-mini", "a/gpt-4o-mini", "a/real/mini:free"):
        status, headers, _ = gateway.chat(name)
        assert (status, headers["x-gateway-model"]) == (200, "real/mini:free"), name
        assert speaker.requests[-1].json()["model"] == "real/mini:free"
    # With a mappedName the provider's own name is asked for with its provider only.
    assert gateway.chat("real/mini:free")[0] == 404


def test_a_model_of_another_dialect_is_refused_with_what_to_do(
    labs: tuple[GatewayProcess, FakeProvider],
) -> None:
    gateway, _ = labs
    asked = {"model": "gpt-5-codex", "max_tokens": 5, "messages": CHAT["messages"]}
    status, _, body = gateway.post("/v1/messages", asked)
    assert (status, body["error"]["type"]) == (400, "invalid_request_error")
    said = body["error"]["message"]
    assert said.startswith("No provider here takes Anthropic's /v1/messages for 'gpt-5")
    assert "it for /v1/chat/completions" in said
    row = gateway.ended(1)[-1]
    assert (row["outcome"], row["error"]) == ("refused", "unsupported_dialect")


def test_tokens_are_counted_by_a_provider_that_speaks_messages(
    start: Start, speaker: FakeProvider
) -> None:
    """Claude Code asks for that before many a request. It costs nothing."""
    asked = {"model": "claude-mine", "messages": CHAT["messages"]}
    path = "/v1/messages/count_tokens?beta=true"

    def no_counting(request: Received) -> Answer:
        if "count_tokens" in request.target:
            return answers.status(404, {"error": {"message": "Not Found"}})
        return speak(request)

    with FakeProvider(no_counting) as first:
        paid = provider(speaker, "b", "claude-mine", type="anthropic")
        paid["models"][0]["pricing"] = PRICING
        messages = {"dialects": ["messages"], "free": True}
        gateway = start(
            {"providers": [provider(first, "a", "claude-mine", **messages), paid]}
        )
        status, headers, body = gateway.post(path, asked)
        assert (status, body) == (200, {"input_tokens": 7})
        assert headers["x-gateway-provider"] == "b"
        assert speaker.requests[-1].target == path
        assert speaker.requests[-1].json()["model"] == "claude-mine"
        [row] = gateway.ended(1)
        assert (row["total_tokens"], row["cost_usd"]) == (0, 0)
        # Who does not count tokens may still answer messages.
        asked["max_tokens"] = 5
        assert gateway.post("/v1/messages", asked)[1]["x-gateway-provider"] == "a"


def test_embeddings_never_leave_their_model(start: Start) -> None:
    """Also on failover: vectors of two models do not lie in one space."""
    asked = {"model": "embed", "input": "Hi"}
    with (
        FakeProvider(answers.status(503)) as down,
        FakeProvider(speak) as same,
        FakeProvider(speak) as other,
    ):

        def named(fake: FakeProvider, id: str, model: str) -> Any:
            models = [{"name": model, "aliases": ["embed"]}]
            return provider(fake, id, models=models, free=True)

        gateway = start(
            {
                "providers": [
                    named(down, "down", "embed-x"),
                    named(other, "other", "embed-y"),
                    named(same, "same", "embed-x"),
                ]
            }
        )
        for _ in range(8):  # among free ones chance decides, but not here
            status, headers, body = gateway.post("/v1/embeddings", asked)
            assert (status, headers["x-gateway-provider"]) == (200, "same")
            assert body["model"] == "embed-x"
        same.default = answers.status(503)
        status, _, body = gateway.post("/v1/embeddings", asked)
        assert (status, body["error"]["code"]) == (503, "fake_503")
        assert other.requests == []


def test_one_model_can_be_asked_for(gateway: GatewayProcess) -> None:
    """`client.models.retrieve(NAME)`, with which apps find out whether they may use it."""
    for name in ("gpt-4o-mini", "claude-haiku-4-5", "a/real/mini:free"):
        status, _, body = gateway.get(f"/v1/models/{name.replace('/', '%2F')}")
        assert (status, body["id"], body["object"]) == (200, name, "model")
        assert gateway.get(f"/v1/models/{name}")[0] == 200
    status, _, body = gateway.get("/v1/models/nobody")
    assert (status, body["error"]["code"]) == (404, "model_not_found")


def test_a_wrong_method_is_told_the_right_one(gateway: GatewayProcess) -> None:
    for path in ("/v1/chat/completions", "/v1/messages", "/v1/embeddings"):
        status, headers, body = gateway.get(path)
        assert (status, headers["allow"]) == (405, "POST")
        assert body["error"]["message"] == f"{path} takes POST."


@pytest.mark.parametrize("policy", ["free-first", "free-only"])
async def test_a_body_that_cannot_be_read_goes_on_to_the_apps_own_host(
    start: Start, tmp_path: Path, policy: str
) -> None:
    """Agents may compress what they send in a way that their own host understands."""
    authority = Authority(tmp_path / "authority")
    squeezed = b"\x28\xb5\x2f\xfd who knows"
    with FakeProvider(answers.ok("own"), tls=authority.server_context()) as own:
        gateway = start(
            {"intercept": {"hosts": ["localhost"]}, "routing": {"policy": policy}},
            trust=authority.ca,
        )
        async with reach(
            Way.CONNECT_H1, gateway.port, ca=gateway.ca, host="localhost", port=own.port
        ) as session:
            headers = [("content-encoding", "zstd"), ("authorization", "Bearer sk-APP")]
            answered = await session.ask("/v1/responses", squeezed, headers)
            body = await answered.json()
        if policy == "free-only":  # its own key costs money
            assert (answered.status, own.requests) == (415, [])
            return
        assert body["output"][0]["content"][0]["text"] == "own"
        assert own.requests[0].body == squeezed
        assert own.requests[0].header("authorization") == "Bearer sk-APP"
        assert own.requests[0].header("content-encoding") == "zstd"
    headers = {"content-encoding": "zstd"}
    assert gateway.post("/v1/responses", squeezed, headers)[0] == 415
