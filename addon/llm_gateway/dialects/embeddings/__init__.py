"""OpenAI's embeddings: texts in, vectors out, never streamed."""

from llm_gateway.dialects import openai_errors, openai_usage
from llm_gateway.dialects.billed import openai_classes
from llm_gateway.dialects.embeddings.answer import holds_answer
from llm_gateway.dialects.embeddings.request import read_conversation
from llm_gateway.dialects.spec import DialectSpec
from llm_gateway.dialects.stream_patterns import open_strings, strings
from llm_gateway.domain import Dialect

TEXT = ("text",)
"""Members of events that hold text."""

EMBEDDINGS = DialectSpec(
    name=Dialect("embeddings"),
    endpoint="OpenAI's /v1/embeddings",
    ends=("/embeddings",),
    path="/embeddings",
    read_conversation=read_conversation,
    has_output=False,
    interchangeable=False,
    example={"input": "Hello!"},
    event_has_content=None,
    holds_answer=holds_answer,
    stream_end=None,
    stream_text=strings(*TEXT),
    open_text=open_strings(*TEXT),
    find_usage=openai_usage.find_usage,
    read_usage=openai_usage.read_usage_or_total,
    read_classes=openai_classes,
    error_body=openai_errors.error_body,
    stream_error=openai_errors.stream_error,
)
