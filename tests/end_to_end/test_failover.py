"""A provider fails before the client saw a byte: the next one answers, nobody notices.

Each row of the table of failures, met by a client of each way in, plain and streamed.
All cases of a gateway share it: its start is what takes time.
"""

import asyncio
import json
from collections.abc import Iterator
from datetime import datetime
from typing import Any

import pytest
from fakes import Authority, End, answers

from gateway import GatewayProcess

from .conftest import Start
from .failing import PLAIN, Case, Places, Row, Told, cases, error, put

HOUR, MONTH = 3600.0, 31 * 86_400.0
DISABLED = {"event": "disabled", "back_in": (HOUR, HOUR)}
COOLING = {"event": "cooldown", "status": 429}
BILLED = {"counted": True, "billed": True}

UNTRUSTED = (
    "tls: its certificate is not trusted; if a company reads TLS here, name the "
    "company's root in network.caFile"
)

RETRY_AFTER = {
    "seconds": (7, 7),
    "date": (MONTH, MONTH),
    "past date": (1, 1),
    "zero": (1, 1),
    "negative": (30, 30),
    "fraction": (1.5, 1.5),
    "huge": (1, 1),
    "garbage": (30, 30),
    "milliseconds": (1.5, 1.5),
    "openai reset": (372, 372),
    "anthropic reset": (30, 30),
    "none": (30, 30),
}

ROWS = [
    # before a request can be sent
    Row("refused", None, "connect", sent=False),
    Row("no tls", None, "tls", sent=False),
    Row("untrusted", None, UNTRUSTED, sent=False),
    Row("wrong name", None, "tls", sent=False),
    # before the headers
    Row("close", answers.close(), "closed before headers"),
    Row("reset", answers.reset(), "closed before headers"),
    Row("garbage", answers.garbage(), "protocol error", **BILLED),
    Row("invalid", answers.invalid_header(), "protocol error", status=200, **BILLED),
    # come back later
    *(
        Row(
            f"429 {form}",
            answers.rate_limited(form),
            "429 fake_429",
            **COOLING,
            back_in=RETRY_AFTER[form],
        )
        for form in answers.RETRY_AFTER_FORMS
    ),
    # not with this key, not without money
    Row("401", answers.status(401), "401 fake_401", status=401, **DISABLED),
    Row("403", answers.status(403), "403 fake_403", status=403, **DISABLED),
    Row("402", answers.status(402), "402 fake_402", status=402, **DISABLED),
    Row(
        "no quota",
        answers.status(
            429, error("You exceeded your current quota", "insufficient_quota")
        ),
        "429 insufficient_quota",
        status=429,
        **DISABLED,
    ),
    # not this model, not this dialect
    Row(
        "404 model",
        answers.status(404, error("The model `x` does not exist", "model_not_found")),
        "404 model_not_found",
        status=404,
        event="disabled",
        back_in=(600, 600),
    ),
    Row(
        "404 silent",
        answers.status(404, b""),
        "404",
        status=404,
        event="disabled",
        back_in=(600, 600),
    ),
    Row(
        "400 model",
        answers.status(400, error("x is not a valid model ID", "invalid_model")),
        "400 invalid_model",
        status=400,
        event="disabled",
        back_in=(600, 600),
    ),
    Row(
        "404 path",
        answers.status(404, error("Invalid URL (POST /v1/chat/completions)", "")),
        "404 fake",
        status=404,
        event="disabled",
        back_in=(600, 600),
    ),
    Row(
        "405",
        answers.status(405, b""),
        "405",
        status=405,
        event="disabled",
        back_in=(600, 600),
    ),
    # it broke
    Row(
        "503 later",
        answers.status(503, headers=[("retry-after", "40")]),
        "503 fake_503",
        status=503,
        counted=True,
        event="cooldown",
        back_in=(40, 40),
    ),
    *(
        Row(
            f"{code}",
            answers.status(code),
            f"{code} fake_{code}",
            status=code,
            counted=True,
        )
        for code in (408, 409, 498, 500, 502, 504, 529)
    ),
    Row("big 500", answers.big_500(), "500", status=500, counted=True),
    Row("empty 503", answers.empty_503(), "503", status=503, counted=True),
    Row(
        "302",
        answers.status(302, b"", [("location", "http://127.0.0.1:9/")]),
        "302",
        status=302,
        counted=True,
    ),
    # a good status, and no answer
    Row(
        "head only",
        answers.headers_then_close(),
        "closed before content",
        status=200,
        **BILLED,
    ),
    Row(
        "head eof",
        answers.headers_then_close("close"),
        "broken body",
        "empty stream",
        status=200,
        **BILLED,
    ),
    Row(
        "short", answers.wrong_length(9), "closed before content", status=200, **BILLED
    ),
    Row("broken json", answers.broken_json(), "broken body", status=200, **BILLED),
    Row(
        "html",
        answers.Answer(
            headers=(("content-type", "text/html"),), body=(b"<html>hi</html>",)
        ),
        "broken body",
        status=200,
        **BILLED,
    ),
    Row(
        "null",
        answers.Answer(headers=(answers.JSON,), body=(b"null",)),
        "broken body",
        status=200,
        **BILLED,
    ),
    Row("200 error", answers.status(200), "error event", status=200, **BILLED),
    Row(
        "error event",
        answers.error_event_first(),
        "broken body",
        "error event",
        status=200,
        **BILLED,
    ),
    Row(
        "empty stream",
        answers.empty_stream(),
        "broken body",
        "empty stream",
        status=200,
        **BILLED,
    ),
]

