"""Secrets do not get past the log, whatever brings them there."""

import logging
import sys
from types import SimpleNamespace

import pytest
from mitmproxy.log import MitmFormatter
from pydantic import SecretStr

from llm_gateway.app.log_redaction import LogRedactor
from llm_gateway.fastpath import shortcuts

CATALOG = SimpleNamespace(
    upstreams={},
    ways=SimpleNamespace(proxies=lambda: ()),
    config=SimpleNamespace(providers=()),
    clients=(SimpleNamespace(key=SecretStr("the client's key")),),
)


@pytest.fixture
def scrubber() -> LogRedactor:
    runtime = SimpleNamespace(catalog=CATALOG, admin_token=SecretStr("token-of-admin"))
    return LogRedactor(runtime)


def line(scrubber: LogRedactor, message: str, *args: object, error=None) -> str:
    record = logging.LogRecord("x", logging.ERROR, "", 1, message, args, error)
    assert scrubber.filter(record)
    return MitmFormatter(False).format(record)


@pytest.mark.parametrize(
    "secret",
    [
        "token-of-admin",
        "the client's key",
        "sk-0123456789abcdef0123",
        "gsk_0123456789abcdef0123",
        "ghu_0123456789abcdef0123",
        "AIza0123456789abcdef0123456789abcdef",
        "xai-0123456789abcdef0123",
        "nvapi-0123456789abcdef0123",
        "hf_0123456789abcdef0123",
    ],
)
def test_a_secret_is_hidden_in_a_line_its_arguments_and_a_traceback(scrubber, secret):
    try:
        raise ValueError(f"refused {secret}!")
    except ValueError:
        error = sys.exc_info()
    said = line(scrubber, f"{secret} %s", f"({secret})", error=error)
    assert secret not in said
    assert "*** (***)" in said
    assert "ValueError: refused ***!" in said


def test_bearers_are_hidden_and_other_lines_stay(scrubber):
    assert line(scrubber, "Bearer abcdef0123456789abcdef").endswith("Bearer ***")
    said = "curl chat 'hf_x' -> a/sk-2: ok 200, 0.10 s, 7+3 tokens, free"
    assert line(scrubber, said).endswith(said)


def test_the_time_of_a_line_is_what_logging_makes_of_it():
    record = logging.LogRecord("x", logging.INFO, "", 1, "", (), None)
    for created in (0.0, 1_700_000_000.25, 1_700_000_000.75, 1_700_000_001.0):
        record.created, record.msecs = created, created % 1 * 1000
        expected = logging.Formatter.formatTime(MitmFormatter(False), record)
        assert shortcuts.time_of(None, record) == expected
