"""Byte-recording fake providers, a real mitmdump, and clients that hide nothing.

Everything is on 127.0.0.1 with ports from the system, nothing is patched, nothing sleeps.

A provider runs in its own thread, so tests may be plain functions or coroutines:

    with FakeProvider() as good, FakeProvider(answers.rate_limited()) as busy:
        ...                            # busy.base_url == "http://127.0.0.1:PORT"
        busy.then(answers.close(), answers.ok("hi"))   # the next two, then `default` again
        busy.default = answers.reset()                 # or a function: Received -> Answer
        good.requests[-1].json()       # every request: method, target, headers, body, …
        good.journal                   # everything that happened, append-only
        good.bytes_in()                # every byte received
        good.wait(lambda p: p.count("left") == 1)      # block until the peer has left
        good.stop(); good.start(good.port)             # away, and back at the same place

TLS and HTTP/2 with certificates that nobody else trusts:

    authority = Authority(tmp_path)
    FakeProvider(tls=authority.server_context())                # 127.0.0.1, localhost
    FakeProvider(tls=authority.server_context(alpn=("h2",)))    # HTTP/2
    FakeProvider(mute=True)                                     # TLS handshakes hang

Order instead of clocks: a `Gate` inside an answer waits for the test.

    gate = Gate()
    provider.default = answers.stream(["one", "two"], gate=gate)
    gate.release(); await answered.until(b"one")     # "two" cannot have been sent yet
    gate.release(); await answered.until(b"two")

The proxy, as its users start it, and the ways into it:

    with MitmProcess(script, confdir=shared, trust=authority.ca, options={…}) as mitm:
        async with reach(Way.CONNECT_H2, mitm.port, ca=mitm.ca, host="api.openai.com") as s:
            answered = await s.ask("/v1/chat/completions", body)
            answered.status, answered.header("content-type"), await answered.chunk()

`Way`: BASE (origin-form to the gateway's port), ABSOLUTE (HTTP_PROXY), CONNECT_H1,
CONNECT_H2. Addresses that fail: `refused_port()`, `unanswered_port()`, UNRESOLVABLE,
UNENCODABLE. All bad days of a provider are functions in `answers`.
"""

from child_processes import child, default_interrupt

from . import answers
from .certs import Authority, client_context
from .clients import (
    Answered,
    Gone,
    H1Answered,
    H1Session,
    H2Answered,
    H2Session,
    NoHttp2,
    Session,
    Way,
    reach,
)
from .mitm import MitmProcess
from .ports import UNENCODABLE, UNRESOLVABLE, refused_port, unanswered_port
from .provider import Entry, FakeProvider
from .steps import Answer, End, Gate, Pause, Received, Script
from .strict import StrictUpstream

__all__ = [
    "UNENCODABLE",
    "UNRESOLVABLE",
    "Answer",
    "Answered",
    "Authority",
    "End",
    "Entry",
    "FakeProvider",
    "Gate",
    "Gone",
    "H1Answered",
    "H1Session",
    "H2Answered",
    "H2Session",
    "MitmProcess",
    "NoHttp2",
    "Pause",
    "Received",
    "Script",
    "Session",
    "StrictUpstream",
    "Way",
    "answers",
    "child",
    "client_context",
    "default_interrupt",
    "reach",
    "refused_port",
    "unanswered_port",
]
