"""Preconnect: opens an upstream connection ahead of the request that will use it.

The TLS session is set up by mitmproxy's own `tlsconfig` add-on, as for any connection: the
user's trusted CAs, client certificates, versions and ciphers hold, the host name is
verified. Only the bytes are carried here, because no client is there to carry them.
"""

import asyncio
import contextlib
import time
from typing import Any

from mitmproxy import certs
from mitmproxy.connection import Client, Server
from mitmproxy.master import Master
from mitmproxy.proxy.context import Context
from mitmproxy.proxy.layers.tls import TlsStartServerHook
from mitmproxy.tls import TlsData
from OpenSSL import SSL

from llm_gateway.pool.pool import IdleConnection, OriginKey
from llm_gateway.transport.connecting import opener

OPEN_SECONDS = 10.0
HTTP1 = (b"http/1.1",)


async def open_ahead(master: Master, key: OriginKey) -> IdleConnection | None:
    """A verified connection, or an exception (OSError, SSL.Error, TimeoutError) that says
    why not. None: the peer does not speak HTTP/1.1."""
    async with asyncio.timeout(OPEN_SECONDS):
        reader, writer = await opener.open(key.host, key.port, key.proxy)
        try:
            session: SSL.Connection | None = None
            facts: dict[str, object] = {}
            if key.tls:
                session, facts = await _handshake(master, key, reader, writer)
        except BaseException:
            writer.close()
            raise
    if facts.get("alpn") not in (None, b"", *HTTP1):
        writer.close()
        return None
    return IdleConnection(key, reader, writer, session, facts)


async def _handshake(
    master: Any,
    key: OriginKey,
    reader: asyncio.StreamReader,
    writer: asyncio.StreamWriter,
) -> tuple[SSL.Connection, dict[str, object]]:
    here = ("127.0.0.1", 0)
    client = Client(peername=here, sockname=here, timestamp_start=time.time())
    server = Server(address=(key.host, key.port), tls=True, sni=key.sni)
    server.alpn_offers = HTTP1
    context = Context(client, master.options)
    context.server = server
    start = TlsData(server, context)
    await master.addons.handle_lifecycle(TlsStartServerHook(start))
    session = start.ssl_conn
    if session is None:
        raise OSError("no TLS for this connection")
    while True:
        try:
            session.do_handshake()
            done = True
        except SSL.WantReadError:
            done = False
        finally:
            with contextlib.suppress(SSL.WantReadError):
                while True:
                    writer.write(session.bio_read(65535))
        if done:
            return session, facts_of(session, server)
        await writer.drain()
        if not (data := await reader.read(65535)):
            raise OSError("closed during the TLS handshake")
        session.bio_write(data)


def facts_of(session: SSL.Connection, server: Server) -> dict[str, object]:
    """What mitmproxy notes in its Server object after a handshake."""
    chain = []
    for cert in session.get_peer_cert_chain() or []:
        # Odd certificates may not parse; OpenSSL has verified them all the same.
        with contextlib.suppress(ValueError):
            chain.append(certs.Cert.from_pyopenssl(cert))
    return {
        "alpn": session.get_alpn_proto_negotiated(),
        "alpn_offers": server.alpn_offers,
        "cipher": session.get_cipher_name(),
        "tls_version": session.get_protocol_version_name(),
        "certificate_list": chain,
        "sni": server.sni,
    }
