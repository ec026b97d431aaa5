"""OpenAI's chat completions, which most providers speak."""

from llm_gateway.dialects import choices, openai_errors, openai_usage
from llm_gateway.dialects.billed import openai_classes
from llm_gateway.dialects.chat.adapter import adapt, needs_look
from llm_gateway.dialects.chat.codecs import CODECS
from llm_gateway.dialects.chat.kept import history_calls, read_plain
from llm_gateway.dialects.chat.request import read_conversation
from llm_gateway.dialects.chat.stream_observer import ChatStream
from llm_gateway.dialects.openai_resources import FILES, IN_CHAT, UPLOADS
from llm_gateway.dialects.spec import DialectSpec
from llm_gateway.dialects.stream_patterns import open_strings, strings
from llm_gateway.domain import Dialect

TEXT = (
    "content",
    "reasoning_content",
    "reasoning",
    "refusal",
    "arguments",
)
"""Members of events that hold text."""

CHAT = DialectSpec(
    name=Dialect("chat"),
    endpoint="OpenAI's /v1/chat/completions",
    apps=("aider", "Copilot CLI", "Qwen Code", "LangChain"),
    ends=("/chat/completions",),
    path="/chat/completions",
    read_conversation=read_conversation,
    example={"messages": [{"role": "user", "content": "Hello!"}]},
    adapt=adapt,
    needs_look=needs_look,
    event_has_content=choices.has_content,
    event_failed=choices.event_failed,
    answer_failed=choices.event_failed,
    broke_off=choices.broke_off,
    holds_answer=choices.holds_answer,
    stream_end=choices.STREAM_END,
    stream_text=strings(*TEXT),
    open_text=open_strings(*TEXT),
    content_member="choices",
    observe=ChatStream,
    read_plain=read_plain,
    history_member="messages",
    history_calls=history_calls,
    find_usage=openai_usage.find_usage,
    read_usage=openai_usage.read_usage,
    usage_event=choices.USAGE_EVENT,
    read_classes=openai_classes,
    resources=(FILES, UPLOADS),
    id_members=IN_CHAT,
    codecs=CODECS,
    error_body=openai_errors.error_body,
    stream_error=openai_errors.stream_error,
)
