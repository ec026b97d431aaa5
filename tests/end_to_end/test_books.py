"""Budget and ledger, side by side: the same sum to the nano-dollar, whatever happened."""

import gzip
import http.client
import json
import zlib
from collections.abc import Callable
from typing import Any

import brotli
import zstandard
from fakes import FakeProvider, answers
from fakes.answers import JSON, SSE, event
from fakes.steps import Answer, Gate

from gateway import GatewayProcess, chat, provider

from .conftest import Start

PRICE = {
    "inputCostPerMillionTokens": 0.137,
    "outputCostPerMillionTokens": 0.611,
    "cachedInputCostPerMillionTokens": 0.014,
    "costPerRequest": 0.000000003,
}
CODINGS: dict[str, Callable[[bytes], bytes]] = {
    "": bytes,
    "gzip": gzip.compress,
    "deflate": zlib.compress,
    "br": brotli.compress,
    "zstd": lambda data: zstandard.ZstdCompressor().compress(data),
}


def usage(n: int) -> dict[str, Any]:
    details = {"cached_tokens": n}
    prompt, completion = 10 * n + 3, n * n + 1
    return {
        "prompt_tokens": prompt, "completion_tokens": completion,
        "total_tokens": prompt + completion, "prompt_tokens_details": details,
    }  # fmt: skip


def cost(n: int) -> int:
    """Nano-dollars, by hand."""
    return 3 + (9 * n + 3) * 137 + n * 14 + (n * n + 1) * 611


def scripts() -> list[tuple[bool, Answer]]:
    """(is it a stream, the answer) in every coding, each with a usage of its own."""
    found = []
    for n, (coding, pack) in enumerate(CODINGS.items(), 1):
        more = (("content-encoding", coding),) if coding else ()
        whole = json.loads(answers.chat_body("hi")) | {"usage": usage(n)}
        body = pack(json.dumps(whole).encode())
        found.append((False, Answer(headers=(JSON, *more), body=(body,))))
        pieces = [answers.chat_chunk({"content": "hi"}), answers.chat_chunk({}, "stop")]
        last = event({"choices": [], "usage": usage(10 + n)}) + event("[DONE]")
        body = pack(b"".join(pieces) + last)
        found.append((True, Answer(headers=(SSE, *more), body=(body,))))
    return found


def sums(gateway: GatewayProcess) -> tuple[int, int, int]:
    """Nano-dollars in the attempts, and in the two windows that count them."""
    [row] = gateway.rows(
        "select sum(cost_nano) c, max(ts) ts from attempts where counted = 1"
    )
    states = gateway.wait_rows(
        "select * from limit_state where metric = 'cost' order by scope",
        lambda rows: len(rows) == 2 and all(r["updated_at"] > row["ts"] for r in rows),
    )
    held = [round((s["used"] + s["reserved"]) * 1e9) for s in states]
    return row["c"], held[0], held[1]


def test_budget_and_ledger_see_the_same_sum(start: Start) -> None:
    gate = Gate()
    with FakeProvider() as fake, FakeProvider() as other:
        paid = provider(fake, "paid", limits={"costPerDay": 9})
        paid["models"] = [{"name": "m", "pricing": PRICE}]
        second = provider(other, "second")
        second["models"] = [{"name": "m", "pricing": PRICE | {"costPerRequest": 1e-6}}]
        gateway = start({"providers": [paid, second], "budget": {"costPerMonth": 10}})
        for streamed, script in scripts():
            fake.then(script)
            assert gateway.chat(stream=streamed)[0] == 200
        done = gateway.ended(10)
        assert all(r["usage_source"] == "reported" for r in done)
        exact = [cost(n) for n in range(1, 6)] + [cost(10 + n) for n in range(1, 6)]
        assert sorted(r["cost_nano"] for r in done) == sorted(exact)
        # Broken off after bytes went out, refused, failing, and left by its client.
        fake.then(answers.cut_mid_stream())
        gateway.chat(stream=True)
        fake.then(answers.status(400, {"error": {"message": "no", "code": "bad"}}))
        assert gateway.chat()[0] == 400
        fake.then(answers.status(500, {"error": {"message": "down"}}))
        assert gateway.chat()[0] == 200
        fake.then(answers.stream(["Hel"], tail=(gate,)))
        leave(gateway)
        gate.open()
        rows = gateway.ended(14)
        assert {r["outcome"] for r in rows} == {"ok", "truncated", "error", "cancelled"}
        attempts = gateway.wait_rows(
            "select * from attempts",
            lambda found: (
                len(found) == 15 and all(a["outcome"] != "in_flight" for a in found)
            ),
        )
        last = {a["request"]: a["cost_nano"] for a in attempts if a["counted"]}
        for row in rows:
            assert (row["cost_nano"] or 0) == last.get(row["id"], 0), row
        paid_one = sum(
            a["cost_nano"] for a in attempts if a["counted"] and a["provider"] == "paid"
        )
        ledger, budget, limit = sums(gateway)
        assert (budget, limit) == (ledger, paid_one)
        assert ledger > paid_one > 0
        gateway.stop()
        with GatewayProcess(gateway.folder, None, confdir=gateway.confdir) as again:
            again.chat("nobody-has-this")
            assert sums(again) == (ledger, budget, limit)


def leave(gateway: GatewayProcess) -> None:
    """A client that goes away in the middle of a stream."""
    connection = http.client.HTTPConnection("127.0.0.1", gateway.port, timeout=20)
    body = json.dumps(chat(stream=True)).encode()
    connection.request(
        "POST", "/v1/chat/completions", body, {"content-type": "application/json"}
    )
    answer = connection.getresponse()
    assert answer.read1(10)
    answer.close()
    connection.close()
