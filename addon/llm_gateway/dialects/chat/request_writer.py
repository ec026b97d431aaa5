"""Writes a conversation in neutral form as a chat completions request."""

from llm_gateway.dialects.chat.message_writer import MessageWriter
from llm_gateway.dialects.chat.settings_writer import write_settings
from llm_gateway.dialects.chat.tool_writer import write_tools
from llm_gateway.dialects.declared_tools import DeclaredTools
from llm_gateway.translation.carried import Notes
from llm_gateway.translation.codec import Target, Written
from llm_gateway.translation.conversation import Conversation
from llm_gateway.translation.foreign import note_members


def write_request(conversation: Conversation, target: Target, notes: Notes) -> Written:
    """The canonical form, from an allow-list: the poorest reader of the dialect takes it.

    The messages of turns 1 to n are a function of these turns and the target alone.
    """
    tools = DeclaredTools(conversation, notes)
    messages = MessageWriter(target, notes, tools.names).write(conversation.turns)
    body: dict[str, object] = {"messages": messages}
    body |= write_tools(tools, conversation.settings.parallel)
    write_settings(body, conversation, target, notes)
    note_members(conversation, notes)
    return Written(body, tools.origins())
