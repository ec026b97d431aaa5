"""Stalls are told apart: ours and the machine's."""

import asyncio
import threading
import time

import pytest

from .stalls import Stalls


def compute(seconds: float) -> None:
    until = time.thread_time() + seconds
    while time.thread_time() < until:
        pass


def stand(seconds: float) -> None:
    threading.Event().wait(seconds)


@pytest.mark.parametrize("stall", [compute, stand], ids=lambda stall: stall.__name__)
async def test_what_is_ours_is_found(stall: object) -> None:
    async with Stalls() as stalls:
        await asyncio.sleep(0.01)
        stall(0.06)  # type: ignore[operator]
        await asyncio.sleep(0.01)
    assert stalls.longest > 0.05
    assert (stalls.worst.computed > 0.05) == (stall is compute)


async def test_a_loop_with_nothing_to_do_does_not_stand_still() -> None:
    async with Stalls() as stalls:
        await asyncio.sleep(0.08)
    assert stalls.longest < 0.05
