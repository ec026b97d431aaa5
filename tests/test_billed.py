"""Dollars of answers, as providers report them: what is booked equals what is billed."""

import gzip
import json
import zlib
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import brotli
import pytest
import zstandard
from tables import each_row

from llm_gateway.accounting import price_rules, prices
from llm_gateway.accounting.prices import CLASSES, Charge, charge, cost, known_price
from llm_gateway.accounting.usage import read_answer, usage_of
from llm_gateway.dialects import (
    CHAT,
    EMBEDDINGS,
    MESSAGES,
    RESPONSES,
    DialectSpec,
)
from llm_gateway.dialects.billed import Bill, billed, tariff
from llm_gateway.domain import NANO, Price, Usage
from llm_gateway.providers.registry import TYPES
from llm_gateway.streaming.answer_meter import AnswerMeter
from llm_gateway.streaming.content_coding import decoded, decoder
from llm_gateway.streaming.stream_meter import StreamMeter

NOW = 1_795_000_000.0


def chat(usage: dict[str, Any], **more: Any) -> dict[str, Any]:
    choice = {"index": 0, "message": {"content": "x"}, "finish_reason": "stop"}
    return {"choices": [choice], "usage": usage, **more}


def oai(prompt: int, completion: int, **more: Any) -> dict[str, Any]:
    total = prompt + completion
    plain = {"prompt_tokens": prompt, "completion_tokens": completion}
    return plain | {"total_tokens": total} | more


def response(usage: dict[str, Any], *output: Any, **more: Any) -> dict[str, Any]:
    return {"status": "completed", "output": list(output), "usage": usage, **more}


def searched(kind: str = "search") -> dict[str, Any]:
    return {"type": "web_search_call", "action": {"type": kind}}


