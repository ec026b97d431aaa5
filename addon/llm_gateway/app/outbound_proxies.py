"""How the outbound proxies do: which of them fails, said once, and gone when it works again.

A proxy's failure is nobody else's: no provider gets a strike for it
(routing/failure_policy.py). It is shown as `degraded`, and as an event when it begins and
when it is over. What this file does not know: sockets, which connection goes which way.
"""

from collections.abc import Callable, Collection

from llm_gateway.config.proxy_url import ProxyServer


class OutboundProxies:
    def __init__(self, tell: Callable[[str, str], None]) -> None:
        """`tell(subject, message)`: an event."""
        self._tell = tell
        self._failing: dict[ProxyServer, str] = {}

    def record(self, proxy: ProxyServer, trouble: str) -> None:
        """A connection by way of it: the sentence of its failure, or "" when it worked."""
        if not trouble:
            if self._failing and self._failing.pop(proxy, None) is not None:
                self._tell("outbound proxy", f"{proxy.name} works again")
            return
        if self._failing.get(proxy) != trouble:
            self._failing[proxy] = trouble
            self._tell("outbound proxy", trouble.removeprefix("outbound proxy "))

    def keep(self, proxies: Collection[ProxyServer]) -> None:
        """The configuration names these, and no others."""
        for gone in self._failing.keys() - set(proxies):
            del self._failing[gone]

    @property
    def degraded(self) -> tuple[str, ...]:
        return tuple(self._failing.values())
