"""A gateway's ledger under load, made to be killed.

python victim.py FILE ROUND      prints the id of each request whose begin was awaited
"""

import asyncio
import sys
import time
from itertools import count
from pathlib import Path

from ledger.samples import attempt, ended, request
from llm_gateway.ledger.store import Store


async def client(store: Store, name: str) -> None:
    for n in count():
        id = f"{name}-{n}"
        record, tried = request(id, at=time.time()), attempt(id, at=time.time())
        if await store.begin(record, tried):
            # From here on the request may be on its way to a provider.
            sys.stdout.write(f"{id}\n")
            sys.stdout.flush()
        await asyncio.sleep(0)
        tried.outcome, tried.tokens = "ok", 65
        store.end_attempt(tried)
        store.end(ended(record))


async def main(path: str, round: str) -> None:
    store = Store(Path(path))
    store.start()
    async with asyncio.TaskGroup() as clients:
        for n in range(20):
            clients.create_task(client(store, f"{round}-{n}"))


asyncio.run(main(*sys.argv[1:]))