# type, dialect, model, answer, dollars (None: no price covers all of it)
ANSWERS: list[tuple[str, str, DialectSpec, str, dict[str, Any], float | None]] = [
    # what the provider says it charged, whatever the tokens cost
    ("openrouter", "openrouter", CHAT, "x/y", chat(oai(9, 9, cost=0.0012345)), 0.0012345),
    ("nothing billed", "openrouter", CHAT, "x/y:free", chat(oai(9, 9, cost=0)), 0.0),
    ("own key at the vendor", "openrouter", CHAT, "x/y", chat(oai(9, 9, cost=0.001, is_byok=True, cost_details={"upstream_inference_cost": 0.02})), 0.021),
    ("its cost, not of a byok", "openrouter", CHAT, "x/y", chat(oai(9, 9, cost=0.001, is_byok=False, cost_details={"upstream_inference_cost": 0.02})), 0.001),
    ("messages", "openrouter", MESSAGES, "x/y", {"usage": {"input_tokens": 9, "output_tokens": 9, "cost": 0.5}}, 0.5),
    ("responses", "openrouter", RESPONSES, "x/y", response({"input_tokens": 9, "output_tokens": 9, "cost": 0.25}), 0.25),
    ("xai", "xai", CHAT, "grok-4-fast", chat(oai(32, 9, cost_in_usd_ticks=37_756_000)), 0.0037756),
    ("perplexity", "perplexity", CHAT, "sonar", chat(oai(9, 9, num_search_queries=3, cost={"total_cost": 0.006})), 0.006),
    # service tiers, as served
    ("default", "openai", CHAT, "gpt-4o", chat(oai(10_000, 1000), service_tier="default"), 0.035),
    ("flex", "openai", CHAT, "gpt-5-mini", chat(oai(10_000, 1000), service_tier="flex"), 0.00225),
    ("priority", "openai", CHAT, "gpt-4o", chat(oai(10_000, 1000), service_tier="priority"), 0.0595),
    ("priority, responses", "openai", RESPONSES, "gpt-4o", response({"input_tokens": 10_000, "output_tokens": 1000}, service_tier="priority"), 0.0595),
    ("a tier of tomorrow", "openai", CHAT, "gpt-4o", chat(oai(10_000, 1000), service_tier="warp"), None),
    ("groq on demand", "groq", CHAT, "openai/gpt-oss-20b", chat(oai(1_000_000, 0), service_tier="on_demand"), 0.075),
    # sound
    ("audio", "openai", CHAT, "gpt-4o-audio-preview", chat(oai(1100, 600, prompt_tokens_details={"audio_tokens": 1000}, completion_tokens_details={"audio_tokens": 500})), 0.08125),
    ("audio in", "google", CHAT, "gemini-2.5-flash", chat(oai(1100, 100, prompt_tokens_details={"audio_tokens": 1000})), 0.00128),
    ("audio at the price of text", "google", CHAT, "gemini-2.5-pro", chat(oai(1000, 0, prompt_tokens_details={"audio_tokens": 900})), 0.00125),
    ("sound out, no price", "openai", CHAT, "gpt-4o", chat(oai(10, 600, completion_tokens_details={"audio_tokens": 500})), None),
    # caches
    ("5 minutes", "anthropic", MESSAGES, "claude-sonnet-4-5", {"usage": {"input_tokens": 100, "cache_creation_input_tokens": 10_000, "cache_creation": {"ephemeral_5m_input_tokens": 10_000}, "output_tokens": 500}}, 0.0453),
    ("1 hour", "anthropic", MESSAGES, "claude-sonnet-4-5", {"usage": {"input_tokens": 100, "cache_creation_input_tokens": 10_000, "cache_creation": {"ephemeral_1h_input_tokens": 10_000}, "output_tokens": 500}}, 0.0678),
    ("both", "anthropic", MESSAGES, "claude-sonnet-4-5", {"usage": {"input_tokens": 0, "cache_creation_input_tokens": 20_000, "cache_creation": {"ephemeral_5m_input_tokens": 10_000, "ephemeral_1h_input_tokens": 10_000}, "output_tokens": 0}}, 0.0975),
    # searches and other tools
    ("two searches", "anthropic", MESSAGES, "claude-sonnet-4-5", {"usage": {"input_tokens": 100, "output_tokens": 500, "server_tool_use": {"web_search_requests": 2}}}, 0.0278),
    ("fetching is free", "anthropic", MESSAGES, "claude-sonnet-4-5", {"usage": {"input_tokens": 100, "output_tokens": 500, "server_tool_use": {"web_search_requests": 0, "web_fetch_requests": 3}}}, 0.0078),
    ("a tool of tomorrow", "anthropic", MESSAGES, "claude-sonnet-4-5", {"usage": {"input_tokens": 100, "output_tokens": 500, "server_tool_use": {"dream_requests": 1}}}, None),
    ("search calls", "openai", RESPONSES, "gpt-5", response({"input_tokens": 0, "output_tokens": 1, "total_tokens": 1}, searched(), searched("open_page"), searched()), 0.02001),
    ("interpreter", "openai", RESPONSES, "gpt-5", response({"input_tokens": 9, "output_tokens": 9}, {"type": "code_interpreter_call"}), None),
    ("faster", "anthropic", MESSAGES, "claude-sonnet-4-5", {"usage": {"input_tokens": 100, "output_tokens": 500, "speed": "fast"}}, None),
    # the model that answered
    ("another model", "openai", CHAT, "gpt-4o", chat(oai(10_000, 1000), model="gpt-4o-mini"), 0.0021),
    ("its snapshot", "openai", CHAT, "gpt-4o", chat(oai(10_000, 1000), model="gpt-4o-2024-08-06"), 0.035),
    ("a name nobody knows", "openai", CHAT, "gpt-4o", chat(oai(10_000, 1000), model="my-tuning"), 0.035),
    # the calls that an answer is the sum of
    ("an advisor", "anthropic", MESSAGES, "claude-sonnet-4-5", {"model": "claude-sonnet-4-5", "usage": {"input_tokens": 100, "output_tokens": 50, "iterations": [
        {"type": "message", "input_tokens": 100, "output_tokens": 50},
        {"type": "advisor_message", "model": "claude-opus-4-5", "input_tokens": 1000, "output_tokens": 200}]}}, 0.00105 + 0.01),
    ("a compaction", "anthropic", MESSAGES, "claude-sonnet-4-5", {"model": "claude-sonnet-4-5", "usage": {"input_tokens": 100, "output_tokens": 50, "iterations": [
        {"type": "compaction", "input_tokens": 50_000, "output_tokens": 1000},
        {"type": "message", "input_tokens": 100, "output_tokens": 50}]}}, 0.165 + 0.00105),
    ("an advisor that nobody knows", "anthropic", MESSAGES, "claude-sonnet-4-5", {"usage": {"input_tokens": 1, "output_tokens": 1, "iterations": [
        {"type": "message", "input_tokens": 1, "output_tokens": 1, "speed": "x"}]}}, 0.000018),
    ("zeros are a report", "openai", CHAT, "gpt-4o", chat(oai(0, 0)), 0.0),
]  # fmt: skip


