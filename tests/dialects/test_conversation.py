"""What a request says about itself: size, conversation, initiator, images."""

import json

import pytest
from tables import each_row

from llm_gateway.dialects import (
    CHAT,
    COMPLETIONS,
    EMBEDDINGS,
    MESSAGES,
    RESPONSES,
    DialectSpec,
    RequestBody,
    read,
)
from llm_gateway.dialects.conversation import session_hash
from llm_gateway.dialects.prompt_size import (
    PER_AUDIO,
    PER_FILE,
    PER_IMAGE,
    PromptSize,
    weigh,
)
from llm_gateway.domain import RequestInfo


def ask(dialect: DialectSpec, **values) -> RequestInfo:
    raw = json.dumps({"model": "m", **values}, separators=(",", ":"))
    found = read(dialect, raw.encode())
    assert isinstance(found, RequestBody), found
    return found.ask


def user(content: object) -> dict[str, object]:
    return {"role": "user", "content": content}


def says(role: str, content: object, **more) -> dict[str, object]:
    return {"role": role, "content": content, **more}


PICTURE = "data:image/png;base64," + "A" * 99_999
TOOLS = [{"type": "function", "function": {"name": "f"}}]  # 45 bytes of JSON

# --- input_estimate: bytes / 3, 4 a message, pictures by number


@each_row(
    ("dialect", "values", "estimate"),
    [
        # text
        (CHAT, {}, 0),
        (CHAT, {"messages": []}, 0),
        (CHAT, {"messages": [user("x" * 30)]}, 10 + 4),
        (CHAT, {"messages": [user("x" * 31)]}, 11 + 4),
        (CHAT, {"messages": [user("你好")]}, 2 + 4),
        (CHAT, {"messages": [user(None)]}, 0 + 4),
        (CHAT, {"messages": [says("system", "x" * 30), user("x" * 30)]}, 20 + 8),
        (CHAT, {"messages": [user([{"type": "text", "text": "x" * 30}])]}, 10 + 4),
        # tools
        (CHAT, {"messages": [user("x" * 30)], "tools": TOOLS}, 25 + 4),
        (
            CHAT,
            {
                "messages": [
                    says(
                        "assistant",
                        None,
                        tool_calls=[
                            {
                                "id": "call_123456789",
                                "type": "function",
                                "function": {"name": "abc", "arguments": "x" * 27},
                            }
                        ],
                    ),
                    says("tool", "x" * 30, tool_call_id="call_123456789"),
                ]
            },
            20 + 8,
        ),
        # pictures and sound
        (
            CHAT,
            {
                "messages": [
                    user(
                        [
                            {"type": "text", "text": "x" * 30},
                            {"type": "image_url", "image_url": {"url": PICTURE}},
                            {"type": "image_url", "image_url": {"url": "https://a.b"}},
                        ]
                    )
                ]
            },
            10 + 4 + 2000,
        ),
        (
            CHAT,
            {
                "messages": [
                    user([{"type": "input_audio", "input_audio": {"data": "A" * 9999}}])
                ]
            },
            4 + PER_AUDIO,
        ),
        # messages
        (MESSAGES, {"system": "x" * 30, "messages": [user("x" * 30)]}, 20 + 8),
        (
            MESSAGES,
            {
                "system": [{"type": "text", "text": "x" * 30}],
                "messages": [
                    user(
                        [
                            {
                                "type": "image",
                                "source": {
                                    "type": "base64",
                                    "media_type": "image/png",
                                    "data": "A" * 99_999,
                                },
                            },
                            {
                                "type": "tool_result",
                                "tool_use_id": "toolu_1",
                                "content": [{"type": "text", "text": "x" * 30}],
                            },
                        ]
                    )
                ],
            },
            20 + 8 + PER_IMAGE,
        ),
        # responses
        (RESPONSES, {"input": "x" * 30}, 10 + 4),
        (RESPONSES, {"instructions": "x" * 30, "input": "x" * 30}, 20 + 8),
        (
            RESPONSES,
            {
                "input": [
                    user([{"type": "input_text", "text": "x" * 30}]),
                    user([{"type": "input_image", "image_url": PICTURE}]),
                    {
                        "type": "function_call_output",
                        "call_id": "c",
                        "output": "x" * 30,
                    },
                    {"type": "reasoning", "encrypted_content": "A" * 9999},
                ]
            },
            20 + 16 + PER_IMAGE,
        ),
        # completions and embeddings
        (COMPLETIONS, {"prompt": "x" * 30, "suffix": "x" * 30}, 20),
        (COMPLETIONS, {"prompt": ["x" * 30, "x" * 30]}, 20),
        (COMPLETIONS, {"prompt": [1, 2, 3]}, 3),
        (EMBEDDINGS, {"input": "x" * 30}, 10),
        (EMBEDDINGS, {"input": [[1, 2], [3]]}, 3),
    ],
)
def test_input_estimate(dialect, values, estimate):
    assert ask(dialect, **values).input_estimate == estimate


