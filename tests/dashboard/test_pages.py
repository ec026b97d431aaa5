"""The pages and their JSON over HTTP, in process, on either Datasette."""

import json
import time
from pathlib import Path

import pytest

from llm_gateway.dashboard import assets, compat
from llm_gateway.dashboard.availability import stamp

from .conftest import NOW, Serve
from .fake_gateway import FakeGateway
from .ledgers import Ledger, candidate

EVIL = "<img src=x onerror=alert(1)>"
PAGES = (
    "/-/gateway",
    "/-/gateway/requests",
    "/-/gateway/history",
    "/-/gateway/config",
    "/-/gateway/apps",
)


@pytest.mark.parametrize("path", PAGES)
@pytest.mark.parametrize("root", [False, True])
async def test_pages_are_there(
    path: str, root: bool, serve: Serve, ledger: Ledger
) -> None:
    answer = await serve(ledger.path).get(path, root=root)
    assert answer.status_code == 200
    assert answer.headers["cache-control"].endswith("no-store")
    assert ("Sign out" in answer.text) is root
    assert 'href="/usage"' in answer.text


@pytest.mark.parametrize("path", PAGES)
async def test_pages_without_a_database_say_what_to_do(path: str, serve: Serve) -> None:
    assert (await serve().get(path)).status_code == 200


async def test_live_without_a_database_waits_for_it(
    serve: Serve, tmp_path: Path
) -> None:
    client = serve()
    answer = await client.get("/-/gateway/live.json")
    assert answer.status_code == 503
    assert answer.json()["state"] == "no ledger"
    assert str(tmp_path / "elsewhere.db") in answer.json()["error"]["message"]
    made = Ledger(tmp_path / "elsewhere.db")
    made.beat(time.time())
    found = await client.get("/-/gateway/live.json")
    assert found.status_code == 200
    assert found.json()["gateway"]["silent"] is False
    assert (await client.get("/elsewhere/requests")).status_code == 200
    made.close()


async def test_a_database_of_something_else_is_not_taken(
    serve: Serve, ledger: Ledger, tmp_path: Path
) -> None:
    import sqlite3

    other = sqlite3.connect(tmp_path / "other.db")
    other.execute("CREATE TABLE requests (id)")
    other.close()
    ledger.request(time.time())
    client = serve(tmp_path / "other.db", ledger.path)
    assert (await client.get("/-/gateway/live.json")).json()["any"] is True


async def test_live_json(serve: Serve, ledger: Ledger) -> None:
    ledger.provider("groq")
    ledger.model("groq", "llama-3.3-70b-versatile")
    client = serve(ledger.path)
    ledger.request(time.time() - 1)
    answer = await client.get("/-/gateway/live.json?window=1")
    assert answer.headers["cache-control"].endswith("no-store")
    assert answer.json()["window"] == 1
    assert answer.json()["total"]["sum"]["requests"] == 1
    for window in ("2", "x", "-1", "1e1", "9" * 30):
        bad = await client.get(f"/-/gateway/live.json?window={window}")
        assert bad.status_code == 400


async def test_many_tabs_are_one_question(serve: Serve, ledger: Ledger) -> None:
    client = serve(ledger.path)
    first = await client.get("/-/gateway/live.json")
    second = await client.get("/-/gateway/live.json")
    assert first.json()["now"] == second.json()["now"]
    other = await client.get("/-/gateway/live.json?sim=0")
    assert other.json()["now"] != first.json()["now"]


async def test_looking_can_be_forbidden(ledger: Ledger) -> None:
    from datasette.app import Datasette

    from .conftest import Client, close

    key = "config" if compat.V1 else "metadata"
    ds = Datasette([str(ledger.path)], **{key: {"allow": {"id": "root"}}})
    ds.root_enabled = True
    try:
        client = Client(ds)
        for path in (*PAGES, "/-/gateway/live.json", "/-/gateway/history.json"):
            assert (await client.get(path)).status_code == 403
            assert (await client.get(path, root=True)).status_code == 200
    finally:
        close(ds)


