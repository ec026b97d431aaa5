"""Responses with chat and Messages, either way: what apps send, and what comes back."""

import json
from functools import partial

import pytest

from llm_gateway.adaptation.adapted import UNCHANGED
from llm_gateway.adaptation.kept_state import KeptState
from llm_gateway.adaptation.vocabulary import NO_QUIRKS, Quirks
from llm_gateway.dialects import SPECS
from llm_gateway.dialects.chat.codecs import CODECS as CHAT
from llm_gateway.dialects.messages.codecs import CODECS as MESSAGES
from llm_gateway.dialects.responses.codecs import CODECS as RESPONSES
from llm_gateway.translation.answer_events import (
    ArgumentsDelta,
    CallEnded,
    CallStarted,
    Ended,
    Started,
)
from llm_gateway.translation.codec import Target
from llm_gateway.translation.translator import (
    AnswerTranslator,
    CannotCarry,
    translate_request,
)

GRAMMAR = {"type": "grammar", "syntax": "lark", "definition": "start: /.+/"}
NUMBERS = {"type": "object", "properties": {"a": {"type": "integer"}}}


def translated(source, target, body, about=None):
    found = translate_request(source, target, body, about or Target("there"))
    assert not isinstance(found, CannotCarry), str(found)
    return found


def sse(*events, named=True):
    return b"".join(
        (f"event: {event['type']}\n" if named else "").encode()
        + b"data: "
        + json.dumps(event).encode()
        + b"\n\n"
        for event in events
    )


def data_of(stream):
    return [
        json.loads(line.removeprefix(b"data: "))
        for line in stream.split(b"\n")
        if line.startswith(b"data: {")
    ]


def chat_stream(*deltas, reason="stop"):
    chunks = [{"choices": [{"index": 0, "delta": delta}]} for delta in deltas]
    chunks.append({"choices": [{"index": 0, "delta": {}, "finish_reason": reason}]})
    chunks.append(
        {"choices": [], "usage": {"prompt_tokens": 9, "completion_tokens": 4}}
    )
    head = {"id": "chatcmpl-1", "model": "llama", "created": 3}
    return (
        b"".join(
            b"data: " + json.dumps({**head, **c}).encode() + b"\n\n" for c in chunks
        )
        + b"data: [DONE]\n\n"
    )


def answer(source, target, request, stream):
    """The client's stream, fed event by event; each piece goes out as it comes in."""
    translator = AnswerTranslator(source, target, request.context)
    out = [translator.feed(event + b"\n\n") for event in stream.split(b"\n\n") if event]
    return b"".join(out) + translator.end()


# What Codex sends when it knows the model: tools in an item, a freeform one in a namespace.
CODEX = {
    "model": "gpt-6.2-sol",
    "stream": True,
    "store": False,
    "include": ["reasoning.encrypted_content"],
    "prompt_cache_key": "key",
    "client_metadata": {"turn_id": "1"},
    "reasoning": {"effort": "low", "context": "all_turns"},
    "text": {"verbosity": "low"},
    "tool_choice": "auto",
    "parallel_tool_calls": False,
    "input": [
        {
            "type": "additional_tools",
            "id": "at_1",
            "role": "developer",
            "tools": [
                {
                    "type": "namespace",
                    "name": "functions",
                    "description": "",
                    "tools": [
                        {
                            "type": "custom",
                            "name": "exec",
                            "description": "Runs a script.",
                            "format": GRAMMAR,
                        },
                        {
                            "type": "function",
                            "name": "wait",
                            "strict": False,
                            "parameters": NUMBERS,
                        },
                    ],
                },
                {
                    "type": "namespace",
                    "name": "clock",
                    "description": "Time.",
                    "tools": [{"type": "function", "name": "wait", "parameters": {}}],
                },
            ],
        },
        {
            "type": "message",
            "id": "msg_1",
            "role": "developer",
            "content": [{"type": "input_text", "text": "Be an agent."}],
            "internal_chat_message_metadata_passthrough": {"turn_id": "1"},
        },
        {
            "type": "message",
            "id": "msg_2",
            "role": "user",
            "content": [{"type": "input_text", "text": "Change a.txt."}],
        },
    ],
}
CODEX_HISTORY = [
    {
        "type": "custom_tool_call",
        "id": "ctc_1",
        "status": "completed",
        "call_id": "call_1",
        "name": "exec",
        "namespace": "functions",
        "input": 'patch("a")',
    },
    {
        "type": "custom_tool_call_output",
        "call_id": "call_1",
        "output": [{"type": "input_text", "text": "ok"}],
    },
]


