"""What can be changed from the page: each is a call of the gateway's management routes.

A write checks the permission, reads the body, forwards, and answers with what the
gateway said. (Host, origin, type and size were checked before: security.py.) The plugin
writes no file and no row.

What this file does not know: what a valid configuration is.
"""

import asyncio
import json
import re
import time
from collections.abc import Mapping
from contextlib import suppress
from typing import Any
from urllib.parse import urlencode

from datasette import Forbidden

from llm_gateway import gateway_client
from llm_gateway.dashboard import compat, queries, starters
from llm_gateway.dashboard.availability import moment
from llm_gateway.dashboard.plugin_state import NoLedger, PluginState, board_of
from llm_gateway.dashboard.reader import NotReadable
from llm_gateway.dashboard.view_answers import json_of, problem_of
from llm_gateway.gateway_client import Answer, GatewayDown, NoToken

Json = dict[str, Any]

VERSIONS = 12
"""Reloads that the config page lists."""


class _Wrong(Exception):
    """The page sent something that it should not."""


async def config_json(request: Any, datasette: Any) -> Any:
    """GET: the masked configuration as text and as JSON, with the hash for saving."""
    board = await _admin(request, datasette)
    try:
        text = await _call(board, "GET", "/config?format=text")
        if text.status != 200:
            return _forward(text)
        values = await _call(board, "GET", "/config")
    except (GatewayDown, NoToken) as error:
        return _down(error)
    if values.status != 200:
        return _forward(values)
    return json_of(
        {
            "text": text.body.decode("utf-8", "replace"),
            "hash": text.headers.get("x-config-hash", ""),
            "config": values.json(),
        }
    )


async def config_save(request: Any, datasette: Any) -> Any:
    """POST {text or config, hash, dry_run}: validate, or save.

    A dry run answers 200 with `errors` where saving would be refused with 422. `text` is
    JSONC; `config` the whole configuration as an object, whose comments the
    gateway keeps. Secrets may stay masked in both.
    """

    async def write(board: PluginState, body: Json) -> Any:
        text, config = body.get("text"), body.get("config")
        if isinstance(text, str):
            kind, payload = "application/jsonc", text
        elif isinstance(config, dict):
            kind, payload = "application/json", json.dumps(config)
        else:
            raise _Wrong("text: write the configuration as a string")
        path = "/config?dry_run=1" if body.get("dry_run") else "/config"
        headers = {"content-type": kind, "if-match": str(body.get("hash") or "")}
        answer = await _call(board, "POST", path, payload=payload, headers=headers)
        if body.get("dry_run") and answer.status in (400, 422):
            # A draft with mistakes is no failed request: the answer is a list of them.
            return json_of({"valid": False, **answer.json()})
        return _forward(answer)

    return await _write(request, datasette, write)


async def config_versions_json(request: Any, datasette: Any) -> Any:
    """GET: earlier versions of the file; with ?id= what restoring that one would change."""
    board = await _admin(request, datasette)
    id_ = request.args.get("id")
    query = "" if id_ is None else "?" + urlencode({"id": id_})
    try:
        return _forward(await _call(board, "GET", f"/config/versions{query}"))
    except (GatewayDown, NoToken) as error:
        return _down(error)


async def config_restore(request: Any, datasette: Any) -> Any:
    """POST {id, hash}: the file as it was then. `hash`: what it is now, for this page."""

    async def write(board: PluginState, body: Json) -> Any:
        for key in ("id", "hash"):
            if not isinstance(body.get(key), str) or not body[key]:
                raise _Wrong(f"{key}: write a string")
        payload = json.dumps({"id": body["id"]})
        headers = {"content-type": "application/json", "if-match": body["hash"]}
        path = "/config/restore"
        answer = await _call(board, "POST", path, payload=payload, headers=headers)
        return _forward(answer)

    return await _write(request, datasette, write)