async def test_request_page(serve: Serve, ledger: Ledger) -> None:
    now = time.time()
    asked = ledger.request(now, attempts=2, duration_ms=2100)
    ledger.attempt(asked, 1, now, provider="gemini", model="flash", outcome="failed",
                   status=429, reason="429 quota", ttft_ms=None, duration_ms=900)  # fmt: skip
    ledger.attempt(asked, 2, now + 0.9)
    ledger.decision(
        asked,
        now,
        [
            candidate("gemini", "flash", "taken", reason="most headroom, 80% left"),
            candidate("groq", "llama-3.3-70b-versatile"),
            candidate("copilot", "gpt-4o", "skipped", state="at limit",
                      reason="requests/month 300 of 300", returns_at=stamp(now + 60)),
        ],
    )  # fmt: skip
    page = (await serve(ledger.path).get(f"/-/gateway/requests/{asked}")).text
    assert "gpt-4o-mini → groq / llama-3.3-70b-versatile" in page
    assert "at the 2nd attempt" in page
    for text in ("429 quota", "most headroom, 80% left", "requests/month 300 of 300", "answered", "2.10 s", "$0.002"):  # fmt: skip
        assert text in page
    assert f"/usage/requests?id__exact={asked}" in page


@pytest.mark.parametrize(
    ("row", "headline"),
    [
        (
            {"outcome": "refused", "provider": None, "model": None},
            "nobody could take it",
        ),
        ({"outcome": "passthrough", "provider": None, "host": "api.x.ai"}, "api.x.ai"),
        ({"outcome": "in_flight", "provider": None, "duration_ms": None}, "On its way"),
        ({"outcome": "lost", "cost_nano": None}, "unknown"),
    ],
)
async def test_every_outcome_has_a_page(
    row: dict[str, object], headline: str, serve: Serve, ledger: Ledger
) -> None:
    asked = ledger.request(time.time(), **row)
    answer = await serve(ledger.path).get(f"/-/gateway/requests/{asked}")
    assert answer.status_code == 200
    assert headline in answer.text


async def test_a_refused_request_says_who_is_back_first(
    serve: Serve, ledger: Ledger
) -> None:
    asked = ledger.request(
        NOW, outcome="refused", price_source=None, error="no_capacity"
    )
    later, sooner = stamp(NOW + 3600), stamp(NOW + 60)
    ledger.decision(
        asked,
        NOW,
        [
            candidate("groq", "m", "skipped", state="at limit", returns_at=later),
            candidate("mistral", "m", "skipped", state="at limit", returns_at=sooner),
            candidate("openai", "m", "skipped", state="excluded"),
        ],
    )
    answered = ledger.request(NOW + 1, price_source="free")
    client = serve(ledger.path)
    text = (await client.get(f"/-/gateway/requests/{asked}")).text
    assert f'first back: mistral, <time data-at="{NOW + 60}">' in text
    text = (await client.get(f"/-/gateway/requests/{answered}")).text
    assert "first back" not in text
    assert "free of charge" in text
    assert "price from free" not in text


async def test_a_request_that_is_not_there(serve: Serve, ledger: Ledger) -> None:
    client = serve(ledger.path)
    for id_ in ("nothing", "%3Cscript%3E", "%27%20or%201"):
        answer = await client.get(f"/-/gateway/requests/{id_}")
        # Datasette writes what is escaped in its own way first
        assert answer.status_code in (302, 404)
        assert "<script>" not in answer.text.split("</head>")[-1].split("<footer")[0]


async def test_names_come_out_as_text(serve: Serve, ledger: Ledger) -> None:
    ledger.provider(EVIL, EVIL, base_url=EVIL)
    ledger.model(EVIL, EVIL, EVIL, aliases=[EVIL])
    asked = ledger.request(time.time(), client=EVIL, requested_model=EVIL, provider=EVIL,
                           model=EVIL, error=EVIL, app=EVIL)  # fmt: skip
    ledger.attempt(asked, 1, time.time(), provider=EVIL, model=EVIL, reason=EVIL, outcome="failed")  # fmt: skip
    ledger.decision(asked, time.time(), [candidate(EVIL, EVIL, "taken", reason=EVIL, state=EVIL)])  # fmt: skip
    client = serve(ledger.path)
    for path in (*PAGES, f"/-/gateway/requests/{asked}"):
        page = (await client.get(path, root=True)).text
        assert "<img src=x" not in page
    live = await client.get("/-/gateway/live.json")
    assert live.headers["content-type"] == "application/json"
    assert live.headers["x-content-type-options"] == "nosniff"
    assert live.json()["ticker"][0]["client"] == EVIL