LATE = [
    # Where the resolver hangs, it is the connect timeout that says so.
    Row("unresolvable", None, "cannot resolve", sent=False, or_late=True),
    Row("unanswered", None, "connect timeout", sent=False),
    Row("mute", None, "connect timeout", sent=False),
    Row("silence", answers.silence(), "no first byte", **BILLED),
    Row(
        "head silence",
        answers.headers_then_silence(),
        "no first byte",
        status=200,
        **BILLED,
    ),
    Row(
        "role silence",
        answers.stream([], tail=(End.HANG,)),
        "no first byte",
        status=200,
        **BILLED,
    ),
    Row("stalled 500", answers.stalled_500(), "500", status=500, counted=True),
]


HASTY = {
    "connectTimeoutSeconds": 2,
    "firstByteTimeoutSeconds": 2,
    "idleTimeoutSeconds": 2,
}


@pytest.fixture(scope="module")
def places(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Places]:
    folder = tmp_path_factory.mktemp("authorities")
    with Places(Authority(folder / "one"), Authority(folder / "other")) as places:
        yield places


@pytest.fixture(scope="module")
def gateway(start_shared: Start, places: Places) -> GatewayProcess:
    return start_shared({"providers": places.providers(ROWS)}, trust=places.ca)


@pytest.fixture(scope="module")
def late(
    start_shared: Start, places: Places
) -> tuple[GatewayProcess, dict[Case, Told]]:
    """Everything that takes its time, all at once: the gateway and its answers."""
    config = {"routing": HASTY, "providers": places.providers(LATE)}
    gateway = start_shared(config, trust=places.ca)
    asked = [case for row in LATE for case in cases(row)]

    async def answered() -> list[Told]:
        return await asyncio.gather(*(put(gateway, case) for case in asked))

    return gateway, dict(zip(asked, asyncio.run(answered()), strict=True))


def expected(case: Case) -> dict[str, object]:
    row = case.row
    return {
        "status": 200,
        "headers": ("B", "good", "2"),
        "answer": "the good one's",
        "request": ("ok", "B", "good", 200, 2),
        "attempt 1": (case.bad, case.sent, "failed", case.reason, row.status),
        "attempt 2": ("B", "good", "ok", "", 200),
        "counted, billed": (row.counted, row.billed),
        "remembered": [row.event] if row.event else [],
        "received": (row.script is not None, 1),
    }


def found(
    gateway: GatewayProcess, places: Places, case: Case, told: Told
) -> dict[str, object]:
    ours = [
        told.headers.get(f"x-gateway-{n}") for n in ("provider", "model", "attempts")
    ]
    id = told.headers["x-gateway-request-id"]
    [row] = gateway.ended_one(id)
    tries = gateway.rows("select * from attempts where request = ? order by n", id)
    events = gateway.rows(
        "select * from events where subject in (?, ?)",
        case.bad,
        f"{case.bad}/{case.sent}",
    )
    first, second = places.received(case)
    if case.row.or_late and tries[0]["reason"] == "connect timeout":
        tries[0]["reason"] = case.reason
    return {
        "status": told.status,
        "headers": tuple(ours),
        "answer": "the good one's" if _is_good(case, told) else told.body,
        "request": tuple(
            row[k] for k in ("outcome", "provider", "model", "status", "attempts")
        ),
        **{
            f"attempt {t['n']}": tuple(
                t[k] for k in ("provider", "model", "outcome", "reason", "status")
            )
            for t in tries
        },
        "counted, billed": (bool(tries[0]["counted"]), tries[0]["tokens"] > 0),
        "remembered": [_in_time(case.row, event) for event in events],
        "received": (bool(first), len(second)),
    }


def _is_good(case: Case, told: Told) -> bool:
    if case.form == PLAIN:
        return told.json()["choices"][0]["message"]["content"] == case.nonce
    return (
        told.headers["content-type"] == "text/event-stream; charset=utf-8"
        and f'"content": "{case.nonce}"'.encode() in told.body
        and told.body.endswith(b"\n\ndata: [DONE]\n\n")
        and told.body.count(b"[DONE]") == 1
        and b'"usage"' not in told.body
    )


def _in_time(row: Row, event: dict[str, Any]) -> str:
    """The event's kind, with what is wrong about its end."""
    until = json.loads(event["detail"]).get("until")
    if row.back_in is None:
        return str(event["kind"]) if until is None else f"{event['kind']} until {until}"
    soonest, latest = row.back_in
    seconds = until - datetime.fromisoformat(event["ts"]).timestamp()
    in_time = soonest - 0.1 <= seconds <= latest + 0.1
    return str(event["kind"]) if in_time else f"{event['kind']}, {seconds} s"


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
async def test_next_answers(gateway: GatewayProcess, places: Places, row: Row) -> None:
    told = await asyncio.gather(*(put(gateway, case) for case in cases(row)))
    for case, answer in zip(cases(row), told, strict=True):
        assert found(gateway, places, case, answer) == expected(case), case.id


@pytest.mark.parametrize("row", LATE, ids=lambda row: row.name)
def test_next_answers_in_time(
    late: tuple[GatewayProcess, dict[Case, Told]], places: Places, row: Row
) -> None:
    gateway, told = late
    for case in cases(row):
        assert found(gateway, places, case, told[case]) == expected(case), case.id
