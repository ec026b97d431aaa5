"""What holds of every adapter of Messages and Responses, whatever comes: properties."""

import json

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from tables import each_row

from llm_gateway.adaptation.kept_state import Kept, nothing_kept
from llm_gateway.adaptation.vocabulary import Quirks
from llm_gateway.dialects.chat.adapter import adapt as adapt_chat
from llm_gateway.dialects.generate_content.adapter import adapt as adapt_google
from llm_gateway.dialects.messages.adapter import adapt as adapt_messages
from llm_gateway.dialects.responses.adapter import adapt as adapt_responses
from llm_gateway.providers import quirk_rows_messages, quirk_rows_responses


class Recalled:
    """Kept state that knows some calls and blocks, the same ones always."""

    def __call__(self, call, n=0):
        return Kept(f"about {call.id} {n}") if call.id.endswith("1") else None

    def issued(self, block):
        return {"o": True, "f": False}.get(block[:1])


RECALLED = Recalled()


def quirks_in(table):
    rows = [row.quirks for row in (*table.providers, *table.models)]
    return sorted({str(quirk) for row in rows for quirk in row})


MESSAGES_QUIRKS = [
    *quirks_in(quirk_rows_messages.TABLE),
    *("state:thinking=out", "state:block_binding=drop_block", "beta:fast-mode-*"),
    *("tools:paired", "content:empty", "message:*", "part:*", "cache_control:*"),
    *("tool_choice:forced=out", "thinking:enabled=out", "reasoning:out"),
    *("block:image=unfit", "block:thinking=out", "member:thinking", "tools:parameters"),
    *("thinking:block_binding=out", "effort:thinking_off=out", "role:system=first"),
]
RESPONSES_QUIRKS = [
    *quirks_in(quirk_rows_responses.TABLE),
    *("state:reasoning=out", "state:ids=out", "state:calls=whole", "tools:paired"),
    *("state:followed=whole", "state:compaction=unfit", "content:output=text"),
    *("call:namespace=wanted", "message:*", "part:*", "tool:*", "tools:strict=false"),
    *("item:*=message,function_call,function_call_output", "member:*", "content:null"),
    *("tool_choice:forced=auto", "role:developer=system", "effort:out"),
    *("content:assistant=output_text", "block:*=input_text,output_text", "item:x=out"),
]


def some(pool):
    return st.lists(st.sampled_from(pool), max_size=8).map(
        lambda texts: Quirks.parse(*texts)
    )


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-2, 99)
    | st.floats(-1, 2)
    | st.text(max_size=4),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.text(max_size=4), inner, max_size=3)
    ),
    max_leaves=6,
)
WORDS = st.sampled_from(["a", "b", "call_1", "call_2", "o" * 20, "f" * 20, ""])
ODD = WORDS | JSON


def objects(kinds, members):
    """Objects of known types with known members, of which each may be anything."""
    return st.builds(
        lambda kind, rest: {**({"type": kind} if kind else {}), **rest},
        st.sampled_from([*kinds, ""]),
        st.fixed_dictionaries({}, optional=dict.fromkeys(members, ODD)),
    )


def around(inner, *names):
    """The same objects with contents that are lists of objects."""
    return st.builds(
        lambda outer, name, held: {**outer, name: held},
        inner,
        st.sampled_from(names),
        st.lists(inner | JSON, max_size=3),
    )


