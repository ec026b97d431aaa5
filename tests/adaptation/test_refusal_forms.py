"""A refusal teaches the same whatever quotes it has and whatever it is wrapped in."""

import html
import json
from collections.abc import Callable
from typing import Any

import pytest
from tables import each_row

from llm_gateway.adaptation.vocabulary import NO_QUIRKS
from llm_gateway.adaptation.wordings import learn
from llm_gateway.dialects import read_error
from llm_gateway.domain import Dialect

from . import test_wordings_chat as chat
from . import test_wordings_messages as messages
from . import test_wordings_responses as responses


def quoted(marks: str) -> Callable[[str], bytes]:
    """Single quotes, double ones and backticks as these."""
    table = str.maketrans("'\"`", marks)
    return lambda words: openai(words.translate(table))


def openai(words: str) -> bytes:
    return json.dumps({"error": {"message": words}}).encode()


def inside(words: str) -> str:
    return json.dumps({"error": {"message": words}})


FORMS: dict[str, Callable[[str], bytes]] = {
    "double quotes": quoted('"""'),
    "backticks": quoted("```"),
    "typographic quotes": quoted("’”‘"),
    "guillemets": quoted("»««"),
    "behind a class": lambda w: openai(f"BadRequestError: Error code: 400 - {w}"),
    "among other lines": lambda w: openai(f"Bad request\n{w}\nrequest id: req_123"),
    "an aggregator's": lambda w: json.dumps({"error": {"message": "Provider returned error", "metadata": {"raw": inside(w)}}}).encode(),
    "JSON in JSON in JSON": lambda w: openai(inside(inside(w))),
    "as Python prints it": lambda w: openai(f"Error code: 400 - { {'error': {'message': w}} }"),
    "code points": lambda w: openai(inside(w).replace("'", "\\u0027").replace('\\"', "\\u0022")),
    "FastAPI's": lambda w: json.dumps({"detail": w}).encode(),
    "a SOAP fault": lambda w: json.dumps({"fault": {"faultstring": w}}).encode(),
    "a list": lambda w: json.dumps({"errors": ["no", {"message": w}]}).encode(),
    "plain text": lambda w: w.encode(),
    "a page": lambda w: f"<html><p>{html.escape(w)}</p></html>".encode(),
}  # fmt: skip
Row = tuple[Dialect, str, dict[str, Any], list[str]]


def rows() -> list[Row]:
    """Refusals in plain words with the status 400, of three dialects."""
    found: list[Row] = []
    for said, quirks in chat.LESSONS:
        status, words, sent = (
            said if isinstance(said, tuple) else (400, said, chat.SENT)
        )
        if status == 400 and isinstance(words, str) and "<" not in words:
            found.append((chat.CHAT.name, words, sent, list(quirks)))
    for words, body, taught in messages.TAUGHT:
        found.append((messages.MESSAGES, words, messages.body_of(body), taught))
    for words, body, taught in responses.TAUGHT:
        found.append((responses.RESPONSES, words, responses.body_of(body), taught))
    return found


@pytest.mark.parametrize("form", FORMS)
def test_quotes_and_wrappings_do_not_matter(form: str) -> None:
    for dialect, words, sent, quirks in rows():
        error = read_error(FORMS[form](words))
        lesson = learn(dialect, 400, error, sent, NO_QUIRKS)
        found = [str(quirk).lower() for quirk in lesson.quirks] if lesson else []
        assert found == [quirk.lower() for quirk in quirks], words


@each_row("form", FORMS)
def test_and_neither_do_they_for_the_clients_own_mistakes(form: str) -> None:
    for words in chat.NOTHING:
        if isinstance(words, str):
            error = read_error(FORMS[form](words))
            assert learn(chat.CHAT.name, 400, error, chat.SENT, NO_QUIRKS) is None, (
                words
            )
