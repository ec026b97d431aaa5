"""Performance only: shorter ways through mitmproxy that have the same outcome.

Nothing else imports this package but startup; without it, or with
LLM_GATEWAY_FASTPATH=off, the gateway does the same and takes longer. Replacements come in
three groups, each as a whole and only where mitmproxy's code is known (mitm_compat).
"""

from typing import Any

from llm_gateway.fastpath import (
    addon_pruning,
    connection_handler,
    connection_shortcuts,
    header_index,
    hook_dispatch,
    message_heads,
    shortcuts,
)
from llm_gateway.fastpath.single_segment import SingleSegmentLayer
from llm_gateway.mitm_compat.fingerprints import is_known
from llm_gateway.mitm_compat.sites import HOOKS, HTTP, SMALL
from llm_gateway.transport import layer


def install(master: Any) -> None:
    """All of it that fits this mitmproxy. Call it once, in the add-on's `running`."""
    hooks, http, small = is_known(HOOKS), is_known(HTTP), is_known(SMALL)
    addon_pruning.apply(master)
    header_index.install()
    if hooks:
        hook_dispatch.install(master.addons)
        connection_handler.install()
    if http:
        message_heads.install()
        layer.layer_class = SingleSegmentLayer
    if small:
        shortcuts.install()
        connection_shortcuts.install()