@pytest.mark.parametrize(
    ("value", "weight"),
    [
        (None, PromptSize()),
        ("", PromptSize()),
        ("é", PromptSize(2)),
        (True, PromptSize(3)),
        (1.5, PromptSize(3)),
        ({"a": ["xx", {"b": "x"}]}, PromptSize(3)),
        (PICTURE, PromptSize(0, PER_IMAGE, 1)),
        # a document is as long as its base64, or is text
        (
            {"type": "document", "source": {"type": "base64", "data": "A" * 5000}},
            PromptSize(0, PER_FILE + 50, files=1),
        ),
        (
            {"type": "document", "source": {"type": "text", "data": "xxx"}},
            PromptSize(3),
        ),
        (
            {"type": "document", "source": {"type": "url", "url": "https://a.b"}},
            PromptSize(0, PER_FILE, files=1),
        ),
        (
            {"type": "file", "file": {"file_data": "A" * 5000}},
            PromptSize(0, PER_FILE + 50, files=1),
        ),
        ({"type": "input_file", "file_id": "f"}, PromptSize(0, PER_FILE, files=1)),
        ({"type": "file", "file": "f"}, PromptSize(0, PER_FILE, files=1)),
    ],
)
def test_weights(value, weight):
    assert weigh(value) == weight


def test_depth_is_no_danger():
    deep: object = "abc"
    for _ in range(50_000):
        deep = [deep]
    assert weigh(deep) == PromptSize(3)


# --- conversation

TURN_1 = [says("system", "Be brief."), user("Hi")]
TURN_2 = [*TURN_1, says("assistant", "Hello!"), user("Bye")]


def test_a_conversation_keeps_its_hash():
    first = ask(CHAT, messages=TURN_1).conversation
    assert len(first) == 16
    assert ask(CHAT, messages=TURN_2).conversation == first
    assert ask(CHAT, messages=TURN_2, temperature=1).conversation == first
    # and others have others
    assert ask(CHAT, messages=TURN_1[1:]).conversation != first
    other = [says("system", "Be long."), user("Hi")]
    assert ask(CHAT, messages=other).conversation != first


def test_a_named_session_has_a_hash_of_its_own():
    hashes = [session_hash(names) for names in (["a"], ["a", "b"], ["b"], ["ab"])]
    assert len({*hashes, ""}) == 5
    assert session_hash(["a", ""]) == session_hash(["a"]) == hashes[0]
    assert session_hash(["", ""]) == session_hash([]) == ""
    assert session_hash(["\udcff"])  # bytes that are no UTF-8


def test_marks_that_move_between_turns_do_not_count():
    part = {"type": "text", "text": "Hi"}
    marked = {**part, "cache_control": {"type": "ephemeral"}}
    first = ask(MESSAGES, system="S", messages=[user([marked])]).conversation
    later = [user([part]), says("assistant", "A"), user([marked])]
    assert ask(MESSAGES, system="S", messages=later).conversation == first
    assert ask(MESSAGES, system="S", messages=[user("Hi")]).conversation == first


def test_conversations_of_responses():
    first = ask(RESPONSES, instructions="S", input="Hi").conversation
    items = [user([{"type": "input_text", "text": "Hi"}]), says("assistant", "A")]
    assert ask(RESPONSES, instructions="S", input=items).conversation == first
    assert ask(RESPONSES, input=[says("developer", "S"), *items]).conversation == first


@pytest.mark.parametrize(
    ("dialect", "values"),
    [
        (CHAT, {"messages": []}),
        (CHAT, {"messages": [user([{"type": "image_url", "image_url": {}}])]}),
        (COMPLETIONS, {"prompt": "x"}),
        (EMBEDDINGS, {"input": "x"}),
    ],
)
def test_no_conversation(dialect, values):
    assert ask(dialect, **values).conversation == ""


# --- initiator


@pytest.mark.parametrize(
    ("dialect", "values", "initiator"),
    [
        (CHAT, {}, "user"),
        (CHAT, {"messages": [user("a")]}, "user"),
        (CHAT, {"messages": [user("a"), says("assistant", "b")]}, "agent"),
        (CHAT, {"messages": [user("a"), says("tool", "b")]}, "agent"),
        (CHAT, {"messages": [says("tool", "b"), user("a")]}, "user"),
        (MESSAGES, {"messages": [user("a")]}, "user"),
        (MESSAGES, {"messages": [user([{"type": "tool_result"}])]}, "agent"),
        (MESSAGES, {"messages": [says("assistant", "{")]}, "agent"),
        (RESPONSES, {"input": "a"}, "user"),
        (RESPONSES, {"input": [user("a")]}, "user"),
        (RESPONSES, {"input": [user("a"), says("assistant", "b")]}, "agent"),
        (
            RESPONSES,
            {"input": [user("a"), {"type": "function_call_output", "output": "b"}]},
            "agent",
        ),
        (COMPLETIONS, {"prompt": "a"}, "user"),
    ],
)
def test_initiator(dialect, values, initiator):
    assert ask(dialect, **values).initiator == initiator


# --- images


@pytest.mark.parametrize(
    ("dialect", "values"),
    [
        (CHAT, {"messages": [user([{"type": "image_url", "image_url": {}}])]}),
        (MESSAGES, {"messages": [user([{"type": "image", "source": {}}])]}),
        (RESPONSES, {"input": [user([{"type": "input_image", "file_id": "f"}])]}),
    ],
)
def test_images(dialect, values):
    assert ask(dialect, **values).has_images
    assert not ask(dialect, messages=[user("image_url")]).has_images


# --- the rest


@pytest.mark.parametrize(
    ("values", "n"), [({}, 1), ({"n": 3}, 3), ({"n": 0}, 1), ({"n": None}, 1)]
)
def test_n(values, n):
    assert ask(CHAT, **values).n == n


@pytest.mark.parametrize(
    ("options", "wants"),
    [
        (None, False),
        ({}, False),
        ({"include_usage": True}, True),
        ({"include_usage": False}, False),
        ({"include_usage": 1}, False),
        ([], False),
    ],
)
def test_wants_usage(options, wants):
    assert ask(CHAT, stream=True, stream_options=options).wants_usage is wants
