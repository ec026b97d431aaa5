"""What a request is written in, and how one answers in the same tongue.

    match     request line            -> Dialect | None          paths.py
    read      body                    -> Body | Problem          body.py, asks.py, weigh.py
    Body.rewritten                    -> the body that leaves    members.py
    error_body, stream_error          -> our refusals            errors.py
    read_error, word_of               <- a provider's            provider_errors.py
    models_list, renamed_answer       -> what clients read       answers.py

A dialect is what is *spoken*, not who speaks it: OpenRouter, Groq and a dozen more
speak OpenAI's. Nothing here knows a provider, a socket or a clock, and nothing here
raises on what a stranger sent.
"""

from llm_gateway.dialects.answers import models_list, renamed_answer
from llm_gateway.dialects.body import Body, Problem, read
from llm_gateway.dialects.errors import error_body, stream_error
from llm_gateway.dialects.paths import match, plain_path
from llm_gateway.dialects.provider_errors import (
    ProviderError,
    error_in,
    read_error,
    word_of,
)

__all__ = [
    "Body",
    "Problem",
    "ProviderError",
    "error_body",
    "error_in",
    "match",
    "models_list",
    "plain_path",
    "read",
    "read_error",
    "renamed_answer",
    "stream_error",
    "word_of",
]
