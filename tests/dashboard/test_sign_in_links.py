"""Links of `llm-gateway dashboard --link`: each signs one browser in, once, for a while."""

from http.cookies import SimpleCookie
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from datasette.app import Datasette

from llm_gateway.dashboard import sign_in_links
from llm_gateway.dashboard.plugin_state import board_of
from llm_gateway.dashboard.sign_in_links import LIFETIME, BadLink, Links

from .conftest import Client, Serve
from .ledgers import Ledger

NOW = 1_772_366_430.0
SECRET = "of-this-test"


@pytest.fixture
def signing() -> Any:
    ds = Datasette([], secret=SECRET)
    return SimpleNamespace(unsign=ds.unsign, sign=ds.sign)


def test_it_works_once(signing: Any) -> None:
    links, token = Links(NOW - 60), sign_in_links.make(SECRET, NOW)
    other = sign_in_links.make(SECRET, NOW)
    links.use(signing, token, NOW)
    with pytest.raises(BadLink, match="has been used"):
        links.use(signing, token, NOW + 1)
    links.use(signing, other, NOW)


@pytest.mark.parametrize(
    ("made", "said"),
    [
        (NOW - LIFETIME + 1, None),
        (NOW - LIFETIME - 1, "older than ten minutes"),
        (NOW - 3600 - 1, "older than ten minutes"),
        (NOW + 1, None),
        (NOW + 60, "older than ten minutes"),
    ],
)
def test_it_works_for_ten_minutes(signing: Any, made: float, said: str | None) -> None:
    links, token = Links(NOW - 3600), sign_in_links.make(SECRET, made)
    if said is None:
        links.use(signing, token, NOW)
    else:
        with pytest.raises(BadLink, match=said):
            links.use(signing, token, NOW)


def test_a_restart_forgets_which_were_used_and_takes_none_of_them(signing: Any) -> None:
    token = sign_in_links.make(SECRET, NOW)
    with pytest.raises(BadLink, match="started after"):
        Links(NOW + 1).use(signing, token, NOW + 2)


def test_what_was_used_is_not_remembered_for_ever(signing: Any) -> None:
    links = Links(NOW)
    for n in range(50):
        at = NOW + n * LIFETIME
        links.use(signing, sign_in_links.make(SECRET, at), at)
    assert len(links._used) <= 2


@pytest.mark.parametrize(
    "token",
    [
        "",
        "x",
        "a.b.c",
        sign_in_links.make("another secret", NOW),
        sign_in_links.make(SECRET, NOW)[:-1],
    ],
    ids=["nothing", "a letter", "three parts", "another's", "cut"],
)
def test_what_is_no_link(signing: Any, token: str) -> None:
    with pytest.raises(BadLink, match="no sign-in link"):
        Links(NOW).use(signing, token, NOW)


def test_nothing_else_that_the_secret_signs_is_one(signing: Any) -> None:
    for value in ({"a": {"id": "root"}}, {"t": NOW, "n": "x"}, ["t"], 7):
        for namespace in ("actor", "csrftoken"):
            with pytest.raises(BadLink):
                Links(NOW).use(signing, signing.sign(value, namespace), NOW)
    for value in ({"t": "soon", "n": "x"}, {"t": NOW}, [], 7):
        said = signing.sign(value, sign_in_links.NAMESPACE)
        with pytest.raises(BadLink):
            Links(NOW).use(signing, said, NOW)


def token_of(client: Client) -> str:
    links = board_of(client.ds).links
    return sign_in_links.make(client.ds._secret, links.started + 0.001)


async def test_the_page_signs_in_and_says_how_to_get_another(
    serve: Serve, ledger: Ledger
) -> None:
    client = serve(ledger.path)
    path = f"/-/gateway/sign-in?token={token_of(client)}"
    answer = await client.get(path)
    assert (answer.status_code, answer.headers["location"]) == (302, "/-/gateway")
    cookie = SimpleCookie(answer.headers["set-cookie"])["ds_actor"]
    assert cookie["httponly"]
    assert int(cookie["max-age"]) > 0
    value = cookie.coded_value
    actor = await client.get("/-/actor.json", cookie=f"ds_actor={value}")
    assert actor.json()["actor"]["id"] == "root"

    again = await client.get(path)
    assert again.status_code == 403
    assert "set-cookie" not in again.headers
    assert "This sign-in link has been used." in again.text
    assert "llm-gateway dashboard --link" in again.text
    # Who is signed in already came for the dashboard.
    assert (await client.get(path, root=True)).status_code == 302
    assert (await client.get("/-/gateway/sign-in")).status_code == 200


async def test_datasettes_own_link_twice(serve: Serve, ledger: Ledger) -> None:
    client = serve(ledger.path)
    path = f"/-/auth-token?token={client.ds._root_token}"
    assert (await client.get(path)).status_code == 302
    for used in (path, "/-/auth-token?token=wrong"):
        answer = await client.get(used)
        assert answer.status_code == 403
        assert "llm-gateway dashboard --link" in answer.text
        assert "set-cookie" not in answer.headers


async def test_head_uses_no_link_up(
    serve: Serve, ledger: Ledger, tmp_path: Path
) -> None:
    """Programs that preview a link ask so."""
    client = serve(ledger.path)
    path = f"/-/gateway/sign-in?token={token_of(client)}"
    await client.ds.client.head(path)
    assert (await client.get(path)).status_code == 302
