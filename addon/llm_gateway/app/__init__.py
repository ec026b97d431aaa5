"""Process state and life cycle: configuration, heartbeat, shutdown, logs. No mitmproxy."""
