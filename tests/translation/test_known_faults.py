"""What gateways that translate are known to get wrong, each with its right value.

Requests and answers between Messages and chat; what concerns other dialects or the pipeline
is tested with them.
"""

import copy
import json

import pytest

from llm_gateway.adaptation.kept_state import CallKey, Kept, nothing_kept
from llm_gateway.adaptation.marked_state import marked, read_mark
from llm_gateway.adaptation.vocabulary import NO_QUIRKS, Quirks
from llm_gateway.dialects import SPECS
from llm_gateway.translation.carried import CannotCarry
from llm_gateway.translation.codec import Target
from llm_gateway.translation.translator import AnswerTranslator, translate_request
from translation.samples import BASE, GET, SCHEMA, result, text, thought, turn
from translation.test_answers import CODECS, CONTEXT


def request(target, source, about=None, **members):
    body = {**BASE[source], **members}
    found = translate_request(
        CODECS[source], CODECS[target], body, about or Target("m")
    )
    assert not isinstance(found, CannotCarry), found
    return found


def adapted(dialect, body, *quirks, recall=nothing_kept):
    """As it leaves: the dialect's own adapter runs on what was written."""
    made = SPECS[dialect].adapt(body, Quirks.parse(*quirks), recall)
    return {k: v for k, v in {**body, **made.replaced}.items() if k not in made.dropped}


def answer(client, upstream, *events, done=b"", context=CONTEXT):
    """Events of an upstream, as JSON -> events of the client's stream."""
    translator = AnswerTranslator(CODECS[client], CODECS[upstream], context)
    data = b"".join(
        b"data: " + json.dumps(event).encode() + b"\n\n" for event in events
    )
    out = translator.feed(data + done) + translator.end()
    datas = [line[6:] for line in out.split(b"\n") if line.startswith(b"data: ")]
    return [json.loads(d) for d in datas if d != b"[DONE]"]


def delta(finish=None, **members):
    return {"choices": [{"index": 0, "delta": members, "finish_reason": finish}]}


def calls(*given, finish=None):
    return delta(finish, tool_calls=list(given))


def call(index, id="", name="", arguments=""):
    made = {"function": {"arguments": arguments}}
    if index is not None:
        made["index"] = index
    if id:
        made["id"] = id
    if name:
        made["function"]["name"] = name
    return made


DONE = b"data: [DONE]\n\n"


def of_type(events, kind):
    return [event for event in events if event["type"] == kind]


def blocks(events):
    """Content of a Messages stream: (type, text or arguments) in order."""
    found = []
    for event in events:
        if event["type"] == "content_block_start":
            assert event["index"] == len(found)
            found.append([event["content_block"]["type"], ""])
        elif event["type"] == "content_block_delta":
            assert event["index"] == len(found) - 1
            d = event["delta"]
            found[-1][1] += (
                d.get("text") or d.get("partial_json") or d.get("thinking") or ""
            )
    return found


def test_1_foreign_signatures_never_reach_anthropic():
    """Neither a chat model's thought in a native request, nor one that another maker signed."""
    for signature in (
        marked("groq x", "plain", ""),
        marked("google y", "signature", "AAAA"),
    ):
        body = {**BASE["messages"], **thought(signature)}
        assert SPECS["messages"].needs_look(json.dumps(body).encode())
        made = SPECS["messages"].adapt(body, NO_QUIRKS, nothing_kept)
        assert made.replaced["messages"][1]["content"] == [text("Yes.")]


