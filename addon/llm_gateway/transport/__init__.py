"""HTTP transport inside mitmproxy: attempts that fail over in flight, framing, local responses.

Knows no provider, limit or ledger.
"""
