"""Who may talk to the dashboard: Host, origin, type, size; on every page of Datasette."""

from typing import Any

import pytest

from llm_gateway.dashboard import compat
from llm_gateway.dashboard.security import BODY_LIMIT, Rules, refusal

from .conftest import Serve
from .fake_gateway import FakeGateway
from .ledgers import Ledger

JSON = ("content-type", "application/json")
SAVE = "/-/gateway/config/save"


@pytest.mark.parametrize(
    ("host", "status"),
    [
        # loopback names with our port
        ("127.0.0.1:8001", None),
        ("localhost:8001", None),
        ("LOCALHOST:8001", None),
        ("[::1]:8001", None),
        ("gateway.localhost:8001", None),
        # names that were allowed
        ("llm.example.com", None),
        ("llm.example.com:8443", None),
        ("tunnel.example:9001", None),
        # everything else
        ("evil.example", 403),
        ("evil.example:8001", 403),
        ("tunnel.example", 403),
        ("tunnel.example:8001", 403),
        ("localhost", 403),
        ("localhost:3000", 403),
        ("127.0.0.1.evil.example:8001", 403),
        ("localhost.evil.example:8001", 403),
        ("xlocalhost:8001", 403),
        ("127.0.0.2:8001", 403),
        ("user@localhost:8001", 403),
        ("localhost:8001/", 403),
        ("localhost:port", 403),
        ("[::1:8001", 403),
        ("", 403),
    ],
)
def test_host(host: str, status: int | None) -> None:
    rules = Rules(hosts=frozenset({"llm.example.com", "tunnel.example:9001"}))
    found = refusal(
        "GET", "/usage", [("host", host)], scheme="http", port=8001, rules=rules
    )
    assert (found.status if found else None) == status


@pytest.mark.parametrize(
    "headers", [[], [("host", "localhost"), ("host", "localhost")]]
)
def test_exactly_one_host_is_needed(headers: list[tuple[str, str]]) -> None:
    found = refusal("GET", "/", headers, scheme="http", port=None, rules=Rules())
    assert found is not None
    assert found.status == 403


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        # our own page; a program that is no browser
        ([JSON, ("sec-fetch-site", "same-origin")], None),
        ([JSON, ("sec-fetch-site", "none")], None),
        ([JSON], None),
        ([("content-type", "application/json; charset=utf-8")], None),
        # older browsers say where they come from by Origin alone
        ([JSON, ("origin", "http://localhost:8001")], None),
        ([JSON, ("origin", "https://localhost:8001")], None),
        ([JSON, ("origin", "http://localhost:3000")], 403),
        ([JSON, ("origin", "http://evil.example")], 403),
        ([JSON, ("origin", "null")], 403),
        # other sites, and other ports of this machine
        ([JSON, ("sec-fetch-site", "cross-site")], 403),
        ([JSON, ("sec-fetch-site", "same-site")], 403),
        # types that a form can send
        ([("content-type", "text/plain")], 415),
        ([("content-type", "application/x-www-form-urlencoded")], 415),
        ([], 415),
        # too large, or no number
        ([JSON, ("content-length", str(BODY_LIMIT))], None),
        ([JSON, ("content-length", str(BODY_LIMIT + 1))], 413),
        ([JSON, ("content-length", "9" * 5000)], 413),
        ([JSON, ("content-length", "-1")], 413),
    ],
)
def test_writes(headers: list[tuple[str, str]], status: int | None) -> None:
    found = refusal(
        "POST",
        SAVE,
        [("host", "localhost:8001"), *headers],
        scheme="http",
        port=8001,
        rules=Rules(),
    )
    assert (found.status if found else None) == status


LINK = {"mode": "navigate", "dest": "document"}
IMAGE = {"mode": "no-cors", "dest": "image"}
FETCH = {"mode": "cors", "dest": "empty"}
FRAME = {"mode": "navigate", "dest": "iframe"}
SQL = "/usage?sql=select+1"


