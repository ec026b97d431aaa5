"""Writes settings as members of `generationConfig`."""

from llm_gateway.dialects.generate_content.schema_words import write_schema
from llm_gateway.translation.carried import Notes, PartName
from llm_gateway.translation.codec import Target
from llm_gateway.translation.conversation import Conversation
from llm_gateway.translation.efforts import BUDGETS, effort_of_budget
from llm_gateway.translation.settings import OutputFormat, Reasoning, Settings

MOST_STOPS = 5
MOST_BUDGET = 24_576
"""Tokens of thinking that every model of the kind takes."""
_HOTTEST = 2
_SAMPLING = (
    ("temperature", "temperature"),
    ("top_p", "topP"),
    ("top_k", "topK"),
    ("seed", "seed"),
    ("frequency_penalty", "frequencyPenalty"),
    ("presence_penalty", "presencePenalty"),
)
_LEVELS = {"minimal": "MINIMAL", "low": "LOW", "medium": "MEDIUM"}
"""Every other effort is HIGH."""


def write_settings(
    body: dict[str, object], conversation: Conversation, target: Target, notes: Notes
) -> None:
    """Adds what the request asks for, and nothing that it does not."""
    settings = conversation.settings
    config: dict[str, object] = {}
    if (most := settings.max_tokens) is not None:
        if target.max_output is not None and most > target.max_output:
            most = target.max_output
            notes.approximate(PartName.MAX_TOKENS, f"{most}, the largest there")
        config["maxOutputTokens"] = max(1, most)
    if settings.stop:
        if len(settings.stop) > MOST_STOPS:
            notes.use(PartName.STOP_MANY)
        config["stopSequences"] = list(settings.stop)
    _sampling(config, settings, notes)
    if thinking := _thinking(settings.reasoning, target, notes):
        config["thinkingConfig"] = thinking
    if settings.output is not None:
        _output(config, settings.output, notes)
    if settings.n > 1:
        notes.use(PartName.SEVERAL)
    if settings.user:
        notes.use(PartName.USER)
    if settings.cache_key:
        notes.use(PartName.CACHE_KEY)
    if config:
        body["generationConfig"] = config


def _sampling(config: dict[str, object], settings: Settings, notes: Notes) -> None:
    for name, written in _SAMPLING:
        if (value := getattr(settings, name)) is not None:
            config[written] = value
    temperature = settings.temperature
    if temperature is not None and temperature > _HOTTEST:
        notes.approximate(PartName.TEMPERATURE, f"{_HOTTEST}, the largest there")
        config["temperature"] = _HOTTEST


def _thinking(reasoning: Reasoning, target: Target, notes: Notes) -> dict[str, object]:
    """A budget, which every model that thinks takes; a level where the row says so. One
    excludes the other."""
    thinking: dict[str, object] = {}
    has_levels = target.quirks.value("thinking", "form") == "level"
    effort = reasoning.effort
    if reasoning.mode == "off" or effort == "none":
        if has_levels:
            notes.approximate(PartName.EFFORT, "thinking off: the lowest level")
            return {"thinkingLevel": "LOW"}
        return {"thinkingBudget": 0}
    budget = reasoning.budget
    if has_levels and not effort and budget is not None:
        notes.approximate(PartName.BUDGET, "as a level")
        effort, budget = effort_of_budget(budget), None
    if has_levels and effort:
        thinking["thinkingLevel"] = _LEVELS.get(effort, "HIGH")
    elif effort and budget is None:
        notes.use(PartName.EFFORT)
        thinking["thinkingBudget"] = min(BUDGETS.get(effort, MOST_BUDGET), MOST_BUDGET)
    elif budget is not None:
        if budget > MOST_BUDGET:
            notes.approximate(PartName.BUDGET, f"{MOST_BUDGET}, the largest there")
        thinking["thinkingBudget"] = min(budget, MOST_BUDGET)
    elif reasoning.mode == "adaptive" and not has_levels:
        thinking["thinkingBudget"] = -1
    asked = thinking or reasoning.mode or reasoning.shown
    if asked and reasoning.shown is not False:
        thinking["includeThoughts"] = True
    return thinking


def _output(config: dict[str, object], output: OutputFormat, notes: Notes) -> None:
    config["responseMimeType"] = "application/json"
    if output.schema is None:
        return
    left_out: set[str] = set()
    config["responseJsonSchema"] = write_schema(output.schema, left_out)
    if left_out:
        words = ", ".join(sorted(left_out))
        notes.approximate(PartName.JSON_SCHEMA, f"without {words[:200]}")
