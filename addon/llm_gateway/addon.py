"""mitmproxy hooks of the gateway. Each calls one method of the pipeline.

    load, configure, running, done     start, options, end                   bootstrap.py
    http_connect, tls_clienthello      whose traffic is decrypted
    requestheaders, request            who is asked                          pipeline/handler.py
    gateway_attempt_failed             who is asked next                     pipeline/forwarding.py
    responseheaders                    the answer is on its way
    response, error                    it is over: settle, complete the row

An exception in a hook would be logged by mitmproxy and the flow would go on to
wherever its request pointed, with the app's own key. `fail_closed` answers instead.
"""

import functools
import logging
from collections.abc import Awaitable, Callable
from typing import Any
from weakref import WeakKeyDictionary

from mitmproxy import connection, ctx, http, tcp, tls
from mitmproxy.addonmanager import Loader
from mitmproxy.proxy import layer, server_hooks

from llm_gateway import bootstrap
from llm_gateway.pipeline.account_requests import AccountRequest
from llm_gateway.pipeline.assembly import build_handler
from llm_gateway.pipeline.exchange import Exchange
from llm_gateway.pipeline.handler import RequestHandler
from llm_gateway.pipeline.ingress import BODY_BYTES
from llm_gateway.pipeline.local_refusals import internal_error
from llm_gateway.pipeline.served_flows import AnyExchange
from llm_gateway.transport import attempt_policy, body_limit, connection_limits, patches
from llm_gateway.transport import layer as http_layer
from llm_gateway.transport.local_response import set_response

logger = logging.getLogger("llm_gateway")

Hook = Callable[["Gateway", http.HTTPFlow], Awaitable[None] | None]


def fail_closed(hook: Callable[..., Any]) -> Callable[..., Any]:
    """A bug in our code ends this request with a 500, and no other.

    A hook that has nothing to wait for stays a plain function: mitmproxy then needs
    no coroutine for it.
    """

    def broken(self: "Gateway", flow: http.HTTPFlow) -> None:
        logger.exception("Internal error while serving a request.")
        internal_error(flow)
        if isinstance(found := self.exchanges.get(flow), Exchange):
            self.reception.settling.abort(found)

    async def rest(self: "Gateway", flow: http.HTTPFlow, work: Awaitable[None]) -> None:
        try:
            await work
        except Exception:
            broken(self, flow)

    @functools.wraps(hook)
    def guarded(self: "Gateway", flow: http.HTTPFlow) -> Awaitable[None] | None:
        try:
            work = hook(self, flow)
        except Exception:
            broken(self, flow)
            return None
        return None if work is None else rest(self, flow, work)

    return guarded


_state: dict[str, Any] = {}