BLOCKS = objects(
    (
        *("text", "thinking", "redacted_thinking", "tool_use", "tool_result", "image"),
        *("document", "tool_reference", "server_tool_use", "search_result"),
    ),
    (
        *(
            "text",
            "thinking",
            "signature",
            "data",
            "id",
            "name",
            "input",
            "tool_use_id",
        ),
        *("content", "source", "cache_control", "tool_name", "caller", "title"),
    ),
)
TURNS = st.builds(
    lambda role, content: {"role": role, "content": content},
    st.sampled_from(["user", "assistant", "system", "", None]),
    st.lists(BLOCKS | around(BLOCKS, "content", "source", "input") | JSON, max_size=3)
    | ODD,
)
MESSAGES_BODIES = st.fixed_dictionaries(
    {"messages": st.lists(TURNS | JSON, max_size=4) | JSON},
    optional={
        "thinking": objects(
            ("enabled", "disabled", "adaptive", "between_tools"),
            ("budget_tokens", "display", "block_binding"),
        )
        | JSON,
        "output_config": st.fixed_dictionaries(
            {},
            optional={
                "effort": st.sampled_from(["max", "low", None, 1]),
                "format": JSON,
            },
        )
        | JSON,
        "tool_choice": objects(("any", "tool", "none", "auto"), ("name",)) | JSON,
        "tools": st.lists(
            objects(
                ("custom", "web_search_1", "memory_1"),
                ("name", "input_schema", "strict"),
            )
            | JSON,
            max_size=3,
        )
        | JSON,
        "system": ODD | st.lists(BLOCKS, max_size=2),
        "max_tokens": JSON,
        "temperature": JSON,
        "top_p": JSON,
        "top_k": JSON,
        "cache_control": objects(("ephemeral",), ("scope", "ttl")) | JSON,
        "anthropic_beta": st.lists(ODD, max_size=2) | JSON,
        "context_management": JSON,
        "odd": JSON,
    },
)
ITEMS = objects(
    (
        *(
            "message",
            "reasoning",
            "function_call",
            "function_call_output",
            "compaction",
        ),
        *("custom_tool_call", "custom_tool_call_output", "additional_tools", "x_call"),
    ),
    (
        *(
            "role",
            "content",
            "id",
            "call_id",
            "name",
            "namespace",
            "arguments",
            "input",
        ),
        *("output", "encrypted_content", "summary", "tools", "phase"),
    ),
)
DECLARED = objects(
    ("function", "custom", "namespace", "web_search", "mcp"),
    ("name", "parameters", "description", "format", "tools", "strict"),
)
RESPONSES_BODIES = st.fixed_dictionaries(
    {
        "input": st.lists(
            ITEMS | around(ITEMS, "content", "output", "tools") | JSON, max_size=5
        )
        | ODD
    },
    optional={
        "tools": st.lists(DECLARED | around(DECLARED, "tools") | JSON, max_size=3)
        | JSON,
        "tool_choice": objects(
            ("function", "custom", "allowed_tools", "mcp"),
            ("name", "namespace", "tools"),
        )
        | st.sampled_from(["auto", "required"])
        | JSON,
        "reasoning": st.fixed_dictionaries(
            {}, optional={"effort": st.sampled_from(["max", "none", None, 1])}
        )
        | JSON,
        "max_output_tokens": JSON,
        "temperature": JSON,
        "instructions": ODD,
        "store": JSON,
        "previous_response_id": ODD,
        "prompt_cache_key": st.text(min_size=60, max_size=70) | JSON,
        "odd": JSON,
    },
)


def after(body, found):
    kept = {k: v for k, v in body.items() if k not in found.dropped}
    return {**kept, **found.replaced}


def told(adapt, body, quirks, recall):
    """Never raises, gives JSON, changes nothing in place, and says the same again."""
    body = {"model": "m", **body}
    before = json.dumps(body)
    found = adapt(body, quirks, recall)
    assert json.dumps(body) == before
    assert adapt(json.loads(before), quirks, recall)._replace(restore=None) == (
        found._replace(restore=None)
    )
    made = after(body, found)
    json.dumps(made)
    assert "model" in made
    if found.unfit:
        assert (found.replaced, found.dropped, found.changes) == ({}, frozenset(), ())
    elif not found.changes:
        assert made == body
    return made, found


@given(MESSAGES_BODIES, some(MESSAGES_QUIRKS))
@example(
    {
        "messages": [
            {"role": "assistant", "content": [{"type": "tool_use", "id": "call_1"}]}
        ],
        "thinking": {"type": "enabled"},
    },
    Quirks.parse("reasoning:wanted=thinking", "block:*=text,tool_use,tool_result"),
)
def test_messages_of_any_form(body, quirks):
    made, found = told(adapt_messages, body, quirks, RECALLED)
    if not found.unfit:
        again = adapt_messages(made, quirks, RECALLED)
        assert again.unfit or (after(made, again), again.changes) == (made, ())


@given(RESPONSES_BODIES, some(RESPONSES_QUIRKS))
@example(
    {"input": [{"type": "function_call"}]},
    Quirks.parse(
        "reasoning:wanted=reasoning",
        "item:*=message,function_call,function_call_output",
    ),
)
def test_responses_of_any_form(body, quirks):
    made, found = told(adapt_responses, body, quirks, RECALLED)
    if found.restore is not None:
        names = found.restore()
        names.answer(body)
        names.event({"type": "response.output_item.added", "item": body["input"]})
    if not found.unfit:
        again = adapt_responses(made, quirks, RECALLED)
        assert again.unfit or (after(made, again), again.changes) == (made, ())


