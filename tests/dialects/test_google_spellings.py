"""The many ways in which one generateContent request is written: what one of them says, all say.

Google reads members in camel and snake case, a single value where a list is meant, numbers as
texts, roles in capitals; its own examples, SDKs and the AI SDK use all of that.
"""

import json
from typing import Any

import pytest

from llm_gateway.adaptation.kept_state import nothing_kept
from llm_gateway.adaptation.marked_state import marked
from llm_gateway.adaptation.vocabulary import Quirks
from llm_gateway.dialects import (
    CHAT,
    GENERATE_CONTENT,
    RequestBody,
    RequestError,
    match,
    match_subpath,
    read,
    unrouted,
)
from llm_gateway.dialects.generate_content.adapter import adapt
from llm_gateway.translation.codec import Target
from llm_gateway.translation.translator import TranslatedRequest, translate_request

PATH = "/v1beta/models/m:generateContent"
COUNT = "/v1beta/models/m:countTokens"


def body_of(path: str = PATH, **members: Any) -> RequestBody:
    found = read(GENERATE_CONTENT, json.dumps(members).encode(), path=path)
    assert isinstance(found, RequestBody), found
    return found


def as_chat(**members: Any) -> dict[str, Any]:
    assert GENERATE_CONTENT.codecs
    assert CHAT.codecs
    found = translate_request(
        GENERATE_CONTENT.codecs, CHAT.codecs, {"model": "m", **members}, Target("m")
    )
    assert isinstance(found, TranslatedRequest), found
    return found.body


def user(text: str = "Hi") -> dict[str, Any]:
    return {"role": "user", "parts": [{"text": text}]}


# --- paths


@pytest.mark.parametrize(
    ("path", "model"),
    [
        # The AI SDK puts `models/` before names without a slash alone.
        ("/v1beta/openai/gpt-oss-20b:streamGenerateContent?alt=sse", "openai/gpt-oss-20b"),
        ("/api/v1beta/meta/llama:free:generateContent", "meta/llama:free"),
        ("/v1beta/accounts/f/models/l:generateContent", "accounts/f/models/l"),
        ("/v1beta/models/accounts/f/models/l:generateContent", "accounts/f/models/l"),
        ("/v1beta/tunedModels/t-1:generateContent", "tunedModels/t-1"),
        ("/v1beta/publishers/google/models/g:generateContent", "g"),
        ("/v1beta1/projects/p/locations/l/publishers/google/models/g:countTokens", "g"),
        ("/v1/models/g:generateContent", "g"),
        ("/v1alpha/models/g:generateContent", "g"),
        ("/v1beta/models/g%3Afree:generateContent", "g:free"),
        ("/v1beta/models/a%2Fb%20c:generateContent", "a/b c"),
        ("/v1beta/models/%E6%A8%A1:generateContent", "模"),
        # with one base URL too many in front
        ("/v1/v1beta/models/g:generateContent", "g"),
        ("/v1beta/openai/v1beta/models/g:generateContent", "g"),
        ("/v1beta/openai/v1beta/meta/llama:generateContent", "meta/llama"),
        ("/v1/v1beta1/projects/p/locations/l/publishers/google/models/g:generateContent", "g"),
        ("/gateway/models/g:generateContent", "g"),
        ("/v1beta/models/a/v1/b/c:generateContent", "a/v1/b/c"),
        ("/v1beta/models:generateContent", None),
        ("/v1beta/models/:generateContent", None),
        ("/v1/projects/p/locations/l/endpoints/9:generateContent", None),
    ],
)  # fmt: skip
def test_names_in_paths(path: str, model: str | None) -> None:
    assert GENERATE_CONTENT.read_path(path).model == model


