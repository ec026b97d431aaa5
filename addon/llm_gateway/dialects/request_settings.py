"""Settings of a request: stream, output limit, number of answers, usage wanted.

The members that stand at the top of a body in OpenAI's and Anthropic's dialects; one
that has them elsewhere brings a reader of its own.
"""

from collections.abc import Mapping
from typing import NamedTuple

Values = Mapping[str, object]
"""A request body's top-level members."""

OUTPUT_LIMITS = ("max_tokens", "max_completion_tokens", "max_output_tokens")
COUNTS = (*OUTPUT_LIMITS, "n")
"""Top-level members that have to be whole numbers."""
SCHEMAS = frozenset({"tools", "functions", "response_format"})
"""Top-level members whose JSON counts as prompt."""


class Settings(NamedTuple):
    stream: bool = False
    max_tokens: int | None = None
    """The largest that any member allows."""
    n: int = 1
    """Answers that are asked for."""
    wants_usage: bool = False
    """The client itself asked for usage in its stream."""
    thinking_budget: int = 0
    """Tokens of the answer that are set aside for thinking, where the dialect has them in a
    place of its own; 0: see `extras.thinking_budget`."""


def read_settings(values: Values) -> Settings:
    options = values.get("stream_options")
    # A few local servers take -1 for "no limit".
    limits = [
        n for key in OUTPUT_LIMITS if key in values and (n := count(values[key])) >= 0
    ]
    return Settings(
        values.get("stream") is True,
        max(limits, default=None),
        max(1, count(values["n"])) if "n" in values else 1,
        isinstance(options, dict) and options.get("include_usage") is True,
    )


_DIGITS = 18


def count(value: object) -> int:
    """A whole number that can be reckoned with; -1 when absent. It may be a text where a
    dialect does not ask for more (`counts`): protocol buffers are written so."""
    if isinstance(value, str) and value.isdecimal() and len(value) <= _DIGITS:
        return int(value)
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return value if type(value) is int else -1