@given(
    JSON,
    JSON,
    st.sampled_from(["response.completed", "response.output_item.done", None]),
)
def test_answers_of_any_form(answer, inner, kind):
    body = {"input": [], "tools": [{"type": "custom", "name": "a"}]}
    names = adapt_responses(
        body, Quirks.parse("tool_type:custom=function"), nothing_kept
    )
    assert names.restore is not None
    one = names.restore()
    for event in (
        answer,
        {"type": kind, "item": inner, "response": inner, "output": inner},
    ):
        if isinstance(event, dict):
            json.dumps(one.event(event))
            json.dumps(one.answer(event))


GOOGLE_QUIRKS = [
    *("signature:google", "signature:google=ours", "state:signature=ours", "call:id"),
    *("member:safety_settings", "member:generationConfig.thinking_config", "part:x"),
    *("member:generationConfig.thinking_config.thinking_level", "message:x"),
    *("sampling:temperature", "sampling:top_p=1", "limit:max_output_tokens<=9"),
    *("limit:thinking_budget>=128", "effort:allowed=low,high", "thinking:off=out"),
    *("role:last=user", "role:same=merged", "role:system=user", "tools:properties"),
    "tools:paired",
    *("tool_type:server=alone", "tool_type:url_context=out", "schema:default"),
    *("endpoint:tools_with_json", "tool:behavior", "state:tools=unfit"),
]
PARTS = objects(
    ("",),
    (
        *("text", "thought", "thoughtSignature", "thought_signature", "functionCall"),
        *("functionResponse", "function_call", "inlineData", "x"),
    ),
) | st.builds(
    lambda id_, name, rest: {
        "functionCall": {"id": id_, "name": name, "args": {}},
        **rest,
    },
    WORDS,
    WORDS,
    st.fixed_dictionaries({}, optional={"thoughtSignature": ODD}),
)
CONTENTS = st.builds(
    lambda role, parts: {"role": role, "parts": parts},
    st.sampled_from(["user", "model", "", None]),
    st.lists(PARTS | JSON, max_size=3) | JSON,
)
CONFIGS = st.fixed_dictionaries(
    {},
    optional={
        "temperature": JSON,
        "top_p": JSON,
        "maxOutputTokens": JSON,
        "responseMimeType": st.sampled_from(["application/json", 1]),
        "responseSchema": JSON,
        "thinkingConfig": st.fixed_dictionaries(
            {},
            optional={
                "thinkingLevel": st.sampled_from(["LOW", "medium", 1, ""]),
                "thinking_budget": st.sampled_from([0, 1, 999, -1, None, True]),
            },
        )
        | JSON,
    },
)
FUNCTIONS = st.fixed_dictionaries(
    {},
    optional={
        "name": WORDS,
        "behavior": JSON,
        "parameters": st.sampled_from([{"type": "OBJECT"}, {"default": 1}]) | JSON,
    },
)
GOOGLE_BODIES = st.fixed_dictionaries(
    {"contents": st.lists(CONTENTS | JSON, max_size=4) | JSON},
    optional={
        "generationConfig": CONFIGS | JSON,
        "generation_config": CONFIGS | JSON,
        "safetySettings": JSON,
        "systemInstruction": CONTENTS | JSON,
        "tools": st.lists(
            st.fixed_dictionaries(
                {},
                optional={
                    "functionDeclarations": st.lists(FUNCTIONS | JSON, max_size=2)
                    | JSON,
                    "urlContext": JSON,
                },
            )
            | JSON,
            max_size=3,
        )
        | JSON,
    },
)


@given(GOOGLE_BODIES, some(GOOGLE_QUIRKS))
def test_generate_content_of_any_form(body, quirks):
    made, found = told(adapt_google, body, quirks, RECALLED)
    if not found.unfit:
        again = adapt_google(made, quirks, RECALLED)
        assert again.unfit or (after(made, again), again.changes) == (made, ())


# -- thoughts that are wanted by one quirk and refused by another