def test_codex_on_chat_its_freeform_tool_and_namespaces_there_and_back():
    request = translated(
        RESPONSES, CHAT, {**CODEX, "input": CODEX["input"] + CODEX_HISTORY}
    )
    messages = request.body["messages"]
    assert [m["role"] for m in messages] == ["system", "user", "assistant", "tool"]
    (called,) = messages[2]["tool_calls"]
    names = [tool["function"]["name"] for tool in request.body["tools"]]
    assert names == ["functions__exec", "functions__wait", "clock__wait"]
    assert called["function"]["name"] == "functions__exec"
    assert json.loads(called["function"]["arguments"]) == {"input": 'patch("a")'}
    assert messages[3] == {
        "role": "tool",
        "tool_call_id": "call_1",
        "content": "ok",
    }
    described = request.body["tools"][0]["function"]["description"]
    assert GRAMMAR["definition"] in described
    assert request.body["reasoning_effort"] == "low"
    assert request.body["parallel_tool_calls"] is False
    named = {part for part, _ in request.adaptation.dropped}
    assert named == {
        "prompt_cache_key",
        "client_metadata",
        "reasoning.context",
        "text.verbosity",
        "description of a namespace",
        "input[].internal_chat_message_metadata_passthrough",
    }
    call = {"index": 0, "id": "call_2", "function": {"name": "functions__exec"}}
    stream = chat_stream(
        {"role": "assistant", "content": "Now: "},
        {"tool_calls": [call]},
        *(
            {"tool_calls": [{"index": 0, "function": {"arguments": piece}}]}
            for piece in ('{"input": "pa', "tch(\\", '"b\\")"}')
        ),
    )
    out = data_of(answer(RESPONSES, CHAT, request, stream))
    final = out[-1]["response"]
    assert out[-1]["type"] == "response.completed"
    assert [item["type"] for item in final["output"]] == ["message", "custom_tool_call"]
    made = final["output"][1]
    assert (made["name"], made["namespace"]) == ("exec", "functions")
    assert (made["call_id"], made["input"]) == ("call_2", 'patch("b")')
    assert final["model"] == "gpt-6.2-sol"
    assert final["usage"]["total_tokens"] == 13


def test_codex_on_messages():
    request = translated(
        RESPONSES, MESSAGES, {**CODEX, "input": CODEX["input"] + CODEX_HISTORY}
    )
    assert request.body["system"] == "Be an agent."
    user, assistant, result = request.body["messages"]
    assert user == {"role": "user", "content": "Change a.txt."}
    (block,) = assistant["content"]
    assert block["name"] == "functions__exec"
    assert block["input"] == {"input": 'patch("a")'}
    assert result["content"][0]["tool_use_id"] == block["id"] == "call_1"
    assert request.body["tool_choice"] == {
        "type": "auto",
        "disable_parallel_tool_use": True,
    }
    started = {
        "type": "message_start",
        "message": {"id": "msg_9", "model": "claude", "usage": {"input_tokens": 5}},
    }
    use = {"type": "tool_use", "id": "toolu_1", "name": "functions__exec", "input": {}}
    stream = sse(
        started,
        {"type": "content_block_start", "index": 0, "content_block": use},
        *(
            {
                "type": "content_block_delta",
                "index": 0,
                "delta": {"type": "input_json_delta", "partial_json": piece},
            }
            for piece in ('{"input":', '"ls"}')
        ),
        {"type": "content_block_stop", "index": 0},
        {
            "type": "message_delta",
            "delta": {"stop_reason": "tool_use"},
            "usage": {"output_tokens": 7},
        },
        {"type": "message_stop"},
    )
    out = data_of(answer(RESPONSES, MESSAGES, request, stream))
    (item,) = out[-1]["response"]["output"]
    assert item["type"] == "custom_tool_call"
    assert (item["name"], item["namespace"], item["input"]) == (
        "exec",
        "functions",
        "ls",
    )
    assert out[-1]["response"]["usage"]["input_tokens"] == 5


