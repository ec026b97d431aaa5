"""Compressed answers that pass: decoded on a thread, in order, whatever they become; and
which answers complete an earlier row."""

import asyncio
import gzip
import os
import time
from dataclasses import replace

import brotli
import pytest

from llm_gateway.dialects import match_stored
from llm_gateway.domain import RequestRecord
from llm_gateway.ledger.bound_answers import BoundAnswer
from llm_gateway.pipeline import read_aside
from llm_gateway.pipeline.passthrough import awaited
from llm_gateway.pipeline.read_aside import ReadAside
from llm_gateway.streaming.content_coding import decoder


class Kept:
    def __init__(self) -> None:
        self.pieces: list[bytes] = []
        self.finished = self.blinded = 0

    @property
    def whole(self) -> bytes:
        return b"".join(self.pieces)

    def feed(self, chunk: bytes) -> None:
        assert not self.finished
        self.pieces.append(chunk)

    def finish(self) -> None:
        self.finished += 1

    def blind(self) -> None:
        self.blinded += 1


def read(
    coding: str, coded: bytes, size: int, *, at_once: bool = False, pauses: bool = False
) -> tuple[Kept, float]:
    """What was read of a body that came in pieces of `size`, and the loop's CPU time."""
    kept = Kept()

    async def go() -> float:
        undone = decoder(coding, aside=True)
        assert undone is not None
        aside, over = ReadAside(undone, kept), asyncio.Event()
        before = time.thread_time()
        for at in range(0, len(coded), size):
            piece = coded[at : at + size]
            assert aside.through(piece) == (piece,)
            if pauses:
                await asyncio.sleep(0)
        assert aside.through(b"") == ()
        aside.end(over.set, at_once=at_once)
        assert over.is_set() or not at_once
        await over.wait()
        return time.thread_time() - before

    return kept, asyncio.run(go())


@pytest.mark.parametrize("at_once", [False, True])
@pytest.mark.parametrize("size", [1, 7, 999, 1 << 16])
def test_all_is_read_in_order(
    size: int, at_once: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(read_aside, "BATCH_BYTES", 300)
    body = os.urandom(3000) + b"hello " * 5000
    for pauses in (False, True):
        kept, _ = read(
            "gzip", gzip.compress(body), size, at_once=at_once, pauses=pauses
        )
        assert (kept.whole, kept.finished, kept.blinded) == (body, 1, 0)


def test_a_body_of_nothing() -> None:
    kept, _ = read("gzip", b"", 1)
    assert (kept.whole, kept.finished) == (b"", 1)


@pytest.mark.parametrize("coding", ["gzip", "br", "zstd", "deflate"])
def test_what_is_no_such_coding_is_left_unread(coding: str) -> None:
    kept, _ = read(coding, b'{"plain": "text"}' * 99, 50)
    assert kept.blinded


def test_more_than_may_wait_is_left_unread(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(read_aside, "WAITING_BYTES", 1000)
    kept, _ = read("gzip", gzip.compress(os.urandom(5000)), 100)
    assert kept.blinded


def test_the_loop_does_not_wait_for_a_bomb() -> None:
    bomb = brotli.compress(bytes(60 << 20), quality=3, lgwin=24)
    kept, busy = read("br", bomb, 65_536)
    assert len(kept.whole) == 60 << 20
    assert busy < 0.05  # of about half a second
    kept, busy = read("br", bomb + bomb, 65_536)
    assert busy < 0.05
    assert kept.blinded


def test_a_fault_of_ours_ends_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(self: Kept, chunk: bytes) -> None:
        raise KeyError(chunk)

    monkeypatch.setattr(Kept, "feed", fail)
    kept, _ = read("gzip", gzip.compress(b"hello"), 5)
    assert (kept.whole, kept.blinded) == (b"", 1)


ROW = RequestRecord("r", 0.0, "c", "a", "responses", "m", host="api.example")
BOUND = BoundAnswer("resp_1", "responses", "", "", "m", None, False, ROW)


@pytest.mark.parametrize(
    ("line", "bound", "host", "settles"),
    [
        (("GET", "/v1/responses/resp_1"), BOUND, "api.example", True),
        (("POST", "/v1/responses/resp_1/cancel"), BOUND, "api.example", True),
        (("GET", "/v1/responses/resp_1/input_items"), BOUND, "api.example", False),
        (("GET", "/v1/responses/resp_1"), BOUND, "elsewhere.example", False),
        (
            ("GET", "/v1/responses/resp_1"),
            replace(BOUND, unsettled=None),
            "api.example",
            False,
        ),
        (
            ("GET", "/v1/responses/resp_1"),
            replace(BOUND, provider="p"),
            "api.example",
            False,
        ),
    ],
)
def test_what_completes_an_earlier_row(
    line: tuple[str, str], bound: BoundAnswer, host: str, settles: bool
) -> None:
    found = match_stored(*line)
    assert found is not None
    assert (awaited(found, bound, host) is not None) is settles
