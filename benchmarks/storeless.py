"""The gateway with a ledger that keeps nothing: what the ledger costs is the distance to
the gateway itself."""

import asyncio

from llm_gateway.addon import Gateway
from llm_gateway.ledger.store import Store


def _at_once(self, *said, **more):
    done = asyncio.get_running_loop().create_future()
    done.set_result(True)
    return done


def _nothing(self, *said, **more):
    return None


Store.begin = Store.attempt = _at_once
Store.end = Store.end_attempt = Store.decision = _nothing

addons = [Gateway()]
