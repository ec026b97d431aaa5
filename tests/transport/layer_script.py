"""The smallest addon that uses the HTTP layer: the client says where to go, in a header.

`x-plan` is JSON: `to` (list of [scheme, host, port], tried in order), `name` (under which
the flow's hooks are written down), `judge` ("chat" holds answers back until they are
good, "pass" passes everything), `upload` (stream the request), `buffer` (do not stream
the answer), timeouts `connect`, `first`, `idle`, `deadline` (longer than a test waits, so that one
that is not told apart is a test that fails), `truncation_tail` (false: no tail),
`held` (max_held), `pooled` (false: as if an app had composed the request), `act` ("crash": raise in the failure hook, "slow": wait there,
"kill": kill the flow there, "slow head" and "kill head": the same in responseheaders).
`GET /_hooks/NAME` answers with what happened to a flow, `/_state` with counts,
`/_go/NAME` lets a slow hook go on.
"""

import asyncio
import gc
import json
from dataclasses import replace
from weakref import WeakKeyDictionary

from mitmproxy import connection, ctx, http
from mitmproxy.proxy.layer import NextLayer

from llm_gateway.domain import FailureKind
from llm_gateway.transport import attempt_policy, body_limit, patches
from llm_gateway.transport import layer as http_layer
from llm_gateway.transport.attempt_policy import (
    Action,
    AttemptPolicy,
    Classification,
    Failure,
)


class Chat:
    """Holds back until there is content; JSON until its end."""

    def __init__(self) -> None:
        self.seen = b""
        self.events = False

    def head(self, status: int, headers: http.Headers) -> Classification:
        if status == 418:
            raise RuntimeError("a judge that fails")
        if status == 410:
            return Classification.REJECT
        if status >= 300:
            return Classification.READ_ERROR_BODY
        self.events = "event-stream" in headers.get("content-type", "")
        return Classification.BUFFER

    def body(self, data: bytes) -> Classification:
        self.seen += data
        if self.events and b'"error"' in self.seen:
            return Classification.REJECT
        if self.events and b'"delta": {"content": "' in self.seen:
            return Classification.FORWARD
        return Classification.BUFFER

    def end(self) -> Classification:
        if self.events:
            return Classification.REJECT
        try:
            good = "error" not in json.loads(self.seen)
        except ValueError:
            good = False
        return Classification.FORWARD if good else Classification.REJECT


class Pass:
    def head(self, status: int, headers: http.Headers) -> Classification:
        return Classification.FORWARD

    def body(self, data: bytes) -> Classification:
        raise AssertionError("asked though nothing is held")

    def end(self) -> Classification:
        raise AssertionError("asked though nothing is held")


class Flight:
    """What one flow goes through."""

    def __init__(self, text: str) -> None:
        self.order = json.loads(text)
        self.left = list(self.order["to"])
        self.failures: list[dict[str, object]] = []
        self.resends = 0
        self.plan: AttemptPolicy | None = None

    def aim(self, flow: http.HTTPFlow) -> None:
        scheme, host, port = self.left.pop(0)
        flow.request.scheme = scheme
        flow.request.host = host
        flow.request.port = port
        flow.request.headers["x-attempt"] = str(len(self.failures) + 1)
        get = self.order.get
        now = asyncio.get_running_loop().time()
        if get("judge") == "none":
            return
        self.plan = AttemptPolicy(
            Pass() if get("judge") == "pass" else Chat(),
            connect_timeout=get("connect", 30),
            first_byte_timeout=get("first", 30),
            idle_timeout=get("idle", 30),
            deadline=now + get("deadline", 60),
            truncation_tail=self.tail if get("cut", True) else None,
            pooled=get("pooled", True),
        )
        if "held" in self.order:
            self.plan.max_held = get("held")
        attempt_policy.set_plan(flow, self.plan)

    def again(self, failure: Failure) -> None:
        """A kept connection was closed: the same on a new one."""
        self.resends += 1
        assert self.plan is not None
        self.plan = replace(self.plan, fresh=True, sent=False)
        attempt_policy.set_plan(failure.flow, self.plan)
        failure.action = Action.RETRY

    def tail(self, reason: str) -> bytes:
        return b"data: " + json.dumps({"error": {"message": reason}}).encode() + b"\n\n"

    def told(self, failure: Failure) -> None:
        """Keep what it says, not the failure itself: it knows the flow."""
        kind = failure.headers.get("content-type") if failure.headers else None
        self.failures.append(
            {
                "kind": failure.kind.value,
                "message": failure.message,
                "status": failure.status,
                "type": kind,
                "size": len(failure.body),
                "body": failure.body[:200].decode("latin-1"),
                "complete": failure.body_complete,
                "sent": failure.request_sent,
                "replayable": failure.replayable,
            }
        )