async def test_what_an_offer_did_lately(serve: Serve, ledger: Ledger) -> None:
    now = time.time()
    asked = ledger.request(now)
    ledger.attempt(asked, 1, now, outcome="failed", reason="503 overloaded", status=503)
    query = "provider=groq&model=llama-3.3-70b-versatile"
    found = (await serve(ledger.path).get(f"/-/gateway/offer.json?{query}")).json()
    assert [row["id"] for row in found["requests"]] == [asked]
    assert [row["reason"] for row in found["failures"]] == ["503 overloaded"]
    assert found["table"] == "/usage/requests"


async def test_static_files_are_kept_for_ever_under_their_hash(
    serve: Serve, ledger: Ledger
) -> None:
    client = serve(ledger.path)
    current, old = assets.version(), "0" * 12
    for name, kind in assets.TYPES.items():
        answer = await client.get(f"/-/gateway/static/{current}/{name}")
        assert answer.status_code == 200
        assert answer.headers["content-type"].startswith(kind)
        assert "immutable" in answer.headers["cache-control"]
    answer = await client.get(f"/-/gateway/static/{old}/gw.css")
    assert "immutable" not in answer.headers["cache-control"]
    for name in (
        "x.js",
        "../board.py",
        "..%2fboard.py",
        "vendor/uplot-1.6.32/VENDOR.md",
    ):
        answer = await client.get(f"/-/gateway/static/{current}/{name}")
        assert answer.status_code in (302, 404)


async def test_the_menu_leads_to_the_pages(serve: Serve, ledger: Ledger) -> None:
    client = serve(ledger.path)
    home = (await client.get("/")).text
    for path in PAGES:
        assert f'href="{path}"' in home
    # the database's menu knows its ledger once it was found
    await client.get("/-/gateway")
    assert "Live dashboard" in (await client.get("/usage")).text


async def test_ids_in_tables_and_queries_lead_to_the_request_page(
    serve: Serve, ledger: Ledger
) -> None:
    asked = ledger.request(time.time(), outcome="error", status=500)
    ledger.attempt(asked, 1, time.time(), outcome="failed")
    client = serve(ledger.path)
    link = f'<a href="/-/gateway/requests/{asked}">'
    query = compat.query_path(
        client.ds, "usage", "select request, 'x' as id from failures"
    )
    for path in ("/usage/failures", query):
        assert link in (await client.get(path)).text
    evil = compat.query_path(client.ds, "usage", f"select '{EVIL}' as request")
    assert "<img src=x" not in (await client.get(evil)).text


async def test_below_a_base_url(ledger: Ledger, gateway: FakeGateway) -> None:
    from datasette.app import Datasette

    from .conftest import Client, close

    ds = Datasette([str(ledger.path)], settings={"base_url": "/x/"})
    ds.root_enabled = True
    try:
        client = Client(ds)
        page = await client.get("/-/gateway")
        assert page.status_code == 200
        assert 'data-base="/x/-/gateway"' in page.text
        assert f'href="/x/-/gateway/static/{assets.version()}/gw.css"' in page.text
        assert (await client.post("/-/gateway/reload")).status_code == 200
        assert (await client.post("/-/gateway/reload", content_type="text/plain")).status_code == 415  # fmt: skip
        signed_in = await client.get(f"/-/auth-token?token={ds._root_token}")
        assert signed_in.headers["location"] == "/x/-/gateway"
    finally:
        close(ds)


async def test_the_datasette_pages_work_under_their_policy(
    serve: Serve, ledger: Ledger
) -> None:
    asked = ledger.request(time.time())
    client = serve(ledger.path)
    for path in ("/usage", "/usage/requests", f"/usage/requests/{asked}", "/usage/daily_cost"):  # fmt: skip
        assert (await client.get(path)).status_code == 200
    rows = (await client.get("/usage/requests.json?_shape=array")).json()
    assert rows[0]["total_tokens"] == 1200


