"""What providers say, told to the other members and heard from them.

What it does not know: how words are written (`words`), limits, circuits.
"""

from collections.abc import Sequence
from typing import Any

from llm_gateway.cluster import words
from llm_gateway.cluster.context import MemberContext
from llm_gateway.domain import Limit
from llm_gateway.limits.values import LimitObservation, Scope


class WordExchange:
    """Both directions of the stream of words."""

    def __init__(self, context: MemberContext) -> None:
        self._context = context
        self._heard = "-"
        """Place in the stream; `-`: nothing was heard yet, and what is old is not."""

    def observed(
        self, said: Sequence[LimitObservation], scopes: Sequence[Scope]
    ) -> None:
        """A provider said something about its limits."""
        context = self._context
        if context.link.up:
            offset = context.offset.seconds
            self._tell(words.observed_word(said, scopes, context.names, offset))

    def rested(self, key: tuple[str, ...], until: float, state: str, why: str) -> None:
        """An offer or an account is not to be asked until then."""
        context = self._context
        if context.link.up:
            rest = words.Rest(key, until, state, why)
            self._tell(words.rest_word(rest, context.names, context.offset.seconds))

    def _tell(self, word: str | None) -> None:
        if word is not None:
            self._context.link.put(["tell", word])

    async def hear(self) -> None:
        """What is new from the others. Raises Away."""
        place = "+" if self._heard == "-" else self._heard
        self._take(await self._context.ask(["hear", place]))

    def _take(self, found: Sequence[Any]) -> None:
        context = self._context
        gateway = context.gateway
        self._heard = found[0].decode()
        now, offset = context.now(), context.offset.seconds
        for at in range(1, len(found), 2):
            if found[at].decode() == context.member:
                continue
            text = found[at + 1].decode("utf-8", "replace")
            for word in words.read_word(text, context.names, offset):
                if isinstance(word, words.Rest):
                    if word.until > now:
                        gateway.health.hear_rest(
                            word.key, word.until, word.state, word.reason
                        )
                else:
                    context.limiter.hear(
                        self._limits_of(word.scopes),
                        word.words,
                        scopes=word.scopes,
                        now=now,
                    )
                gateway.state_dirty = True

    def _limits_of(self, scopes: Sequence[Scope]) -> tuple[Limit, ...]:
        """What the configuration sets for the offer that these scopes are of."""
        model = next((scope for scope in scopes if scope[0] == "model"), None)
        offers = self._context.gateway.catalog.offers
        return next((o.limits for o in offers if model and o.key == model[1:]), ())
