"""Quirks by provider type, dialect and model."""

from llm_gateway.adaptation.vocabulary import NO_QUIRKS, Quirks
from llm_gateway.domain import Dialect


def quirks_of(type: str, dialect: Dialect, model: str) -> Quirks:
    return NO_QUIRKS
