"""Names of mitmproxy's that the HTTP layer needs, and a check that they exist.

Most are private: a new mitmproxy may rename one. `self_check` is asked at every start,
so that the first sign of it is a sentence and not a request that hangs.
"""

import inspect

from mitmproxy.net.http import http1, validate
from mitmproxy.net.http.http1 import read
from mitmproxy.proxy import layer, server
from mitmproxy.proxy.layers import http
from mitmproxy.proxy.layers.http import _http1, _http2
from mitmproxy.proxy.layers.http._http2 import Http2Client

KNOWN_GOOD = "11.0.2 to 12.3"
"""The mitmproxy versions that this has been tested with."""

_METHODS: tuple[tuple[object, str], ...] = (
    (layer.Layer, "handle_event"),
    (
        http.HttpLayer,
        "_handle_event event_to_child get_connection make_stream register_connection",
    ),
    (
        http.HttpStream,
        "_handle_event check_body_size check_invalid check_killed flow_done"
        " handle_protocol_error make_server_connection passthrough send_response"
        " start_request_stream start_response_stream state_consume_request_body"
        " state_done state_errored state_stream_request_body"
        " state_stream_response_body state_wait_for_request_headers"
        " state_wait_for_response_headers",
    ),
    (http.GetHttpConnection, "connection_spec_matches"),
    (
        http,
        "DropStream GetHttpConnectionCompleted RegisterHttpConnection SendHttp",
    ),
    (_http1, "ChunkedReader make_body_reader make_error_response"),
    (_http1.Http1Server, "done read_headers wait"),
    (http1, "assemble_request assemble_request_head"),
    (read, "_read_response_line"),
    (_http2, "format_h2_request_headers"),
    (validate, "validate_headers"),
    (server.ConnectionHandler, "open_connection"),
)
_ATTRIBUTES: tuple[tuple[type, str], ...] = (
    (layer.Layer, "_paused _paused_event_queue context"),
    (http.HttpLayer, "streams connections command_sources waiting_for_establishment"),
    (http.HttpStream, "request_body_buf flow stream_id"),
    (_http1.Http1Server, "buf conn state"),
    (Http2Client, "stream_queue"),
    (server.ConnectionHandler, "max_conns transports wakeup_timer"),
)
"""Known by their annotations: they exist on instances only."""


def self_check() -> list[str]:
    """What is missing, as `HttpStream.check_killed`; empty: all is well."""
    missing = [
        f"{getattr(owner, '__name__', owner)}.{name}"
        for owner, names in _METHODS
        for name in names.split()
        if not hasattr(owner, name)
    ]
    for kind, names in _ATTRIBUTES:
        declared = {
            name for base in kind.__mro__ for name in inspect.get_annotations(base)
        }
        missing += [f"{kind.__name__}.{n}" for n in names.split() if n not in declared]
    return missing
