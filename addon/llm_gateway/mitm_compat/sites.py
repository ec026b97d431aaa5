"""Fingerprints of mitmproxy's code: every function that we replace, imitate or override.

One row a site: which functions' source text counts, and the digests of those texts that
ours was compared with. Names are text, so that a mitmproxy without one of them is a
site that is not known and no failure to import. What this file does not know: what is
put in place (fastpath, pool, transport).
"""

from llm_gateway.frozen import frozen

VERIFIED = "12.3.1"
"""The last version of mitmproxy that was compared; the first was 11.0.2."""

HOOKS, HTTP, SMALL, POOL, FAILOVER = "hooks", "http", "small", "pool", "failover"
GROUPS = {
    HOOKS: "hooks are called where they are asked for",
    HTTP: "HTTP/1 messages are read and passed on in one step",
    SMALL: "small functions that are called many times per request",
    POOL: "idle upstream connections are kept for the next client",
    FAILOVER: "states of a stream that failover extends (used in any case)",
}
"""Each is on or off as a whole: combinations that nobody tests do not occur."""


@frozen
class Site:
    """Functions whose text counts, together."""

    group: str
    functions: tuple[str, ...]
    """`module:Class.function`."""
    known: frozenset[str]
    """Digests of the texts that were compared."""
    may_lack: bool = False
    """Under `python -O`, or in an older mitmproxy, it does not exist: there is nothing to
    replace then."""

    @property
    def name(self) -> str:
        return self.functions[0].partition(":")[2] or self.functions[0]


def _site(group: str, known: str, *functions: str, may_lack: bool = False) -> Site:
    """Functions without a module of their own are in that of the one before."""
    full, module = [], ""
    for function in functions:
        before, colon, _ = function.partition(":")
        module = before if colon else module
        full.append(function if colon else f"{module}:{function}")
    return Site(group, tuple(full), frozenset(known.split()), may_lack)


_LAYERS = "mitmproxy.proxy.layers"
_HTTP1 = f"{_LAYERS}.http._http1"
_READ = "mitmproxy.net.http.http1.read"
_VALIDATE = "mitmproxy.net.http.validate"