async def reload(request: Any, datasette: Any) -> Any:
    async def write(board: PluginState, body: Json) -> Any:
        return _forward(await _call(board, "POST", "/admin/reload", body={}))

    return await _write(request, datasette, write)


async def simulate(request: Any, datasette: Any) -> Any:
    """POST {providerId, model, tokens, cost}: counted like a request, marked as fake."""

    async def write(board: PluginState, body: Json) -> Any:
        known = ("providerId", "model", "tokens", "cost")
        sent = {key: body[key] for key in known if body.get(key) not in (None, "")}
        return _forward(
            await _call(board, "POST", "/usage/simulate", body=sent, admin=False)
        )

    return await _write(request, datasette, write)


TEST_QUESTION = "Reply with the word: ok"
TEST_SECONDS = 45.0


async def test_call(request: Any, datasette: Any) -> Any:
    """POST {provider, model}: one small question to that model alone, through the gateway;
    {provider, any: true}: to one that it has, best a free one that is ready.

    Answers {ok, ms, status, model, message}: a failure there is no failure of this page.
    """

    async def write(board: PluginState, body: Json) -> Any:
        if body.get("any") is True and isinstance(body.get("provider"), str):
            model = await _model_to_test(board, body["provider"])
            if model is None:
                unknown = "no model of its list is known yet; try again in a moment"
                return json_of({"ok": False, "ms": 0, "status": 0, "message": unknown})
            body = {**body, "model": model}
        for key in ("provider", "model"):
            if not isinstance(body.get(key), str) or not body[key]:
                raise _Wrong(f"{key}: write a name")
        label = f"{body['provider']}/{body['model']}"
        asked = dict(
            model=label,
            messages=[{"role": "user", "content": TEST_QUESTION}],
            max_tokens=16,
        )
        began = time.monotonic()
        answer = await _call(
            board,
            "POST",
            "/v1/chat/completions",
            body=asked,
            admin=False,
            timeout=TEST_SECONDS,
        )
        took = round((time.monotonic() - began) * 1000)
        found = answer.json()
        said = found.get("error") if isinstance(found, dict) else None
        message = said.get("message", "") if isinstance(said, dict) else str(said or "")
        ok = answer.status == 200 and not said
        why = _of_one(message, label)
        shown = "" if ok else why[:300] or f"status {answer.status}"
        told = {"ms": took, "status": answer.status, "model": body["model"]}
        return json_of({"ok": ok, **told, "message": shown})

    return await _write(request, datasette, write)


_REFUSED = re.compile(r"disabled: (40[13]\b.*)", re.DOTALL)


def _of_one(message: str, label: str) -> str:
    """What is said of this model, where a refusal lists why each candidate is not taken;
    a refused key by that name."""
    why = message.rpartition(f" {label}: ")[2]
    refused = _REFUSED.match(why)
    return f"key refused: {refused[1]}" if refused else why


async def _model_to_test(board: PluginState, provider: str) -> str | None:
    try:
        rows = await board.ask(
            "live",
            lambda ask: ask(queries.MODEL_TO_TEST, {"provider": provider}),
            seconds=2.0,
        )
    except (NoLedger, NotReadable):
        return None
    return rows[0]["model"] if rows else None


async def starters_json(request: Any, datasette: Any) -> Any:
    """GET: providers that can be added with a key alone, and what their free tiers give as
    the running gateway knows it."""
    board = board_of(datasette)
    if not await board.may_look(request.actor, None):
        raise Forbidden("view-instance")
    gives: Json = {}
    with suppress(GatewayDown, NoToken, ValueError):
        answer = await _call(board, "GET", "/admin/models")
        found = answer.json() if answer.status == 200 else None
        gives = found.get("free_tiers", {}) if isinstance(found, dict) else {}
    return json_of({"starters": starters.as_json(gives)})


