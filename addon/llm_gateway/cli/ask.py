"""Asking a running gateway, from the command line.

What lives here: one small HTTP client for loopback, past every proxy variable that
`llm-gateway env` may have set.
"""

import json
import os
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

from llm_gateway.config.files import TOKEN_FILE

TIMEOUT = 10.0

_DIRECT = urllib.request.build_opener(urllib.request.ProxyHandler({}))


class Unreachable(Exception):
    """No gateway answers there."""


def port_from_environment() -> int:
    return int(os.environ.get("PORT") or 8080)


def ask(
    port: int,
    path: str,
    *,
    post: dict[str, Any] | None = None,
    token: str = "",
) -> tuple[int, Any]:
    """Status and JSON of an answer. Raises Unreachable.

    A gateway that listens beyond loopback asks everybody who they are: it is asked again
    with the admin token where that can be read.
    """
    status, answer = _ask(port, path, post, token)
    if status == 401 and not token and (own := _own_token()):
        return _ask(port, path, post, own)
    return status, answer


def _own_token() -> str:
    home = os.environ.get("LLM_GATEWAY_HOME") or "~/.llm-gateway"
    try:
        return (Path(home).expanduser() / TOKEN_FILE).read_text("ascii").strip()
    except (OSError, ValueError):
        return ""


def _ask(
    port: int, path: str, post: dict[str, Any] | None, token: str
) -> tuple[int, Any]:
    headers = {"accept": "application/json"}
    data = None
    if post is not None:
        data = json.dumps(post).encode()
        headers["content-type"] = "application/json"
    if token:
        headers["authorization"] = f"Bearer {token}"
    url = f"http://127.0.0.1:{port}{path}"
    request = urllib.request.Request(url, data=data, headers=headers)
    try:
        with _DIRECT.open(request, timeout=TIMEOUT) as answer:
            return answer.status, json.loads(answer.read())
    except urllib.error.HTTPError as e:
        try:
            return e.code, json.loads(e.read())
        except ValueError:
            return e.code, {"error": {"message": str(e)}}
    except (OSError, ValueError) as e:
        raise Unreachable(f"no gateway answers on port {port} ({e})") from e


def message_of(answer: Any) -> str:
    """The sentence of an error answer."""
    error = answer.get("error") if isinstance(answer, dict) else None
    return str(error.get("message", error)) if isinstance(error, dict) else str(answer)