@pytest.mark.parametrize(
    ("path", "words"),
    [
        ("/v1internal:generateContent", "give the app an api key"),
        ("/v1internal:streamGenerateContent?alt=sse", "give the app an api key"),
        ("/v1internal:countTokens", "give the app an api key"),
        ("/v1internal:loadCodeAssist", "give the app an api key"),
        ("/v1beta/models/g:batchGenerateContent", "batches"),
        ("/v1/models/g:embedContent", "/v1/embeddings"),
        ("/v1beta/models/g:asyncBatchEmbedContent", "/v1/embeddings"),
        ("/v1beta/models/g:predictLongRunning", "ask google itself"),
        ("/v1/projects/p/locations/l/publishers/a/models/c:rawPredict", "ask google"),
        ("/v1beta/batches/123:cancel", "batches"),
        ("/v1beta/operations", "ask google itself"),
        ("/v1alpha/auth_tokens", "live sessions"),
        ("/v1beta/generatedFiles/x", "files"),
        ("/upload/v1beta/fileSearchStores/x:uploadToFileSearchStore", "files"),
        ("/resumable/upload/v1beta/files", "files"),
        ("/ws/google.ai.generativelanguage.v1alpha.GenerativeService.BidiX", "live"),
    ],
)
def test_the_rest_of_the_api(path: str, words: str) -> None:
    assert match("POST", path) is None
    assert match_subpath("POST", path) is None
    found = unrouted(path)
    assert found is not None
    assert found[0] is GENERATE_CONTENT
    assert words in found[1].lower()


@pytest.mark.parametrize(
    "path",
    [
        *(PATH, COUNT, "/v1beta/models", "/v1beta/models/g", "/v1beta/models/a%2Fb"),
        *("/v1beta/openai/chat/completions", "/v1beta/openai/files", "/v1/files"),
        *("/v1/models/llama:free", "/v1/batches", "/v1/x", "/v1beta"),
    ],
)
def test_what_is_not_the_rest_of_the_api(path: str) -> None:
    assert unrouted(path) is None


# --- spellings


@pytest.mark.parametrize(
    ("outer", "inner", "deepest"),
    [
        ("generationConfig", "thinkingConfig", "thinkingBudget"),
        ("generation_config", "thinking_config", "thinking_budget"),
        ("generationConfig", "thinking_config", "thinkingBudget"),
        ("generation_config", "thinkingConfig", "thinking_budget"),
    ],
)
@pytest.mark.parametrize("most", ["maxOutputTokens", "max_output_tokens"])
@pytest.mark.parametrize("number", [int, str])
def test_settings_in_each_mixture(
    outer: str, inner: str, deepest: str, most: str, number: type
) -> None:
    config = {most: number(500), inner: {deepest: number(90)}, "stopSequences": "x"}
    found = body_of(contents=[], **{outer: config})
    assert (found.ask.max_tokens, found.ask.thinking_budget) == (500, 90)
    lowered = json.loads(found.rewritten(max_tokens=40))[outer]
    assert lowered == {**config, most: 40}
    assert found.rewritten(max_tokens=500) is found.raw
    said = as_chat(contents=[user()], **{outer: config})
    assert (said["max_tokens"], said["stop"]) == (500, ["x"])


@pytest.mark.parametrize(
    ("twice", "named"),
    [
        ({"generationConfig": {}, "generation_config": {}}, "generation_config"),
        ({"system_instruction": "a", "systemInstruction": "b"}, "systemInstruction"),
        ({"cachedContent": "a", "cached_content": "b"}, "cached_content"),
        (
            {"generationConfig": {"maxOutputTokens": 1, "max_output_tokens": 9}},
            "max_output_tokens",
        ),
        (
            {
                "generation_config": {
                    "responseModalities": [],
                    "response_modalities": ["IMAGE"],
                }
            },
            "response_modalities",
        ),
    ],
)
def test_two_spellings_of_a_member_are_one_given_twice(
    twice: dict[str, Any], named: str
) -> None:
    raw = json.dumps({"contents": [], **twice}).encode()
    found = read(GENERATE_CONTENT, raw, path=PATH)
    assert isinstance(found, RequestError)
    assert f"`{named}` is given twice" in found.message


@pytest.mark.parametrize(
    "twice",
    [
        b'{"contents": [], "contents": []}',
        b'{"cachedContent": "a", "cachedContent": "b"}',
        b'{"service_tier": "a", "service_tier": "b"}',
        b'{"generationConfig": {"responseModalities": ["IMAGE"], '
        b'"responseModalities": []}}',
    ],
)
def test_the_same_spelling_twice(twice: bytes) -> None:
    found = read(GENERATE_CONTENT, twice, path=PATH)
    assert isinstance(found, RequestError)
    assert "is given twice" in found.message


