"""What apps spend with their own keys: provider, ledger and budget name the same sum, to the
nano-dollar, in every priced dialect, plain and streamed, in every coding, over a restart."""

import asyncio
import json
from collections.abc import Callable
from decimal import Decimal
from typing import Any, NamedTuple

import genai_prices
import pytest
from fakes import Authority, FakeProvider, Way, reach
from fakes.answers import JSON, SSE, event
from fakes.outbound import OutboundProxy
from fakes.steps import Answer

from gateway import GatewayProcess

from .conftest import Start
from .test_books import CODINGS

OWN = (("authorization", "Bearer sk-APP"), ("content-type", "application/json"))
BUDGET = {"costPerMonth": 100}


class Tongue(NamedTuple):
    """`answer` and `events` say the usage of `n`, which `classes` has in genai-prices' terms."""

    host: str
    path: str
    body: dict[str, Any]
    vendor: str
    answer: Callable[[int], Any]
    events: Callable[[int], list[Any]] | None
    classes: Callable[[int], dict[str, int]]
    streamed_path: str = ""
    bill: Callable[[int], str] | None = None
    """US$ that the provider says itself."""


def chat_usage(n: int) -> dict[str, Any]:
    return {
        "prompt_tokens": 10 * n + 7, "completion_tokens": n * n + 1,
        "total_tokens": 10 * n + n * n + 8, "prompt_tokens_details": {"cached_tokens": n},
    }  # fmt: skip


def counted(n: int) -> dict[str, int]:
    return {
        "input_tokens": 10 * n + 7,
        "cache_read_tokens": n,
        "output_tokens": n * n + 1,
    }


def chat_answer(model: str, usage: dict[str, Any]) -> dict[str, Any]:
    message = {"role": "assistant", "content": "hi"}
    return {"id": "x", "model": model, "choices": [{"index": 0, "message": message}],
            "usage": usage}  # fmt: skip


def chat_events(model: str, usage: dict[str, Any]) -> list[Any]:
    delta = {"index": 0, "delta": {"content": "hi"}, "finish_reason": "stop"}
    return [
        {"model": model, "choices": [delta]},
        {"model": model, "choices": [], "usage": usage},
    ]


def response_answer(n: int) -> dict[str, Any]:
    usage = {
        "input_tokens": 10 * n + 7, "output_tokens": n * n + 1, "total_tokens": 0,
        "input_tokens_details": {"cached_tokens": n},
    }  # fmt: skip
    return {
        "id": f"r{n}", "object": "response", "model": "gpt-4o-mini", "status": "completed",
        "output": [{"type": "message", "content": []}], "usage": usage,
    }  # fmt: skip


def response_events(n: int) -> list[Any]:
    return [
        {"type": "response.output_text.delta", "delta": "hi"},
        {"type": "response.completed", "response": response_answer(n)},
    ]


def message_answer(n: int) -> dict[str, Any]:
    usage = {
        "input_tokens": 9 * n + 7, "cache_read_input_tokens": n,
        "cache_creation_input_tokens": 2 * n, "output_tokens": n * n + 1,
    }  # fmt: skip
    return {
        "id": "msg", "type": "message", "role": "assistant", "model": "claude-sonnet-4-5",
        "content": [{"type": "text", "text": "hi"}], "usage": usage,
    }  # fmt: skip


def message_events(n: int) -> list[Any]:
    whole = message_answer(n)
    begun = whole | {"usage": whole["usage"] | {"output_tokens": 1}, "content": []}
    last = {"output_tokens": whole["usage"]["output_tokens"]}
    text = {"type": "text_delta", "text": "hi"}
    return [
        {"type": "message_start", "message": begun},
        {"type": "content_block_delta", "index": 0, "delta": text},
        {"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": last},
        {"type": "message_stop"},
    ]


def message_classes(n: int) -> dict[str, int]:
    """genai-prices has the whole prompt in `input_tokens`."""
    return {
        "input_tokens": 12 * n + 7, "cache_read_tokens": n,
        "cache_write_tokens": 2 * n, "output_tokens": n * n + 1,
    }  # fmt: skip