def test_1_own_signatures_come_back_to_their_maker():
    """A chat client answered by Claude: the thinking goes back to Claude as it was."""
    events = answer(
        "chat",
        "messages",
        {"type": "message_start", "message": {"id": "a"}},
        {"type": "content_block_start", "index": 0, "content_block": {"type": "thinking"}},
        {"type": "content_block_delta", "index": 0, "delta": {"type": "thinking_delta", "thinking": "Hm."}},
        {"type": "content_block_delta", "index": 0, "delta": {"type": "signature_delta", "signature": "c2ln"}},
        {"type": "message_delta", "delta": {"stop_reason": "end_turn"}},
        {"type": "message_stop"},
    )  # fmt: skip
    [details] = [d for e in events for c in e["choices"] if (d := c["delta"].get("reasoning_details"))]  # fmt: skip
    history = [
        {"role": "user", "content": "hi"},
        {"role": "assistant", "content": "Yes.", "reasoning_details": details},
        {"role": "user", "content": "Go on."},
    ]
    own = request("messages", "chat", Target("m", CONTEXT.maker), messages=history)
    assert own.body["messages"][1]["content"][0] == {
        "type": "thinking",
        "thinking": "Hm.",
        "signature": "c2ln",
    }
    other = request("messages", "chat", Target("m", "other"), messages=history)
    assert other.body["messages"][1]["content"] == "Yes."


def test_2_signatures_of_calls_come_back_by_call_id():
    """A Messages client cannot carry one beside a call: the adapter knows it."""
    made = request("chat", "messages", **result())

    def recall(key: CallKey, n=0):
        assert (key.id, json.loads(key.arguments)) == ("call_1", {"a": 1})
        return Kept(signature="true one")

    sent = adapted("chat", made.body, "signature:google", recall=recall)
    [sent_call] = sent["messages"][1]["tool_calls"]
    assert sent_call["extra_content"]["google"]["thought_signature"] == "true one"


@pytest.mark.parametrize("kept", ["as it was", ""])
def test_3_reasoning_is_handed_back_beside_calls(kept):
    made = request("chat", "messages", **result())

    def recall(key, n=0):
        return Kept(kept) if kept else None

    quirk = "reasoning:wanted=reasoning_content"
    sent = adapted("chat", made.body, quirk, recall=recall)
    assert sent["messages"][1]["reasoning_content"] == (kept or " ")


@pytest.mark.parametrize(
    "given",
    [
        [calls(call(0, "a", "f", "{}")), calls(call(0, "b", "g", "{}"))],
        [calls(call(None, "a", "f", "{}")), calls(call(None, "b", "g", "{}"))],
        [calls(call(0, "a", "f", "{}"), call(0, "b", "g", "{}"))],
        [calls(call(0, "a", "f", "{}"), call(1, "b", "g", "{}"))],
        [calls(call(0, "a", "f"), call(1, "b", "g")), calls(call(1, arguments="{}"), call(0, arguments="{}"))],
        [calls(call(1, "a", "f", "{}")), calls(call(2, "b", "g", "{}"))],
    ],
)  # fmt: skip
def test_6_parallel_calls_stay_apart(given):
    events = answer("messages", "chat", *given, delta("tool_calls"), done=DONE)
    assert blocks(events) == [["tool_use", "{}"]] * 2
    starts = [
        e["content_block"]["name"] for e in of_type(events, "content_block_start")
    ]
    assert starts == ["f", "g"]


def test_7_one_block_is_open_at_a_time():
    events = answer(
        "messages", "chat", delta(reasoning="a"), delta(content="b"), delta(reasoning="c"),
        calls(call(0, "x", "f", "{}")), delta(content="d"), delta("stop"), done=DONE,
    )  # fmt: skip
    kinds = [e["type"] for e in events if e["type"].startswith("content_block_s")]
    assert kinds == ["content_block_start", "content_block_stop"] * 5
    assert [b[1] for b in blocks(events)] == ["a", "b", "c", "{}", "d"]


def test_8_arguments_come_through_and_are_never_empty():
    split = [calls(call(0, "x", "f")), calls(call(0, arguments='{"a"')), calls(call(0, arguments=":1}"))]  # fmt: skip
    events = answer("messages", "chat", *split, delta("stop"), done=DONE)
    assert blocks(events) == [["tool_use", '{"a":1}']]
    events = answer(
        "chat",
        "messages",
        {"type": "content_block_start", "index": 0, "content_block": {"type": "tool_use", "id": "x", "name": "f", "input": {}}},
        {"type": "content_block_stop", "index": 0},
        {"type": "message_delta", "delta": {"stop_reason": "tool_use"}},
        {"type": "message_stop"},
    )  # fmt: skip
    said = "".join(
        one["function"]["arguments"]
        for event in events
        for one in event["choices"][0]["delta"].get("tool_calls", [])
    )
    assert said == "{}"


