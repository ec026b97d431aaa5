"""Wordings of refusals and what each teaches, as a table of data with sources.

`learn` reads a provider's refusal (400, 404, 413, 422, or a template error as 500) and the
body that was refused, and says which quirks the model has. What every request needs
(`model`, `messages`, `input`, `contents`, `tools`) is never taken away on its word, and only
what the vocabulary knows is changed: the rest is the client's own mistake.
"""

from collections.abc import Mapping
from typing import NamedTuple

from llm_gateway.adaptation.vocabulary import Quirk, Quirks
from llm_gateway.dialects.provider_errors import ProviderError
from llm_gateway.domain import Dialect


class Lesson(NamedTuple):
    """What a refusal teaches."""

    quirks: tuple[Quirk, ...]
    wording: int
    """Number of the wording, for the ledger and `doctor`."""


def learn(
    dialect: Dialect,
    status: int,
    error: ProviderError,
    sent: Mapping[str, object],
    known: Quirks,
) -> Lesson | None:
    """None: no wording fits, or what it teaches is known already and did not help.

    sent: top-level values of the body as it left. known: quirks that it was adapted to.
    """
    return None