class LayerScript:
    def __init__(self) -> None:
        self.flights: WeakKeyDictionary[http.HTTPFlow, Flight] = WeakKeyDictionary()
        self.hooks: dict[str, list[str]] = {}
        self.last: dict[str, Flight] = {}
        self.gates: dict[str, asyncio.Event] = {}

    def load(self, loader: object) -> None:
        ctx.options.update(connection_strategy="lazy", upstream_cert=False)
        body_limit.set_request_limit(2_000_000)

    def client_connected(self, client: connection.Client) -> None:
        patches.lift_connection_caps(client)

    def next_layer(self, nextlayer: NextLayer) -> None:
        http_layer.install(nextlayer)

    def note(self, flow: http.HTTPFlow, what: str) -> None:
        flight = self.flights.get(flow)
        if flight and "name" in flight.order:
            self.hooks.setdefault(flight.order["name"], []).append(what)
            self.last[flight.order["name"]] = flight

    def requestheaders(self, flow: http.HTTPFlow) -> None:
        if text := flow.request.headers.pop("x-plan", None):
            flight = self.flights[flow] = Flight(text)
            self.note(flow, "requestheaders")
            if flight.order.get("upload"):
                flow.request.stream = True
                flight.aim(flow)

    def request(self, flow: http.HTTPFlow) -> None:
        self.note(flow, "request")
        if flight := self.flights.get(flow):
            if not flight.order.get("upload"):
                flight.aim(flow)
            return
        flow.response = http.Response.make(200, json.dumps(self.control(flow)))

    def control(self, flow: http.HTTPFlow) -> object:
        _, what, name = (*flow.request.path.split("/", 2), "")[:3]
        if what == "_go":
            self.gates.setdefault(name, asyncio.Event()).set()
            return {}
        if what == "_state":
            gc.collect()
            proxy = ctx.master.addons.get("proxyserver")
            handlers = list(proxy.connections.values())
            everything = gc.get_objects()
            layers = [
                o for o in everything if isinstance(o, http_layer.GatewayHttpLayer)
            ]
            return {
                "flows": sum(isinstance(o, http.HTTPFlow) for o in everything),
                "timers": sum(len(h.wakeup_timer) for h in handlers),
                "transports": sum(len(h.transports) for h in handlers),
                "connections": sum(len(layer.connections) for layer in layers),
                "streams": sum(len(layer.streams) for layer in layers),
                "sources": sum(len(layer.command_sources) for layer in layers),
            }
        flight = self.last.get(name)
        return {
            "hooks": self.hooks.get(name, []),
            "failures": flight.failures if flight else [],
            "resends": flight.resends if flight else 0,
        }

    def gate(self, flight: Flight) -> asyncio.Event:
        return self.gates.setdefault(flight.order["name"], asyncio.Event())

    async def gateway_attempt_failed(self, failure: Failure) -> None:
        flight = self.flights[failure.flow]
        if failure.stale:
            flight.again(failure)
            return
        self.note(failure.flow, f"failed: {failure.kind.value}")
        flight.told(failure)
        if flight.order.get("act") == "crash":
            raise RuntimeError("an addon that fails")
        if flight.order.get("act") == "slow":
            await self.gate(flight).wait()
        if flight.order.get("act") == "kill":
            failure.flow.kill()
            return
        if flight.left and failure.replayable:
            flight.aim(failure.flow)
            failure.action = Action.RETRY
            return
        late = all(f["kind"] == FailureKind.FIRST_BYTE for f in flight.failures)
        body = {"error": {"message": "all failed", "attempts": flight.failures}}
        kind = {"content-type": "application/json"}
        failure.flow.response = http.Response.make(
            504 if late else 502, json.dumps(body), kind
        )

    async def responseheaders(self, flow: http.HTTPFlow) -> None:
        self.note(flow, "responseheaders")
        if (flight := self.flights.get(flow)) and flow.response:
            kinds = [f["kind"] for f in flight.failures]
            flow.response.headers["x-failed"] = json.dumps(kinds)
            if not flight.order.get("buffer") and flow.response.raw_content is None:
                flow.response.stream = True
            if flight.order.get("act") == "slow head":
                await self.gate(flight).wait()
            if flight.order.get("act") == "kill head":
                flow.kill()

    def response(self, flow: http.HTTPFlow) -> None:
        self.note(flow, "response")

    def error(self, flow: http.HTTPFlow) -> None:
        self.note(flow, "error")


addons = [LayerScript()]
