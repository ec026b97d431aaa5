"""The event batch that is running: which turn of the proxy's event loop.

`events` runs turns; layers, deep below, ask for the one that runs, to have a hook called
where they ask for it. There is one thread, and a turn waits for nothing: there is at most
one. Knows neither.
"""

from typing import Protocol

from mitmproxy.proxy import commands
from mitmproxy.proxy.layer import Layer


class Batch(Protocol):
    """One event and all that follows from it without waiting."""

    def call_hook(self, command: commands.StartHook) -> bool:
        """Call a hook. True: it is over; False: its completion will be an event."""
        ...

    def bypass_outer_layers(self, layer: Layer) -> None:
        """From now on, give all events of this connection to this layer."""
        ...


running: Batch | None = None
"""None: whoever handles this event knows nothing of turns."""
