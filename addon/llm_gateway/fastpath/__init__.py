"""Performance only: shorter ways through mitmproxy with the same outcome. Optional."""