def price(type_: str, model: str) -> tuple[str | None, Price | None]:
    vendor = TYPES[type_].genai
    return vendor, prices.find_price(vendor, model, NOW)


def booked(type_: str, usage: Usage, model: str) -> int | None:
    """Nano-dollars."""
    vendor, listed = price(type_, model)
    return charge(usage, listed, vendor=vendor, model=model, now=NOW).amount


def nano(dollars: float | None) -> int | None:
    """Exactly what is written: a bill has no rounding of its own."""
    if dollars is None:
        return None
    exact = Decimal(str(dollars)) * NANO
    assert exact == int(exact)
    return int(exact)


CODINGS: dict[str, Callable[[bytes], bytes]] = {
    "": bytes,
    "gzip": gzip.compress,
    "deflate": zlib.compress,
    "br": brotli.compress,
    "zstd": zstandard.ZstdCompressor().compress,
}


def as_stream(dialect: DialectSpec, answer: dict[str, Any]) -> bytes:
    event: dict[str, Any] = answer
    if dialect is RESPONSES:
        event = {"type": "response.completed", "response": answer}
    elif dialect is MESSAGES:
        start = {"model": answer["model"]} if "model" in answer else {}
        begin = {"type": "message_start", "message": {**start, "usage": {}}}
        event = {"type": "message_delta", **answer}
        return sse(begin) + sse(event)
    return sse(event)


def sse(event: dict[str, Any]) -> bytes:
    return b"data: " + json.dumps(event).encode() + b"\n\n"


@each_row("coding", CODINGS)
@each_row(
    ("type_", "dialect", "model", "answer", "dollars"),
    [a[1:] for a in ANSWERS],
    ids=[a[0] for a in ANSWERS],
)
def test_what_is_billed_is_booked(
    type_: str,
    dialect: DialectSpec,
    model: str,
    answer: Any,
    dollars: float | None,
    coding: str,
) -> None:
    """Read whole, as a routed answer is; passing by, plain and as a stream."""
    bills, said = TYPES[type_].bills, json.dumps(answer).encode()
    squeezed = CODINGS[coding](said)
    whole = read_answer(
        dialect, decoded(squeezed, coding), bills=bills, prompt_estimate=999
    )
    meters: list[tuple[AnswerMeter | StreamMeter, bytes]] = [
        (AnswerMeter(dialect, bills=bills), squeezed)
    ]
    if dialect.event_has_content is not None:
        stream = CODINGS[coding](as_stream(dialect, answer))
        meters.append((StreamMeter(dialect, strip_usage=False, bills=bills), stream))
    found = [whole]
    for meter, body in meters:
        undone = decoder(coding)
        for at in range(0, len(body), 7):
            piece = body[at : at + 7]
            meter.feed(piece if undone is None else undone.feed(piece))
        meter.finish()
        found.append(meter.usage(prompt_estimate=999))
    assert {usage.source for usage in found} == {"reported"}
    assert {booked(type_, usage, model) for usage in found} == {nano(dollars)}


