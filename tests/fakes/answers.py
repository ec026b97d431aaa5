"""The answers that providers give on good and on bad days.

Plain functions that return an `Answer` (or a function of the request). Nothing here
knows about sockets; `provider.py` plays what is written here.
"""

import json
import re
from collections.abc import Callable, Sequence

from .steps import Answer, End, Gate, Pause, Received, Step

JSON = ("content-type", "application/json")
SSE = ("content-type", "text/event-stream; charset=utf-8")

RETRY_AFTER_FORMS: dict[str, tuple[tuple[str, str], ...]] = {
    "seconds": (("retry-after", "7"),),
    "date": (("retry-after", "Wed, 21 Oct 2099 07:28:00 GMT"),),
    "past date": (("retry-after", "Wed, 21 Oct 2015 07:28:00 GMT"),),
    "zero": (("retry-after", "0"),),
    "negative": (("retry-after", "-5"),),
    "fraction": (("retry-after", "1.5"),),
    "huge": (("retry-after", "1000000000"),),
    "garbage": (("retry-after", "soon"),),
    "milliseconds": (("retry-after-ms", "1500"),),
    "openai reset": (
        ("x-ratelimit-remaining-requests", "0"),
        ("x-ratelimit-reset-requests", "6m12s"),
    ),
    "anthropic reset": (
        ("anthropic-ratelimit-requests-remaining", "0"),
        ("anthropic-ratelimit-requests-reset", "2099-10-21T07:28:00Z"),
    ),
    "none": (),
}
"""Every way in which a 429 says when to come back."""


def nonce_of(body: bytes) -> str:
    """The first `nonce-…` in a request body: an answer that echoes it belongs to it."""
    found = re.search(rb"nonce-[A-Za-z0-9-]+", body)
    return found.group().decode() if found else "no nonce"


def chat_body(content: str, model: str = "fake-model") -> bytes:
    """A chat completion of OpenAI's shape: 7 tokens in, 3 out."""
    return json.dumps(
        {
            "id": "chatcmpl-fake",
            "object": "chat.completion",
            "created": 1_700_000_000,
            "model": model,
            "choices": [
                {
                    "index": 0,
                    "message": {"role": "assistant", "content": content},
                    "finish_reason": "stop",
                }
            ],
            "usage": {"prompt_tokens": 7, "completion_tokens": 3, "total_tokens": 10},
        }
    ).encode()


def message_body(content: str, model: str = "fake-model") -> bytes:
    """A message of Anthropic's shape: 7 tokens in, 3 out."""
    return json.dumps(
        {
            "id": "msg_fake",
            "type": "message",
            "role": "assistant",
            "model": model,
            "content": [{"type": "text", "text": content}],
            "stop_reason": "end_turn",
            "usage": {"input_tokens": 7, "output_tokens": 3},
        }
    ).encode()


def response_body(content: str, model: str = "fake-model") -> bytes:
    """A response of OpenAI's Responses shape: 7 tokens in, 3 out."""
    text = {"type": "output_text", "text": content, "annotations": []}
    item = {"type": "message", "role": "assistant", "content": [text]}
    usage = {"input_tokens": 7, "output_tokens": 3, "total_tokens": 10}
    return json.dumps(
        {
            "id": "resp_fake",
            "object": "response",
            "status": "completed",
            "model": model,
            "output": [item],
            "usage": usage,
        }
    ).encode()


def embedding_body(model: str = "fake-model") -> bytes:
    return json.dumps(
        {
            "object": "list",
            "model": model,
            "data": [{"object": "embedding", "index": 0, "embedding": [0.1, 0.2]}],
            "usage": {"prompt_tokens": 7, "total_tokens": 7},
        }
    ).encode()


def _asked(request: Received) -> dict[str, object]:
    try:
        value = json.loads(request.body)
    except ValueError:
        return {}
    return value if isinstance(value, dict) else {}


# good days


