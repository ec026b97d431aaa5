"""Refusals of generateContent in Google's words: each teaches what it should, no more."""

import json
from typing import Any

from tables import each_row

from llm_gateway.adaptation.kept_state import nothing_kept
from llm_gateway.adaptation.uses import has_changed
from llm_gateway.adaptation.vocabulary import NO_QUIRKS, Quirks
from llm_gateway.adaptation.wordings import WORDINGS, learn
from llm_gateway.dialects.generate_content.adapter import adapt
from llm_gateway.dialects.provider_errors import read_error
from llm_gateway.domain import Dialect

GOOGLE = Dialect("generateContent")
USER = {"role": "user", "parts": [{"text": "Hello!"}]}
CALL = {"functionCall": {"id": "c1", "name": "add", "args": {}}}
RESULT = {"functionResponse": {"id": "c1", "name": "add", "response": {"x": 1}}}
LOOP = [USER, {"role": "model", "parts": [CALL]}, {"role": "user", "parts": [RESULT]}]
SIGNED = [
    USER,
    {"role": "model", "parts": [{**CALL, "thoughtSignature": "c2ln"}]},
    {"role": "user", "parts": [RESULT]},
]
APART = [
    USER,
    {"role": "model", "parts": [CALL, CALL]},
    {"role": "user", "parts": [RESULT]},
    {"role": "user", "parts": [RESULT]},
]
TWICE = [
    USER,
    {"role": "model", "parts": [CALL]},
    {"role": "user", "parts": [RESULT, RESULT]},
]
ADD = {"name": "add", "parameters": {"type": "OBJECT", "properties": {"a": {"type": "STRING", "default": "x"}}}}  # fmt: skip
BARE = {"name": "now", "parameters": {"type": "OBJECT", "properties": {}}}
TOOLS = {"tools": [{"functionDeclarations": [ADD]}]}
BOTH = {"tools": [{"functionDeclarations": [ADD]}, {"googleSearch": {}}]}


def config(**members: Any) -> dict[str, Any]:
    return {"generationConfig": members}


def unknown(name: str, at: str = "") -> str:
    place = f" at '{at}'" if at else ""
    return f'Invalid JSON payload received. Unknown name "{name}"{place}: Cannot find field.'