async def test_what_refusals_taught_stands_in_the_providers_card(
    serve: Serve, ledger: Ledger
) -> None:
    ledger.provider("groq", "groq", base_url="https://api.groq.com/openai/v1")
    ledger.model("groq", "llama")
    for n, (quirk, says) in enumerate(
        (
            ("message:channel", "without messages[].channel"),
            ("content:null", "with no null as content"),
            ("id:call=[a-z]{9}", "with call ids that match [a-z]{9}"),
        )
    ):
        ledger.put(
            "quirks", provider="groq", model="llama", dialect="chat", quirk=quirk,
            says=says, learned_at=f"2026-03-0{n + 1}T12:00:00.000Z", wording=n,
            words="<script>alert(1)</script> is unsupported", uses=1240 + n,
        )  # fmt: skip
    ledger.put(
        "quirks", provider="groq", model="llama", dialect="chat", quirk="message:*",
        says="with the core members of messages only", learned_at="2026-03-01T12:00:00.000Z",
        wording=0, words="<script>alert(1)</script> is unsupported",
    )  # fmt: skip
    page = (await serve(ledger.path).get("/-/gateway/config")).text
    for text in (">without messages[].channel, with the core members of messages only<",
                 'refusals <span class="soft">3</span>', "with call ids that match [a-z]{9}",
                 "2026-03-02 12:00", "&lt;script&gt;alert(1)&lt;/script&gt;", ">1,242<"):  # fmt: skip
        assert text in page
    assert "<script>alert(1)" not in page


async def test_an_adapted_request_shows_what_was_changed(
    serve: Serve, ledger: Ledger
) -> None:
    now = time.time()
    asked = ledger.request(now, attempts=2, adapted="channel, ids")
    taught = "message:channel, id:call=[a-z]{1,9}"
    ledger.attempt(asked, 1, now, outcome="repaired", reason=taught)
    ledger.attempt(asked, 2, now + 0.1)
    for quirk, says in zip(
        taught.split(", "), ("without <channel>", "with short ids"), strict=True
    ):
        ledger.put("quirks", provider="groq", model="llama-3.3-70b-versatile", dialect="chat",
                   quirk=quirk, says=says, learned_at=stamp(now), wording=1, words="no")  # fmt: skip
    changed = {
        "pair": None,
        "dropped": [
            {"part": "channel", "why": "not taken there"},
            {"part": "<i>user", "why": "not taken there"},
        ],
        "approximated": [
            {"part": "ids", "how": "nine letters"},
            {"part": "index", "how": "mended in the answer"},
            {"part": "role", "how": "mended in the answer"},
        ],
    }
    ledger.decision(
        asked, now, [candidate("groq", "llama-3.3-70b-versatile", adaptation=changed)]
    )
    client = serve(ledger.path)
    page = (await client.get(f"/-/gateway/requests/{asked}")).text
    for text in ("channel, ids", "refused, and sent again without &lt;channel&gt;, with short ids",
                 "adapted: without channel, &lt;i&gt;user; ids: nine letters; "
                 "index, role: mended in the answer"):  # fmt: skip
        assert text in page
    ledger.db.execute("DELETE FROM quirks WHERE quirk = 'message:channel'")
    assert taught in (await client.get(f"/-/gateway/requests/{asked}")).text


async def test_a_translated_request_says_so(serve: Serve, ledger: Ledger) -> None:
    now = time.time()
    asked = ledger.request(now, dialect="messages", translated="messages>chat")
    ledger.attempt(asked, 1, now)
    changed = {
        "pair": "messages>chat",
        "dropped": [{"part": "cache_control", "why": "no prices of its own there"}],
        "approximated": [],
    }
    ledger.decision(
        asked, now, [candidate("groq", "llama-3.3-70b-versatile", adaptation=changed)]
    )
    client = serve(ledger.path)
    page = (await client.get(f"/-/gateway/requests/{asked}")).text
    for text in (
        '<dt>Translated</dt><dd class="pair">messages → chat</dd>',
        "translated: messages → chat",
        "without cache_control",
    ):
        assert text in page
    live = (await client.get("/-/gateway/live.json")).json()
    assert live["ticker"][0]["translated"] == "messages>chat"


