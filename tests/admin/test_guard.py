"""The table: every management route × Host × Origin × content type × token → status."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import SecretStr
from tables import each_row

from llm_gateway.admin.guard import (
    Allowed,
    Area,
    GuardRequest,
    GuardRules,
    Refused,
    check,
)
from llm_gateway.admin.routes import ROUTES as TABLE
from llm_gateway.admin.routes import area

TOKEN = "t" * 43
APP = "https://app.example"
RULES = GuardRules(
    port=8080,
    allowed_hosts=("gateway.lan", "llm.example:443"),
    allowed_origins=(APP, "http://localhost:3000"),
    admin_token=SecretStr(TOKEN),
)

API = [
    ("POST", "/v1/chat/completions"),
    ("POST", "/v1/completions"),
    ("POST", "/v1/embeddings"),
    ("POST", "/v1/responses"),
    ("POST", "/v1/messages"),
    ("POST", "/v1/messages/count_tokens"),
    ("GET", "/v1/models"),
    ("GET", "/v1/models/a/b"),
    ("GET", "/models"),
    ("GET", "/models/m/"),
    ("GET", "/openai/v1/models"),
    ("GET", "//v1//models/"),
    ("POST", "/messages"),
    ("POST", "/chat/completions/"),
    ("POST", "//chat//completions"),
    ("POST", "/openai/v1/chat/completions"),
    ("POST", "/openai/deployments/x/chat/completions?api-version=1"),
]
OPEN = [
    ("GET", "/health"),
    ("GET", "/usage/current"),
    ("GET", "/usage/historical?hours=1"),
    ("GET", "/usage/get"),
    ("GET", "/usage/model/a/b/completions"),
    ("POST", "/usage/simulate"),
    ("GET", "/route?model=m"),
    ("GET", "/"),
    ("GET", "//health/"),
    ("GET", "/usage//model/models"),
]
ADMIN = [
    ("GET", "/config"),
    ("POST", "/config"),
    ("GET", "/config/get"),
    ("POST", "/config/set"),
    ("GET", "/config?format=text"),
    ("POST", "/admin/reload"),
    ("POST", "//admin//reload/"),
    ("GET", "/admin/notices"),
    ("GET", "/admin/models"),
    ("POST", "/admin/models/refresh"),
    ("GET", "/config/models"),
    ("POST", "//config/"),
    ("POST", "/admin/quirks/forget"),
    ("GET", "/admin/logging/level"),
    ("POST", "/admin/logging/level"),
    ("POST", "/api/copilot/auth/start"),
    ("POST", "/api/copilot/auth/poll"),
]
ROUTES = [
    *[(Area.API, *route) for route in API],
    *[(Area.OPEN, *route) for route in OPEN],
    *[(Area.ADMIN, *route) for route in ADMIN],
]

GOOD_HOSTS = [
    "127.0.0.1:8080", "localhost:8080", "LOCALHOST:8080", "[::1]:8080", "x.localhost:8080",
    "gateway.lan:8080", "llm.example", "llm.example:443",
]  # fmt: skip
BAD_HOSTS = [
    None, "", "127.0.0.1", "localhost", "localhost:8081", "localhost:80800", "localhost:", "evil.example",
    "evil.example:8080", "localhost.evil.example:8080", "127.0.0.1.evil.example:8080", "localhost.:8080",
    "gateway.lan", "gateway.lan:443", "llm.example:8080", "10.0.0.1:8080", "0.0.0.0:8080",
    "localhost:8080@evil.example", "evil.example#localhost:8080", "localhost:8080 ", "a@localhost:8080",
    "127.1:8080", "2130706433:8080", "[::1:8080", "::1:8080", "localhost:8080,evil.example", "lo\x00calhost:8080",
]  # fmt: skip
OTHER_ORIGINS = [
    "null", "", "https://evil.example", "http://evil.example:8080", "http://localhost:8081", "http://127.0.0.1:8001",
    "http://localhost.evil.example:8080", "http://127.0.0.1", "https://app.example.evil.example",
    "https://app.example:444", "http://app.example", "file://", "chrome-extension://abc", "http://localhost:3000@evil.example",
]  # fmt: skip
SITES = [None, "same-origin", "none", "same-site", "cross-site", "x"]
TYPES = [
    None, "", "application/json", "Application/JSON; charset=utf-8", "application/jsonc", "application/jsonc;charset=utf-8",
    "text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x", "text/plain; x=application/json",
    "application/json5", "application/jsonp",
]  # fmt: skip
TOKENS = [
    (None, False), ("", False), ("Bearer", False), ("Bearer ", False), (f"Bearer {TOKEN}", True),
    (f"bearer {TOKEN}", True), (f"Bearer {TOKEN}x", False), (f"Bearer {TOKEN[1:]}", False),
    (f"Basic {TOKEN}", False), (TOKEN, False), ("Bearer ü", False), ("Bearer \udce4", False),
]  # fmt: skip
"""(header, whether it is the token)"""


def good(method: str, path: str) -> GuardRequest:
    """A request that every rule lets pass."""
    return GuardRequest(
        method=method,
        path=path,
        host="127.0.0.1:8080",
        content_type="application/json",
        authorization=f"Bearer {TOKEN}",
        has_body=method == "POST",
    )


def status(request: GuardRequest, rules: GuardRules = RULES) -> int:
    verdict = check(request, rules, area(request.path))
    if isinstance(verdict, Allowed):
        return 200
    assert verdict.message
    return verdict.status


@each_row(("place", "method", "path"), ROUTES)
def test_areas(place: Area, method: str, path: str) -> None:
    assert area(path) is place


@pytest.mark.parametrize(
    "path",
    ["//config", "/./config", "/Config", "/%63onfig", "/config/", "/config//get", "/config%2fget",
     "/admin/v1/chat/completions", "/api/v1/models", "/v1/../config", "/health/%2e%2e/config", "/config#x"],
)  # fmt: skip
def test_odd_spellings_get_the_stricter_area(path: str) -> None:
    assert area(path) is Area.ADMIN


@pytest.mark.parametrize(
    "path", ["/configs", "/v1", "/apix", "/x/config", "/usage", "/usage/x", "/healthz", "/x", "/favicon.ico"],
)  # fmt: skip
def test_what_no_route_knows_is_for_the_token(path: str) -> None:
    assert area(path) is Area.ADMIN


def test_every_route_with_its_level() -> None:
    assert {f"{method} {path}": route.access.value for (method, path), route in TABLE.items()} == {
        "HEAD /": "open",
        "GET /health": "open",
        "GET /v1/models": "api",
        "GET /usage/current": "open",
        "GET /usage/historical": "open",
        "GET /usage/get": "open",
        "POST /usage/simulate": "open",
        "GET /route": "open",
        "POST /route": "open",
        "GET /config": "admin",
        "GET /config/get": "admin",
        "GET /config/schema": "admin",
        "GET /config/versions": "admin",
        "POST /config/restore": "admin",
        "POST /config": "admin",
        "POST /config/set": "admin",
        "POST /admin/reload": "admin",
        "GET /admin/models": "admin",
        "POST /admin/models/refresh": "admin",
        "GET /admin/notices": "admin",
        "GET /admin/cluster": "admin",
        "POST /admin/cluster/fold": "admin",
        "POST /admin/cluster/settle": "admin",
        "GET /admin/logging/level": "admin",
        "POST /admin/quirks/forget": "admin",
        "POST /admin/logging/level": "admin",
        "POST /api/copilot/auth/start": "admin",
        "POST /api/copilot/auth/poll": "admin",
    }  # fmt: skip


@each_row(("method", "path"), TABLE)
def test_what_the_table_says_is_what_the_guard_asks(method: str, path: str) -> None:
    assert area(path) is TABLE[method, path].access


@each_row(("place", "method", "path"), ROUTES)
def test_hosts(place: Area, method: str, path: str) -> None:
    request = good(method, path)
    for host in GOOD_HOSTS:
        assert status(replace(request, host=host)) == 200, host
    for host in BAD_HOSTS:
        assert status(replace(request, host=host)) == 403, host


@each_row(("place", "method", "path"), ROUTES)
def test_origins(place: Area, method: str, path: str) -> None:
    request = good(method, path)
    own = replace(request, origin="http://127.0.0.1:8080")
    assert check(own, RULES, place) == Allowed()
    # the same page by another of our names is another origin
    assert status(replace(own, host="localhost:8080")) == 403
    for origin in OTHER_ORIGINS:
        assert status(replace(request, origin=origin)) == 403, origin
    for origin in RULES.allowed_origins:
        verdict = check(replace(request, origin=origin), RULES, place)
        if place is Area.API:
            assert verdict == Allowed(cors_origin=origin)
        else:
            assert isinstance(verdict, Refused)
            assert (verdict.status, verdict.code) == (403, "origin_not_allowed")


@each_row(("place", "method", "path"), ROUTES)
def test_sites(place: Area, method: str, path: str) -> None:
    for site in SITES:
        request = replace(good(method, path), sec_fetch_site=site)
        fine = site in (None, "same-origin", "none")
        assert status(request) == (200 if fine else 403), site
        own = replace(request, origin="http://127.0.0.1:8080")
        assert status(own) == (200 if fine else 403), site
        listed = replace(request, origin=APP)
        assert status(listed) == (200 if place is Area.API else 403), site


@each_row(("place", "method", "path"), ROUTES)
def test_content_types(place: Area, method: str, path: str) -> None:
    for kind in TYPES:
        request = replace(good(method, path), content_type=kind)
        bare = (kind or "").partition(";")[0].lower()
        fine = (
            place is Area.API
            or method == "GET"
            or bare == "application/json"
            or (bare == "application/jsonc" and path.lstrip("/").startswith("config"))
        )
        assert status(request) == (200 if fine else 415), kind
        assert status(replace(request, has_body=False)) == 200, kind
        # a wrong type is named before a missing token
        unknown = status(replace(request, authorization=None))
        expected = 401 if place is Area.ADMIN else 200
        assert unknown == (expected if fine else 415), kind


@each_row(("place", "method", "path"), ROUTES)
def test_tokens(place: Area, method: str, path: str) -> None:
    for header, is_token in TOKENS:
        request = replace(good(method, path), authorization=header)
        needed = place is Area.ADMIN and not is_token
        assert status(request) == (401 if needed else 200), header
        # without a token of our own nobody has it
        nobody = replace(RULES, admin_token=None)
        assert status(request, nobody) == (401 if place is Area.ADMIN else 200)
        empty = replace(RULES, admin_token=SecretStr(""))
        assert status(request, empty) == (401 if place is Area.ADMIN else 200)


@each_row(("place", "method", "path"), ROUTES)
def test_preflights(place: Area, method: str, path: str) -> None:
    preflight = GuardRequest("OPTIONS", path, "127.0.0.1:8080")
    assert status(preflight) == 403
    assert status(replace(preflight, origin="http://127.0.0.1:8080")) == 403
    assert status(replace(preflight, origin="https://evil.example")) == 403
    listed = replace(preflight, origin=APP, sec_fetch_site="cross-site")
    if place is Area.API:
        assert check(listed, RULES, area(listed.path)) == Allowed(cors_origin=APP)
    else:
        assert status(listed) == 403


def test_codes() -> None:
    request = good("POST", "/config")
    for change, code in [
        ({"host": "x"}, "host_not_allowed"),
        ({"origin": "null"}, "origin_not_allowed"),
        ({"sec_fetch_site": "cross-site"}, "site_not_allowed"),
        ({"method": "OPTIONS"}, "preflight_not_allowed"),
        ({"content_type": "text/plain"}, "unsupported_media_type"),
        ({"authorization": None}, "admin_token_needed"),
    ]:
        verdict = check(replace(request, **change), RULES, area(request.path))  # type: ignore[arg-type]
        assert isinstance(verdict, Refused)
        assert verdict.code == code
        assert TOKEN not in verdict.message


def test_dns_rebinding_and_simple_requests_from_pages() -> None:
    page = GuardRequest(
        "POST",
        "/v1/chat/completions",
        host="127.0.0.1:8080",
        origin="https://evil.example",
        sec_fetch_site="cross-site",
        content_type="text/plain",
        has_body=True,
    )
    assert status(page) == 403
    # an old browser without Sec-Fetch-Site, and a rebound name
    assert status(replace(page, sec_fetch_site=None)) == 403
    rebound = replace(
        page,
        host="evil.example:8080",
        origin="http://evil.example:8080",
        sec_fetch_site="same-origin",
    )
    assert status(rebound) == 403
    # an <img> sends no Origin
    image = GuardRequest(
        "GET", "/usage/current", "127.0.0.1:8080", sec_fetch_site="cross-site"
    )
    assert status(image) == 403


def test_port_80_needs_no_port_in_the_host() -> None:
    rules = replace(RULES, port=80, allowed_hosts=())
    assert status(GuardRequest("GET", "/health", "localhost"), rules) == 200
    own = GuardRequest("GET", "/health", "localhost", origin="http://localhost")
    assert status(own, rules) == 200


def test_behind_tls_the_own_origin_is_https() -> None:
    request = GuardRequest("GET", "/health", "llm.example", origin="https://llm.example")  # fmt: skip
    assert check(request, RULES, area(request.path)) == Allowed()


def test_rules_do_not_print_the_token() -> None:
    assert TOKEN not in repr(RULES)


TEXT = st.none() | st.text(max_size=30)


@given(
    st.builds(
        GuardRequest,
        method=st.sampled_from(["GET", "POST", "OPTIONS", "PUT", "X"]),
        path=st.text(max_size=20) | st.sampled_from([path for _, _, path in ROUTES]),
        host=TEXT | st.sampled_from(["127.0.0.1:8080"]),
        origin=TEXT | st.sampled_from([APP]),
        sec_fetch_site=TEXT,
        content_type=TEXT,
        authorization=TEXT,
        has_body=st.booleans(),
    )
)
def test_it_never_raises_and_admin_needs_the_token(request: GuardRequest) -> None:
    verdict = check(request, RULES, area(request.path))
    if area(request.path) is Area.ADMIN and isinstance(verdict, Allowed):
        assert TOKEN in (request.authorization or "")
    if isinstance(verdict, Allowed) and verdict.cors_origin is not None:
        assert verdict.cors_origin == request.origin
        assert area(request.path) is Area.API
