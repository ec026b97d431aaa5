"""Writes settings as top-level members of a Messages request."""

from llm_gateway.dialects.closed_schemas import closed_schema
from llm_gateway.translation.carried import Notes, PartName
from llm_gateway.translation.codec import Target
from llm_gateway.translation.conversation import Conversation
from llm_gateway.translation.instructions import JSON_OBJECT, schema_instruction
from llm_gateway.translation.settings import OutputFormat, Reasoning, Settings

MAX_TOKENS = 32_000
"""A bound has to be given; this one where neither client nor row knows one."""
_LEAST_BUDGET = 1_024


def write_settings(
    body: dict[str, object], conversation: Conversation, target: Target, notes: Notes
) -> None:
    settings = conversation.settings
    _limits(body, settings, target, notes)
    _sampling(body, settings, notes)
    _reasoning(body, settings.reasoning, target)
    if settings.output is not None:
        _output(body, settings.output, target, notes)
    if settings.n > 1:
        notes.use(PartName.SEVERAL)
    if settings.user:
        notes.use(PartName.USER)
    if settings.cache_key:
        notes.use(PartName.CACHE_KEY)
    if settings.stream:
        body["stream"] = True


def _limits(
    body: dict[str, object], settings: Settings, target: Target, notes: Notes
) -> None:
    largest = target.max_output
    most = settings.max_tokens
    if most is None:
        most = largest or MAX_TOKENS
    elif largest is not None and most > largest:
        most = largest
        notes.approximate(PartName.MAX_TOKENS, f"{most}, the largest there")
    body["max_tokens"] = max(1, most)
    if settings.stop:
        if not all(text.strip() for text in settings.stop):
            notes.cannot(PartName.STOP, "one of white space alone")
        body["stop_sequences"] = list(settings.stop)


def _sampling(body: dict[str, object], settings: Settings, notes: Notes) -> None:
    if (temperature := settings.temperature) is not None:
        if temperature > 1:
            notes.approximate(PartName.TEMPERATURE, "1, the largest there")
            temperature = 1
        body["temperature"] = temperature
    if settings.top_p is not None:
        body["top_p"] = settings.top_p
    if settings.top_k is not None:
        body["top_k"] = settings.top_k
    if settings.seed is not None:
        notes.use(PartName.SEED)
    if settings.frequency_penalty or settings.presence_penalty:
        notes.use(PartName.PENALTIES)


def _reasoning(body: dict[str, object], reasoning: Reasoning, target: Target) -> None:
    """Manual thinking for a budget, else adaptive with an effort; the adapter writes what
    the model knows instead."""
    if reasoning.mode == "off":
        body["thinking"] = {"type": "disabled"}
        return
    thinking: dict[str, object] = {}
    if (budget := reasoning.budget) is not None:
        budget = max(_LEAST_BUDGET, budget)
        thinking = {"type": "enabled", "budget_tokens": budget}
        most = body["max_tokens"]
        if isinstance(most, int) and most <= budget:
            # The bound there holds for thoughts and answer together.
            body["max_tokens"] = budget + most
    elif reasoning.effort or reasoning.mode:
        thinking = {"type": "adaptive"}
        display = target.quirks.value("thinking", "display")
        if reasoning.shown and display:
            thinking["display"] = display
    if thinking:
        body["thinking"] = thinking
    if reasoning.effort:
        effort = "low" if reasoning.effort == "minimal" else reasoning.effort
        body["output_config"] = {"effort": effort}


def _output(
    body: dict[str, object], output: OutputFormat, target: Target, notes: Notes
) -> None:
    """A schema that is not meant strictly may hold what is refused: an instruction then."""
    known = target.quirks.value("format", "json_schema") is None
    if output.schema is not None and output.strict and known:
        config = body.get("output_config")
        format = {"type": "json_schema", "schema": closed_schema(output.schema)}
        rest = config if isinstance(config, dict) else {}
        body["output_config"] = {**rest, "format": format}
        return
    if output.schema is None:
        notes.use(PartName.JSON_OBJECT)
        text = JSON_OBJECT
    else:
        notes.approximate(PartName.JSON_SCHEMA, "the schema as an instruction")
        text = schema_instruction(output.schema)
    system = body.get("system")
    if isinstance(system, list):
        body["system"] = [*system, {"type": "text", "text": text}]
    else:
        body["system"] = f"{system}\n\n{text}" if system else text
