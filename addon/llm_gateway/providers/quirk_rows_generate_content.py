"""Quirks of generateContent by type and model, with source. Facts only."""

from llm_gateway.providers.provider_type import GENERATE_CONTENT
from llm_gateway.providers.quirk_row import QuirkRow

_GOOGLE = "ai.google.dev: thought-signatures, thinking, gemini-3, whats-new-gemini-3.6"

ROWS = (
    QuirkRow(
        "google,google-vertex",
        GENERATE_CONTENT,
        "gemini-3*,gemini-4*,!*image*",
        "signature:google thinking:form=level",
        _GOOGLE,
    ),
    QuirkRow(
        "google,google-vertex",
        GENERATE_CONTENT,
        "gemini-2.5*,gemini-3*,gemini-4*",
        "sampling:presence_penalty sampling:frequency_penalty",
        _GOOGLE,
    ),
    QuirkRow(
        "google,google-vertex",
        GENERATE_CONTENT,
        "gemini-3.6*,gemini-3.7*,gemini-3.8*,gemini-4*",
        "role:last=user sampling:temperature sampling:top_p sampling:top_k",
        _GOOGLE,
    ),
)
