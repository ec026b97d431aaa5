"""Questions of the gateway's own: bounded in bytes and time, no redirects."""

import pytest
from fakes import FakeProvider, answers
from fakes.steps import Answer, End, Pause

from llm_gateway.network.fetch import LONGEST, Fetched, TooLong, fetch

HEADERS = ((b"host", b"x"), (b"authorization", b"Bearer K"))


def ask(fake: FakeProvider, path: str = "/v1/models", **more: float) -> Fetched:
    return fetch("http", "127.0.0.1", fake.port, path, HEADERS, **more)


def test_what_is_sent_and_what_comes_back() -> None:
    answer = Answer(304, (("etag", '"1"'), ("retry-after", "7")))
    with FakeProvider(answer) as fake:
        assert ask(fake, "/v1/models?limit=9") == Fetched(304, b"", '"1"', "7")
        [sent] = fake.requests
    assert (sent.method, sent.target) == ("GET", "/v1/models?limit=9")
    assert sent.header("authorization") == "Bearer K"


def test_a_redirect_is_not_followed() -> None:
    with FakeProvider(Answer(302, (("location", "http://127.0.0.1:1/"),))) as fake:
        assert ask(fake).status == 302
        assert len(fake.requests) == 1


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        pytest.param(answers.silence(), TimeoutError, id="silence"),
        pytest.param(
            Answer(200, body=(b"[", End.HANG), length=50), TimeoutError, id="hangs"
        ),
        pytest.param(answers.close(), OSError, id="closes"),
        pytest.param(answers.reset(), OSError, id="resets"),
        pytest.param(answers.garbage(), OSError, id="no HTTP"),
        pytest.param(
            Answer(200, body=(b"[", End.CLOSE), length=50), OSError, id="cut off"
        ),
    ],
)
def test_what_does_not_come_whole(answer: Answer, error: type[OSError]) -> None:
    with FakeProvider(answer) as fake, pytest.raises(error):
        ask(fake, timeout=0.2)


def test_an_answer_that_is_too_long() -> None:
    answer = Answer(200, body=(b" " * (LONGEST + 1),), framing="close")
    with FakeProvider(answer) as fake, pytest.raises(TooLong):
        ask(fake)


@pytest.mark.parametrize("where", ["head", "body"])
def test_a_server_that_drips_keeps_no_thread(where: str) -> None:
    dripping = (b"x", Pause(0.02)) * 200
    answer = (
        Answer(200, body=dripping, framing="close")
        if where == "body"
        else Answer(200, before=(b"HTTP/1.1 200 OK\r\nx-a: ", *dripping))
    )
    with (
        FakeProvider(answer) as fake,
        pytest.raises(TimeoutError, match="no whole answer"),
    ):
        ask(fake, timeout=5.0, deadline=0.2)