AGENT = {
    "model": "claude-opus",
    "max_tokens": 32_000,
    "stream": True,
    "thinking": {"type": "adaptive", "display": "summarized"},
    "output_config": {"effort": "high"},
    "system": [{"type": "text", "text": "S", "cache_control": {"type": "ephemeral"}}],
    "tools": [
        {"name": "Bash", "description": "Runs", "input_schema": NUMBERS},
        {"type": "web_search_20260209", "name": "web_search"},
    ],
    "messages": [
        {"role": "user", "content": "List."},
        {
            "role": "assistant",
            "content": [
                {"type": "thinking", "thinking": "T", "signature": "Claude's"},
                {"type": "text", "text": "So:"},
                {
                    "type": "tool_use",
                    "id": "toolu_1",
                    "name": "Bash",
                    "input": {"a": 1},
                },
                {"type": "tool_use", "id": "toolu_2", "name": "Bash", "input": {}},
            ],
        },
        {
            "role": "user",
            "content": [
                {
                    "type": "tool_result",
                    "tool_use_id": "toolu_1",
                    "content": "no",
                    "is_error": True,
                },
                {
                    "type": "tool_result",
                    "tool_use_id": "toolu_2",
                    "content": [
                        {"type": "text", "text": "b"},
                        {
                            "type": "image",
                            "source": {
                                "type": "base64",
                                "media_type": "image/png",
                                "data": "iVBORw==",
                            },
                        },
                    ],
                },
            ],
        },
    ],
}


def test_a_messages_agent_on_responses_there_and_back():
    request = translated(MESSAGES, RESPONSES, AGENT, Target("gpt", maker="openai a"))
    body = request.body
    assert body["instructions"] == "S"
    assert [item.get("type", item.get("role")) for item in body["input"]] == [
        "user",
        "assistant",
        "function_call",
        "function_call",
        "function_call_output",
        "function_call_output",
    ]
    assert body["input"][4]["output"] == "Error: no"
    assert (
        body["input"][5]["output"][1]["image_url"] == "data:image/png;base64,iVBORw=="
    )
    assert body["reasoning"] == {"effort": "high", "summary": "auto"}
    assert body["max_output_tokens"] == 32_000
    assert [tool["name"] for tool in body["tools"]] == ["Bash"]
    assert "Claude's" not in json.dumps(body)
    assert {part for part, _ in request.adaptation.dropped} == {
        "server tool web_search_20260209",
        "cache_control",
        "opaque state of another maker",
        "thoughts of earlier turns",
    }
    message = {"type": "message", "content": [{"type": "output_text", "text": "Hi"}]}
    call = {
        "type": "function_call",
        "id": "fc_1",
        "call_id": "call_1",
        "name": "Bash",
        "arguments": '{"a":2}',
    }
    stream = sse(
        {"type": "response.created", "response": {"id": "r", "model": "gpt"}},
        {
            "type": "response.reasoning_summary_text.delta",
            "output_index": 0,
            "summary_index": 0,
            "delta": "Hm",
        },
        {
            "type": "response.output_item.done",
            "output_index": 0,
            "item": {"type": "reasoning", "id": "rs_1", "encrypted_content": "gAAA"},
        },
        {"type": "response.output_text.delta", "output_index": 1, "delta": "Hi"},
        {"type": "response.output_item.done", "output_index": 1, "item": message},
        {"type": "response.output_item.done", "output_index": 2, "item": call},
        {
            "type": "response.completed",
            "response": {
                "status": "completed",
                "output": [],
                "usage": {"input_tokens": 8, "output_tokens": 6},
            },
        },
    )
    out = data_of(answer(MESSAGES, RESPONSES, request, stream))
    kinds = [event["type"] for event in out if event["type"] != "ping"]
    assert kinds[0] == "message_start"
    assert kinds[-2:] == ["message_delta", "message_stop"]
    blocks = [e["content_block"]["type"] for e in out if "content_block" in e]
    assert blocks == ["thinking", "text", "tool_use"]
    assert out[-2]["delta"]["stop_reason"] == "tool_use"
    # The encrypted reasoning comes back to its maker, in its own form.
    thinking = next(
        e for e in out if e.get("delta", {}).get("type") == "signature_delta"
    )
    signed = {
        "type": "thinking",
        "thinking": "Hm",
        "signature": thinking["delta"]["signature"],
    }
    history = {
        **AGENT,
        "messages": [
            *AGENT["messages"],
            {"role": "assistant", "content": [signed, {"type": "text", "text": "Hi"}]},
            {"role": "user", "content": "And?"},
        ],
    }
    for maker, expected in (("openai a", "gAAA"), ("openai b", None)):
        again = translated(MESSAGES, RESPONSES, history, Target("gpt", maker=maker))
        reasoning = [i for i in again.body["input"] if i.get("type") == "reasoning"]
        assert [i["encrypted_content"] for i in reasoning] == [expected][
            : len(reasoning)
        ]
        assert bool(reasoning) == (expected is not None)
        if reasoning:
            assert reasoning[0]["id"] == "rs_1"