@pytest.mark.parametrize(
    ("finish", "with_call", "reason"),
    [
        ("stop", True, "tool_use"),
        ("tool_calls", True, "tool_use"),
        ("function_call", True, "tool_use"),
        ("eos", True, "tool_use"),
        ("tool_calls", False, "end_turn"),
        ("stop", False, "end_turn"),
        ("length", False, "max_tokens"),
        ("length", True, "max_tokens"),
        ("content_filter", False, "refusal"),
    ],
)
def test_9_how_it_ended(finish, with_call, reason):
    given = calls(call(0, "x", "f", "{}")) if with_call else delta(content="Yes.")
    events = answer("messages", "chat", given, delta(finish, content=""), done=DONE)
    [end] = of_type(events, "message_delta")
    assert end["delta"]["stop_reason"] == reason
    assert [b for b in blocks(events) if b == ["text", ""]] == []


@pytest.mark.parametrize(
    ("reason", "with_call", "finish"),
    [
        ("end_turn", False, "stop"),
        ("end_turn", True, "tool_calls"),
        ("tool_use", True, "tool_calls"),
        ("tool_use", False, "stop"),
        ("max_tokens", False, "length"),
        ("model_context_window_exceeded", False, "length"),
        ("stop_sequence", False, "stop"),
        ("pause_turn", False, "stop"),
        ("refusal", False, "content_filter"),
    ],
)
def test_9_how_it_ended_for_chat(reason, with_call, finish):
    block = {"type": "tool_use", "id": "x", "name": "f", "input": {}}
    given = [{"type": "content_block_start", "index": 0, "content_block": block}]
    end = {"type": "message_delta", "delta": {"stop_reason": reason}}
    stop = {"type": "message_stop"}
    events = answer("chat", "messages", *(given if with_call else []), end, stop)
    reasons = [c["finish_reason"] for e in events for c in e["choices"]]
    assert [r for r in reasons if r] == [finish]


@pytest.mark.parametrize(
    "usage",
    [
        {"prompt_tokens": 100, "completion_tokens": 20, "prompt_tokens_details": {"cached_tokens": 60}, "completion_tokens_details": {"reasoning_tokens": 5}},
        {"prompt_tokens": 100, "completion_tokens": 20, "prompt_cache_hit_tokens": 60},
    ],
)  # fmt: skip
@pytest.mark.parametrize("place", ["own event", "last choice", "x_groq", "choice"])
def test_10_usage_has_no_class_twice_wherever_it_stands(usage, place):
    end = delta("stop")
    more = []
    if place == "own event":
        more = [{"choices": [], "usage": usage}]
    elif place == "last choice":
        end["usage"] = usage
    elif place == "x_groq":
        end["x_groq"] = {"usage": usage}
    else:
        end["choices"][0]["usage"] = usage
    events = answer("messages", "chat", delta(content="Yes."), end, *more, done=DONE)
    [last] = of_type(events, "message_delta")
    counts = last["usage"]
    assert counts["input_tokens"] == 40
    assert counts["cache_read_input_tokens"] == 60
    assert counts["output_tokens"] == 20


def test_10_without_usage_an_estimate_stands_there():
    from dataclasses import replace

    context = replace(CONTEXT, input_estimate=123)
    events = answer("messages", "chat", delta(content="x" * 40), delta("stop"), done=DONE, context=context)  # fmt: skip
    assert (
        of_type(events, "message_start")[0]["message"]["usage"]["input_tokens"] == 123
    )
    usage = of_type(events, "message_delta")[0]["usage"]
    assert (usage["input_tokens"], usage["output_tokens"]) == (123, 10)


