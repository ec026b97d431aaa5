"""A tool loop goes on at another provider: every client's history, every vendor's refusals."""

import json
from typing import Any

import pytest
from tables import each_row
from vendors.chat_refusals import PROFILES, Body, Profile

from llm_gateway.adaptation.kept_state import CallKey, Kept, nothing_kept
from llm_gateway.adaptation.vocabulary import NO_QUIRKS, Quirks
from llm_gateway.adaptation.wordings import learn
from llm_gateway.dialects import read_error
from llm_gateway.dialects.chat import CHAT
from llm_gateway.dialects.chat.adapter import adapt

THOUGHT = "The user wants two sums."
MOST = 3
"""Resends of one request."""


def call(id: str, a: int, **more: Any) -> Body:
    arguments = json.dumps({"a": a})
    return {
        "id": id,
        "type": "function",
        "function": {"name": "add", "arguments": arguments},
        **more,
    }


def talk(ids: tuple[str, str, str], first: Body, **of_calls: Any) -> list[Body]:
    """Two parallel calls, then one, each with its results."""
    a, b, c = ids
    return [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": "Two sums."},
        {
            "role": "assistant",
            **first,
            "tool_calls": [call(a, 1, **of_calls), call(b, 2, **of_calls)],
        },
        {"role": "tool", "tool_call_id": a, "content": "2"},
        {"role": "tool", "tool_call_id": b, "content": "3"},
        {"role": "assistant", **first, "tool_calls": [call(c, 3)]},
        {"role": "tool", "tool_call_id": c, "content": "4"},
    ]


OPENAI = ("call_9pKwz2LmTq7RfYc1BnVd4sXa", "call_9pKwz2LmTq7RfYc1BnVd4sXb", "call_3")
GOOGLE = {"google": {"thought_signature": "Eo8C_-=="}}
TEXTS = [{"type": "text", "text": "Let me "}, {"type": "text", "text": "add."}]
THINKING = [{"type": "thinking", "thinking": [{"type": "text", "text": THOUGHT}]}]

HISTORIES = {
    "LangChain, runTools": talk(OPENAI, {"content": None}),
    "AI SDK compatible, Cline": talk(
        OPENAI, {"content": None, "reasoning_content": THOUGHT}
    ),
    "opencode": talk(OPENAI, {"content": "", "reasoning_content": THOUGHT}),
    "stream helpers": talk(
        OPENAI,
        {
            "content": None,
            "reasoning": THOUGHT,
            "channel": "analysis",
            "refusal": None,
            "parsed": None,
        },
    ),
    "model_dump": talk(
        OPENAI,
        {"content": None, "refusal": None, "annotations": None, "audio": None},
    ),
    "LiteLLM": talk(
        OPENAI,
        {"reasoning_content": THOUGHT, "provider_specific_fields": {"a": 1}},
        index=0,
    ),
    "from Gemini": talk(
        ("function-call-123", "function-call-124", "function-call-125"),
        {"content": "", "extra_content": GOOGLE},
        extra_content=GOOGLE,
    ),
    "from Kimi": talk(
        ("functions.add:0", "functions.add:1", "functions.add:2"), {"content": ""}
    ),
    "from Mistral": talk(("Xk3mP9aQz", "Xk3mP9aQy", "Xk3mP9aQx"), {"content": ""}),
    "Mistral's thoughts": talk(
        ("Xk3mP9aQz", "Xk3mP9aQy", "Xk3mP9aQx"), {"content": [*THINKING, *TEXTS]}
    ),
    "from OpenRouter": talk(
        OPENAI,
        {
            "content": None,
            "reasoning": THOUGHT,
            "reasoning_details": [{"type": "reasoning.text", "text": THOUGHT}],
        },
    ),
    "from vLLM": talk(
        tuple(f"chatcmpl-tool-{n}{'a' * 32}" for n in "123"),  # type: ignore[arg-type]
        {"content": None},
    ),
    "cut by opencode": talk(("functionc", "functionc", "functionc"), {"content": ""}),
    "Qwen Code": [
        {**m, "content": [{"type": "text", "text": m["content"]}]}
        if m["role"] in ("user", "tool")
        else m
        for m in talk(OPENAI, {"content": "", "reasoning_content": THOUGHT})
    ],
    "joined roles": [
        {**m, "role": "assistant" * 3} if m["role"] == "assistant" else m
        for m in talk(OPENAI, {"content": ""})
    ],
    "goes on behind a failed turn": [
        *talk(OPENAI, {"content": None, "reasoning": THOUGHT}),
        {"role": "user", "content": "Go on."},
    ],
    "reminded": [
        *talk(OPENAI, {"content": None}),
        {"role": "system", "content": "Be brief!"},
        {"role": "user", "content": "Go on."},
    ],
}
TOOLS = [
    {"type": "function", "function": {"name": "add", "strict": True, "parameters": {"type": "object", "properties": {"a": {"type": "integer"}}}}},
    {"type": "function", "function": {"name": "now"}},
]  # fmt: skip