CALLED = {
    "chat": {
        "messages": [
            {"role": "user", "content": "Hello!"},
            {
                "role": "assistant",
                "content": None,
                "tool_calls": [
                    {
                        "id": "call_1",
                        "type": "function",
                        "function": {"name": "a", "arguments": "{}"},
                    }
                ],
            },
            {"role": "tool", "tool_call_id": "call_1", "content": "1"},
        ]
    },
    "messages": {
        "max_tokens": 9,
        "thinking": {"type": "adaptive"},
        "messages": [
            {"role": "user", "content": "Hello!"},
            {
                "role": "assistant",
                "content": [
                    {"type": "tool_use", "id": "call_1", "name": "a", "input": {}}
                ],
            },
        ],
    },
    "responses": {
        "store": False,
        "input": [
            {"type": "message", "role": "user", "content": "Hello!"},
            {
                "type": "function_call",
                "call_id": "call_1",
                "name": "a",
                "arguments": "{}",
            },
            {"type": "function_call_output", "call_id": "call_1", "output": "1"},
        ],
    },
}
ADAPTERS = {
    "chat": adapt_chat,
    "messages": adapt_messages,
    "responses": adapt_responses,
}
THOUGHT = "about call_1 0"
REFUSED = [
    # Of a whole type: nothing is put there that goes out again.
    *(
        ("responses", "reasoning:wanted=reasoning", other, False)
        for other in (
            *("item:reasoning", "item:reason*=out", "item:reasoning=unfit"),
            *("item:*=message,function_call,function_call_output", "reasoning:out"),
            "reasoning:unsigned=out",
        )
    ),
    *(
        ("messages", "reasoning:wanted=thinking", other, False)
        for other in (
            *("block:thinking", "block:thinking=text", "block:think*=out"),
            *("block:*=text,tool_use,tool_result", "reasoning:out"),
            "reasoning:unsigned=out",
        )
    ),
    # Of another form: the plain one stands there.
    ("responses", "reasoning:wanted=reasoning", "state:reasoning=out", True),
    ("responses", "reasoning:wanted=reasoning", "reasoning:as=plain", True),
    ("responses", "reasoning:wanted=reasoning", "item:*=reason*,function_*", True),
    ("messages", "reasoning:wanted=thinking", "state:thinking=out", True),
    ("messages", "reasoning:wanted=thinking", "reasoning:as=plain", True),
    ("messages", "reasoning:wanted=thinking", "block:*=tool_*,thinking", True),
    *(
        ("chat", f"reasoning:wanted={name}", other, True)
        for name in ("reasoning_content", "reasoning", "reasoning_details")
        for other in (
            *("reasoning:out", "reasoning:as=reasoning_content", "message:*"),
            *("reasoning:as=reasoning", f"message:{name}"),
        )
    ),
]


@each_row(("dialect", "wanted", "other", "told_back"), REFUSED)
def test_wanted_thoughts_settle(dialect, wanted, other, told_back):
    """Twice adapted is once adapted."""
    adapt, body = ADAPTERS[dialect], {"model": "m", **CALLED[dialect]}
    for quirks in (Quirks.parse(wanted, other), Quirks.parse(other, wanted)):
        made = after(body, adapt(body, quirks, RECALLED))
        assert (THOUGHT in json.dumps(made)) is told_back
        again = adapt(made, quirks, RECALLED)
        assert (after(made, again), again.changes) == (made, ())


SEALED = {
    "messages": {"type": "thinking", "thinking": "sealed", "signature": "o" * 20},
    "responses": {
        "type": "reasoning",
        "summary": [{"type": "summary_text", "text": "sealed"}],
        "encrypted_content": "o" * 20,
    },
}


@pytest.mark.parametrize(
    ("dialect", "quirks", "back"),
    [
        ("messages", "", "sealed"),
        ("messages", "reasoning:unsigned=out", "sealed"),
        ("messages", "state:thinking=out", "plain"),
        ("responses", "", "sealed"),
        ("responses", "reasoning:unsigned=out", "sealed"),
        ("responses", "state:reasoning=out", "plain"),
    ],
)
def test_kept_thoughts_come_back_in_a_form_that_is_taken(dialect, quirks, back):
    def recall(call, n=0):
        return Kept("plain", opaque=[SEALED[dialect]])

    recall.issued = lambda block: True
    wanted = f"reasoning:wanted={'reasoning' if dialect == 'responses' else 'thinking'}"
    all_quirks = Quirks.parse(wanted, *([quirks] if quirks else []))
    adapt, body = ADAPTERS[dialect], {"model": "m", **CALLED[dialect]}
    made = json.dumps(after(body, adapt(body, all_quirks, recall)))
    assert ("o" * 20 in made, '"plain"' in made) == (back == "sealed", back == "plain")