async def test_the_configuration_is_shown_to_everyone_without_secrets(
    serve: Serve, ledger: Ledger, gateway: FakeGateway
) -> None:
    ledger.provider("groq", "groq", base_url="https://api.groq.com/openai/v1")
    ledger.model(
        "groq", "llama", input_usd_per_million=0.59, output_usd_per_million=2.0
    )
    ledger.put("limits", scope="model", provider="groq", model="llama", metric="requests",
               window="day", amount=14400, source="config")  # fmt: skip
    page = (await serve(ledger.path).get("/-/gateway/config")).text
    for text in ("https://api.groq.com/openai/v1", "14,400 requests per day", "$0.59", "$2.00"):  # fmt: skip
        assert text in page
    assert gateway.token not in page
    assert gateway.calls == []


def test_versions_of_datasette() -> None:
    import datasette

    assert compat.V1 is datasette.__version__.startswith("1.")
    assert json.dumps(datasette.__version__)


async def test_datasettes_own_pages_wear_our_dress(
    serve: Serve, ledger: Ledger
) -> None:
    client = serve(ledger.path)
    for path in ("/", "/usage", "/usage/requests"):
        text = (await client.get(path)).text
        for name in ("dress.css", "dress.js"):
            address = f"/-/gateway/static/{assets.version()}/{name}"
            assert address in text
            assert (await client.get(address)).status_code == 200


async def test_what_happened_since_a_visit(serve: Serve, ledger: Ledger) -> None:
    now = time.time()
    ledger.request(now - 7200)
    ledger.request(now - 600, cost_nano=5_000_000)
    ledger.request(now - 500, outcome="refused", provider=None, model=None)
    client = serve(ledger.path)
    found = (await client.get(f"/-/gateway/since.json?from={stamp(now - 3600)}")).json()
    assert [found[key] for key in ("requests", "errors", "refused", "cost")] == [2, 0, 1, 0.005]  # fmt: skip
    for bad in ("", "?from=yesterday", f"?from={stamp(now + 9999)}"):
        assert (await client.get(f"/-/gateway/since.json{bad}")).status_code == 400


@pytest.mark.parametrize(
    ("row", "cost"),
    [
        ({"outcome": "ok", "cost_nano": 2_000_000_000}, "$2.00"),
        ({"outcome": "ok", "cost_nano": None}, "unknown"),
        ({"outcome": "refused", "cost_nano": None, "provider": None}, "$0"),
        ({"outcome": "error", "cost_nano": None, "input_tokens": 0, "output_tokens": 0}, "$0"),
        ({"outcome": "error", "cost_nano": None}, "unknown"),
        ({"outcome": "passthrough", "cost_nano": None, "provider": None}, "on the app&#39;s own key"),
    ],
)  # fmt: skip
async def test_nobody_bills_what_nobody_answered(
    serve: Serve, ledger: Ledger, row: dict[str, object], cost: str
) -> None:
    asked = ledger.request(time.time(), **row)
    text = (await serve(ledger.path).get(f"/-/gateway/requests/{asked}")).text
    assert f"<dt>Cost</dt><dd>{cost}</dd>" in text


async def test_of_a_skipped_candidate_nobody_knows_what_was_left(
    serve: Serve, ledger: Ledger
) -> None:
    now = time.time()
    asked = ledger.request(now)
    ledger.decision(
        asked,
        now,
        [
            candidate("groq", "llama-3.3-70b-versatile", "taken", headroom=0.62),
            candidate("gemini", "flash", "skipped", state="at limit", headroom=1.0),
            candidate("openai", "gpt-4o", "skipped", reason="costs money, and the policy is free-only", headroom=1.0),
        ],
    )  # fmt: skip
    text = (await serve(ledger.path).get(f"/-/gateway/requests/{asked}")).text
    assert "62%" in text
    assert "100%" not in text
    assert 'data-word="excluded"' in text
