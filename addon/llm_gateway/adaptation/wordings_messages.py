"""Wordings of refusals: messages."""

from llm_gateway.adaptation.wording import Wording

WORDINGS: tuple[Wording, ...] = ()