PENALTY = "Penalty is not enabled for this model"
PLACE = "generation_config.thinking_config"
TAUGHT: list[tuple[str, dict[str, Any], list[str]]] = [
    # -- members, where they are said to stand
    (unknown("safetySettings"), {"safetySettings": []}, ["member:safety_settings"]),
    (unknown("labels"), {"labels": {}}, ["member:labels"]),
    (unknown("thinkingConfig", "generation_config"), config(thinkingConfig={}), ["member:generationConfig.thinking_config"]),
    (unknown("thinking_config", "generation_config"), {"generation_config": {"thinking_config": {}}}, ["member:generationConfig.thinking_config"]),
    (unknown("thinkingLevel", PLACE), config(thinkingConfig={"thinkingLevel": "low", "includeThoughts": True}), ["member:generationConfig.thinking_config.thinking_level"]),
    (unknown("mediaResolution", "generation_config"), config(mediaResolution="LOW"), ["member:generationConfig.media_resolution"]),
    (unknown("topK", "generation_config"), config(topK=3), ["sampling:top_k"]),
    (unknown("id", "contents[1].parts[0].function_call"), {"contents": LOOP}, ["call:id"]),
    (unknown("id", "contents[2].parts[0].function_response"), {"contents": LOOP}, ["call:id"]),
    (unknown("thoughtSignature", "contents[1].parts[0]"), {"contents": SIGNED}, ["part:thought_signature"]),
    (unknown("videoMetadata", "contents[0].parts[0]"), {"contents": [{"role": "user", "parts": [{"text": "x", "videoMetadata": {}}]}]}, ["part:video_metadata"]),
    (unknown("mark", "contents[1].parts[0]"), {"contents": [USER, {"role": "model", "parts": [{"text": "x", "mark": 1}]}, USER]}, ["part:mark"]),
    (unknown("mark", "contents[1]"), {"contents": [USER, {"role": "model", "parts": [], "mark": 1}, USER]}, ["message:mark"]),
    (unknown("behavior", "tools[0].function_declarations[0]"), {"tools": [{"functionDeclarations": [{**ADD, "behavior": "BLOCKING"}]}]}, ["tool:behavior"]),
    (unknown("default", "tools[0].function_declarations[0].parameters.properties[0].value"), TOOLS, ["schema:default"]),
    (unknown("$schema", "generation_config.response_schema"), config(responseSchema={"$schema": "x", "type": "OBJECT"}), ["schema:$schema"]),
    (unknown("urlContext", "tools[1]"), {"tools": [TOOLS["tools"][0], {"urlContext": {}}]}, ["tool_type:url_context=out"]),
    (f"{unknown('labels')}\n{unknown('topP', 'generation_config')}", {"labels": {}, **config(topP=1)}, ["member:labels", "sampling:top_p"]),
    # -- sampling, limits, thinking
    (PENALTY, config(presencePenalty=1), ["sampling:presence_penalty"]),
    (PENALTY, {"generation_config": {"frequency_penalty": 1}}, ["sampling:frequency_penalty"]),
    ("temperature is not supported for this model.", config(temperature=0.3), ["sampling:temperature"]),
    ("The topP parameter is not supported by models/gemini-9", config(topP=0.3), ["sampling:top_p"]),
    ("Unable to submit request because it has a maxOutputTokens value of 99999 but the supported range is from 1 (inclusive) to 8193 (exclusive). Update the value and try again.", config(maxOutputTokens=99999), ["limit:max_output_tokens<=8192"]),
    ("Thinking level is not supported for this model.", config(thinkingConfig={"thinkingLevel": "LOW"}), ["member:generationConfig.thinking_config.thinking_level"]),
    ("Thinking level MEDIUM is not supported for this model. Please retry with other thinking level.", config(thinkingConfig={"thinkingLevel": "MEDIUM"}), ["effort:allowed=minimal,low,high,xhigh,max"]),
    ("The thinking budget 0 is invalid. Please choose a value between 128 and 32768.", config(thinkingConfig={"thinkingBudget": 0}), ["thinking:off=out"]),
    ("The thinking budget 9 is invalid. Please choose a value between 128 and 32768.", config(thinkingConfig={"thinkingBudget": 9}), ["limit:thinking_budget>=128"]),
    ("The thinking budget 99999 is invalid. Please choose a value between 1 and 24576.", config(thinkingConfig={"thinking_budget": 99999}), ["limit:thinking_budget<=24576"]),
    ("Budget 0 is invalid. This model only works in thinking mode.", config(thinkingConfig={"thinkingBudget": 0, "includeThoughts": True}), ["thinking:off=out"]),
    ("Thinking budget is not supported for this model.", config(thinkingConfig={"thinkingBudget": 5}), ["member:generationConfig.thinking_config.thinking_budget"]),
    ("Thinking is not enabled for models/gemma-3-27b-it", config(thinkingConfig={"thinkingBudget": 5}), ["member:generationConfig.thinking_config"]),
    # -- turns
    ("Function call is missing a thought_signature in functionCall parts. This is required for tools to work correctly", {"contents": LOOP}, ["signature:google"]),
    ("Corrupted thought signature.", {"contents": SIGNED}, ["state:signature=ours"]),
    ("Requests ending with a model turn are not supported.", {"contents": [USER, {"role": "model", "parts": [{"text": "x"}]}]}, ["role:last=user"]),
    ("Please ensure that the number of function response parts is equal to the number of function call parts of the function call turn.", {"contents": APART}, ["role:same=merged"]),
    ("Please ensure that the number of function response parts is equal to the number of function call parts of the function call turn.", {"contents": TWICE}, ["tools:paired"]),
    ("Please ensure that function call turn comes immediately after a user turn or after a function response turn.", {"contents": [USER, {"role": "model", "parts": [{"text": "x"}]}, *LOOP[1:]]}, ["role:same=merged"]),
    ("Developer instruction is not enabled for models/gemma-3-27b-it", {"systemInstruction": {"parts": [{"text": "s"}]}}, ["role:system=user"]),
    # -- tools
    ("Function calling with a response mime type: 'application/json' is unsupported", {**TOOLS, **config(responseMimeType="application/json")}, ["endpoint:tools_with_json"]),
    ("Function calling is not enabled for models/gemma-3-27b-it", TOOLS, ["endpoint:tools"]),
    ("Tool use with function calling is unsupported", BOTH, ["tool_type:server=alone"]),
    ("Built-in tools ({google_search}) and Function Calling cannot be combined in the same request.", BOTH, ["tool_type:server=alone"]),
    ("GenerateContentRequest.tools[0].function_declarations[1].parameters.properties: should be non-empty for OBJECT type", {"tools": [{"functionDeclarations": [ADD, BARE]}]}, ["tools:properties"]),
]  # fmt: skip
NOTHING: list[tuple[str, dict[str, Any]]] = [
    # What every request needs, and what carries it
    (unknown("contents"), {}),
    (unknown("tools"), TOOLS),
    (unknown("systemInstruction"), {"systemInstruction": {"parts": []}}),
    (unknown("generationConfig"), config(topK=1)),
    (unknown("parts", "contents[0]"), {}),
    (unknown("text", "contents[0].parts[0]"), {}),
    (unknown("thought", "contents[1].parts[0]"), {"contents": [USER, {"role": "model", "parts": [{"text": "x", "thought": True}]}]}),
    (unknown("args", "contents[1].parts[0].function_call"), {"contents": LOOP}),
    (unknown("parameters", "tools[0].function_declarations[0]"), TOOLS),
    (unknown("properties", "tools[0].function_declarations[0].parameters"), TOOLS),
    (unknown("functionDeclarations", "tools[0]"), TOOLS),
    (unknown("responseSchema", "generation_config"), config(responseSchema={})),
    (unknown("maxOutputTokens", "generation_config"), config(maxOutputTokens=9)),
    # The client's own
    (unknown("colour"), {"colour": 1}),
    (unknown("colour", "generation_config"), config(colour=1)),
    (unknown("colour", "contents[0]"), {"contents": [{**USER, "colour": 1}]}),
    (unknown("colour", "contents[0].parts[0]"), {"contents": [{"role": "user", "parts": [{"text": "x", "colour": 1}]}]}),
    (unknown("colour", "contents[1].parts[0]"), {"contents": [USER, {"role": "model", "parts": [{"colour": 1}]}]}),
    (unknown("colour", "tools[0]"), {"tools": [{"colour": {}}]}),
    ("Invalid value at 'generation_config.temperature' (TYPE_FLOAT), \"hot\"", config(temperature="hot")),
    ("Unable to submit request because it has a temperature value of 9 but the supported range is from 0 (inclusive) to 2.1 (exclusive).", config(temperature=9)),
    ("temperature is not supported for this model.", config(temperature=9)),
    ("* GenerateContentRequest.contents: contents is not specified", {"contents": []}),
    ("Please use a valid role: user, model.", {"contents": [{"role": "bot", "parts": []}]}),
    ("Invalid value at 'tools' (type.googleapis.com/google.ai.generativelanguage.v1beta.Tool), \"add\"", {"tools": "add"}),
    ("Unable to submit request because it has a maxOutputTokens value of 0 but the supported range is from 1 (inclusive) to 8193 (exclusive).", config(maxOutputTokens=0)),
    ("You can only set only one of thinking budget and thinking level.", config(thinkingConfig={"thinkingBudget": 1, "thinkingLevel": "LOW"})),
    ("The thinking budget -7 is invalid. Please choose a value between 128 and 32768.", config(thinkingConfig={"thinkingBudget": -7})),
    # What did not stand there: a resend would be the same
    (unknown("id", "contents[1].parts[0].function_call"), {"contents": SIGNED[:1]}),
    (unknown("topK", "generation_config"), {}),
    (PENALTY, {}),
    ("Thinking level is not supported for this model.", {}),
    ("Corrupted thought signature.", {"contents": LOOP}),
    ("Requests ending with a model turn are not supported.", {}),
    ("Please ensure that the number of function response parts is equal to the number of function call parts of the function call turn.", {"contents": LOOP}),
    ("Function calling is not enabled for models/gemma-3-27b-it", {}),
    ("Tool use with function calling is unsupported", TOOLS),
    # About something else
    ("API key not valid. Please pass a valid API key.", {}),
    ("The input token count (2097153) exceeds the maximum number of tokens allowed (1048576).", {}),
    ("models/gemini-9 is not found for API version v1beta", {}),
]  # fmt: skip