def test_a_chat_client_on_responses_there_and_back():
    body = {
        "model": "gpt",
        "max_completion_tokens": 100,
        "reasoning_effort": "high",
        "response_format": {
            "type": "json_schema",
            "json_schema": {"name": "n", "schema": NUMBERS, "strict": True},
        },
        "tools": [
            {"type": "function", "function": {"name": "add", "parameters": NUMBERS}}
        ],
        "messages": [
            {"role": "system", "content": "S"},
            {"role": "user", "content": "1+1?"},
            {
                "role": "assistant",
                "content": None,
                "tool_calls": [
                    {
                        "id": "call_1",
                        "type": "function",
                        "function": {"name": "add", "arguments": "{}"},
                    }
                ],
            },
            {"role": "tool", "tool_call_id": "call_1", "content": "2"},
        ],
    }
    request = translated(CHAT, RESPONSES, body)
    assert request.body["instructions"] == "S"
    assert request.body["input"][1:] == [
        {
            "type": "function_call",
            "call_id": "call_1",
            "name": "add",
            "arguments": "{}",
        },
        {"type": "function_call_output", "call_id": "call_1", "output": "2"},
    ]
    assert request.body["text"]["format"]["strict"] is True
    plain = {
        "id": "r",
        "model": "gpt",
        "status": "completed",
        "output": [
            {
                "type": "message",
                "content": [{"type": "output_text", "text": '{"a": 2}'}],
            }
        ],
        "usage": {"input_tokens": 3, "output_tokens": 2},
    }
    translator = AnswerTranslator(CHAT, RESPONSES, request.context)
    made = json.loads(translator.plain(json.dumps(plain).encode()))
    assert made["choices"][0]["message"]["content"] == '{"a": 2}'
    assert made["choices"][0]["finish_reason"] == "stop"
    assert made["usage"]["total_tokens"] == 5


NEEDED = {
    "previous_response_id": {"previous_response_id": "resp_1"},
    "conversation": {"conversation": "conv_1"},
    "background": {"background": True},
    "prompt": {"prompt": {"id": "pmpt_1"}},
    "state at the provider": {"input": [{"type": "item_reference", "id": "msg_1"}]},
    "compacted past": {"input": [{"type": "compaction", "encrypted_content": "x"}]},
    "PDF in a message": {
        "input": [
            {
                "role": "user",
                "content": [
                    {
                        "type": "input_file",
                        "file_data": "data:application/pdf;base64,JVBERi0=",
                    }
                ],
            }
        ]
    },
    "document by file id": {
        "input": [
            {"role": "user", "content": [{"type": "input_file", "file_id": "file-1"}]}
        ]
    },
    "server tool web_search": {"tools": [{"type": "web_search"}]},
    "server tool file_search": {
        "tools": [
            {"type": "file_search"},
            {"type": "function", "name": "add"},
        ],
        "tool_choice": {"type": "file_search"},
    },
    "logprobs": {"include": ["message.output_text.logprobs"]},
}


@pytest.mark.parametrize(("part", "body"), NEEDED.items(), ids=NEEDED)
def test_what_chat_cannot_carry_of_a_responses_request(part, body):
    body = {"input": "Hi", **body}
    found = translate_request(RESPONSES, CHAT, body, Target("m"))
    assert isinstance(found, CannotCarry)
    assert found.part == part


CLAUDE = Target("claude", maker="anthropic")
CLAUDE_TOO = Target("claude", maker="anthropic")
GPT = Target("gpt", maker="openai api.openai.com a")
GPT_B = Target("gpt", maker="openai api.openai.com b")
DEEPSEEK = Target(
    "deepseek",
    maker="deepseek api.deepseek.com",
    quirks=Quirks.parse("reasoning:wanted=reasoning_content"),
)
GROQ = Target("llama", maker="groq api.groq.com")

