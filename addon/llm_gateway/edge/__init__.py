"""The edge: everything that speaks mitmproxy."""
