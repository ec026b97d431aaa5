"""OpenAI's Responses."""

import re

from llm_gateway.dialects import openai_errors, openai_usage
from llm_gateway.dialects.billed import openai_classes
from llm_gateway.dialects.openai_resources import (
    CONTAINERS,
    CONVERSATIONS,
    FILES,
    IN_RESPONSES,
    UPLOADS,
    VECTOR_STORES,
)
from llm_gateway.dialects.responses.adapter import adapt, needs_look
from llm_gateway.dialects.responses.answer import (
    STORED,
    STREAM_END,
    has_content,
    holds_answer,
    is_pending,
)
from llm_gateway.dialects.responses.codecs import CODECS
from llm_gateway.dialects.responses.errors import stream_error
from llm_gateway.dialects.responses.kept import (
    ResponsesStream,
    history_calls,
    read_plain,
)
from llm_gateway.dialects.responses.request import read_conversation
from llm_gateway.dialects.spec import DialectSpec, Unrouted
from llm_gateway.dialects.stream_patterns import open_strings, strings
from llm_gateway.dialects.token_counts import find_held_usage
from llm_gateway.domain import Dialect

TEXT = ("delta",)
"""Members of events that hold text."""

_UNROUTED = Unrouted(
    re.compile(r"(?:/[^/]+)*/responses/compact", re.IGNORECASE),
    "is not routed here: what it answers with can be read by the account alone that made "
    "it. Let the app sum its past up by a request of its own (/v1/responses).",
)

RESPONSES = DialectSpec(
    name=Dialect("responses"),
    endpoint="OpenAI's /v1/responses",
    apps=("Codex", "AI SDK", "Agents SDK", "n8n"),
    ends=("/responses",),
    unrouted=(_UNROUTED,),
    session_headers=("session_id",),
    free_paths={"/responses/input_tokens": "/input_tokens"},
    count_answer=lambda tokens: (
        b'{"object": "response.input_tokens", "input_tokens": %d}' % tokens
    ),
    path="/responses",
    read_conversation=read_conversation,
    least_output=16,
    example={"input": "Hello!"},
    adapt=adapt,
    needs_look=needs_look,
    event_has_content=has_content,
    holds_answer=holds_answer,
    stream_end=STREAM_END,
    stream_text=strings(*TEXT),
    open_text=open_strings(*TEXT),
    content_member="output",
    model_holder="response",
    observe=ResponsesStream,
    read_plain=read_plain,
    history_member="input",
    history_calls=history_calls,
    find_usage=find_held_usage,
    read_usage=openai_usage.read_usage_whole,
    read_classes=openai_classes,
    is_pending=is_pending,
    stored=STORED,
    resources=(FILES, UPLOADS, CONVERSATIONS, VECTOR_STORES, CONTAINERS),
    id_members=IN_RESPONSES,
    codecs=CODECS,
    error_body=openai_errors.error_body,
    stream_error=stream_error,
)