CLAUDES = {
    "id": "msg_1",
    "type": "message",
    "role": "assistant",
    "model": "claude",
    "stop_reason": "end_turn",
    "content": [
        {"type": "thinking", "thinking": "I think.", "signature": "CLAUDE-SIGNED"},
        {"type": "redacted_thinking", "data": "CLAUDE-REDACTED"},
        {"type": "text", "text": "From Claude."},
    ],
    "usage": {"input_tokens": 1, "output_tokens": 1},
}
GPTS = {
    "id": "resp_1",
    "model": "gpt",
    "status": "completed",
    "output": [
        {
            "type": "reasoning",
            "id": "rs_1",
            "summary": [{"type": "summary_text", "text": "I reason."}],
            "encrypted_content": "GPT-ENCRYPTED",
        },
        {
            "type": "message",
            "content": [{"type": "output_text", "text": "From GPT."}],
        },
    ],
    "usage": {"input_tokens": 1, "output_tokens": 1},
}
DEEPSEEKS = {
    "id": "1",
    "model": "deepseek",
    "choices": [
        {
            "index": 0,
            "finish_reason": "stop",
            "message": {
                "role": "assistant",
                "content": "From DeepSeek.",
                "reasoning_content": "I muse.",
            },
        }
    ],
}
GROQS = {
    "id": "2",
    "model": "llama",
    "choices": [
        {
            "index": 0,
            "finish_reason": "stop",
            "message": {"role": "assistant", "content": "From Groq."},
        }
    ],
}
ROUTE = [
    (CHAT, GROQ, GROQS),
    (MESSAGES, CLAUDE, CLAUDES),
    (CHAT, DEEPSEEK, DEEPSEEKS),
    (RESPONSES, GPT, GPTS),
    (MESSAGES, CLAUDE_TOO, CLAUDES),
    (RESPONSES, GPT_B, GPTS),
    (CHAT, GROQ, GROQS),
]


@pytest.mark.parametrize("summary", [None, "auto"])
def test_a_responses_conversation_from_maker_to_maker(summary):
    """Each is told all texts, and nobody another's state; its own comes back whole."""
    history = [{"role": "user", "content": "Begin."}]
    written = []
    for target, about, said in ROUTE:
        asked = {"model": "m", "input": history, "reasoning": {"summary": summary}}
        request = translated(RESPONSES, target, asked, about)
        written.append((target, about, json.dumps(request.body)))
        translator = AnswerTranslator(RESPONSES, target, request.context)
        made = json.loads(translator.plain(json.dumps(said).encode()))
        history = [*history, *made["output"], {"role": "user", "content": "Go on."}]
    for n, (_, about, body) in enumerate(written):
        told = {json.dumps(said) for _, _, said in ROUTE[:n]}
        for text in ("From Claude.", "From GPT.", "From Groq.", "From DeepSeek."):
            assert (text in body) == any(text in said for said in told)
        assert ("CLAUDE-SIGNED" in body) == (about.maker == "anthropic" and n > 1)
        assert ("CLAUDE-REDACTED" in body) == (about.maker == "anthropic" and n > 1)
        assert "GPT-ENCRYPTED" not in body  # the second account is another organization
        assert "llm-gateway" not in body
        assert "bGxtLWdhdGV3YXkA" not in body
    # The turns that were made are written the same each time they go to one maker.
    first, last = (json.loads(written[n][2])["messages"] for n in (0, 6))
    assert last[: len(first)] == first
    again = translated(RESPONSES, RESPONSES, {"input": history}, GPT).body["input"]
    own = [item for item in again if item.get("type") == "reasoning"]
    assert [item["encrypted_content"] for item in own] == ["GPT-ENCRYPTED"]
    musing = translated(RESPONSES, CHAT, {"input": history}, DEEPSEEK).body
    assert "I muse." in json.dumps(musing)
    claude = translated(RESPONSES, MESSAGES, {"input": history}, CLAUDE).body
    thinking = [
        block
        for message in claude["messages"]
        if message["role"] == "assistant" and isinstance(message["content"], list)
        for block in message["content"]
        if block["type"] in ("thinking", "redacted_thinking")
    ]
    assert thinking == CLAUDES["content"][:2] * 2