class Gateway:
    """What mitmdump loads. One per process: when the script is read again (somebody
    touched it), the new instance goes on with the state of the old one, so that no
    request in flight loses its exchange."""

    def __init__(self) -> None:
        self.__dict__ = _state
        if _state:
            return
        self.starting = bootstrap.Bootstrap()
        self.tunnels: WeakKeyDictionary[connection.Client, str] = WeakKeyDictionary()
        """Clients that sent CONNECT, with the proxy user that they named."""
        self.exchanges: WeakKeyDictionary[http.HTTPFlow, AnyExchange] = (
            WeakKeyDictionary()
        )
        self.limits: connection_limits.ConnectionLimits | None = None
        self.reception: RequestHandler
        """Set once the configuration is loaded, before a client can connect."""

    # -- life ------------------------------------------------------------------

    def load(self, loader: Loader) -> None:
        self.starting.load(loader)

    def configure(self, updated: set[str]) -> None:
        built = self.starting.configure(updated)
        if built is not None:
            runtime = built.runtime
            self.reception = build_handler(
                runtime, built.management, self.exchanges, self.tunnels
            )
            runtime.on_shutdown.append(self._settle_open)
            body_limit.set_request_limit(BODY_BYTES, self.reception.refusals.too_large)
            attempt_policy.set_error_answer(self.reception.refusals.error_answer)

    def running(self) -> None:
        self.starting.running()

    def done(self) -> None:
        self.starting.done()

    def _settle_open(self) -> None:
        """The gateway ends: what is not over yet is over now."""
        for found in tuple(self.exchanges.values()):
            self._finish(found, stopped=True)

    def _finish(
        self,
        found: AnyExchange,
        *,
        error: str | None = None,
        died: str = "",
        stopped: bool = False,
    ) -> None:
        if isinstance(found, Exchange):
            settle = self.reception.settling.finish
            settle(found, error=error, died=died, stopped=stopped)
        elif isinstance(found, AccountRequest):
            self.reception.accounts.finish(
                found, error=error, died=died, stopped=stopped
            )
        else:
            self.reception.passing.finish(
                found, error=error, died=died, stopped=stopped
            )

    # -- connections -----------------------------------------------------------

    def client_connected(self, client: connection.Client) -> Awaitable[None] | None:
        if not self.starting.early_clients.ready.is_set():
            return self._when_ready(client)
        self._admit(client)
        return None

    async def _when_ready(self, client: connection.Client) -> None:
        """mitmproxy listens before its add-ons run; one that is asked too early logs an
        error, and that ends the start."""
        await self.starting.early_clients.wait(client)
        self._admit(client)

    def _admit(self, client: connection.Client) -> None:
        if not self.reception.admission.admits(client):
            client.error = "This gateway answers its own machine only."
            return
        if full := self._limits().admit(client):
            client.error = full
            return
        patches.lift_connection_caps(client)

    def _limits(self) -> connection_limits.ConnectionLimits:
        if self.limits is None:
            proxy: Any = ctx.master.addons.get("proxyserver")  # type: ignore[no-untyped-call]
            most = connection_limits.most_connections()
            self.limits = connection_limits.ConnectionLimits(proxy.connections, most)
        return self.limits

    def next_layer(self, nextlayer: layer.NextLayer) -> None:
        http_layer.install(nextlayer)
        self.reception.admission.on_protocol(nextlayer)

    @fail_closed
    async def http_connect(self, flow: http.HTTPFlow) -> None:
        if refused := await self.reception.admission.connect(flow):
            set_response(flow, refused)

    def tls_clienthello(self, data: tls.ClientHelloData) -> None:
        data.ignore_connection = True
        admission = self.reception.admission
        sni = data.client_hello.sni
        data.ignore_connection = not admission.decrypts(data.context.client, sni)

    def tls_failed_client(self, data: tls.TlsData) -> None:
        self.reception.admission.distrusted(data.context.client)

    async def server_connect(self, data: server_hooks.ServerConnectionHookData) -> None:
        try:
            await self.reception.admission.connecting(data)
        except Exception:
            logger.exception("Internal error while connecting.")
            data.server.error = "Internal error."

    # -- what only passes ------------------------------------------------------

    def tcp_message(self, flow: tcp.TCPFlow) -> None:
        """mitmproxy keeps all that ever went through a tunnel; nobody looks at it."""
        flow.messages.clear()

    def websocket_message(self, flow: http.HTTPFlow) -> None:
        if flow.websocket is not None:
            flow.websocket.messages.clear()

    # -- requests --------------------------------------------------------------

    @fail_closed
    def requestheaders(self, flow: http.HTTPFlow) -> Awaitable[None] | None:
        if flow.response or flow.error or not flow.live:
            return None
        return self.reception.heads.on_headers(flow)

    @fail_closed
    def request(self, flow: http.HTTPFlow) -> Awaitable[None] | None:
        if flow.response or flow.error or not flow.live:
            return None
        return self.reception.on_request(flow)

    async def gateway_attempt_failed(self, failure: attempt_policy.Failure) -> None:
        try:
            await self.reception.failed(failure)
        except Exception:
            logger.exception("Internal error while failing over.")
            internal_error(failure.flow)
            failure.action = attempt_policy.Action.RESPOND

    # -- answers ---------------------------------------------------------------

    @fail_closed
    def responseheaders(self, flow: http.HTTPFlow) -> None:
        found = self.exchanges.get(flow)
        if isinstance(found, Exchange):
            # Answers of our own pass here too, with nothing left to do.
            if not found.finished and found.attempt is not None:
                self.reception.answering.answered(found)
        elif isinstance(found, AccountRequest):
            if not found.finished and found.record.outcome == "in_flight":
                self.reception.accounts.answered(found)
        elif found is not None:
            self.reception.passing.answered(found)
        elif flow.request.stream and flow.response is not None:
            flow.response.stream = True  # it only passes

    @fail_closed
    def response(self, flow: http.HTTPFlow) -> None:
        self._over(flow, None)

    @fail_closed
    def error(self, flow: http.HTTPFlow) -> None:
        said = flow.error.msg if flow.error else "closed"
        if said == attempt_policy.INTERNAL and (found := self.exchanges.get(flow)):
            if isinstance(found, Exchange):
                self.reception.settling.abort(found)
            else:
                found.record.error, found.record.status = "internal_error", 500
        self._over(flow, said)

    def _over(self, flow: http.HTTPFlow, error: str | None) -> None:
        found = self.exchanges.pop(flow, None)
        plan = attempt_policy.plan_of(flow)
        died = plan.truncated_by if plan is not None else ""
        if found is not None:
            self._finish(found, error=error, died=died)