@pytest.mark.parametrize(
    ("site", "kind", "target", "status"),
    [
        # no browser, our own pages, the address bar
        (None, {}, SQL, None),
        (None, {}, "/usage.json?sql=select+1", None),
        ("same-origin", FETCH, "/-/gateway/live.json?window=5", None),
        ("same-origin", LINK, SQL, None),
        ("none", LINK, SQL, None),
        ("none", LINK, "/usage.csv?sql=select+1", None),
        # a link on another site to a page
        ("cross-site", LINK, "/", None),
        ("cross-site", LINK, "/usage", None),
        ("cross-site", LINK, "/usage/requests", None),
        ("same-site", LINK, "/-/gateway", None),
        ("cross-site", LINK, "/-/gateway?window=30", None),
        ("cross-site", LINK, "/-/gateway/history?range=7d&by=model", None),
        ("cross-site", LINK, "/-/gateway/requests/0-0-0", None),
        ("cross-site", LINK, "/-/auth-token?token=abc", None),
        # the same with something that is SQL, or becomes part of it
        ("cross-site", LINK, SQL, 403),
        ("same-site", LINK, SQL, 403),
        ("cross-site", LINK, "/usage/-/query?sql=select+1", 403),
        ("cross-site", LINK, "/usage?%73ql=select+1", 403),
        ("cross-site", LINK, "/usage?x&sql=select+1", 403),
        ("cross-site", LINK, "/usage?SQL=select+1", 403),
        ("cross-site", LINK, "/_memory?sql=select+1", 403),
        ("cross-site", LINK, "/usage/stored?model=m", 403),
        ("cross-site", LINK, "/usage/requests?_where=1", 403),
        ("cross-site", LINK, "/usage/requests?_facet=app", 403),
        ("cross-site", LINK, "/usage/requests?_sort=cost", 403),
        ("cross-site", LINK, "/usage/requests?_search=x", 403),
        ("cross-site", LINK, "/usage/requests?model__contains=m", 403),
        ("cross-site", LINK, "/-/gatewayx?sql=select+1", 403),
        ("cross-site", LINK, "/-/auth-token/x?sql=select+1", 403),
        # data is no page
        ("cross-site", LINK, "/usage.json", 403),
        ("cross-site", LINK, "/usage/requests.csv", 403),
        ("cross-site", LINK, "/usage.db", 403),
        ("cross-site", LINK, "/-/gateway/live.json?window=5", 403),
        ("cross-site", LINK, "/-/gateway/history.csv", 403),
        # whatever a page does without a person
        ("cross-site", IMAGE, "/usage.json?sql=select+1", 403),
        ("cross-site", IMAGE, "/-/static/app.css", 403),
        ("cross-site", FETCH, "/-/gateway", 403),
        ("same-site", FETCH, "/-/gateway/live.json", 403),
        ("cross-site", FRAME, "/-/gateway", 403),
        ("cross-site", {"mode": "navigate", "dest": "object"}, "/usage", 403),
        ("cross-site", {"mode": "navigate"}, "/usage", 403),
        ("cross-site", {}, "/usage", 403),
        ("nonsense", IMAGE, "/usage", 403),
    ],
)
def test_what_other_pages_may_ask_for(
    site: str | None, kind: dict[str, str], target: str, status: int | None
) -> None:
    path, _, query = target.partition("?")
    headers = [("host", "localhost:8001")]
    headers += [(f"sec-fetch-{name}", value) for name, value in kind.items()]
    if site is not None:
        headers.append(("sec-fetch-site", site))
    for prefix in ("", "/x"):
        found = refusal(
            "GET",
            prefix + path,
            headers,
            scheme="http",
            port=8001,
            rules=Rules(prefix=prefix),
            query=query,
        )
        assert (found.status if found else None) == status


@pytest.mark.parametrize("method", ["HEAD", "OPTIONS"])
def test_only_a_get_follows_a_link(method: str) -> None:
    headers = [("host", "localhost:8001"), ("sec-fetch-site", "cross-site")]
    headers += [(f"sec-fetch-{name}", value) for name, value in LINK.items()]
    found = refusal(method, "/", headers, scheme="http", port=8001, rules=Rules())
    assert found is not None
    assert found.status == 403


def test_older_browsers_say_where_a_get_comes_from_by_its_origin() -> None:
    for origin, status in (("http://localhost:8001", None), ("http://evil", 403)):
        headers = [("host", "localhost:8001"), ("origin", origin)]
        found = refusal("GET", "/", headers, scheme="http", port=8001, rules=Rules())
        assert (found.status if found else None) == status


@pytest.mark.parametrize(
    ("path", "status"),
    [("/-/gateway", 415), ("/x/-/gateway/reload", None), ("/-/gatewayx", None)],
)
def test_only_our_writes_need_json(path: str, status: int | None) -> None:
    headers = [("host", "localhost:8001"), ("content-type", "text/plain")]
    found = refusal("POST", path, headers, scheme="http", port=8001, rules=Rules())
    assert (found.status if found else None) == status


def test_base_url_stands_before_our_paths() -> None:
    headers = [("host", "localhost:8001"), ("content-type", "text/plain")]
    found = refusal(
        "POST",
        "/x/-/gateway/reload",
        headers,
        scheme="http",
        port=8001,
        rules=Rules(prefix="/x"),
    )
    assert found is not None
    assert found.status == 415


EVERYWHERE = (
    "/",
    "/usage",
    "/usage/requests",
    "/usage/requests.json",
    "/-/versions.json",
    "/-/gateway",
    "/-/gateway/live.json",
    "/-/gateway/history",
    "/-/gateway/config",
    "/-/static/app.css",
    "/nowhere",
)