REFERS = {
    "model": "m",
    "input": [
        {"role": "user", "content": "Hi"},
        {"type": "item_reference", "id": "msg_theirs"},
    ],
}


@pytest.mark.parametrize("store", [None, True, False])
def test_what_an_answer_made_can_be_referred_to_unless_it_is_not_to_be_stored(store):
    state = KeptState()
    asked = {"model": "m", "input": "Hi", "store": store}
    request = translated(RESPONSES, CHAT, asked)
    translator = AnswerTranslator(
        RESPONSES,
        CHAT,
        request.context,
        keep=partial(state.items.remember, "app x"),
    )
    made = json.loads(translator.plain(json.dumps(DEEPSEEKS).encode()))["output"]
    refers = {
        "input": [
            {"role": "user", "content": "Hi"},
            *({"type": "item_reference", "id": item["id"]} for item in made),
            {"role": "user", "content": "And?"},
        ]
    }
    recall = state.recall_for("app x", DEEPSEEK.maker)
    found = translate_request(RESPONSES, CHAT, refers, DEEPSEEK, recall)
    if store is False:
        assert isinstance(found, CannotCarry)
        assert not len(state.items)
        return
    assert not isinstance(found, CannotCarry)
    assert found.body["messages"][1]["content"] == "From DeepSeek."
    # The same towards a provider that speaks the dialect and never made them.
    spec = SPECS[RESPONSES.dialect]
    assert spec.needs_look is not None
    assert spec.needs_look(json.dumps(refers).encode())
    assert spec.adapt is not None
    native = spec.adapt(refers, NO_QUIRKS, recall).replaced["input"]
    assert isinstance(native, list)
    assert "From DeepSeek." in json.dumps(native)
    assert "item_reference" not in json.dumps(native)
    assert "reasoning" not in json.dumps(native)


def test_a_providers_own_items_stay_references():
    adapt = SPECS[RESPONSES.dialect].adapt
    assert adapt is not None
    assert adapt(REFERS, NO_QUIRKS, KeptState().recall_for("app x", "m")) is UNCHANGED
    found = translate_request(RESPONSES, CHAT, REFERS, GROQ)
    assert isinstance(found, CannotCarry)
    # Reasoning that is not here is done without.
    lost = {"input": [REFERS["input"][0], {"type": "item_reference", "id": "rs_1"}]}
    found = translate_request(RESPONSES, CHAT, lost, GROQ)
    assert not isinstance(found, CannotCarry)
    assert [part for part, _ in found.adaptation.dropped] == ["item_reference"]


def test_a_summary_of_the_past_is_made_where_it_is_asked_for_and_read_by_everybody():
    asked = {**CODEX, "input": [*CODEX["input"], {"type": "compaction_trigger"}]}
    request = translated(RESPONSES, CHAT, asked)
    assert request.body["tool_choice"] == "none"
    assert "summary" in request.body["messages"][-1]["content"]
    call = {
        "index": 0,
        "id": "c",
        "function": {"name": "clock__wait", "arguments": "{}"},
    }
    stream = chat_stream(
        {"reasoning_content": "Hm"},
        {"content": "They want "},
        {"content": "a.txt changed."},
        {"tool_calls": [call]},
    )
    out = data_of(answer(RESPONSES, CHAT, request, stream))
    (item,) = out[-1]["response"]["output"]
    assert out[-1]["type"] == "response.completed"
    assert [e["item"] for e in out if e["type"].endswith("item.done")] == [item]
    assert item["type"] == "compaction"
    later = {"model": "m", "input": [item, {"role": "user", "content": "Go on."}]}
    for target in (CHAT, MESSAGES):
        body = translated(RESPONSES, target, later).body
        assert "They want a.txt changed." in json.dumps(body)
    adapt = SPECS[RESPONSES.dialect].adapt
    assert adapt is not None
    native = adapt(later, NO_QUIRKS, KeptState().recall_for("app x", "openai"))
    assert not native.unfit
    assert [i["role"] for i in native.replaced["input"]] == ["user", "user"]
    # A model that says nothing has summed nothing up.
    empty = data_of(answer(RESPONSES, CHAT, request, chat_stream({"content": " "})))
    assert empty[-1]["type"] == "response.failed"


