"""OpenAI's legacy completions: a prompt in, text out."""

from llm_gateway.dialects import choices, openai_errors, openai_usage
from llm_gateway.dialects.billed import openai_classes
from llm_gateway.dialects.completions.request import read_conversation
from llm_gateway.dialects.spec import DialectSpec
from llm_gateway.dialects.stream_patterns import open_strings, strings
from llm_gateway.domain import Dialect

TEXT = ("text",)
"""Members of events that hold text."""

COMPLETIONS = DialectSpec(
    name=Dialect("completions"),
    endpoint="OpenAI's /v1/completions",
    ends=("/completions",),
    foreign_ends=("/fim/completions", "/agents/completions"),  # Mistral's
    path="/completions",
    read_conversation=read_conversation,
    example={"prompt": "Hello"},
    event_has_content=choices.has_content,
    event_failed=choices.event_failed,
    answer_failed=choices.event_failed,
    holds_answer=choices.holds_answer,
    stream_end=choices.STREAM_END,
    stream_text=strings(*TEXT),
    open_text=open_strings(*TEXT),
    content_member="choices",
    find_usage=openai_usage.find_usage,
    read_usage=openai_usage.read_usage,
    usage_event=choices.USAGE_EVENT,
    read_classes=openai_classes,
    error_body=openai_errors.error_body,
    stream_error=openai_errors.stream_error,
)
