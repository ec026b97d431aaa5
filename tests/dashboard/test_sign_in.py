"""The cookie has an end; what tells about the machine is for who signed in."""

from http.cookies import SimpleCookie
from pathlib import Path
from typing import Any

import pytest

from llm_gateway.dashboard import compat, sign_in

from .conftest import Client, Serve
from .ledgers import Ledger

NOW = 1_772_366_430.0


async def signed_in(client: Client, host: str = "127.0.0.1") -> Any:
    answer = await client.get(f"/-/auth-token?token={client.ds._root_token}", host=host)
    assert answer.status_code == 302
    found = SimpleCookie(answer.headers["set-cookie"])
    return found["ds_actor"]


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "gateway.localhost"])
async def test_the_cookie(serve: Serve, ledger: Ledger, host: str) -> None:
    client = serve(ledger.path)
    cookie = await signed_in(client, host)
    assert cookie["httponly"] is True
    assert cookie["samesite"].lower() == "lax"
    assert cookie["path"] == "/"
    assert not cookie["domain"]
    assert int(cookie["max-age"]) == sign_in.LIFETIME
    asked = {"root": False, "host": host, "cookie": f"ds_actor={cookie.coded_value}"}
    answer = await client.get("/-/actor.json", **asked)
    assert answer.json()["actor"]["id"] == "root"


async def test_the_cookie_ends_for_the_server_too(
    serve: Serve, ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = serve(ledger.path)
    cookie = (await signed_in(client)).coded_value
    when = await _clock(monkeypatch)
    for later, who in ((sign_in.LIFETIME - 60, "root"), (sign_in.LIFETIME + 60, None)):
        when.append(later)
        answer = await client.get("/-/actor.json", cookie=f"ds_actor={cookie}")
        actor = answer.json()["actor"]
        assert (actor and actor["id"]) == who


async def _clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Seconds from now; the last one counts for Datasette."""
    import time

    from datasette import actor_auth_cookie

    later = [0.0]

    class Clock:
        @staticmethod
        def time() -> float:
            return time.time() + later[-1]

    monkeypatch.setattr(actor_auth_cookie, "time", Clock)
    return later


@pytest.mark.parametrize(
    "header",
    [
        b"ds_messages=abc; Path=/; SameSite=lax",
        b"other=ds_actor; Path=/",
        b"no cookie at all",
    ],
)
def test_other_cookies_stay(serve: Serve, ledger: Ledger, header: bytes) -> None:
    ds = serve(ledger.path).ds
    assert sign_in._with_end(ds, header, NOW) == header


def test_signing_out_stays_signing_out(serve: Serve, ledger: Ledger) -> None:
    ds = serve(ledger.path).ds
    header = b'ds_actor=""; expires=0; Max-Age=0; Path=/; SameSite=lax'
    found = SimpleCookie(sign_in._with_end(ds, header, NOW).decode())["ds_actor"]
    assert found.value == ""
    assert found["max-age"] == "0"
    assert found["httponly"]


def test_an_end_that_was_given_stays(serve: Serve, ledger: Ledger) -> None:
    ds = serve(ledger.path).ds
    value = ds.sign({"a": {"id": "ann"}, "e": "1dZZZZ"}, "actor")
    header = f"ds_actor={value}; Path=/".encode()
    found = SimpleCookie(sign_in._with_end(ds, header, NOW).decode())["ds_actor"]
    assert found.value == value


MACHINE = (
    "/-/databases.json",
    "/-/databases",
    "/-/threads.json",
    "/-/threads",
    "/-/config.json",
    "//-/databases.json",
    "/-/databases.json?_shape=array",
    "/-/Databases.json",
)


@pytest.mark.parametrize("path", MACHINE)
async def test_pages_about_the_machine(path: str, serve: Serve, ledger: Ledger) -> None:
    client = serve(ledger.path)
    assert (await client.get(path)).status_code == 403
    assert (await client.get(path, root=True)).status_code != 403


async def test_nobody_reads_where_the_ledger_lies(
    serve: Serve, ledger: Ledger, tmp_path: Path
) -> None:
    client = serve(ledger.path)
    paths = [
        *("/", "/usage", "/usage.json", "/usage/requests", "/-/gateway"),
        *("/-/gateway/history", "/-/gateway/config", "/-/gateway/live.json"),
        *(f"/-/{name}{ext}" for name in ABOUT for ext in ("", ".json", "/", ".x")),
    ]
    for schema in ("usage", "_memory"):
        for sql in ASKING:
            page = compat.query_path(client.ds, schema, sql)
            paths += [page, page.replace("?", ".json?", 1)]
    for path in paths:
        answer = await client.get(path)
        assert str(tmp_path) not in answer.text, path
        assert str(tmp_path).replace("/", "\\/") not in answer.text, path


ABOUT = (
    *("databases", "versions", "plugins", "settings", "config", "metadata", "threads"),
    *("tasks", "actor", "actions", "schema", "jump", "queries", "allowed", "debug"),
)
ASKING = (
    "select * from pragma_database_list",
    "select file from pragma_database_list()",
    "select * from pragma_DATABASE_LIST",
    "select * from main.pragma_database_list",
    "pragma database_list",
    "select * from dbstat",
)
