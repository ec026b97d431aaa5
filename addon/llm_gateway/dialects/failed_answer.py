"""Failure in an answer, whatever its shape, as the event that ends an answer in neutral form."""

from llm_gateway.dialects.answer_observer import Json
from llm_gateway.dialects.error_shapes import words_of
from llm_gateway.dialects.provider_errors import error_in
from llm_gateway.translation.answer_events import Failed


def failure_of(event: Json) -> Failed:
    """The provider's words, verbatim, with its code."""
    error = error_in(event)
    words = words_of(event) or error.message
    return Failed(
        words or "The provider's answer ended in an error.",
        error.code or error.type or "provider_error",
    )
