"""Folds: a member's part of every shared window is replaced with what its engine has.

What lives here: names of accounts and windows under the current configuration, windows
that only others limit, and the fold at a connection or later. What it does not know: what
goes over the connection otherwise, who grants what.
"""

import asyncio
import os
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any

from llm_gateway.cluster.away import Away
from llm_gateway.cluster.context import MemberContext
from llm_gateway.cluster.fold import Fold
from llm_gateway.cluster.fold_steps import FoldSteps
from llm_gateway.cluster.granting import Granting
from llm_gateway.cluster.looks import Looks
from llm_gateway.cluster.names import Names, accounts_of
from llm_gateway.ledger.spent import LONGEST_WINDOW


class Folding:
    """Names, watched windows, and folds of one member."""

    def __init__(
        self,
        context: MemberContext,
        looks: Looks,
        login: Callable[[str], str],
        granting: Granting,
    ) -> None:
        """`login`: the stored sign-in of a provider."""
        self._context = context
        self._looks = looks
        self._login = login
        self._granting = granting
        self._serial = os.urandom(3).hex()
        self._folds = 0
        self._folding: asyncio.Task[None] | None = None
        self._one_at_a_time = asyncio.Lock()
        self._wanted = False
        self._there: list[str] = []
        """Windows that the server has."""
        self.salt = ""
        """Of the cluster: fingerprints of keys are keyed with it."""

    async def rename(self) -> None:
        """Accounts, scopes and windows of the configuration get their names."""
        context = self._context
        catalog = context.gateway.catalog
        found = await asyncio.to_thread(
            accounts_of, catalog.upstreams, self.salt, context.member, self._login
        )
        names = Names(found)
        names.learn(catalog.offers, [client.name for client in catalog.clients])
        names.learn_scope(("budget",))
        context.names = names

    async def watch(self, windows: Sequence[str]) -> None:
        """Count in windows, too, that only other members have a limit for.
        `windows`: all that the server has."""
        self._there = [*windows]
        context = self._context
        limiter = context.limiter
        found = [limit for name in windows for limit in context.names.limits(name)]
        fresh = [limit for limit in found if limit.key not in limiter.windows()]
        if not fresh:
            return
        since = context.now() - LONGEST_WINDOW
        spent = await asyncio.to_thread(context.gateway.store.spent, since)
        fresh = [limit for limit in fresh if limit.key not in limiter.windows()]
        now = context.now()
        limiter.replay(spent, fresh, now)
        limiter.watch(fresh, now)

    def fold(self) -> Fold:
        """Of this moment."""
        self._folds += 1
        context = self._context
        fold = Fold(
            context.limiter,
            context.names,
            context.gateway.catalog.limits(),
            context.now(),
            context.offset.seconds,
            f"{context.member}|{self._serial}{self._folds}-",
            self._granting.asking,
            self._there,
            self._looks.known(),
        )
        self._granting.sent = {*fold.open_ids, *self._granting.asking}
        self._looks.windows()
        return fold

    async def fold_again(self) -> None:
        """With what is there now, in the order of what else is said; one after the other.
        When it returns all of it is there, or the connection is gone."""
        context = self._context
        async with self._one_at_a_time:
            with suppress(Away):
                windows = await context.ask(["windows"])
                await self.watch([name.decode() for name in windows])
                await self.put_fold()

    def put_fold(self) -> asyncio.Future[Any]:
        """Of this moment; what is said from now on goes past it. Away, or its last result."""
        there = asyncio.get_running_loop().create_future()
        self._context.link.put_fold(FoldSteps(self.fold()), there)
        return there

    def refold(self) -> None:
        """Something was lost on the way, or taken for lost: put it right soon."""
        self._wanted = True
        if self._folding is None or self._folding.done():
            loop = asyncio.get_running_loop()
            work = self._fold_while_wanted()
            self._folding = loop.create_task(work, name="cluster fold")

    async def _fold_while_wanted(self) -> None:
        while self._wanted:
            self._wanted = False
            await self.fold_again()

    def stop(self) -> None:
        if self._folding is not None:
            self._folding.cancel()