def test_tokens_of_several_calls_are_their_sum() -> None:
    answer = next(a[4] for a in ANSWERS if a[0] == "a compaction")
    usage = usage_of(MESSAGES, answer, prompt_estimate=0)
    assert (usage.input_tokens, usage.output_tokens) == (50_100, 1050)


@pytest.mark.parametrize("status", ["queued", "in_progress"])
def test_an_answer_in_the_background_says_nothing_yet(status: str) -> None:
    answer = {"id": "resp_1", "status": status, "output": [], "usage": None}
    assert usage_of(RESPONSES, answer, prompt_estimate=99).source == "unknown"


def test_embeddings_with_a_total_only() -> None:
    usage = usage_of(EMBEDDINGS, {"usage": {"total_tokens": 18}}, prompt_estimate=33)
    assert (usage.input_tokens, usage.source) == (18, "reported")


@pytest.mark.parametrize(
    "value",
    [
        *(None, True, -1, float("nan"), float("inf"), [], {"total": 1}, 1e30),
        *("", "free", "-0.5", "$0.5", "0,5", "nan", "inf", "1_0", "1e30", "1e99999"),
    ],
)
def test_a_bill_that_is_no_number_is_none(value: object) -> None:
    assert billed({"cost": value}, (Bill(("cost",)),)) is None


@pytest.mark.parametrize(
    "value", [0.0123, "0.0123", "1.23e-2", " 0.01230 ", "+.0123", "12.3E-3"]
)
def test_a_bill_may_be_decimal_text(value: object) -> None:
    assert billed({"cost": value}, (Bill(("cost",)),)) == 12_300_000


PLACEHOLDER = oai(0, 0, cost=0)
BILLS: list[tuple[str, list[dict[str, Any]], float | None]] = [
    ("once", [oai(9, 9, cost=0.05)], 0.05),
    ("then without cost", [oai(9, 9, cost=0.05), oai(9, 9)], 0.05),
    ("then 0", [oai(9, 9, cost=0.05), oai(9, 9, cost=0)], 0.05),
    ("then null", [oai(9, 9, cost=0.05), oai(9, 9, cost=None)], 0.05),
    ("then larger", [oai(9, 9, cost=0.05), oai(9, 9, cost="0.06")], 0.06),
    ("then smaller", [oai(9, 9, cost=0.05), oai(9, 9, cost=0.01)], 0.05),
    ("0 first", [oai(9, 9, cost=0), oai(9, 9, cost=0.05)], 0.05),
    ("no tokens", [{"cost": 0.05}], 0.05),
    ("no tokens, then tokens", [{"cost": 0.05}, oai(9, 9)], 0.05),
    ("zero tokens", [oai(0, 0, cost=0.05)], 0.05),
    ("nothing billed", [oai(9, 9, cost=0)], 0.0),
    ("a placeholder", [PLACEHOLDER], None),
    ("a placeholder first", [PLACEHOLDER, oai(9, 9)], None),
    ("nothing, of nothing", [{"cost": 0}], None),
]


@pytest.mark.parametrize(
    ("usages", "dollars"), [b[1:] for b in BILLS], ids=[b[0] for b in BILLS]
)
def test_the_largest_bill_of_a_stream_holds(
    usages: list[dict[str, Any]], dollars: float | None
) -> None:
    bills = TYPES["openrouter"].bills
    meter = StreamMeter(CHAT, strip_usage=False, bills=bills)
    for usage in usages:
        meter.feed(sse({"choices": [], "usage": usage}))
    meter.finish()
    assert meter.usage(prompt_estimate=9).bill == nano(dollars)


