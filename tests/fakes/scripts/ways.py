"""A second script for mitmdump: WAY says which of the three ways through the HTTP layer
requests take: `mitmproxy` (its own generators), `direct`, or `plain` (all that there is)."""

import os

from llm_gateway.edge import http_direct, http_plain

WAY = os.environ.get("WAY", "plain")

http_direct._direct = http_direct._direct and WAY != "mitmproxy"
http_plain._known = http_plain._known and WAY == "plain"