def ok(
    content: str | None = None, headers: Sequence[tuple[str, str]] = ()
) -> Callable[[Received], Answer]:
    """200 in the shape of the asked path; the text is `content` or the request's nonce."""

    def answer(request: Received) -> Answer:
        text = nonce_of(request.body) if content is None else content
        model = str(_asked(request).get("model", "fake-model"))
        path = request.target.partition("?")[0]
        if path.endswith("/messages"):
            body = message_body(text, model)
        elif path.endswith("/responses"):
            body = response_body(text, model)
        elif path.endswith("/embeddings"):
            body = embedding_body(model)
        else:
            body = chat_body(text, model)
        return Answer(headers=(JSON, *headers), body=(body,))

    return answer


def event(data: object, name: str | None = None) -> bytes:
    """One Server-Sent Event; `data` is JSON unless it is text."""
    text = data if isinstance(data, str) else json.dumps(data)
    return (f"event: {name}\n" if name else "").encode() + f"data: {text}\n\n".encode()


def chat_chunk(
    delta: dict[str, object], finish: str | None = None, model: str = "fake-model"
) -> bytes:
    choice = {"index": 0, "delta": delta, "finish_reason": finish}
    chunk = {"id": "c", "object": "chat.completion.chunk", "model": model}
    return event({**chunk, "choices": [choice]})


ROLE = chat_chunk({"role": "assistant", "content": ""})
USAGE = event(
    {
        "id": "c",
        "object": "chat.completion.chunk",
        "choices": [],
        "usage": {"prompt_tokens": 7, "completion_tokens": 3, "total_tokens": 10},
    }
)
DONE = b"data: [DONE]\n\n"


def stream(
    pieces: Sequence[str] = ("Hel", "lo"),
    *,
    gate: Gate | None = None,
    pause: float = 0,
    usage: bool | None = None,
    done: bool = True,
    framing: str = "chunked",
    tail: Sequence[Step] = (),
) -> Callable[[Received], Answer]:
    """A chat stream: role, one chunk per piece, finish, usage if asked for, [DONE].

    With a `gate` the fake waits at it before each piece, with `pause` it sleeps.
    `usage` None: as `stream_options.include_usage` says. The piece "{nonce}" becomes
    the request's nonce. `tail` replaces everything after the pieces.
    """

    def answer(request: Received) -> Answer:
        asked = _asked(request).get("stream_options")
        wanted = isinstance(asked, dict) and bool(asked.get("include_usage"))
        steps: list[Step] = [ROLE]
        for piece in pieces:
            if gate:
                steps.append(gate)
            if pause:
                steps.append(Pause(pause))
            text = piece.replace("{nonce}", nonce_of(request.body))
            steps.append(chat_chunk({"content": text}))
        if tail:
            steps += tail
        else:
            steps.append(chat_chunk({}, "stop"))
            if wanted if usage is None else usage:
                steps.append(USAGE)
            if done:
                steps.append(DONE)
        return Answer(headers=(SSE,), body=tuple(steps), framing=framing)

    return answer


def message_stream(
    pieces: Sequence[str] = ("Hel", "lo"),
    *,
    gate: Gate | None = None,
    tail: Sequence[Step] = (),
) -> Callable[[Received], Answer]:
    """The same in Anthropic's events."""

    def answer(request: Received) -> Answer:
        start: dict[str, object] = {"type": "message", "id": "msg_fake"}
        start |= {"role": "assistant", "content": []}
        start |= {"model": "fake-model", "usage": {"input_tokens": 7}}
        block: dict[str, object] = {"type": "content_block_start", "index": 0}
        block["content_block"] = {"type": "text", "text": ""}
        steps: list[Step] = [
            event({"type": "message_start", "message": start}, "message_start"),
            event({"type": "ping"}, "ping"),
            event(block, "content_block_start"),
        ]
        for piece in pieces:
            if gate:
                steps.append(gate)
            text = piece.replace("{nonce}", nonce_of(request.body))
            delta: dict[str, object] = {"type": "content_block_delta", "index": 0}
            delta["delta"] = {"type": "text_delta", "text": text}
            steps.append(event(delta, "content_block_delta"))
        last: dict[str, object] = {"type": "message_delta"}
        last |= {"delta": {"stop_reason": "end_turn"}, "usage": {"output_tokens": 3}}
        steps += tail or (
            event({"type": "content_block_stop", "index": 0}, "content_block_stop"),
            event(last, "message_delta"),
            event({"type": "message_stop"}, "message_stop"),
        )
        return Answer(headers=(SSE,), body=tuple(steps), framing="chunked")

    return answer