async def copilot(request: Any, datasette: Any) -> Any:
    """POST {providerId} to start, {flow} to poll: GitHub's device login."""
    step = request.url_vars["step"]

    async def write(board: PluginState, body: Json) -> Any:
        key = {"start": "providerId", "poll": "flow"}[step]
        if not isinstance(body.get(key), str):
            raise _Wrong(f"{key}: write a string")
        path = f"/api/copilot/auth/{step}"
        return _forward(await _call(board, "POST", path, body={key: body[key]}))

    return await _write(request, datasette, write)


async def status_json(request: Any, datasette: Any) -> Any:
    """GET: is the gateway there, what does it serve, and its last reloads."""
    board = board_of(datasette)
    if not await board.may_look(request.actor, None):
        raise Forbidden("view-instance")
    try:
        health = (await _call(board, "GET", "/health", admin=False)).json()
        down = None
    except GatewayDown as error:
        health, down = None, str(error)
    try:
        rows = await board.ask(
            "live",
            lambda ask: ask(queries.EVENTS, {"kind": "config", "count": VERSIONS}),
            seconds=2.0,
        )
    except (NoLedger, NotReadable):
        rows = []
    return json_of(
        {
            "health": health,
            "down": down,
            "events": [
                {
                    "at": moment(row["ts"]),
                    "subject": row["subject"],
                    "message": row["message"],
                }
                for row in rows
            ],
        }
    )


async def route_json(request: Any, datasette: Any) -> Any:
    """GET ?model=: who would be chosen now, from the gateway."""
    board = board_of(datasette)
    if not await board.may_look(request.actor, None):
        raise Forbidden("view-instance")
    query = urlencode({"model": request.args.get("model") or ""})
    try:
        return _forward(await _call(board, "GET", f"/route?{query}", admin=False))
    except GatewayDown as error:
        return _down(error)


async def _write(request: Any, datasette: Any, write: Any) -> Any:
    if request.method != "POST":
        return problem_of(405, "Send a POST.")
    board = await _admin(request, datasette)
    try:
        body = json.loads(await request.post_body() or b"{}")
        if not isinstance(body, dict):
            raise _Wrong("the body: write a JSON object")
        return await write(board, body)
    except (GatewayDown, NoToken) as error:
        return _down(error)
    except (_Wrong, ValueError) as error:
        return problem_of(400, str(error))


async def _admin(request: Any, datasette: Any) -> PluginState:
    if not await compat.can_admin(datasette, request.actor):
        raise Forbidden(compat.ADMIN)
    return board_of(datasette)


NOT_KNOWN = (
    "There is no usage database at {path}, so nothing says which gateway is meant, and "
    "none is asked. Start it there, or name it in LLM_GATEWAY_URL."
)


async def _call(
    board: PluginState,
    method: str,
    path: str,
    *,
    body: Json | None = None,
    payload: str | None = None,
    headers: Mapping[str, str] | None = None,
    admin: bool = True,
    timeout: float = gateway_client.TIMEOUT,
) -> Answer:
    if not await board.knows_gateway():
        raise GatewayDown(NOT_KNOWN.format(path=board.expected()))
    base = await board.gateway_url()
    if body is not None:
        payload = json.dumps(body)
        headers = {"content-type": "application/json"}
    return await asyncio.to_thread(
        gateway_client.call,
        base,
        method,
        path,
        body=None if payload is None else payload.encode("utf-8", "replace"),
        headers=headers,
        admin=admin,
        timeout=timeout,
    )


def _forward(answer: Answer) -> Any:
    """The gateway's answer; its refusal of our token is not the reader's fault."""
    if answer.status in (401, 403):
        return problem_of(
            502,
            "The gateway did not take the admin token: the dashboard reads it from "
            f"{gateway_client.home() / gateway_client.TOKEN_FILE}. Run both with the same LLM_GATEWAY_HOME.",
        )
    body = answer.json()
    if answer.headers.get("x-config-hash") and isinstance(body, dict):
        body = body | {"hash": answer.headers["x-config-hash"]}
    return json_of(body, answer.status)


def _down(error: Exception) -> Any:
    return json_of(
        {"error": {"message": str(error)}, "state": "gateway down"}, status=503
    )