def gemini_answer(n: int) -> dict[str, Any]:
    usage = {
        "promptTokenCount": 10 * n + 7, "cachedContentTokenCount": n,
        "candidatesTokenCount": n * n, "thoughtsTokenCount": 1,
    }  # fmt: skip
    parts = {"content": {"parts": [{"text": "hi"}]}, "finishReason": "STOP"}
    return {"candidates": [parts], "usageMetadata": usage,
            "modelVersion": "gemini-2.5-flash"}  # fmt: skip


def embedded(n: int) -> dict[str, Any]:
    usage = {"prompt_tokens": 10 * n + 7, "total_tokens": 10 * n + 7}
    data = [{"object": "embedding", "index": 0, "embedding": [0.5]}]
    return {"model": "text-embedding-3-small", "data": data, "usage": usage}


def completed(n: int) -> dict[str, Any]:
    usage = {k: v for k, v in chat_usage(n).items() if k != "prompt_tokens_details"}
    choice = {"text": "hi", "index": 0, "finish_reason": "stop"}
    return {"model": "gpt-3.5-turbo-instruct", "choices": [choice], "usage": usage}


def uncached(n: int) -> dict[str, int]:
    return {"input_tokens": 10 * n + 7, "output_tokens": n * n + 1}


def openrouter_usage(n: int) -> dict[str, Any]:
    return chat_usage(n) | {"cost": 0.000000137 * n}


def chat_on(host: str, vendor: str, model: str, path: str = "/v1") -> Tongue:
    return Tongue(
        host,
        f"{path}/chat/completions",
        {"model": model, "messages": [{"role": "user", "content": "Hello!"}]},
        vendor,
        lambda n: chat_answer(model, chat_usage(n)),
        lambda n: chat_events(model, chat_usage(n)),
        counted,
    )


PROMPT = [{"role": "user", "content": "Hello!"}]
GEMINI = "/v1beta/models/gemini-2.5-flash"
TONGUES = {
    "chat": chat_on("api.openai.com", "openai", "gpt-4o-mini"),
    "chat, Mistral": chat_on("api.mistral.ai", "mistral", "mistral-small-latest"),
    "chat, Groq": chat_on(
        "api.groq.com", "groq", "llama-3.3-70b-versatile", "/openai/v1"
    ),
    "chat, billed": chat_on(
        "openrouter.ai", "openrouter", "x/y", "/api/v1"
    )._replace(
        answer=lambda n: chat_answer("x/y", openrouter_usage(n)),
        events=lambda n: chat_events("x/y", openrouter_usage(n)),
        bill=lambda n: f"{0.000000137 * n:.9f}",
    ),
    "responses": Tongue(
        "api.openai.com", "/v1/responses", {"model": "gpt-4o-mini", "input": "Hello!"},
        "openai", response_answer, response_events, counted,
    ),
    "messages": Tongue(
        "api.anthropic.com", "/v1/messages",
        {"model": "claude-sonnet-4-5", "max_tokens": 99, "messages": PROMPT},
        "anthropic", message_answer, message_events, message_classes,
    ),
    "generateContent": Tongue(
        "generativelanguage.googleapis.com", f"{GEMINI}:generateContent",
        {"contents": []}, "google", gemini_answer, lambda n: [gemini_answer(n)], counted,
        streamed_path=f"{GEMINI}:streamGenerateContent?alt=sse",
    ),
    "embeddings": Tongue(
        "api.openai.com", "/v1/embeddings",
        {"model": "text-embedding-3-small", "input": "Hello!"}, "openai", embedded, None,
        lambda n: {"input_tokens": 10 * n + 7},
    ),
    "completions": Tongue(
        "api.openai.com", "/v1/completions",
        {"model": "gpt-3.5-turbo-instruct", "prompt": "Hello!"}, "openai", completed,
        lambda n: [completed(n)], uncached,
    ),
}  # fmt: skip
HOSTS = tuple({tongue.host for tongue in TONGUES.values()})