@pytest.mark.parametrize("id", ["functions.get:0", "a" * 80, "é", "call 1", ""])
def test_11_ids_fit_and_a_call_still_meets_its_result(id):
    events = answer("messages", "chat", calls(call(0, id, "f", "{}")), delta("stop"), done=DONE)  # fmt: skip
    [start] = of_type(events, "content_block_start")
    made = start["content_block"]["id"]
    assert made.replace("_", "").replace("-", "").isalnum()
    assert made.isascii()
    assert len(made) <= 64
    again = answer("messages", "chat", calls(call(0, id, "f", "{}")), delta("stop"), done=DONE)  # fmt: skip
    assert of_type(again, "content_block_start") == [start]


def test_12_words_of_schemas_that_the_target_refuses_go():
    tool = {**GET, "input_schema": {"$schema": "x", **SCHEMA}}
    made = request("chat", "messages", tools=[tool])
    sent = adapted("chat", made.body, "schema:$schema")
    assert sent["tools"][0]["function"]["parameters"] == SCHEMA


def test_16_the_prompt_does_not_change_with_account_date_or_attempt():
    body = {**BASE["messages"], **result()}
    found = [
        translate_request(CODECS["messages"], CODECS["chat"], body, Target("m", maker)).body
        for maker in ("a", "b", "a")
    ]  # fmt: skip
    assert found[0] == found[1] == found[2]


def test_17_an_error_in_mid_stream_is_said():
    error = {
        "error": {"message": "Overloaded.", "type": "server_error", "code": "busy"}
    }
    events = answer("messages", "chat", delta(content="One"), error)
    assert events[-1] == {
        "type": "error",
        "error": {"type": "api_error", "message": "Overloaded."},
    }
    assert of_type(events, "message_stop") == []
    error = {"type": "error", "error": {"type": "overloaded_error", "message": "Busy."}}
    events = answer("chat", "messages", error)
    assert events[-1]["error"]["message"] == "Busy."
    assert events[-1]["error"]["code"] == "overloaded_error"


@pytest.mark.parametrize("name", ["reasoning_content", "reasoning", "reasoning_text"])
def test_18_reasoning_is_seen_whatever_it_is_called(name):
    events = answer("messages", "chat", delta(**{name: "Hm."}), delta("stop", content="Yes."), done=DONE)  # fmt: skip
    assert blocks(events) == [["thinking", "Hm."], ["text", "Yes."]]
    [signature] = [d["delta"]["signature"] for d in of_type(events, "content_block_delta") if "signature" in d["delta"]]  # fmt: skip
    assert read_mark(signature).maker == CONTEXT.maker


def test_18_who_did_not_ask_for_thoughts_gets_text_first():
    context = request("chat", "messages", stream=True).context
    events = answer("messages", "chat", delta(reasoning="Hm."), delta("stop", content="Yes."), done=DONE, context=context)  # fmt: skip
    assert blocks(events) == [["text", "Yes."]]


@pytest.mark.parametrize(
    ("quirks", "written"),
    [
        ("thinking:enabled=adaptive", {"type": "adaptive"}),
        ("", {"type": "enabled", "budget_tokens": 9_000}),
    ],
)
def test_19_budgets_and_efforts_as_the_model_takes_them(quirks, written):
    made = request("messages", "chat", reasoning={"max_tokens": 9_000})
    sent = adapted("messages", made.body, *quirks.split())
    assert sent["thinking"] == written


def test_20_bounds_are_lowered_to_what_the_provider_takes():
    found = request("chat", "messages", Target("m", max_output=50), max_tokens=64_000)
    assert found.body["max_tokens"] == 50
    assert dict(found.adaptation.approximated) == {
        "max_tokens": "50, the largest there"
    }


def test_21_stop_sequences_are_a_list():
    found = request("chat", "messages", stop_sequences=["a"])
    assert found.body["stop"] == ["a"]
    assert request("messages", "chat", stop="a").body["stop_sequences"] == ["a"]


def test_22_think_tags_are_text():
    said = "<think>Hm.</think>Yes."
    events = answer("messages", "chat", delta(content=said), delta("stop"), done=DONE)
    assert blocks(events) == [["text", said]]


