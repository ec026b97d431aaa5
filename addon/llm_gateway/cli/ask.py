"""Asking a running gateway, from the command line.

What lives here: one small HTTP client for loopback, past every proxy variable that
`llm-gateway env` may have set.
"""

import http.client
import json
import os
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

from llm_gateway import private_files
from llm_gateway.config.files import TOKEN_FILE

TIMEOUT = 10.0
START = "start it with `mitmdump -s addon/gateway.py` or `llm-gateway serve`"

_DIRECT = urllib.request.build_opener(urllib.request.ProxyHandler({}))


class Unreachable(Exception):
    """No gateway answers there."""


def port_from_environment() -> int:
    """PORT, else 8080. Ends the program, saying so, when PORT is no port."""
    text = os.environ.get("PORT") or "8080"
    if not text.isdecimal() or not 0 < int(text) < 65536:
        raise SystemExit(f"PORT={text} is not a port; write a number from 1 to 65535.")
    return int(text)


def ask(
    port: int,
    path: str,
    *,
    post: dict[str, Any] | None = None,
    token: str = "",
    timeout: float = TIMEOUT,
) -> tuple[int, Any]:
    """Status and JSON of an answer. Raises Unreachable, also for another program.

    A gateway that listens beyond loopback asks everybody who they are: it is asked again
    with the admin token where that can be read.
    """
    status, answer = _ask(port, path, post, token, timeout)
    if status == 401 and not token and (own := own_token()):
        return _ask(port, path, post, own, timeout)
    return status, answer


def own_token() -> str:
    """The admin token of this user's gateway, "" where there is none to be read."""
    home = os.environ.get("LLM_GATEWAY_HOME") or "~/.llm-gateway"
    try:
        found = private_files.read(Path(home).expanduser() / TOKEN_FILE)
        return found.decode("ascii").strip()
    except (OSError, ValueError):
        return ""


def _ask(
    port: int, path: str, post: dict[str, Any] | None, token: str, timeout: float
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
        try:
            with _DIRECT.open(request, timeout=timeout) as answer:
                return answer.status, json.loads(answer.read())
        except urllib.error.HTTPError as e:
            with e:
                return e.code, json.loads(e.read())
    except (ValueError, http.client.HTTPException):
        raise Unreachable(f"another program listens on port {port}; {START}") from None
    except urllib.error.URLError as e:
        if isinstance(e.reason, ConnectionRefusedError):
            raise Unreachable(f"nothing answers on port {port}; {START}") from None
        raise Unreachable(f"nothing answers on port {port} ({e.reason})") from None
    except OSError as e:
        raise Unreachable(f"nothing answers on port {port} ({e})") from None


def message_of(answer: Any) -> str:
    """The sentence of an error answer."""
    error = answer.get("error") if isinstance(answer, dict) else None
    return str(error.get("message", error)) if isinstance(error, dict) else str(answer)