# statuses


def status(
    code: int,
    body: bytes | str | dict[str, object] | None = None,
    headers: Sequence[tuple[str, str]] = (),
) -> Answer:
    """Any status. The body defaults to OpenAI's error shape."""
    if body is None:
        message = f"fake {code}"
        body = {"error": {"message": message, "type": "fake", "code": f"fake_{code}"}}
    if isinstance(body, dict):
        body = json.dumps(body)
    if isinstance(body, str):
        body = body.encode()
    return Answer(status=code, headers=(JSON, *headers), body=(body,) if body else ())


def rate_limited(form: str = "seconds") -> Answer:
    """429 with one of `RETRY_AFTER_FORMS`."""
    return status(429, headers=RETRY_AFTER_FORMS[form])


def big_500(size: int = 5_000_000) -> Answer:
    """500 with a page of megabytes."""
    return Answer(
        status=500,
        headers=(("content-type", "text/html"),),
        body=tuple(b"x" * 50_000 for _ in range(size // 50_000)),
    )


def stalled_500() -> Answer:
    """500 whose body begins and never ends."""
    return Answer(status=500, headers=(JSON,), body=(b'{"er', End.HANG), length=500)


def empty_503() -> Answer:
    return status(503, b"")


# bad days


def close() -> Answer:
    """The request is read, the connection closed without a byte."""
    return Answer(before=(End.CLOSE,))


def reset() -> Answer:
    """The same with RST."""
    return Answer(before=(End.RESET,))


def silence() -> Answer:
    """The request is read, and nothing happens until the peer leaves."""
    return Answer(before=(End.HANG,))


def headers_then_silence(content_type: tuple[str, str] = SSE) -> Answer:
    return Answer(headers=(content_type,), body=(End.HANG,), framing="chunked")


def headers_then_close(framing: str = "chunked") -> Answer:
    """200 and a promise, then the end of the connection."""
    return Answer(headers=(SSE,), body=(End.CLOSE,), framing=framing, length=100)


def error_event_first() -> Answer:
    """200 whose first event is an error."""
    error = {"error": {"message": "overloaded", "type": "server_error", "code": 503}}
    return Answer(headers=(SSE,), body=(event(error), DONE), framing="chunked")


def empty_stream() -> Answer:
    """200, a lone [DONE]."""
    return Answer(headers=(SSE,), body=(DONE,), framing="chunked")


def garbage() -> Answer:
    """Something that is not HTTP, then the end."""
    return Answer(before=(b"\x00\x01 not http at all\r\n\r\n", End.CLOSE))


def invalid_header() -> Answer:
    """A head that could smuggle: both lengths."""
    head = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\ntransfer-encoding: chunked\r\n\r\n"
    return Answer(before=(head, b"2\r\n{}\r\n0\r\n\r\n", End.HANG))


def broken_json() -> Answer:
    """200 with half a document."""
    return Answer(headers=(JSON,), body=(b'{"id": "chatcmpl-fake", "choi',))


def wrong_length(by: int) -> Answer:
    """A content-length that is off; the connection closes at the true end."""
    body = chat_body("hi")
    return Answer(
        headers=(JSON,), body=(body, End.CLOSE), length=max(0, len(body) + by)
    )


def cut_mid_stream(
    how: End = End.CLOSE,
    *,
    gate: Gate | None = None,
    framing: str = "chunked",
    pieces: Sequence[str] = ("Hel",),
) -> Callable[[Received], Answer]:
    """A stream that ends (CLOSE, RESET) or stalls (HANG) after some content."""
    tail = (gate, how) if gate else (how,)
    return stream(pieces, tail=tail, framing=framing)
