"""What the gateway's own parsing costs, in microseconds, on this machine.

    python benchmarks/parsers.py [--seconds 0.2]

Nothing is sent anywhere. Each line is the best of five rounds: the least disturbed one.
"""

import argparse
import json
import sys
from collections.abc import Callable
from pathlib import Path
from timeit import Timer

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "addon"))

from llm_gateway import dialects  # noqa: E402
from llm_gateway.accounting.prices import cost  # noqa: E402
from llm_gateway.accounting.usage import read_answer  # noqa: E402
from llm_gateway.dialects import CHAT, DialectSpec  # noqa: E402
from llm_gateway.domain import Price, Usage  # noqa: E402
from llm_gateway.streaming.response_probe import ResponseProbe  # noqa: E402
from llm_gateway.streaming.sse import SSEDecoder, raw_events  # noqa: E402
from llm_gateway.streaming.stream_meter import StreamMeter  # noqa: E402


def chat_body(size: int, messages: int = 3) -> bytes:
    """A streamed chat request of about `size` bytes."""
    text = ("The quick brown fox jumps over the lazy dog. " * (size // 45 + 1))[:size]
    step = max(1, size // messages)
    talk = [
        {
            "role": ("user", "assistant")[i % 2],
            "content": text[i * step : (i + 1) * step],
        }
        for i in range(messages)
    ]
    return json.dumps(
        {"model": "gpt-4o-mini", "messages": talk, "stream": True, "temperature": 0.2}
    ).encode()


def picture_body(size: int) -> bytes:
    url = "data:image/png;base64," + "iVBORw0K" * (size // 8)
    parts = [
        {"type": "text", "text": "What is this?"},
        {"type": "image_url", "image_url": {"url": url}},
    ]
    talk = [{"role": "user", "content": parts}]
    return json.dumps({"model": "gpt-4o-mini", "messages": talk}).encode()


def chat_stream(chunks: int) -> bytes:
    base = {"id": "chatcmpl-C9", "object": "chat.completion.chunk", "model": "m"}

    def event(**more: object) -> str:
        return "data: " + json.dumps({**base, "created": 1, **more}) + "\n\n"

    said = [{"index": 0, "delta": {"content": " word"}, "finish_reason": None}]
    first = [{"index": 0, "delta": {"role": "assistant", "content": ""}}]
    usage = {
        "prompt_tokens": 10,
        "completion_tokens": chunks,
        "total_tokens": 10 + chunks,
    }
    events = [event(choices=first, usage=None)]
    events += [event(choices=said, usage=None)] * chunks
    events += [event(choices=[], usage=usage), "data: [DONE]\n\n"]
    return "".join(events).encode()


def through_meter(chunks: list[bytes], **how: object) -> Callable[[], object]:
    how = {"strip_usage": False, **how}

    def run() -> object:
        meter = StreamMeter(CHAT, **how)  # type: ignore[arg-type]
        for chunk in chunks:
            meter.feed(chunk)
        meter.finish()
        return meter.usage(prompt_estimate=10)

    return run


def decode(chunks: list[bytes]) -> Callable[[], object]:
    def run() -> object:
        decoder = SSEDecoder()
        return [decoder.feed(chunk) for chunk in chunks]

    return run


def peek(
    dialect: DialectSpec, chunks: list[bytes], streamed: bool
) -> Callable[[], object]:
    def run() -> object:
        it = ResponseProbe(dialect, streamed)
        for chunk in chunks:
            it.feed(chunk)
        return it.finish()

    return run


def cases() -> list[tuple[str, Callable[[], object], int]]:
    """(what, one run of it, how many of the unit one run does)."""
    stream = chat_stream(500)
    events = raw_events(stream)
    halves = [stream[i : i + 97] for i in range(0, len(stream), 97)]
    found: list[tuple[str, Callable[[], object], int]] = []
    for label, body in (
        ("1 KB", chat_body(900)),
        ("10 KB, 20 messages", chat_body(9_000, 20)),
        ("100 KB", chat_body(100_000)),
        ("1 MB, 200 messages", chat_body(1_000_000, 200)),
        ("1 MB, Chinese", chat_body(0).replace(b'"content": ""', '"content": "{}"'.format("你好世界" * 30_000).encode())),
        ("1 MB picture", picture_body(1_000_000)),
    ):  # fmt: skip
        read = dialects.read(CHAT, body)
        assert isinstance(read, dialects.RequestBody)
        found.append((f"read, {label}", lambda b=body: dialects.read(CHAT, b), 1))
        found.append(
            (
                f"rewrite model and usage, {label}",
                lambda r=read: r.rewritten(model="x", include_usage=True),
                1,
            )
        )
    answer = {
        "id": "1",
        "model": "m",
        "choices": [
            {"index": 0, "message": {"role": "assistant", "content": "x" * 400}}
        ],
        "usage": {"prompt_tokens": 9, "completion_tokens": 99, "total_tokens": 108},
    }
    plain = json.dumps(answer).encode()
    price = Price(150_000_000, 600_000_000, 75_000_000)
    usage = Usage(9, 0, 0, 99, 0)
    found += [
        ("sse decoder, per event", decode(events), len(events)),
        ("sse decoder, per 97 bytes", decode(halves), len(halves)),
        ("meter, per event", through_meter(events), len(events)),
        ("meter, per 97 bytes", through_meter(halves), len(halves)),
        ("meter stripping usage, per event", through_meter(events, strip_usage=True), len(events)),
        ("meter stripping usage, per 97 bytes", through_meter(halves, strip_usage=True), len(halves)),
        ("meter renaming, per event", through_meter(events, rename_model="x"), len(events)),
        ("peek, head of a stream", peek(CHAT, events[:2], True), 1),
        ("peek, plain answer", peek(CHAT, [plain], False), 1),
        ("read usage, plain answer", lambda: read_answer(CHAT, plain, prompt_estimate=9), 1),
        ("cost", lambda: cost(usage, price), 1),
        ("match a path", lambda: dialects.match("POST", "/v1/chat/completions"), 1),
        ("error body", lambda: dialects.error_body(CHAT, 429, "c", "m"), 1),
    ]  # fmt: skip
    return found


def microseconds(run: Callable[[], object], seconds: float) -> float:
    timer = Timer(run)
    once = max(timer.timeit(1), 1e-7)
    number = max(1, int(seconds / once))
    return min(timer.repeat(5, number)) / number * 1e6


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, default=0.05, help="per round")
    seconds = parser.parse_args().seconds
    print(f"Python {sys.version.split()[0]}")
    for label, run, units in cases():
        print(f"{microseconds(run, seconds) / units:10.2f} µs  {label}", flush=True)


if __name__ == "__main__":
    main()
