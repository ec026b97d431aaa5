"""Loaded beside the script under test: writes down which port mitmdump got."""

import os
from pathlib import Path

from mitmproxy import ctx


class Announce:
    def running(self) -> None:
        proxy = ctx.master.addons.get("proxyserver")  # type: ignore[no-untyped-call]
        port = proxy.listen_addrs()[0][1]
        target = Path(os.environ["FAKES_PORT_FILE"])
        partial = target.with_suffix(".part")
        partial.write_text(str(port))
        partial.replace(target)


addons = [Announce()]
