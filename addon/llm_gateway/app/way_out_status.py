"""How the way out does: which outbound proxies fail, and whether this machine has a network.
Said once, and gone when it works again.

A failure of the way out is nobody else's: no provider gets a strike for it
(routing/failure_policy.py). It is shown as `degraded`, and as an event when it begins and
when it is over. What this file does not know: sockets, which connection goes which way.
"""

from collections.abc import Callable, Collection

from llm_gateway.config.proxy_url import ProxyServer

NO_NETWORK = "this machine has no network"


class WayOutStatus:
    def __init__(
        self, tell: Callable[[str, str], None], has_network: Callable[[], bool]
    ) -> None:
        """`tell(subject, message)`: an event."""
        self._tell, self._has_network = tell, has_network
        self._failing: dict[ProxyServer, str] = {}
        self._offline = False

    def record(self, proxy: ProxyServer, trouble: str) -> None:
        """A connection by way of it: the sentence of its failure, or "" when it worked."""
        if not trouble:
            if self._failing and self._failing.pop(proxy, None) is not None:
                self._tell("outbound proxy", f"{proxy.name} works again")
            return
        if self._failing.get(proxy) != trouble:
            self._failing[proxy] = trouble
            self._tell("outbound proxy", trouble.removeprefix("outbound proxy "))

    def is_offline(self) -> bool:
        """Has this machine no way to anything outside? Asked where a connection failed, and
        from then on until there is one."""
        offline = not self._has_network()
        if offline is not self._offline:
            self._offline = offline
            self._tell(
                "network", NO_NETWORK if offline else "this machine has one again"
            )
        return offline

    def keep(self, proxies: Collection[ProxyServer]) -> None:
        """The configuration names these, and no others."""
        for gone in self._failing.keys() - set(proxies):
            del self._failing[gone]

    @property
    def degraded(self) -> tuple[str, ...]:
        offline = (NO_NETWORK,) if self._offline and self.is_offline() else ()
        return (*offline, *self._failing.values())
