"""What a refusal teaches, in the words of providers."""

import pytest

from llm_gateway.adaptation.quirks import NO_QUIRK, Quirk, Quirks, learn
from llm_gateway.dialects import ProviderError, read_error

NO_OPTIONS = Quirk(drop=frozenset({"stream_options"}))
COMPLETION = Quirk(rename={"max_tokens": "max_completion_tokens"})
PLAIN = Quirk(rename={"max_completion_tokens": "max_tokens"})
MAX = {"model", "messages", "max_tokens"}
STREAM = {"model", "messages", "stream", "stream_options"}


@pytest.mark.parametrize(
    ("status", "body", "asked", "expected"),
    [
        # stream_options
        (
            422,
            '{"detail":[{"type":"extra_forbidden","loc":["body","stream_options"],'
            '"msg":"Extra inputs are not permitted","input":{"include_usage":true}}]}',
            STREAM,
            NO_OPTIONS,
        ),
        (
            400,
            '{"error":{"message":"Unrecognized request argument supplied: '
            'stream_options","type":"invalid_request_error","param":null,"code":null}}',
            STREAM,
            NO_OPTIONS,
        ),
        (
            400,
            '{"error":"unknown field `stream_options`"}',
            STREAM,
            NO_OPTIONS,
        ),
        (
            422,
            '{"message":"parameter stream_options is not a valid field"}',
            STREAM,
            NO_OPTIONS,
        ),
        # max_tokens
        (
            400,
            """{"error":{"message":"Unsupported parameter: 'max_tokens' is not supported"""
            """ with this model. Use 'max_completion_tokens' instead.","type":"""
            """"invalid_request_error","param":"max_tokens","code":"unsupported_parameter"}}""",
            MAX,
            COMPLETION,
        ),
        # max_completion_tokens
        (
            422,
            '{"detail":[{"type":"extra_forbidden","loc":["body","max_completion_tokens"],'
            '"msg":"Extra inputs are not permitted"}]}',
            {"max_completion_tokens"},
            PLAIN,
        ),
        (
            400,
            '{"error":{"message":"Unrecognized request argument supplied: '
            'max_completion_tokens"}}',
            {"max_completion_tokens"},
            PLAIN,
        ),
        # both were sent: the refused one goes
        (
            400,
            """{"error":{"message":"Unsupported parameter: 'max_tokens'. Use """
            """'max_completion_tokens' instead."}}""",
            {"max_tokens", "max_completion_tokens"},
            Quirk(drop=frozenset({"max_tokens"})),
        ),
        # not asked with it: repeating would change nothing
        (400, '{"error":{"message":"Unsupported: stream_options"}}', MAX, None),
        # a bad value of a known key is the client's to change
        (
            400,
            '{"error":{"message":"max_tokens is too large: 99999. This model supports '
            'at most 4096 completion tokens","param":"max_tokens"}}',
            MAX,
            None,
        ),
        (400, '{"error":{"message":"max_tokens must be at least 1"}}', MAX, None),
        # about something else
        (400, '{"error":{"message":"Unknown parameter: seed"}}', MAX | STREAM, None),
        (400, "<html>", MAX, None),
        # other statuses
        (500, '{"error":{"message":"unsupported parameter max_tokens"}}', MAX, None),
        (429, '{"error":{"message":"unsupported parameter max_tokens"}}', MAX, None),
    ],
)
def test_lessons(
    status: int, body: str, asked: set[str], expected: Quirk | None
) -> None:
    assert learn(status, read_error(body.encode()), asked) == expected


def test_a_lesson_always_changes_the_request() -> None:
    error = ProviderError(message="unsupported max_tokens, max_completion_tokens")
    for asked in ({"max_tokens"}, {"max_completion_tokens"}):
        quirk = learn(400, error, asked)
        assert quirk is None or (quirk.drop | set(quirk.rename)) & asked


def test_lessons_are_kept_per_provider_and_model() -> None:
    quirks = Quirks()
    assert quirks.of("p", "a") is NO_QUIRK
    quirks.remember("p", "a", NO_OPTIONS)
    quirks.remember("p", "a", COMPLETION)
    quirks.remember("q", "a", PLAIN)
    assert quirks.of("p", "a") == Quirk(NO_OPTIONS.drop, COMPLETION.rename)
    assert quirks.of("p", "b") is NO_QUIRK
    quirks.forget("p")
    assert quirks.of("p", "a") is NO_QUIRK
    assert quirks.of("q", "a") == PLAIN


def test_the_newer_of_two_contrary_lessons_holds() -> None:
    assert COMPLETION | PLAIN == PLAIN
    assert PLAIN | COMPLETION == COMPLETION


def test_a_quirk_says_itself() -> None:
    assert str(NO_OPTIONS | COMPLETION) == (
        "leaves out stream_options, calls max_tokens max_completion_tokens"
    )
    assert str(NO_QUIRK) == "nothing"


def test_what_leaves_under_a_quirk() -> None:
    quirk = NO_OPTIONS | COMPLETION
    assert quirk.applied({"model", "max_tokens", "stream_options"}) == {
        "model",
        "max_completion_tokens",
    }
