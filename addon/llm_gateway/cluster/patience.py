"""A timeout for a busy process: only the time in which it could listen counts.

What it does not know: what is waited for.
"""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

TICKS = 20
"""Parts of a timeout, each of which the event loop has to be there for."""


@asynccontextmanager
async def patience(
    seconds: float, listened: Callable[[float], None] = lambda seconds: None
) -> AsyncIterator[None]:
    """As `asyncio.timeout`, of the time in which this process was there to hear: while it
    is busy nothing counts as late, and what has arrived meanwhile is read first.
    `listened`: told of that time, part by part."""
    loop = asyncio.get_running_loop()
    timers: list[asyncio.TimerHandle] = []

    def tick(left: int) -> None:
        if left < TICKS:
            listened(seconds / TICKS)
        if left:
            timers[:] = [loop.call_later(seconds / TICKS, tick, left - 1)]
        else:
            scope.reschedule(loop.time())

    async with asyncio.timeout(None) as scope:
        tick(TICKS)
        try:
            yield
        finally:
            timers[0].cancel()
