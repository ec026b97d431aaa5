"""Writes a conversation in neutral form as an OpenAI Responses request."""

from collections.abc import Mapping

from llm_gateway.dialects.call_ids import fitting_id
from llm_gateway.dialects.closed_schemas import strict_format
from llm_gateway.dialects.responses.item_writer import ItemWriter, tool_name
from llm_gateway.translation.carried import Notes, PartName
from llm_gateway.translation.codec import Target, ToolOrigin, Written
from llm_gateway.translation.conversation import Conversation
from llm_gateway.translation.efforts import effort_of_budget
from llm_gateway.translation.foreign import note_members
from llm_gateway.translation.settings import OutputFormat, Reasoning
from llm_gateway.translation.tools import (
    FreeformTool,
    FunctionTool,
    ServerTool,
    Tool,
    ToolChoice,
)

LEAST_OUTPUT = 16
"""The smallest bound that is taken."""
KEY = ".{1,64}"
SUMMARIES = ("auto", "concise", "detailed")
NO_PARAMETERS: Mapping[str, object] = {"type": "object", "properties": {}}

Members = dict[str, object]


def write_request(conversation: Conversation, target: Target, notes: Notes) -> Written:
    """The canonical form; nothing is kept at the provider, and everything goes inline."""
    writer = ItemWriter(target, notes)
    items = writer.write(conversation.turns)
    body: Members = {}
    if writer.instructions:
        body["instructions"] = writer.instructions
    body["input"] = items
    body |= _tools(conversation, notes)
    _settings(body, conversation, target, notes)
    body["store"] = False
    note_members(conversation, notes)
    return Written(body, _origins(conversation))


# -- tools


def _origins(conversation: Conversation) -> dict[str, ToolOrigin]:
    """Tools that go under another name."""
    return {
        flat: ToolOrigin(tool.name, tool.namespace, isinstance(tool, FreeformTool))
        for tool in conversation.tools
        if not isinstance(tool, ServerTool)
        and (flat := tool_name(tool.name)) != tool.name
    }


def _tools(conversation: Conversation, notes: Notes) -> Members:
    own = [t for t in conversation.tools if not isinstance(t, ServerTool)]
    choice = conversation.tool_choice
    for tool in conversation.tools:
        if isinstance(tool, ServerTool):
            is_needed = not own or (choice is not None and choice.type == tool.type)
            part = PartName.SERVER_TOOL_NEEDED if is_needed else PartName.SERVER_TOOL
            notes.use(part, f"server tool {tool.type}")
    if not own:
        return {}
    members: Members = {"tools": _declared(own)}
    if choice is not None:
        members["tool_choice"] = _chosen(choice, own)
    if conversation.settings.parallel is False:
        members["parallel_tool_calls"] = False
    return members


def _declared(tools: list[FunctionTool | FreeformTool]) -> list[Members]:
    """In their order; those of a namespace together, where its first one stands."""
    made: list[Members] = []
    spaces: dict[str, list[Members]] = {}
    for tool in tools:
        written = _written(tool)
        if not tool.namespace:
            made.append(written)
        elif tool.namespace in spaces:
            spaces[tool.namespace].append(written)
        else:
            inner = spaces[tool.namespace] = [written]
            made.append(
                {
                    "type": "namespace",
                    "name": tool.namespace,
                    "description": "",
                    "tools": inner,
                }
            )
    return made


def _written(tool: FunctionTool | FreeformTool) -> Members:
    kind = "custom" if isinstance(tool, FreeformTool) else "function"
    made: Members = {"type": kind, "name": tool_name(tool.name)}
    if tool.description:
        made["description"] = tool.description
    if isinstance(tool, FreeformTool):
        if tool.grammar:
            made["format"] = tool.grammar
        return made
    made["parameters"] = tool.parameters or NO_PARAMETERS
    made["strict"] = tool.strict is True  # strict is what an absent one is taken for
    return made


def _chosen(choice: ToolChoice, tools: list[FunctionTool | FreeformTool]) -> object:
    if choice.allowed:
        allowed = [_named(tool) for tool in tools if tool.name in choice.allowed]
        mode = "required" if choice.mode == "required" else "auto"
        return {"type": "allowed_tools", "mode": mode, "tools": allowed}
    if choice.mode != "one":
        return choice.mode
    for tool in tools:
        if (tool.namespace, tool.name) == (choice.namespace, choice.name):
            return _named(tool)
    return {"type": "function", "name": tool_name(choice.name)}


def _named(tool: Tool) -> Members:
    kind = "custom" if isinstance(tool, FreeformTool) else "function"
    named: Members = {"type": kind, "name": tool_name(tool.name)}
    if not isinstance(tool, ServerTool) and tool.namespace:
        named["namespace"] = tool.namespace
    return named


# -- settings


def _settings(
    body: Members, conversation: Conversation, target: Target, notes: Notes
) -> None:
    settings = conversation.settings
    if (most := settings.max_tokens) is not None:
        bounds = max(LEAST_OUTPUT, min(most, target.max_output or most))
        if bounds != most:
            which = "least" if bounds > most else "largest"
            notes.approximate(PartName.MAX_TOKENS, f"{bounds}, the {which} there")
        body["max_output_tokens"] = bounds
    for name in ("temperature", "top_p"):
        if (value := getattr(settings, name)) is not None:
            body[name] = value
    _reasoning(body, settings.reasoning, notes)
    if settings.output is not None:
        body["text"] = {"format": _format(settings.output, notes)}
    if settings.stop:
        notes.use(PartName.STOP)
    if settings.n > 1:
        notes.use(PartName.SEVERAL)
    for part, value in (
        (PartName.TOP_K, settings.top_k),
        (PartName.SEED, settings.seed),
        (PartName.PENALTIES, settings.frequency_penalty or settings.presence_penalty),
        (PartName.USER, settings.user or None),
    ):
        if value is not None:
            notes.use(part)
    if settings.cache_key:
        body["prompt_cache_key"] = fitting_id(settings.cache_key, KEY)
    if settings.stream:
        body["stream"] = True


def _reasoning(body: Members, asked: Reasoning, notes: Notes) -> None:
    effort = "none" if asked.mode == "off" else asked.effort
    if not effort and asked.budget is not None:
        notes.use(PartName.BUDGET)
        effort = effort_of_budget(asked.budget)
    elif not effort and asked.mode:
        notes.approximate(PartName.EFFORT, "thinking: the model's own default")
    made: Members = {}
    if effort:
        made["effort"] = effort
    if asked.shown and effort != "none":
        is_known = asked.summary in SUMMARIES
        if not is_known:
            notes.use(PartName.SHOWN)
        made["summary"] = asked.summary if is_known else "auto"
    if made:
        body["reasoning"] = made


def _format(output: OutputFormat, notes: Notes) -> Members:
    if output.type == "json_object" or output.schema is None:
        return {"type": "json_object"}
    schema, strict = strict_format(output, notes)
    made: Members = {
        "type": "json_schema",
        "name": output.name or "answer",
        "schema": schema,
        "strict": strict is True,
    }
    if output.description:
        made["description"] = output.description
    return made