SITES: tuple[Site, ...] = (
    _site(
        HOOKS,
        "e5e8ba0c",
        "mitmproxy.addonmanager:AddonManager.trigger_event",
        "AddonManager.handle_lifecycle",
        "AddonManager.register",
        "AddonManager.remove",
        "AddonManager._iter_hooks",
        "AddonManager.invoke_addon",
        "AddonManager.invoke_addon_sync",
        "safecall",
        "traverse",
    ),
    _site(
        HOOKS,
        "3343e110 f50f2ef4",
        "mitmproxy.proxy.server:ConnectionHandler.server_event",
        "ConnectionHandler.hook_task",
        "ConnectionHandler.close_connection",
        "mitmproxy.proxy.mode_servers:ProxyConnectionHandler.handle_hook",
    ),
    _site(
        HOOKS,
        "9f8b52fd",
        "mitmproxy.proxy.mode_servers:ProxyConnectionHandler.handle_hook",
    ),
    _site(
        HTTP,
        "a45864e1",
        "mitmproxy.proxy.layer:Layer.handle_event",
        "Layer._Layer__process",
        "Layer._Layer__continue",
        f"{_LAYERS}.http:HttpLayer._handle_event",
        "HttpLayer.event_to_child",
        "HttpLayer.get_connection",
        "HttpLayer.register_connection",
        f"{_HTTP1}:Http1Connection._handle_event",
    ),
    _site(
        HTTP,
        "a440a1bd 27d58059",
        f"{_LAYERS}.http:HttpStream.state_wait_for_request_headers",
        "HttpStream.state_consume_request_body",
        "HttpStream.state_wait_for_response_headers",
        "HttpStream.start_response_stream",
        "HttpStream.state_stream_response_body",
        "HttpStream.state_consume_response_body",
        "HttpStream.send_response",
        "HttpStream.flow_done",
        "validate_request",
        f"{_HTTP1}:Http1Connection.read_body",
        "Http1Connection.wait",
        "Http1Connection.mark_done",
        "Http1Server.send",
        "Http1Server.read_headers",
        "Http1Server.mark_done",
        "Http1Client.send",
        "Http1Client.read_headers",
        f"{_LAYERS}.http:HttpClient._handle_event",
    ),
    _site(
        HTTP,
        "d04ef296",
        "mitmproxy.http:Headers.__init__",
        "mitmproxy.coretypes.multidict:MultiDict.__init__",
    ),
    _site(HTTP, "435e54e6", "h11._receivebuffer:ReceiveBuffer.maybe_extract_lines"),
    _site(HTTP, "66807318", f"{_READ}:_read_headers"),
    _site(HTTP, "e1159a28", f"{_READ}:raise_if_http_version_unknown"),
    _site(
        HTTP,
        "4ae9c18c",
        f"{_READ}:expected_http_body_size",
        f"{_VALIDATE}:parse_content_length",
    ),
    _site(HTTP, "ab6df3b2 31f51ad1", f"{_READ}:connection_close", "get_header_tokens"),
    _site(HTTP, "fb1c81ec", f"{_VALIDATE}:validate_headers", "parse_content_length"),
    _site(
        SMALL,
        "f65088e2",
        "mitmproxy.http:MessageData.__post_init__",
        may_lack=True,
    ),
    _site(SMALL, "fb5346b5", "mitmproxy.utils.asyncio_utils:set_task_debug_info"),
    _site(
        SMALL,
        "bc023c41",
        "mitmproxy.proxy.context:Context.fork",
        "Context.__init__",
    ),
    _site(SMALL, "6859c2d9", "mitmproxy.optmanager:_Option.current"),
    _site(
        SMALL,
        "0b661337",
        "mitmproxy.optmanager:OptManager.__getattr__",
        "_Option.current",
    ),
    _site(
        SMALL,
        "eb7ce5ef",
        "mitmproxy.http:Headers.get_all",
        "Headers._reduce_values",
        "Headers._kconv",
        "mitmproxy.coretypes.multidict:_MultiDict.get_all",
        "_MultiDict.__getitem__",
    ),
    _site(
        SMALL,
        "9a1ba211",
        "mitmproxy.net.http.url:parse_authority",
        "mitmproxy.net.check:is_valid_host",
        "is_valid_port",
    ),
    _site(
        SMALL,
        "a9041d30",
        "mitmproxy.addons.tlsconfig:TlsConfig.crl_path",
        may_lack=True,
    ),
    _site(SMALL, "7c7b602c", "mitmproxy.flow:Flow.__init__"),
    _site(
        SMALL,
        "5dfd692f",
        "mitmproxy.proxy.commands:StartHook.__new__",
        "mitmproxy.hooks:Hook.__new__",
    ),
    _site(SMALL, "811403f1", "mitmproxy.log:MitmFormatter"),
    _site(SMALL, "dca65fe7 fc9cbe67", "mitmproxy.connection:Connection"),
    _site(SMALL, "9b26de86", "mitmproxy.connection:Server.__setattr__"),
    _site(
        SMALL,
        "73a1cc2e",
        "mitmproxy.proxy.server:ConnectionHandler.drain_writers",
        "asyncio.streams:StreamWriter.drain",
        "FlowControlMixin._drain_helper",
    ),
    _site(
        POOL,
        "0c024c64 daec7945",
        "mitmproxy.proxy.server:ConnectionHandler.open_connection",
        "ConnectionHandler.handle_connection",
        "ConnectionHandler.handle_client",
    ),
    _site(
        POOL,
        "1b1b6a38",
        "mitmproxy.proxy.tunnel:TunnelLayer._handle_command",
        "TunnelLayer._handshake_finished",
        "TunnelLayer.event_to_child",
    ),
    _site(POOL, "0dcfcb2a", f"{_LAYERS}.tls:ServerTLSLayer.start_handshake"),
    _site(POOL, "3878cd7c", f"{_LAYERS}.tls:TLSLayer.start_tls"),
    _site(POOL, "dc5ed395", f"{_HTTP1}:Http1Connection.mark_done"),
    _site(POOL, "bc1cae77", f"{_LAYERS}.http:HttpClient._handle_event"),
    *(
        _site(FAILOVER, known, f"{_LAYERS}.http:HttpStream.{name}")
        for name, known in (
            ("check_body_size", "7244b3db 236ca0a7"),
            ("check_invalid", "c9a2645f ef0a126e"),
            ("check_killed", "5579a3ec 368cad35"),
            ("flow_done", "ad996974"),
            ("handle_protocol_error", "59fc3b2e"),
            ("make_server_connection", "9ed0ff47 ddc7bc72"),
            ("passthrough", "33d9057d a6df32ab"),
            ("send_response", "d581bc10"),
            ("start_request_stream", "46f03368"),
            ("start_response_stream", "b0de9e9a"),
            ("state_stream_request_body", "eb2bdc50 c98f7f71"),
            ("state_wait_for_request_headers", "0bdf0ba5 3706d5d5"),
            ("state_wait_for_response_headers", "10e32e91"),
        )
    ),
)
