"""Anthropic's Messages."""

import re

from llm_gateway.dialects.billed import iterations, messages_classes
from llm_gateway.dialects.messages.adapter import adapt, needs_look
from llm_gateway.dialects.messages.answer import STREAM_END, has_content, holds_answer
from llm_gateway.dialects.messages.codecs import CODECS
from llm_gateway.dialects.messages.errors import error_body, stream_error
from llm_gateway.dialects.messages.kept import history_calls, read_plain
from llm_gateway.dialects.messages.request import read_conversation
from llm_gateway.dialects.messages.stream_observer import MessagesStream
from llm_gateway.dialects.messages.usage import read_usage, usage_whole
from llm_gateway.dialects.resources import IdMembers, Resource
from llm_gateway.dialects.spec import DialectSpec
from llm_gateway.dialects.stream_patterns import open_strings, strings
from llm_gateway.dialects.token_counts import find_held_usage
from llm_gateway.domain import Dialect

TEXT = (
    "text",
    "thinking",
    "partial_json",
)
"""Members of events that hold text."""

MESSAGES = DialectSpec(
    name=Dialect("messages"),
    endpoint="Anthropic's /v1/messages",
    apps=("Claude Code",),
    ends=("/messages",),
    # OpenAI's assistants
    foreign_path=re.compile(r".*/threads/[^/]+/messages"),
    session_headers=("x-claude-code-session-id", "x-claude-code-agent-id"),
    free_paths={"/messages/count_tokens": "/count_tokens"},
    count_answer=lambda tokens: b'{"input_tokens": %d}' % tokens,
    path="/messages",
    read_conversation=read_conversation,
    forwards=frozenset({b"anthropic-version", b"anthropic-beta"}),
    forwarded_prefix=b"anthropic-",
    headers=((b"anthropic-version", b"2023-06-01"),),
    key_headers=("x-api-key",),
    example={
        "max_tokens": 100,
        "messages": [{"role": "user", "content": "Hello!"}],
    },
    adapt=adapt,
    needs_look=needs_look,
    event_has_content=has_content,
    holds_answer=holds_answer,
    stream_end=STREAM_END,
    stream_text=strings(*TEXT),
    open_text=open_strings(*TEXT),
    content_member="content",
    model_holder="message",
    observe=MessagesStream,
    read_plain=read_plain,
    history_member="messages",
    history_calls=history_calls,
    find_usage=find_held_usage,
    read_usage=read_usage,
    usage_whole=usage_whole,
    read_classes=messages_classes,
    usage_parts=iterations,
    resources=(Resource("files", "file", header="anthropic-version"),),
    id_members=IdMembers(
        {"container": "container"}, {"file_id": "file"}, (b'"file_id"',)
    ),
    codecs=CODECS,
    error_body=error_body,
    stream_error=stream_error,
)