@pytest.mark.parametrize("path", EVERYWHERE)
async def test_another_host_is_refused_everywhere(
    path: str, serve: Serve, ledger: Ledger
) -> None:
    client = serve(ledger.path)
    assert (await client.get(path, host="evil.example")).status_code == 403
    assert (await client.get(path)).status_code in (200, 404)


async def test_the_refusal_says_what_to_do(serve: Serve, ledger: Ledger) -> None:
    answer = await serve(ledger.path).get("/", host="box.lan")
    assert answer.headers["content-type"].startswith("text/plain")
    assert '"box.lan" is not allowed here' in answer.text
    assert "server.allowedHosts" in answer.text


async def test_allowed_hosts(
    serve: Serve, ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LLM_GATEWAY_DASHBOARD_HOSTS", "Box.lan, other.lan")
    client = serve(ledger.path, plugin={"allowed_hosts": ["third.lan"]})
    for host in ("box.lan", "other.lan:9000", "third.lan"):
        assert (await client.get("/-/gateway", host=host)).status_code == 200
    assert (await client.get("/-/gateway", host="fourth.lan")).status_code == 403


WRITES: tuple[tuple[str, dict[str, Any]], ...] = (
    (SAVE, {"text": "{}", "hash": "x"}),
    ("/-/gateway/reload", {}),
    ("/-/gateway/config/restore", {"id": "v0", "hash": "x"}),
    ("/-/gateway/simulate", {"providerId": "groq"}),
    ("/-/gateway/copilot/start", {"providerId": "copilot"}),
    ("/-/gateway/copilot/poll", {"flow": "x"}),
)


@pytest.mark.parametrize(("path", "body"), WRITES)
async def test_writes_from_elsewhere_reach_nobody(
    path: str,
    body: dict[str, Any],
    serve: Serve,
    ledger: Ledger,
    gateway: FakeGateway,
) -> None:
    client = serve(ledger.path)
    # Nobody signed in, another site, another host: root's cookie does not help.
    assert (await client.post(path, body, root=False)).status_code == 403
    assert (
        await client.post(path, body, sec_fetch_site="cross-site")
    ).status_code == 403
    assert (
        await client.post(path, body, sec_fetch_site="same-site")
    ).status_code == 403
    assert (
        await client.post(path, body, origin="http://evil.example")
    ).status_code == 403
    assert (await client.post(path, body, host="evil.example")).status_code == 403
    assert (await client.post(path, body, content_type="text/plain")).status_code == 415
    assert (await client.get(path, root=True)).status_code == 405
    assert gateway.calls == []


async def test_reading_the_configuration_needs_the_permission(
    serve: Serve, ledger: Ledger, gateway: FakeGateway
) -> None:
    answer = await serve(ledger.path).get("/-/gateway/config.json")
    assert answer.status_code == 403
    assert gateway.calls == []


async def test_a_body_that_is_too_large_is_not_read(
    serve: Serve, ledger: Ledger, gateway: FakeGateway
) -> None:
    client = serve(ledger.path)
    answer = await client.post(SAVE, {"text": "x" * BODY_LIMIT, "hash": "x"})
    assert answer.status_code == 413
    assert gateway.calls == []


async def test_others_may_be_allowed_to_write(
    serve: Serve, ledger: Ledger, gateway: FakeGateway
) -> None:
    client = serve(ledger.path, plugin={"allow": {"id": "ann"}})
    for who, status in (("ann", 200), ("bob", 403)):
        cookie = client.ds.sign({"a": {"id": who}}, "actor")
        answer = await client.post(
            "/-/gateway/reload", root=False, cookie=f"ds_actor={cookie}"
        )
        assert (who, answer.status_code) == (who, status)


async def test_policies_of_both_kinds_of_pages(serve: Serve, ledger: Ledger) -> None:
    client = serve(ledger.path)
    ours = (await client.get("/-/gateway")).headers["content-security-policy"]
    assert "unsafe-inline" not in ours
    assert "default-src 'self'" in ours
    theirs = (await client.get("/usage")).headers["content-security-policy"]
    assert "default-src 'self'" in theirs
    assert "frame-ancestors 'none'" in theirs


async def test_who_signs_in_comes_to_the_dashboard(
    serve: Serve, ledger: Ledger
) -> None:
    client = serve(ledger.path)
    answer = await client.get(f"/-/auth-token?token={client.ds._root_token}")
    assert answer.status_code == 302
    assert answer.headers["location"] == "/-/gateway"
    assert "ds_actor" in answer.headers["set-cookie"]


async def test_other_pages_are_refused_by_all_of_datasette(
    serve: Serve, ledger: Ledger
) -> None:
    client = serve(ledger.path)
    image = {"sec_fetch_site": "cross-site", "sec_fetch_mode": "no-cors"}
    for path in (*EVERYWHERE, compat.query_path(client.ds, "usage", "select 1")):
        assert (await client.get(path, **image)).status_code == 403
        answer = await client.get(path, sec_fetch_site="same-origin")
        assert answer.status_code in (200, 404)
