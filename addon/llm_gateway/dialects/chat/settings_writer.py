"""Writes settings as top-level members of a chat request."""

from llm_gateway.dialects.closed_schemas import strict_format
from llm_gateway.translation.carried import Notes, PartName
from llm_gateway.translation.codec import Target
from llm_gateway.translation.conversation import Conversation
from llm_gateway.translation.efforts import effort_of_budget
from llm_gateway.translation.settings import OutputFormat, Reasoning, Settings

MOST_STOPS = 4


def write_settings(
    body: dict[str, object], conversation: Conversation, target: Target, notes: Notes
) -> None:
    """Adds what the request asks for, and nothing that it does not."""
    settings = conversation.settings
    if (most := settings.max_tokens) is not None:
        if target.max_output is not None and most > target.max_output:
            most = target.max_output
            notes.approximate(PartName.MAX_TOKENS, f"{most}, the largest there")
        body["max_tokens"] = most
    if settings.stop:
        if len(settings.stop) > MOST_STOPS:
            notes.use(PartName.STOP_MANY)
        body["stop"] = list(settings.stop)
    _sampling(body, settings, notes)
    _reasoning(body, settings.reasoning, target, notes)
    if settings.output is not None:
        _output(body, settings.output, notes)
    if settings.n > 1:
        notes.use(PartName.SEVERAL)
        body["n"] = settings.n
    if settings.cache_key:
        notes.use(PartName.CACHE_KEY)
    if settings.user:
        notes.use(PartName.USER)
    if settings.stream:
        body["stream"] = True
        body["stream_options"] = {"include_usage": True}


def _sampling(body: dict[str, object], settings: Settings, notes: Notes) -> None:
    for name in ("temperature", "top_p", "seed"):
        if (value := getattr(settings, name)) is not None:
            body[name] = value
    for name in ("frequency_penalty", "presence_penalty"):
        if (value := getattr(settings, name)) is not None:
            body[name] = value
    if settings.top_k is not None:
        notes.use(PartName.TOP_K)


def _reasoning(
    body: dict[str, object], reasoning: Reasoning, target: Target, notes: Notes
) -> None:
    """An effort, or the switch in the form that the provider's row names."""
    form = target.quirks.value("thinking", "form")
    allowed = (target.quirks.value("effort", "allowed") or "").split(",")
    effort = reasoning.effort
    if reasoning.summary:
        notes.use(PartName.SHOWN)
    if reasoning.mode == "off":
        if form == "type":
            body["thinking"] = {"type": "disabled"}
        elif form == "enable_thinking":
            body["enable_thinking"] = False
        elif "none" in allowed:
            body["reasoning_effort"] = "none"
        elif allowed != [""]:
            body["reasoning_effort"] = "minimal"  # the nearest is the adapter's affair
        else:
            notes.approximate(PartName.BUDGET, "thinking off: left to the model")
        return
    if not effort and reasoning.budget is not None:
        notes.use(PartName.BUDGET)
        effort = effort_of_budget(reasoning.budget)
    if effort:
        body["reasoning_effort"] = effort
    if reasoning.mode and form == "type":
        body["thinking"] = {"type": "enabled"}
    elif reasoning.mode and form == "enable_thinking":
        body["enable_thinking"] = True
    elif reasoning.mode and not effort:
        notes.approximate(PartName.EFFORT, "thinking: the model's own default")


def _output(body: dict[str, object], output: OutputFormat, notes: Notes) -> None:
    if output.type == "json_object" or output.schema is None:
        body["response_format"] = {"type": "json_object"}
        return
    name = output.name or "answer"
    held, strict = strict_format(output, notes)
    schema: dict[str, object] = {"name": name, "schema": held}
    if output.description:
        schema["description"] = output.description
    if strict is not None:
        schema["strict"] = strict
    body["response_format"] = {"type": "json_schema", "json_schema": schema}