def body_of(more: dict[str, Any]) -> dict[str, Any]:
    return {"contents": [USER], **more}


def google(message: str) -> bytes:
    error = {"code": 400, "message": message, "status": "INVALID_ARGUMENT"}
    return json.dumps({"error": error}).encode()


def listed(message: str) -> bytes:
    return b"[" + google(message) + b"]"


def lesson(
    message: str,
    body: dict[str, Any],
    known: Quirks = NO_QUIRKS,
    status: int = 400,
    said: bytes = b"",
) -> list[str]:
    error = read_error(said or google(message))
    assert error is not None
    found = learn(GOOGLE, status, error, body_of(body), known)
    return [str(quirk) for quirk in found.quirks] if found else []


@each_row(("message", "body", "quirks"), TAUGHT)
def test_what_a_refusal_teaches(
    message: str, body: dict[str, Any], quirks: list[str]
) -> None:
    assert lesson(message, body) == quirks
    assert lesson(message, body, said=listed(message)) == quirks
    again = lesson(message, body, Quirks.parse(*quirks))
    assert not set(again) & set(quirks)


@each_row(("message", "body", "quirks"), TAUGHT)
def test_a_resend_differs_and_settles(
    message: str, body: dict[str, Any], quirks: list[str]
) -> None:
    known, sent = Quirks.parse(*quirks), body_of(body)
    before = json.dumps(sent)
    made = adapt(sent, known, nothing_kept)
    assert json.dumps(sent) == before
    if made.unfit:
        return
    assert made.changes
    assert all(has_changed(quirk, made) for quirk in known if quirk.kind != "state")
    after = {k: v for k, v in sent.items() if k not in made.dropped} | made.replaced
    assert lesson(message, after) == []
    assert adapt(after, known, nothing_kept).changes == ()


