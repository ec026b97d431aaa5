"""Wordings of refusals: chat."""

from llm_gateway.adaptation.wording import Wording

WORDINGS: tuple[Wording, ...] = ()