# -- histories of agents


def talk(turns):
    """A Messages history: (thoughts, calls, thanks) of each turn of the assistant."""
    messages = [{"role": "user", "content": "Hello!"}]
    for n, (thoughts, calls, system) in enumerate(turns):
        ids = [f"call:{n}.{i}" for i in range(calls)]
        content = [
            *(
                {"type": "thinking", "thinking": "T", "signature": sig * 20}
                for sig in thoughts
            ),
            {"type": "text", "text": f"turn {n}"},
            *(
                {"type": "tool_use", "id": i, "name": "add", "input": {"n": n}}
                for i in ids
            ),
        ]
        messages.append({"role": "assistant", "content": content})
        results = [
            {"type": "tool_result", "tool_use_id": i, "content": "2"} for i in ids
        ] or [{"type": "text", "text": "Go on"}]
        messages.append({"role": "user", "content": results})
        if system:
            messages.append({"role": "system", "content": "Brief."})
    return messages


TALKS = st.lists(
    st.tuples(
        st.lists(st.sampled_from("ofu"), max_size=2), st.integers(0, 2), st.booleans()
    ),
    min_size=2,
    max_size=4,
)
STABLE = sorted({*MESSAGES_QUIRKS, "role:system=user"} - {"role:system=first"})
"""System messages that move up change what stands before all turns."""


@given(TALKS, some(STABLE))
def test_history_of_messages_is_written_the_same_as_it_grows(turns, quirks):
    def sent(turns):
        made, found = told(
            adapt_messages, {"messages": talk(turns), "max_tokens": 9}, quirks, RECALLED
        )
        return None if found.unfit else made["messages"]

    for n in range(1, len(turns)):
        first, whole = sent(turns[:n]), sent(turns)
        if first is not None and whole is not None:
            assert whole[: len(first)] == first


@given(TALKS, some(MESSAGES_QUIRKS))
def test_calls_of_messages_meet_their_results(turns, quirks):
    made, found = told(adapt_messages, {"messages": talk(turns)}, quirks, RECALLED)
    if not found.unfit:
        calls, results = [], []
        for message in made["messages"]:
            for block in (
                message["content"] if isinstance(message["content"], list) else ()
            ):
                if block["type"] == "tool_use":
                    calls.append(block["id"])
                if block["type"] == "tool_result":
                    results.append(block["tool_use_id"])
        assert calls == results
        assert len(calls) == sum(calls for _, calls, _ in turns)


def steps(turns):
    """A Responses history of the same."""
    items = [{"type": "message", "role": "user", "content": "Hello!"}]
    for n, (thoughts, calls, custom) in enumerate(turns):
        items += [
            {"type": "reasoning", "id": f"rs_{n}{i}", "encrypted_content": sig * 20}
            for i, sig in enumerate(thoughts)
        ]
        kind = "custom_tool_call" if custom else "function_call"
        ids = [f"call_{n}{i}{'x' * 70}" for i in range(calls)]
        items += [
            {"type": kind, "id": "fc_1", "call_id": i, "name": "add", "input": "x"}
            for i in ids
        ]
        items += [{"type": f"{kind}_output", "call_id": i, "output": "2"} for i in ids]
        items.append(
            {"type": "message", "role": "assistant", "id": "msg_1", "content": "ok"}
        )
        items.append({"type": "message", "role": "user", "content": "Go on"})
    return items


@given(TALKS, some(RESPONSES_QUIRKS))
def test_history_of_responses_is_written_the_same_as_it_grows(turns, quirks):
    def sent(turns):
        made, found = told(adapt_responses, {"input": steps(turns)}, quirks, RECALLED)
        return None if found.unfit else made["input"]

    for n in range(1, len(turns)):
        first, whole = sent(turns[:n]), sent(turns)
        if first is not None and whole is not None:
            assert whole[: len(first)] == first


@given(TALKS, some(RESPONSES_QUIRKS))
def test_calls_of_responses_meet_their_outputs(turns, quirks):
    made, found = told(adapt_responses, {"input": steps(turns)}, quirks, RECALLED)
    if not found.unfit:
        calls = [i["call_id"] for i in made["input"] if i["type"].endswith("_call")]
        outs = [i["call_id"] for i in made["input"] if i["type"].endswith("_output")]
        assert calls == outs