@pytest.mark.parametrize(
    "members",
    [
        {"generationConfig": {"response_modalities": ["IMAGE"]}},
        {"generation_config": {"responseModalities": "IMAGE"}},
        {"tools": {"google_search": {}}},
        {"tools": [{"functionDeclarations": [], "googleSearch": {}}]},
        {"service_tier": "priority"},
        {"serviceTier": "priority"},
    ],
)
def test_what_is_paid_for_is_seen_in_each_spelling(members: dict[str, Any]) -> None:
    [extra] = body_of(contents=[], **members).ask.extras
    assert (extra.member, extra.word) in {
        ("modalities", "image"),
        ("tools", "google_search"),
        ("service_tier", "priority"),
    }


# --- one where a list is meant


CONTENTS: list[Any] = [
    {"role": "user", "parts": [{"text": "How are you?"}]},
    [{"role": "USER", "parts": {"text": "How are you?"}}],
    {"parts": {"text": "How are you?"}},
    [{"parts": [{"text": "How are you?"}, {}, {"text": ""}]}, {"parts": []}],
    "How are you?",
    {"role": "user", "parts": "How are you?"},
    [{"role": "user", "parts": ["How are you?"]}],
]


@pytest.mark.parametrize("contents", CONTENTS)
def test_a_question_in_each_form(contents: Any) -> None:
    said = as_chat(contents=contents)["messages"]
    assert said == [{"role": "user", "content": "How are you?"}]


def test_each_form_is_the_same_conversation() -> None:
    found = {
        (ask.conversation, ask.opening, ask.initiator)
        for contents in CONTENTS[:5]
        for ask in [body_of(contents=contents).ask]
    }
    assert len(found) == 1
    assert all(found.pop())


@pytest.mark.parametrize("role", ["model", "MODEL", "Model"])
def test_roles_in_capitals(role: str) -> None:
    turns = [user(), {"role": role, "parts": {"text": "Well"}}, user("Go on")]
    roles = [message["role"] for message in as_chat(contents=turns)["messages"]]
    assert roles == ["user", "assistant", "user"]
    quirks = Quirks.parse("role:last=user")
    assert adapt({"contents": turns[:2]}, quirks, nothing_kept).unfit
    assert not adapt({"contents": turns}, quirks, nothing_kept).unfit


@pytest.mark.parametrize("many", [True, False])
def test_a_native_request_is_mended_in_each_form(many: bool) -> None:
    """Ours is taken out and Google's is put in, where one part or content stands alone."""
    ours = marked("anthropic", "signature", "abc")
    call = {"functionCall": {"name": "f", "args": {}}, "thoughtSignature": ours}
    content = {"role": "MODEL", "parts": [call] if many else call}
    values = {"contents": [content] if many else content}
    [made] = adapt(values, Quirks(), nothing_kept).replaced["contents"]  # type: ignore[misc]
    [part] = made["parts"]
    assert "thoughtSignature" not in part
    found = adapt(values, Quirks.parse("signature:google"), nothing_kept)
    [made] = found.replaced["contents"]  # type: ignore[misc]
    [part] = made["parts"]
    assert part["thoughtSignature"] == "skip_thought_signature_validator"


@pytest.mark.parametrize("system", ["Be brief.", {"parts": {"text": "Be brief."}}, {"role": "system", "parts": [{"text": "Be brief."}]}])  # fmt: skip
@pytest.mark.parametrize("name", ["systemInstruction", "system_instruction"])
def test_instructions_in_each_form(name: str, system: Any) -> None:
    said = as_chat(contents=[user()], **{name: system})["messages"]
    assert said[0] == {"role": "system", "content": "Be brief."}


# --- answers in a form


SCHEMA = {"type": "object", "properties": {"a": {"type": "string"}}}
GOOGLES = {"type": "OBJECT", "properties": {"a": {"type": "STRING"}}}


