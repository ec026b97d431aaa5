"""The fast path: put in place where it is wanted, there, and fits this mitmproxy.

What lives here: `make_fast`. Nothing else imports `fastpath`: without it the gateway does
the same and takes longer.
"""

import importlib.util
import logging
from collections.abc import Mapping
from typing import Any

from llm_gateway.mitm_compat import fingerprints
from llm_gateway.mitm_compat.sites import GROUPS, VERIFIED

logger = logging.getLogger("llm_gateway")

FASTPATH = "LLM_GATEWAY_FASTPATH"
"""Environment variable: `off` leaves mitmproxy's own code in place."""


def make_fast(master: Any, env: Mapping[str, str]) -> None:
    """Put the fast path in place, where it is wanted, there, and fits this mitmproxy.

    One line says so where something is left out: requests are served alike, and slower.
    """
    if env.get(FASTPATH, "").lower() in ("off", "0", "no", "false"):
        logger.info("The fast path is off (%s).", FASTPATH)
        return
    if importlib.util.find_spec("llm_gateway.fastpath") is None:
        logger.info("The fast path is not installed.")
        return
    from llm_gateway import fastpath

    if off := fingerprints.groups_off():
        logger.info(
            "This mitmproxy was not compared with %s in part; its own code is used: %s. "
            "More: python -m llm_gateway.mitm_compat",
            VERIFIED,
            "; ".join(f"{group} ({GROUPS[group]})" for group in off),
        )
    fastpath.install(master)