@each_row(("message", "body"), NOTHING)
@each_row("status", [400, 404, 422, 500])
def test_teaches_nothing(message: str, body: dict[str, Any], status: int) -> None:
    assert lesson(message, body, status=status) == []


def test_what_is_sent_instead() -> None:
    def sent(body: dict[str, Any], *quirks: str) -> dict[str, Any]:
        made = adapt(body_of(body), Quirks.parse(*quirks), nothing_kept)
        assert not made.unfit
        kept = {k: v for k, v in body_of(body).items() if k not in made.dropped}
        return {**kept, **made.replaced}

    thinks = {"thinkingLevel": "MEDIUM", "includeThoughts": True}
    made = sent(config(thinkingConfig=thinks), "effort:allowed=low,high")
    assert made == body_of(config(thinkingConfig={**thinks, "thinkingLevel": "LOW"}))
    made = sent(
        config(thinkingConfig={"thinkingLevel": "low"}),
        "member:generationConfig.thinking_config.thinking_level",
    )
    assert made == body_of({})
    made = sent({"contents": APART}, "role:same=merged")
    assert made["contents"][2:] == [{"role": "user", "parts": [RESULT, RESULT]}]
    made = sent({"systemInstruction": {"parts": [{"text": "s"}]}}, "role:system=user")
    parts = [{"text": "s"}, {"text": "Hello!"}]
    assert made == {"contents": [{"role": "user", "parts": parts}]}
    made = sent({"contents": LOOP}, "call:id")
    assert '"c1"' not in json.dumps(made)
    assert sent(BOTH, "tool_type:server=alone") == body_of(TOOLS)
    assert sent({"tools": [{"functionDeclarations": [ADD, BARE]}]}, "tools:properties")[
        "tools"
    ] == [{"functionDeclarations": [ADD, {"name": "now"}]}]
    made = sent({"contents": SIGNED}, "state:signature=ours")
    assert made["contents"] == LOOP
    made = sent({"contents": SIGNED}, "state:signature=ours", "signature:google")
    assert (
        made["contents"][1]["parts"][0]["thoughtSignature"]
        == "skip_thought_signature_validator"
    )
    only = {"tools": [{"urlContext": {}}]}
    made_unfit = adapt(
        body_of(only), Quirks.parse("tool_type:url_context=out"), nothing_kept
    )
    assert made_unfit.unfit == "takes no urlContext"


def test_numbers_are_of_their_own() -> None:
    mine = [row for row in WORDINGS if GOOGLE in row.dialects]
    assert mine
    assert all(600 <= row.number < 800 and row.source for row in mine)
