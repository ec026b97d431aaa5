"""Settings of a request in neutral form: bounds, sampling, reasoning, output format."""

from collections.abc import Mapping
from typing import Literal

from llm_gateway.frozen import frozen


@frozen
class Reasoning:
    """How a request asks for reasoning. All empty: it does not say."""

    effort: str = ""
    """none, minimal, low, medium, high, xhigh, max; "": not said."""
    budget: int | None = None
    """Tokens of manual thinking."""
    mode: str = ""
    """`off`, `adaptive`, `manual`; "": the model's own."""
    shown: bool | None = None
    """The client wants to read thoughts or summaries; None: not said."""
    summary: str = ""
    """`auto`, `concise`, `detailed`, where it says which."""


@frozen
class OutputFormat:
    """Structured output."""

    type: Literal["json_schema", "json_object"]
    schema: Mapping[str, object] | None = None
    name: str = ""
    description: str = ""
    strict: bool | None = None
    loose: bool = False
    """The dialect follows schemas strictly that OpenAI's strict mode refuses."""


@frozen
class Settings:
    max_tokens: int | None = None
    """Bound of the answer, reasoning included."""
    stop: tuple[str, ...] = ()
    temperature: float | None = None
    top_p: float | None = None
    top_k: int | None = None
    seed: int | None = None
    frequency_penalty: float | None = None
    presence_penalty: float | None = None
    parallel: bool | None = None
    """Several calls in one answer are allowed; None: not said."""
    reasoning: Reasoning = Reasoning()
    output: OutputFormat | None = None
    n: int = 1
    """Answers that are asked for."""
    stream: bool = False
    wants_usage: bool = True
    """The client wants usage in its stream."""
    user: str = ""
    """Who asks, for the provider's abuse checks."""
    cache_key: str = ""