def test_24_a_refusal_is_an_answer():
    events = answer("messages", "chat", delta(refusal="I will not."), delta("stop"), done=DONE)  # fmt: skip
    assert blocks(events) == [["text", "I will not."]]
    [end] = of_type(events, "message_delta")
    assert end["delta"]["stop_reason"] == "refusal"


def test_26_the_clients_request_is_left_as_it_was():
    for source, target in (("messages", "chat"), ("chat", "messages")):
        members = result() if source == "messages" else {}
        body = {**BASE[source], **members}
        before = copy.deepcopy(body)
        translate_request(CODECS[source], CODECS[target], body, Target("m"))
        assert body == before


def test_27_the_providers_words_are_kept_verbatim():
    words = "messages.1.content.0: Invalid `signature` in `thinking` block."
    error = {"error": {"message": words, "type": "invalid_request_error"}}
    events = answer("messages", "chat", delta(content="One"), error)
    assert events[-1]["error"]["message"] == words


def test_names_that_are_too_long_come_back_as_they_were():
    name = "mcp__server__" + "x" * 90
    body = {**BASE["messages"], "tools": [{**GET, "name": name}], "stream": True}
    body["messages"] = [
        turn("user", text()),
        turn("assistant", {"type": "tool_use", "id": "c", "name": name, "input": {}}),
        turn("user", {"type": "tool_result", "tool_use_id": "c", "content": "1"}),
    ]
    found = translate_request(CODECS["messages"], CODECS["chat"], body, Target("m"))
    sent = found.body["tools"][0]["function"]["name"]
    assert len(sent) <= 64
    history = found.body["messages"][1]["tool_calls"][0]["function"]["name"]
    assert history == sent
    events = answer("messages", "chat", calls(call(0, "x", sent, "{}")), delta("stop"), done=DONE, context=found.context)  # fmt: skip
    assert of_type(events, "content_block_start")[0]["content_block"]["name"] == name


REGEX = {"type": "tool_search_tool_regex_20251119", "name": "tool_search_tool_regex"}
SERVER = {"type": "url", "name": "wiki", "url": "https://wiki.test/sse"}
TOOLSET = {"type": "mcp_toolset", "mcp_server_name": "wiki"}
OWN_OF_MESSAGES = {
    "servers beside tools": (
        {"mcp_servers": [SERVER], "tools": [GET, TOOLSET]},
        {"server tool mcp_servers", "server tool mcp_toolset"},
    ),
    "servers alone": ({"mcp_servers": [SERVER], "tools": [TOOLSET]}, None),
    "a container": ({"container": "container_1"}, None),
    "skills": ({"container": {"skills": [{"skill_id": "pptx"}]}}, None),
    "edits of the context": (
        {"context_management": {"edits": [{"type": "clear_tool_uses_20250919"}]}},
        {"context_management"},
    ),
    "tools that are searched for": (
        {"tools": [REGEX, {**GET, "defer_loading": True}]},
        {"server tool tool_search_tool_regex_20251119", "deferred tool"},
    ),
    "members of tools": (
        {"tools": [{**GET, "input_examples": [{}], "allowed_callers": ["direct"]}]},
        {"tools[].input_examples", "tools[].allowed_callers"},
    ),
    "a budget of the task": (
        {"output_config": {"effort": "high", "task_budget": {"total": 9}}},
        {"output_config.task_budget"},
    ),
}


@pytest.mark.parametrize("target", ["chat", "responses", "generateContent"])
@pytest.mark.parametrize("case", OWN_OF_MESSAGES)
def test_what_only_anthropic_has_is_told_of_or_needed(target, case):
    members, told = OWN_OF_MESSAGES[case]
    body = {**BASE["messages"], **members}
    found = translate_request(CODECS["messages"], CODECS[target], body, Target("m"))
    if told is None:
        assert isinstance(found, CannotCarry)
        return
    notes = (*found.adaptation.dropped, *found.adaptation.approximated)
    names = {name for name, _ in notes}
    assert told <= names
    assert names <= told | {"effort"}
