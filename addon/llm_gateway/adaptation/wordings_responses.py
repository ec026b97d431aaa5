"""Wordings of refusals: responses."""

from llm_gateway.adaptation.wording import Wording

WORDINGS: tuple[Wording, ...] = ()