def test_a_bill_of_a_message_is_kept_by_its_later_parts() -> None:
    meter = StreamMeter(MESSAGES, strip_usage=False, bills=TYPES["openrouter"].bills)
    usage = {"input_tokens": 9, "output_tokens": 1, "cost": 0.05}
    meter.feed(sse({"type": "message_start", "message": {"usage": usage}}))
    assert meter.usage(prompt_estimate=9).bill == nano(0.05)  # if it is cut here
    late = {"type": "message_delta", "usage": {"output_tokens": 7, "cost": 0}}
    meter.feed(sse(late))
    found = meter.usage(prompt_estimate=9)
    assert (found.total, found.bill) == (16, nano(0.05))


@pytest.mark.parametrize("size", [0, 2_000_000])
def test_a_bill_without_tokens_leaves_the_tokens_estimated(size: int) -> None:
    meter = AnswerMeter(CHAT, bills=TYPES["openrouter"].bills)
    meter.feed(json.dumps(chat({"cost": 0.05}, pad="x" * size)).encode())
    found = meter.usage(prompt_estimate=9)
    assert (found.source, found.bill, found.input_tokens) == (
        "estimated",
        nano(0.05),
        9,
    )


@pytest.mark.parametrize(
    ("usage", "answer", "found"),
    [
        ({}, {}, ()),
        ({}, {"service_tier": None}, ()),
        ({"service_tier": "standard"}, {}, ()),
        ({"inference_geo": "global", "speed": "standard"}, {}, ()),
        ({}, {"service_tier": "Flex"}, (("service_tier", "flex"),)),
        ({"service_tier": "batch"}, {}, (("service_tier", "batch"),)),
        ({"inference_geo": "us"}, {}, (("inference_geo", "us"),)),
        ({}, {"service_tier": 3}, ()),
    ],
)
def test_tariffs(usage: Any, answer: Any, found: Any) -> None:
    assert tariff(usage, answer) == found


def test_a_price_of_the_config_is_for_what_it_says_only() -> None:
    mine = Price(NANO, 2 * NANO)

    def charged(usage: Usage) -> Charge:
        return charge(usage, mine, vendor="openai", model="gpt-4o", now=NOW)

    assert charged(Usage(1_000_000, model="gpt-4o-mini")) == Charge(NANO, "config")
    assert charged(Usage(1, tariff=(("service_tier", "flex"),))).amount is None
    for name in CLASSES:
        assert charged(Usage(9, output_tokens=9, classes=((name, 1),))).amount is None


def test_an_unknown_price_stays_unknown() -> None:
    for usage in (Usage(1), Usage(1, tariff=(("service_tier", "flex"),))):
        unknown = charge(usage, None, vendor=None, model="m", now=NOW)
        assert unknown == Charge(None, None)
        unknown = charge(usage, None, vendor="openai", model="no-such-model", now=NOW)
        assert unknown == Charge(None, None)


def test_rules_agree_with_the_library_where_it_lists_the_same() -> None:
    """The last genai-prices for Python 3.11 knows none of it; newer ones know most."""
    for model in ("gpt-5", "gpt-5-mini", "o3", "gpt-4o", "gpt-4.1", "o4-mini"):
        for tier in ("flex", "priority"):
            times = price_rules.multiple("openai", model, f"service_tier:{tier}")
            if times is None:
                continue
            plain = known_price("openai", model, NOW)
            tiered = known_price("openai", model, NOW, (("service_tier", tier),))
            assert plain is not None
            assert tiered is not None
            assert abs(tiered.input - plain.input * times) <= 1000
            assert abs(tiered.output - plain.output * times) <= 1000
    sonnet = known_price("anthropic", "claude-sonnet-4-5", NOW)
    assert sonnet is not None
    rates = dict(sonnet.classes)
    assert rates["cache_write_1h"] == 2 * sonnet.input
    assert cost(Usage(classes=(("web_search", 1),)), sonnet) == NANO // 100


def test_every_class_has_a_place() -> None:
    for name, kind in CLASSES.items():
        assert kind.within in ("", "input", "cached_input", "cache_write", "output"), (
            name
        )
    assert decoder("gzip") is not None
