"""Loaded beside the script under test: writes down which port mitmdump got."""

import asyncio
import os
from pathlib import Path

from mitmproxy import ctx


class Announce:
    def running(self) -> None:
        self.task = asyncio.get_running_loop().create_task(self.announce())

    async def announce(self) -> None:
        proxy = ctx.master.addons.get("proxyserver")  # type: ignore[no-untyped-call]
        # The script under test may be about to listen elsewhere.
        while not self.settled(proxy):
            await asyncio.sleep(0.01)
        port = proxy.listen_addrs()[0][1]
        target = Path(os.environ["FAKES_PORT_FILE"])
        partial = target.with_suffix(".part")
        partial.write_text(str(port))
        partial.replace(target)

    def settled(self, proxy: object) -> bool:
        addresses = proxy.listen_addrs()  # type: ignore[attr-defined]
        wanted = ctx.options.listen_port
        return bool(addresses) and (not wanted or addresses[0][1] == wanted)


addons = [Announce()]
