"""Connection pool: idle upstream connections, preconnect, mitmproxy hooks. Optional."""