@pytest.mark.parametrize(
    "config",
    [
        {"responseMimeType": "application/json", "responseSchema": GOOGLES},
        {"response_mime_type": "application/json", "response_schema": GOOGLES},
        {"responseMimeType": "application/json", "response_json_schema": SCHEMA},
        # Beside each other: that of JSON schema, which says more.
        {
            "responseMimeType": "application/json",
            "responseSchema": {"type": "STRING"},
            "responseJsonSchema": SCHEMA,
        },
        # A schema can be meant for nothing else.
        {"responseSchema": GOOGLES},
        {"responseJsonSchema": SCHEMA},
    ],
)
def test_a_schema_in_each_form(config: dict[str, Any]) -> None:
    said = as_chat(contents=[user()], generationConfig=config)["response_format"]
    assert said["json_schema"]["schema"] == SCHEMA


@pytest.mark.parametrize("modalities", ["TEXT", ["TEXT"], ["text"]])
def test_text_is_what_everybody_answers_with(modalities: Any) -> None:
    config = {"response_modalities": modalities}
    assert as_chat(contents=[user()], generation_config=config)["messages"]


# --- calls and their results


def called(*ids: str, name: str = "f") -> dict[str, Any]:
    parts = [
        {"functionCall": {"name": name, "args": {"n": n}, **({"id": id} if id else {})}}
        for n, id in enumerate(ids)
    ]
    return {"role": "model", "parts": parts}


def back(*ids: str, name: str = "f") -> dict[str, Any]:
    parts = [
        {
            "functionResponse": {
                "name": name,
                "response": {"result": str(n)},
                **({"id": id} if id else {}),
            }
        }
        for n, id in enumerate(ids)
    ]
    return {"role": "function", "parts": parts}


@pytest.mark.parametrize(
    ("calls", "results", "order"),
    [
        (("", "", ""), ("", "", ""), "012"),
        (("a", "b"), ("b", "a"), "10"),
        (("a", "b"), ("", ""), "01"),
        # Frameworks that cannot be without ids make some for what came without.
        (("", ""), ("x", "y"), "01"),
        (("a", ""), ("y", "a"), "10"),
        (("", "b"), ("b", ""), "10"),
    ],
)
def test_results_meet_their_calls(
    calls: tuple[str, ...], results: tuple[str, ...], order: str
) -> None:
    contents = [user(), called(*calls), back(*results), user("Go on")]
    _, asked, *answered = as_chat(contents=contents)["messages"]
    ids = [call["id"] for call in asked["tool_calls"]]
    assert len({*ids}) == len(calls)
    tools = [m for m in answered if m["role"] == "tool"]
    assert {m["tool_call_id"] for m in tools} == {*ids}
    by_id = {m["tool_call_id"]: m["content"] for m in tools}
    assert "".join(by_id[id] for id in ids) == order


def test_results_of_one_name_in_several_turns() -> None:
    turns = [called("", ""), back("", ""), called(""), back("")]
    said = as_chat(contents=[user(), *turns])["messages"]
    ids = [call["id"] for m in said for call in m.get("tool_calls", ())]
    assert len({*ids}) == 3
    assert [m["tool_call_id"] for m in said if m["role"] == "tool"] == ids


# --- counting


@pytest.mark.parametrize(
    "outer", ["generateContentRequest", "generate_content_request"]
)
def test_a_request_inside_a_request_to_count(outer: str) -> None:
    """Google's former SDK for Node counts so, and names the model once more."""
    tools = [{"functionDeclarations": [{"name": "f", "description": "x" * 300}]}]
    inner = {"model": "models/m", "contents": [user("How are you today?")]}
    found = body_of(COUNT, **{outer: inner})
    assert found.ask.input_estimate > 4
    with_tools = body_of(COUNT, **{outer: {**inner, "tools": tools}})
    assert with_tools.ask.input_estimate > found.ask.input_estimate + 90
    sent = json.loads(found.rewritten(model="gemini-x"))
    assert sent == {outer: {**inner, "model": "models/gemini-x"}}
    assert found.rewritten(model="m") is found.raw
    assert found.rewritten(model="gemini-x", drop=frozenset({outer})) == b"{}"


def test_only_what_names_the_model_is_changed() -> None:
    inner = {"model": "models/other", "contents": []}
    found = body_of(COUNT, generateContentRequest=inner)
    assert found.rewritten(model="gemini-x") is found.raw
