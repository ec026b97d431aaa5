"""Asking a running gateway, from the command line: status and JSON, and what to say without.

The HTTP is `gateway_client`'s; what lives here is the port that the environment names and
the sentences of a command that finds no gateway.
"""

import argparse
import http.client
import json
import os
from typing import Any

from llm_gateway import gateway_client
from llm_gateway.gateway_client import GatewayDown, NoToken

TIMEOUT = gateway_client.TIMEOUT
START = "start it with `mitmdump -s addon/gateway.py` or `llm-gateway serve`"


class Unreachable(Exception):
    """No gateway answers there."""


def port_from_environment() -> int:
    """PORT, else 8080.

    Raises:
        SystemExit: PORT is no port; the text says so.
    """
    text = os.environ.get("PORT") or "8080"
    if not text.isdecimal() or not 0 < int(text) < 65536:
        raise SystemExit(f"PORT={text} is not a port; write a number from 1 to 65535.")
    return int(text)


def add_port_option(parser: argparse.ArgumentParser) -> None:
    """`--port`. Raises SystemExit for a PORT that is none."""
    parser.add_argument(
        "--port",
        type=int,
        default=port_from_environment(),
        help="the gateway's port; default PORT, else 8080",
    )


def ask(
    port: int,
    path: str,
    *,
    post: dict[str, Any] | None = None,
    token: str = "",
    timeout: float = TIMEOUT,
) -> tuple[int, Any]:
    """Status and JSON of an answer.

    A gateway that listens beyond loopback asks everybody who they are: it is asked again
    with the admin token where that can be read.

    Raises:
        Unreachable: nothing answers, or another program does.
    """
    status, answer = _ask(port, path, post, token, timeout)
    if status == 401 and not token and (own := own_token()):
        return _ask(port, path, post, own, timeout)
    return status, answer


def own_token() -> str:
    """The admin token of this user's gateway, "" where there is none to be read."""
    try:
        return gateway_client.admin_token()
    except NoToken:
        return ""


def _ask(
    port: int, path: str, post: dict[str, Any] | None, token: str, timeout: float
) -> tuple[int, Any]:
    headers = {"authorization": f"Bearer {token}"} if token else {}
    body = None
    if post is not None:
        body = json.dumps(post).encode()
        headers["content-type"] = "application/json"
    another = f"another program listens on port {port}; {START}"
    try:
        answer = gateway_client.call(
            f"http://127.0.0.1:{port}",
            "GET" if body is None else "POST",
            path,
            body=body,
            headers=headers,
            admin=False,
            timeout=timeout,
        )
    except GatewayDown as e:
        if isinstance(e.reason, http.client.HTTPException):
            raise Unreachable(another) from None
        why = "" if e.is_free else f" ({e.reason})"
        raise Unreachable(f"nothing answers on port {port}{why}; {START}") from None
    try:
        return answer.status, json.loads(answer.body)
    except ValueError:
        raise Unreachable(another) from None


def message_of(answer: Any) -> str:
    """The sentence of an error answer."""
    error = answer.get("error") if isinstance(answer, dict) else None
    return str(error.get("message", error)) if isinstance(error, dict) else str(answer)
