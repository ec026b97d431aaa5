"""Reads an OpenAI Responses request into neutral form."""

from llm_gateway.dialects.answer_observer import Json
from llm_gateway.dialects.responses.compaction import is_asked_for
from llm_gateway.dialects.responses.item_reader import read_turns
from llm_gateway.dialects.responses.members import MEMBERS
from llm_gateway.dialects.responses.settings_reader import read_extras, read_settings
from llm_gateway.dialects.responses.tool_reader import read_tool_choice, read_tools
from llm_gateway.translation.conversation import Conversation
from llm_gateway.translation.tools import ToolChoice
from llm_gateway.translation.unread import unread


def read_request(body: Json) -> Conversation:
    """Top-level values of the body -> neutral form. Never raises on any JSON."""
    return Conversation(
        turns=read_turns(body),
        tools=read_tools(body),
        tool_choice=ToolChoice("none")
        if is_asked_for(body)
        else read_tool_choice(body.get("tool_choice")),
        settings=read_settings(body),
        extras=read_extras(body),
        unread=unread(body, MEMBERS),
    )
