"""Outgoing connections: happy eyeballs, outbound proxies, sleep. No mitmproxy here."""