def applied(body: Body, quirks: Quirks, recall: Any = nothing_kept) -> Body:
    """The body as it leaves, and proof that nothing was said to be impossible."""
    adapted = adapt(body, quirks, recall)
    assert adapted.unfit == ""
    kept = {k: v for k, v in (body | dict(adapted.replaced)).items()}
    for name in adapted.dropped:
        kept.pop(name, None)
    sent = {adapted.renamed.get(k, k): v for k, v in kept.items()}
    json.dumps(sent)
    return sent


def asked(
    profile: Profile, body: Body, quirks: Quirks, recall: Any = nothing_kept
) -> tuple[Body, Quirks, int]:
    """As the gateway asks: what arrived, what is known then, and how often it was refused."""
    for refusals in range(MOST + 1):
        sent = applied(body, quirks, recall)
        refused = profile(sent)
        if refused is None:
            return sent, quirks, refusals
        status, said = refused
        error = read_error(json.dumps(said).encode())
        lesson = learn(CHAT.name, status, error, sent, quirks)
        assert lesson is not None, (said, quirks)
        quirks = quirks | Quirks(lesson.quirks)
    raise AssertionError(("refused", profile.__name__, quirks))


@each_row("client", HISTORIES)
@each_row("vendor", PROFILES)
def test_every_history_is_taken_everywhere(client: str, vendor: str) -> None:
    profile = PROFILES[vendor]
    body = {"model": "m", "messages": HISTORIES[client]}
    before = json.dumps(body)
    sent, quirks, _ = asked(profile, body, NO_QUIRKS)
    assert json.dumps(body) == before, "the client's own is never changed"
    again, _, refusals = asked(profile, body, quirks)
    assert refusals == 0
    assert again == sent
    # Calls and results meet, and nothing that was said is lost.
    calls = [c["id"] for m in sent["messages"] for c in m.get("tool_calls", ())]
    results = [m["tool_call_id"] for m in sent["messages"] if m["role"] == "tool"]
    assert calls == results
    arguments = [
        c["function"]["arguments"]
        for m in sent["messages"]
        for c in m.get("tool_calls", ())
    ]
    assert arguments == ['{"a": 1}', '{"a": 2}', '{"a": 3}']


@pytest.mark.parametrize("client", HISTORIES)
def test_nothing_is_changed_where_nothing_is_refused(client: str) -> None:
    body = {"model": "m", "messages": HISTORIES[client], "tools": TOOLS}
    sent, _, refusals = asked(lambda body: None, body, NO_QUIRKS)
    assert refusals == 0
    if client != "joined roles":
        assert sent == body
    else:
        assert {m["role"] for m in sent["messages"]} == {
            *("system", "user", "assistant", "tool")
        }


@pytest.mark.parametrize("vendor", PROFILES)
def test_settings_are_learned_too(vendor: str) -> None:
    """At most three lessons of each kind: what is known helps the next request."""
    body: Body = {
        "model": "m",
        "messages": HISTORIES["LangChain, runTools"],
        "tools": TOOLS,
        "temperature": 0.2,
        "reasoning_effort": "xhigh",
        "max_tokens": 100,
        "store": False,
    }
    quirks = NO_QUIRKS
    for _ in range(4):
        try:
            sent, quirks, _ = asked(PROFILES[vendor], body, quirks)
            break
        except AssertionError as e:
            _, _, quirks = e.args[0]
    else:
        raise AssertionError(quirks)
    assert {"model", "messages", "tools"} <= sent.keys()
    assert len(sent["tools"]) == 2


@pytest.mark.parametrize("vendor", ["deepseek", "kimi"])
def test_thoughts_come_back_as_they_were(vendor: str) -> None:
    def recall(key: CallKey, n: int = 0) -> Kept | None:
        return Kept(f"Thought of {key.arguments}, {n}")

    body = {"model": "m", "messages": HISTORIES["opencode"]}
    sent, _, _ = asked(
        PROFILES[vendor],
        body,
        Quirks.parse("reasoning:wanted=reasoning_content"),
        recall,
    )
    got = [m.get("reasoning_content") for m in sent["messages"]]
    assert [g for g in got if g] == [
        'Thought of {"a": 1}, 0',
        'Thought of {"a": 3}, 0',
    ]


def test_the_true_signature_is_better_than_the_placeholder() -> None:
    def recall(key: CallKey, n: int = 0) -> Kept | None:
        return Kept(signature="true==") if key.id == OPENAI[0] else None

    body = {"model": "m", "messages": HISTORIES["opencode"]}
    sent, _, refusals = asked(
        PROFILES["gemini"], body, Quirks.parse("signature:google", "call:*"), recall
    )
    assert refusals == 0
    assert [
        c.get("extra_content", {}).get("google", {}).get("thought_signature")
        for m in sent["messages"]
        for c in m.get("tool_calls", ())
    ] == ["true==", None, "skip_thought_signature_validator"]
