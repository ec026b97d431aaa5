"""Which turn of the proxy's event loop runs now.

`events` runs turns; layers, deep below, ask for the one that runs, to have a hook called
where they ask for it. There is one thread, and a turn waits for nothing: there is at most
one. Knows neither.
"""

from typing import Protocol

from mitmproxy.proxy import commands
from mitmproxy.proxy.layer import Layer


class Turn(Protocol):
    """One event and all that follows from it without waiting."""

    def at_once(self, command: commands.StartHook) -> bool:
        """Call a hook. True: it is over; False: its completion will be an event."""
        ...

    def lead_to(self, layer: Layer) -> None:
        """From now on, give all events of this connection to this layer."""
        ...


running: Turn | None = None
"""None: whoever handles this event knows nothing of turns."""
