"""Conversation affinity: which offer answered last, so that its prompt cache is hit.

What lives here: a bounded memory from conversation hash to offer. A preference only:
it never blocks failover.

What this file does not know: clocks (`now` is an argument), texts (a hash comes in).
"""

from dataclasses import replace

from llm_gateway.frozen import frozen

WARM_FOR = 1800.0
"""Seconds after which a conversation counts as cold."""
MAX_CONVERSATIONS = 10_000


@frozen
class AffinityEntry:
    offer: tuple[str, str, str]
    at: float
    cache_hit_ratio: float
    """Part of the last prompt that was read from the provider's cache, 0 to 1."""


class ConversationAffinity:
    def __init__(self) -> None:
        self._warm: dict[str, AffinityEntry] = {}

    def lookup(self, conversation: str, now: float) -> AffinityEntry | None:
        warm = self._warm.get(conversation)
        if warm is None or now - warm.at > WARM_FOR:
            return None
        return warm

    def clock_set(self, seconds: float) -> None:
        """The clock was set forward by so much: everything keeps its age."""
        for key, warm in self._warm.items():
            self._warm[key] = replace(warm, at=warm.at + seconds)

    def remember(
        self,
        conversation: str,
        offer: tuple[str, str, str],
        now: float,
        cached_share: float = 0.0,
    ) -> None:
        if not conversation:
            return
        # Re-inserting moves it to the end: the first one is the longest untouched.
        self._warm.pop(conversation, None)
        self._warm[conversation] = AffinityEntry(offer, now, cached_share)
        if len(self._warm) > MAX_CONVERSATIONS:
            del self._warm[next(iter(self._warm))]