def nano(tongue: Tongue, n: int) -> int:
    """What it costs, by the provider's own bill or by the public price list itself."""
    if tongue.bill is not None:
        return round(Decimal(tongue.bill(n)) * 10**9)
    model = tongue.body.get("model", "gemini-2.5-flash")
    usage = genai_prices.Usage(**tongue.classes(n))
    price = genai_prices.calc_price(usage, model, provider_id=tongue.vendor)
    return round(price.total_price * 10**9)


def scripts() -> list[tuple[Tongue, bool, Answer, int]]:
    """(who, is it a stream, the answer, its nano-dollars), each with a usage of its own."""
    found = []
    n = 0
    for tongue in TONGUES.values():
        for coding, pack in CODINGS.items():
            more = (("content-encoding", coding),) if coding else ()
            n += 1
            body = pack(json.dumps(tongue.answer(n)).encode())
            plain = Answer(headers=(JSON, *more), body=(body,))
            found.append((tongue, False, plain, nano(tongue, n)))
            if not coding:  # an error that says what it took
                n += 1
                body = json.dumps(tongue.answer(n)).encode()
                failed = Answer(status=500, headers=(JSON,), body=(body,))
                found.append((tongue, False, failed, nano(tongue, n)))
            if tongue.events is None:
                continue
            n += 1
            text = b"".join(event(e, e.get("type", "")) for e in tongue.events(n))
            body = pack(text + event("[DONE]"))
            cut = len(body) // 2
            answer = Answer(headers=(SSE, *more), body=(body[:cut], body[cut:]))
            found.append((tongue, True, answer, nano(tongue, n)))
    return found


async def ask_all(
    gateway: GatewayProcess, fake: FakeProvider, script: list[Any]
) -> None:
    for host in HOSTS:
        async with reach(
            Way.CONNECT_H1, gateway.port, ca=gateway.ca, host=host, port=443
        ) as session:
            for tongue, streamed, answer, _ in script:
                if tongue.host != host:
                    continue
                fake.then(answer)
                body = tongue.body | ({"stream": True} if streamed else {})
                path = tongue.streamed_path if streamed else ""
                answered = await session.ask(
                    path or tongue.path, json.dumps(body).encode(), OWN
                )
                await answered.body()
                expected = answer.status, b"".join(answer.body)
                assert (answered.status, answered.got) == expected


def used(gateway: GatewayProcess) -> int:
    """Nano-dollars in the budget's window."""
    [state] = gateway.wait_rows("select * from limit_state where metric = 'cost'")
    return round((state["used"] + state["reserved"]) * 1e9)


def test_provider_ledger_and_budget_name_the_same_sum(
    start: Start, authority: Authority
) -> None:
    script = scripts()
    with (
        FakeProvider(tls=authority.server_context(*HOSTS)) as fake,
        OutboundProxy("http", dict.fromkeys(HOSTS, fake.port)) as proxy,
    ):
        config = {
            "providers": [],
            "budget": BUDGET,
            "network": {"proxy": proxy.url},
        }
        gateway = start(config, trust=authority.ca)
        asyncio.run(ask_all(gateway, fake, script))
        rows = gateway.ended(len(script))
        odd = [r for r in rows if r["usage_source"] != "reported"]
        assert odd == [], [
            (r["host"], r["dialect"], r["streamed"], r["model"]) for r in odd
        ]
        assert {r["outcome"] for r in rows} == {"passthrough"}
        expected = sorted((t.host, cost) for t, _, _, cost in script)
        assert sorted((r["host"], r["cost_nano"]) for r in rows) == expected
        total = sum(cost for _, _, _, cost in script)
        gateway.wait_for(lambda: used(gateway) == total, f"{total} in the budget")
        for period in ("minute", "hour", "day"):
            [sums] = gateway.rows(f"select sum(cost_nano) c from usage_{period}")
            assert sums["c"] == total
        gateway.stop()
        with GatewayProcess(gateway.folder, None, confdir=gateway.confdir) as again:
            assert used(again) == total


@pytest.fixture
def authority(tmp_path: Any) -> Authority:
    return Authority(tmp_path)
