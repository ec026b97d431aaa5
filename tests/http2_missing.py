"""What tests raise where HTTP/2 is wanted and not spoken; a module without imports, since
the dashboard's tests run where mitmproxy and its libraries are not installed."""


class NoHttp2(Exception):
    """A client wanted HTTP/2 and did not get it."""