@pytest.mark.parametrize("said", ["", "Sorry, no."])
@pytest.mark.parametrize("stream", [True, False])
def test_an_answer_that_was_refused_is_not_complete(said, stream):
    """A refusal whose words are text: nothing else would tell a Responses client."""
    usage = {"input_tokens": 1, "output_tokens": 1}
    content = [{"type": "text", "text": said}] if said else []
    whole = {"id": "m", "type": "message", "role": "assistant", "model": "x"}
    whole |= {"content": content, "stop_reason": "refusal", "usage": usage}
    request = translated(
        RESPONSES, MESSAGES, {"model": "m", "input": "q", "stream": stream}
    )
    translator = AnswerTranslator(RESPONSES, MESSAGES, request.context)
    out = translator.plain(json.dumps(whole).encode())
    found = data_of(out)[-1]["response"] if stream else json.loads(out)
    assert found["status"] == "incomplete"
    assert found["incomplete_details"] == {"reason": "content_filter"}
    assert [part["text"] for item in found["output"] for part in item["content"]] == (
        [said] if said else []
    )


SEARCH = {"type": "tool_search", "execution": "client", "description": "Finds tools."}
LATER = {
    "type": "function",
    "name": "cal",
    "parameters": NUMBERS,
    "defer_loading": True,
}
SEARCHED = [
    {
        "type": "tool_search_call",
        "call_id": "call_1",
        "execution": "client",
        "arguments": {"query": "calendar"},
    },
    {
        "type": "tool_search_output",
        "call_id": "call_1",
        "execution": "client",
        "tools": [LATER, {"type": "namespace", "name": "mail", "tools": [LATER]}],
    },
]


@pytest.mark.parametrize("target", ["chat", "messages", "generateContent"])
def test_a_search_for_tools_that_the_client_runs_there_and_back(target):
    """Codex' search is called as a function, and its calls come back as what they are."""
    codecs = SPECS[target].codecs
    body = {"model": "m", "stream": True, "tools": [SEARCH], "input": "Find one."}
    request = translated(RESPONSES, codecs, body)
    assert request.adaptation.approximated == (("search for tools", "as a function"),)
    events = [
        CallStarted(0, "call_1", "tool_search"),
        ArgumentsDelta(0, '{"query":'),
        ArgumentsDelta(0, '"calendar"}'),
        CallEnded(0),
        Ended("tools"),
    ]
    writer = RESPONSES.answer_writer(request.context)
    out = data_of(b"".join(map(writer.write, [Started("id"), *events])))
    assert [event["type"] for event in out] == [
        "response.created",
        "response.in_progress",
        "response.output_item.added",
        "response.output_item.done",
        "response.completed",
    ]
    [made] = out[-1]["response"]["output"]
    assert made["id"].startswith("tsc_")
    assert {k: v for k, v in made.items() if k != "id"} == {
        **SEARCHED[0],
        "status": "completed",
    }
    # It has found some: they are declared, and the search has its result.
    found = {**body, "input": [{"role": "user", "content": "Find one."}, *SEARCHED]}
    again = translated(RESPONSES, codecs, found)
    said = json.dumps(again.body)
    assert "These tools can be called now: cal, mail__cal." in said
    assert '"mail__cal"' in said
    assert again.context.tools["mail__cal"].namespace == "mail"
    assert ("deferred tool", "declared at once") in again.adaptation.approximated


def test_a_search_for_tools_that_the_provider_runs_is_not_offered():
    server = {"type": "tool_search"}
    own = {"type": "function", "name": "a"}
    found = translated(RESPONSES, CHAT, {"input": "hi", "tools": [own, server]})
    assert [t["function"]["name"] for t in found.body["tools"]] == ["a"]
    assert dict(found.adaptation.dropped).keys() == {"server tool tool_search"}


def test_arguments_of_a_search_that_are_no_object_are_its_query():
    request = translated(RESPONSES, CHAT, {"input": "hi", "tools": [SEARCH]})
    for arguments, made in (("", {}), ("x", {"query": "x"}), ("[1]", {"query": [1]})):
        writer = RESPONSES.answer_writer(request.context)
        answer = json.loads(
            writer.plain(
                [
                    CallStarted(0, "call_1", "tool_search"),
                    ArgumentsDelta(0, arguments),
                    CallEnded(0),
                    Ended("tools"),
                ]
            )
        )
        assert answer["output"][0]["arguments"] == made
