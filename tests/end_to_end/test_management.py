"""The management routes, as an editor, a script and the dashboard use them."""

import json
import re
import threading
import time
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote

import pytest
from fakes import FakeProvider, refused_port
from providers.fake_github import FakeGitHub, failed, granted, pending, session

from gateway import GatewayProcess
from llm_gateway.config.load import revision_of

from .conftest import Start

SECRETS = (
    "sk-CANARY-a-one",
    "sk-CANARY-a-two",
    "sk-CANARY-b",
    "sk-CANARY-header",
    "sk-CANARY-client",
)


def jsonc(
    a: FakeProvider, b: FakeProvider, *, limit: int = 100, extra: str = ""
) -> str:
    """What people write: comments, a trailing comma, secrets in several places."""
    return f"""\
// our gateway
{{
  "providers": [
    {{
      "id": "a",                // the free one
      "type": "openai-compatible",
      "baseURL": "{a.base_url}/v1",
      "apiKeys": ["sk-CANARY-a-one", "sk-CANARY-a-two"],
      "free": true,
      "limits": {{ "requestsPerDay": {limit} }},  // as their page says
      "models": [{{ "name": "m" }}]
    }},
    /* paid, was sk-CANARY-b-of-last-year */
    {{
      "id": "b",
      "type": "openai-compatible",
      "baseURL": "{b.base_url}/v1",
      "apiKey": "sk-CANARY-b",
      "headers": {{ "X-Key": "sk-CANARY-header" }},
      "models": [{{ "name": "n" }}],
    }},
  ],
  "clients": [{{ "name": "me", "key": "sk-CANARY-client" }}]{extra}
}}
"""


@pytest.fixture(scope="module")
def fakes() -> Iterator[tuple[FakeProvider, FakeProvider]]:
    with FakeProvider() as a, FakeProvider() as b:
        yield a, b


@pytest.fixture(scope="module")
def shared(
    start_shared: Start, fakes: tuple[FakeProvider, FakeProvider]
) -> GatewayProcess:
    return start_shared(jsonc(*fakes))


@pytest.fixture
def gateway(
    shared: GatewayProcess, fakes: tuple[FakeProvider, FakeProvider]
) -> GatewayProcess:
    """The shared one, with the configuration that each test begins with."""
    shared.write_config(jsonc(*fakes))
    assert shared.post("/admin/reload", b"", shared.admin)[0] == 200
    return shared


def file(gateway: GatewayProcess) -> str:
    return gateway.config_path.read_text()


def read(gateway: GatewayProcess, path: str = "/config") -> tuple[dict[str, Any], str]:
    """The configuration as JSON, and its hash."""
    status, headers, found = gateway.get(path, gateway.admin)
    assert status == 200
    assert headers["content-type"] == "application/json"
    assert headers["etag"] == f'"{headers["x-config-hash"]}"'
    return found, headers["x-config-hash"]


def send(
    gateway: GatewayProcess, what: Any, path: str = "/config", **headers: str
) -> tuple[int, Any]:
    """POST a configuration: a value as JSON, text as JSONC."""
    given = {k.replace("_", "-"): v for k, v in headers.items()} | gateway.admin
    if isinstance(what, str):
        what = what.encode()
        given.setdefault("content-type", "application/jsonc")
    status, _, answer = gateway.post(path, what, given)
    return status, answer


# -- reading -----------------------------------------------------------------------


@pytest.mark.parametrize("path", ["/config", "/config/get"])
def test_json_without_secrets(gateway: GatewayProcess, path: str) -> None:
    found, hash = read(gateway, path)
    assert hash == gateway.get("/health")[2]["config"]["revision"]
    a, b = found["providers"]
    assert len({*a["apiKeys"], b["apiKey"], found["clients"][0]["key"]}) == 4
    for masked in (*a["apiKeys"], b["apiKey"], b["headers"]["X-Key"]):
        assert re.fullmatch(r"\*\*\*[0-9a-f]{8}", masked)
    assert a["limits"] == {"requestsPerDay": 100}
    assert "CANARY" not in json.dumps(found)


def test_text_with_comments_without_secrets(gateway: GatewayProcess) -> None:
    status, headers, text = gateway.ask(
        "GET", "/config?format=text", headers=gateway.admin
    )
    assert (status, headers["content-type"]) == (200, "application/jsonc")
    assert b"CANARY" not in text
    assert b"// as their page says" in text
    masked = re.sub(rb"\*\*\*[0-9a-f]{8}", b"***", text)
    plain = file(gateway).encode().replace(b"sk-CANARY-b-of-last-year", b"***")
    for secret in SECRETS:
        plain = plain.replace(secret.encode(), b"***")
    assert masked == plain


def test_the_schema_is_for_editors(gateway: GatewayProcess) -> None:
    status, headers, schema = gateway.get("/config/schema", gateway.admin)
    assert (status, headers["content-type"]) == (200, "application/json")
    assert {"providers", "routing", "budget", "server"} <= schema["properties"].keys()
    assert schema["$schema"].startswith("https://json-schema.org/")
    provider = schema["$defs"]["Provider"]
    assert provider["additionalProperties"] is False
    assert provider["properties"]["apiKeys"]["description"]


# -- writing -----------------------------------------------------------------------


@pytest.mark.parametrize("path", ["/config", "/config/set"])
def test_json_comes_back_changed(
    gateway: GatewayProcess, fakes: tuple[FakeProvider, FakeProvider], path: str
) -> None:
    found, _ = read(gateway)
    found["providers"][0]["limits"]["requestsPerDay"] = 7
    before = file(gateway)
    status, told = send(gateway, found, path)
    assert (status, told["message"]) == (200, "active")
    assert file(gateway) == before.replace(
        '"requestsPerDay": 100', '"requestsPerDay": 7'
    )
    assert told["revision"] == gateway.get("/health")[2]["config"]["revision"]
    assert told["revision"] == read(gateway)[1]
    entry = gateway.get("/usage/current")[2]["providers"][0]
    limit = entry["models"][0]["limits"]["requestsPerDay"]["limit"]
    assert limit == 14  # of two accounts
    assert gateway.chat("n")[0] == 200
    sent = fakes[1].requests[-1]
    assert sent.header("authorization") == "Bearer sk-CANARY-b"
    assert sent.header("x-key") == "sk-CANARY-header"


def test_text_comes_back_with_its_comments(gateway: GatewayProcess) -> None:
    _, _, masked = gateway.ask("GET", "/config?format=text", headers=gateway.admin)
    text = masked.decode().replace("// the free one", "// the one for free")
    before = file(gateway)
    assert send(gateway, text)[0] == 200
    assert file(gateway) == before.replace("// the free one", "// the one for free")


def test_a_charset_is_fine(gateway: GatewayProcess) -> None:
    kind = "application/jsonc; charset=utf-8"
    assert send(gateway, file(gateway), content_type=kind)[0] == 200


def test_masked_secrets_follow_a_rename_and_a_move(gateway: GatewayProcess) -> None:
    found, _ = read(gateway)
    a, b = found["providers"]
    a["id"], a["apiKeys"] = "renamed", a["apiKeys"][::-1]
    found["providers"] = [b, a]
    assert send(gateway, found)[0] == 200
    assert '["sk-CANARY-a-two","sk-CANARY-a-one"]' in re.sub(r"\s", "", file(gateway))
    assert all(secret in file(gateway) for secret in SECRETS)


def test_a_key_is_replaced_or_taken_out(gateway: GatewayProcess) -> None:
    found, _ = read(gateway)
    found["providers"][1]["apiKey"] = "sk-CANARY-new"
    del found["clients"]
    assert send(gateway, found)[0] == 200
    assert '"sk-CANARY-new"' in file(gateway)
    assert "sk-CANARY-client" not in file(gateway)


def test_what_was_checked_is_read_again_where_the_file_is_another(
    gateway: GatewayProcess,
) -> None:
    """The same body is saved over what somebody else wrote since it was checked."""
    found, _ = read(gateway)
    found["budget"] = {"costPerDay": 1}
    assert send(gateway, found, "/config?dry_run=1")[0] == 200
    changed = file(gateway).replace("// as their page says", "// as we were told")
    gateway.write_config(changed)
    assert send(gateway, found)[0] == 200
    assert "// as we were told" in file(gateway)
    assert '"costPerDay": 1' in file(gateway)
    # equal to Python, and not to JSON
    found, _ = read(gateway)
    found["providers"][0]["free"] = True
    assert send(gateway, found, "/config?dry_run=1")[0] == 200
    found["providers"][0]["free"] = 1
    assert send(gateway, found)[0] == 422


def test_what_is_odd_is_told_with_its_place(gateway: GatewayProcess) -> None:
    found, _ = read(gateway)
    found["providers"][1]["apiKey"] = "Bearer sk-CANARY-new"
    for path in ("/config?dry_run=1", "/config"):
        status, told = send(gateway, found, path)
        assert status == 200
        [odd] = told["warnings"]
        assert odd["path"] == "providers[1].apiKey"
        assert "Authorization header" in odd["message"]
        assert "CANARY" not in json.dumps(told)


def test_dry_run_changes_nothing(gateway: GatewayProcess) -> None:
    before, (found, hash) = file(gateway), read(gateway)
    found["providers"].pop()
    status, told = send(gateway, found, "/config?dry_run=1")
    assert (status, told["message"]) == (200, "valid")
    found["providers"] = 5
    assert send(gateway, found, "/config?dry_run=1")[0] == 422
    assert (file(gateway), read(gateway)[1]) == (before, hash)
    assert send(gateway, {}, "/config?dry_run=1", if_match="000000000000")[0] == 409


@pytest.mark.parametrize("form", ["{}", '"{}"', 'W/"{}"'])
def test_two_editors_do_not_overwrite_each_other(
    gateway: GatewayProcess, form: str
) -> None:
    found, hash = read(gateway)
    found["logLevel"] = "debug"
    assert send(gateway, found, if_match=form.format(hash))[0] == 200
    found["logLevel"] = "info"
    status, told = send(gateway, found, if_match=form.format(hash))
    assert status == 409
    assert read(gateway)[1] in told["error"]["message"]
    assert read(gateway)[0]["logLevel"] == "debug"


def test_many_editors_at_once(gateway: GatewayProcess) -> None:
    """The file is one of the texts, whole, and the one that is active."""
    found, _ = read(gateway)
    answers: list[tuple[int, Any]] = []

    def edit(n: int) -> None:
        mine = json.loads(json.dumps(found))
        mine["providers"][0]["limits"]["requestsPerDay"] = n
        answers.append(send(gateway, mine))

    editors = [threading.Thread(target=edit, args=(n,)) for n in range(1, 13)]
    for editor in editors:
        editor.start()
    for editor in editors:
        editor.join()
    assert [status for status, _ in answers] == [200] * 12
    now, hash = read(gateway)
    assert 1 <= now["providers"][0]["limits"]["requestsPerDay"] <= 12
    assert hash == gateway.get("/health")[2]["config"]["revision"]
    assert hash in {told["revision"] for _, told in answers}


def test_the_file_keeps_its_mode_and_backups(gateway: GatewayProcess) -> None:
    gateway.config_path.chmod(0o640)
    for limit in range(1, 9):
        found, _ = read(gateway)
        found["providers"][0]["limits"]["requestsPerDay"] = limit
        assert send(gateway, found)[0] == 200
    assert gateway.config_path.stat().st_mode & 0o777 == 0o640
    backups = sorted(gateway.folder.glob("config.jsonc.bak-*"))
    assert len(backups) == 5
    assert '"requestsPerDay": 7' in backups[-1].read_text()
    assert {b.stat().st_mode & 0o777 for b in backups} == {0o600}


def test_an_earlier_version_is_compared_and_restored(gateway: GatewayProcess) -> None:
    first = file(gateway)
    config, _ = read(gateway)
    config["providers"][1]["apiKey"] = "sk-CANARY-another"
    assert send(gateway, config)[0] == 200
    kept = gateway.get("/config/versions", gateway.admin)[2]["versions"]
    assert [one["id"] for one in kept] == sorted((v["id"] for v in kept), reverse=True)
    assert kept[0]["revision"] == revision_of(first)
    asked = f"/config/versions?id={kept[0]['id']}"
    status, _, found = gateway.get(asked, gateway.admin)
    assert (status, found["revision"]) == (200, kept[0]["revision"])
    assert found["against"] == revision_of(file(gateway))
    # Another key has another fingerprint, and is not shown.
    changed = [line for line in found["difference"] if line[:1] in "+-"]
    assert [line[:1] for line in changed] == ["-", "+"]
    assert all('"apiKey": "***' in line for line in changed)
    assert "CANARY" not in json.dumps(found)

    body = {"id": kept[0]["id"]}
    stale = {**gateway.admin, "if-match": kept[0]["revision"]}
    assert gateway.post("/config/restore", body, stale)[0] == 409
    now = {**gateway.admin, "if-match": found["against"]}
    status, _, told = gateway.post("/config/restore", body, now)
    assert (status, told["revision"]) == (200, kept[0]["revision"])
    assert file(gateway) == first
    health = gateway.get("/health")[2]["config"]
    assert (health["revision"], health["error"]) == (revision_of(first), None)
    # What it replaced is a version now.
    newest = gateway.get("/config/versions", gateway.admin)[2]["versions"][0]
    assert newest["revision"] == now["if-match"]


@pytest.mark.parametrize(
    "id",
    ["", "x", "../config.jsonc", "20260301T120000.000000Z", "20269999T999999.000000Z"],
)
def test_versions_that_are_none(gateway: GatewayProcess, id: str) -> None:
    before = file(gateway)
    asked = f"/config/versions?id={quote(id, safe='')}"
    assert gateway.get(asked, gateway.admin)[0] == 404
    status, _, told = gateway.post("/config/restore", {"id": id}, gateway.admin)
    assert (status, file(gateway)) == (404, before)
    assert "GET /config/versions" in told["error"]["message"]
    assert gateway.post("/config/restore", {"id": 7}, gateway.admin)[0] == 400
    assert gateway.post("/config/restore", {"id": id})[0] == 401


def test_a_version_that_no_longer_fits_is_not_restored(gateway: GatewayProcess) -> None:
    before, asked = file(gateway), {"id": "29991231T000000.000000Z"}
    stale = gateway.config_path.with_name(f"config.jsonc.bak-{asked['id']}")
    for text, status in (('{"providers": [{"id": 1}]}', 422), ("{", 400)):
        stale.write_text(text)
        found, _, told = gateway.post("/config/restore", asked, gateway.admin)
        assert (found, file(gateway)) == (status, before)
        assert told["error"]["message"]
    # Nothing to compare with: it is no JSON5.
    path = f"/config/versions?id={asked['id']}"
    assert gateway.get(path, gateway.admin)[0] == 400
    stale.unlink()


# -- what is refused ---------------------------------------------------------------


def test_five_mistakes_five_messages(gateway: GatewayProcess) -> None:
    text = (
        file(gateway)
        .replace('"free": true', '"fre": true')
        .replace('"requestsPerDay": 100', '"requestsPerDay": -1')
        .replace('{ "name": "n" }', '{ "name": 7 }')
        .replace('"key": "sk-CANARY-client"', '"key": "sk-CANARY-client", "polcy": 1')
        .replace('"type": "openai-compatible"', '"type": "openai-compatibel"', 1)
    )
    before = file(gateway)
    status, told = send(gateway, text)
    assert status == 422
    errors = told["errors"]
    assert {e["path"] for e in errors} >= {
        "providers[0].type",
        "providers[0].fre",
        "providers[0].limits.requestsPerDay",
        "providers[1].models[0].name",
        "clients[0].polcy",
    }
    lines = text.split("\n")
    for error in errors:
        last = error["path"].rpartition(".")[2]
        assert last in lines[error["line"] - 1], error
        assert error["column"] >= 1
    assert "free" in next(e["message"] for e in errors if e["path"].endswith("fre"))
    assert told["error"] == errors[0]
    assert "CANARY" not in json.dumps(told)
    assert file(gateway) == before


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"", 400),
        (b"nothing", 400),
        (b"[]", 400),
        (b"5", 400),
        (b'{"providers": [', 400),
        (b'{"a": "\xff"}', 400),
        (b"\xff\xfe{\x00}\x00", 400),
        (b"[" * 100_000, 400),
        (b'{"a":' * 900 + b"1" + b"}" * 900, 400),
        (b'{"a":' * 100_000 + b"1" + b"}" * 100_000, 400),
        (b'{"budget": {"costPerDay": ' + b"9" * 5000 + b"}}", 400),
        (b'{"budget": {"costPerDay": NaN}}', 400),
        (b'{"budget": {"costPerDay": 1e999}}', 400),
        (b'{"budget": {"costPerDay": -1}}', 422),
        (b'{"providers": [{"id": "\\ud800", "type": "simulator"}]}', 422),
        (b'{"providers": 1, "providers": []}', 400),
        (b'{"a": 1}', 422),
        (b'{"providers": [{"id": "a", "type": "claude-code"}]}', 422),
        (b'{"providers": [{"id": "a", "apiKey": ["sk-CANARY-x"]}]}', 422),
    ],
)
@pytest.mark.parametrize("kind", ["application/json", "application/jsonc"])
def test_bad_configurations(
    gateway: GatewayProcess, body: bytes, status: int, kind: str
) -> None:
    before, hash = file(gateway), read(gateway)[1]
    found, told = send(gateway, body, content_type=kind)
    if len(body) > 524_288:
        assert found == 413, told
    elif status == 400:
        # Deep or long, JSONC may read on and complain about the meaning instead.
        assert found in ((400,) if kind.endswith("json") else (400, 422)), told
    else:
        assert found == 422, told
    assert isinstance(told["error"]["message"], str)
    assert len(json.dumps(told)) < 4000
    assert "CANARY" not in json.dumps(told)
    assert (file(gateway), read(gateway)[1]) == (before, hash)


def test_a_key_does_not_follow_its_provider_to_another_address(
    gateway: GatewayProcess, fakes: tuple[FakeProvider, FakeProvider]
) -> None:
    with FakeProvider() as elsewhere:
        found, _ = read(gateway)
        found["providers"][1]["baseURL"] = f"{elsewhere.base_url}/v1"
        status, told = send(gateway, found)
        assert status == 422
        said = {error["path"]: error["message"] for error in told["errors"]}
        assert "write it again" in said["providers[1].apiKey"]
        assert "write it again" in said['providers[1].headers["X-Key"]']
        found["providers"][1]["apiKey"] = "sk-CANARY-elsewhere"
        del found["providers"][1]["headers"]
        assert send(gateway, found)[0] == 200
        assert gateway.chat("n")[0] == 200
        assert b"sk-CANARY-elsewhere" in elsewhere.bytes_in()
        assert b"sk-CANARY-b" not in elsewhere.bytes_in()


# -- reload and log level ----------------------------------------------------------


def test_reload_says_what_became_of_it(gateway: GatewayProcess) -> None:
    assert gateway.post("/admin/reload", {}, gateway.admin)[2]["message"] == "reloaded"
    good = file(gateway)
    gateway.write_config(good.replace('"clients"', '"client"'))
    status, _, told = gateway.post("/admin/reload", b"", gateway.admin)
    assert (status, told["error"]["path"]) == (422, "client")
    gateway.write_config("{")
    status, _, told = gateway.post("/admin/reload", b"", gateway.admin)
    assert (status, told["error"]["line"]) == (400, 1)


def test_the_log_level_can_be_changed_while_it_runs(gateway: GatewayProcess) -> None:
    def level(value: object) -> tuple[int, Any]:
        status, _, told = gateway.post(
            "/admin/logging/level", {"level": value}, gateway.admin
        )
        return status, told

    assert gateway.get("/admin/logging/level", gateway.admin)[2] == {"level": "info"}
    for name in ("trace", "debug", "info", "warn", "error", "fatal"):
        assert level(name) == (200, {"level": name})
    for bad in ("loud", "INFO ", 5, None, ["info"], {}):
        status, told = level(bad)
        assert status == 400
        assert "trace, debug, info, warn, error, fatal" in told["error"]["message"]
    assert gateway.get("/admin/logging/level", gateway.admin)[2] == {"level": "fatal"}
    seen = len(gateway.log())
    assert gateway.chat()[0] == 200
    gateway.wait_rows("select 1 from requests where outcome = 'ok'")
    assert gateway.log()[seen:] == ""
    level("info")
    assert gateway.chat()[0] == 200
    gateway.wait_log("unknown chat m -> a/m: ok 200")


# -- everything else that is asked wrongly -----------------------------------------


@pytest.mark.parametrize(
    ("method", "path", "body", "status"),
    [
        ("POST", "/usage/simulate", b"{}", 400),
        ("POST", "/usage/simulate", b"[]", 400),
        ("POST", "/usage/simulate", b"{", 400),
        ("POST", "/usage/simulate", b'{"providerId":"zz"}', 400),
        ("POST", "/usage/simulate", b'{"providerId":["a"]}', 400),
        ("POST", "/usage/simulate", b'{"providerId":"a","model":"\\ud800"}', 400),
        ("POST", "/usage/simulate", b'{"providerId":"a","tokens":-1}', 400),
        ("POST", "/usage/simulate", b'{"providerId":"a","tokens":NaN}', 400),
        ("POST", "/usage/simulate", b'{"providerId":"a","tokens":1e400}', 400),
        ("POST", "/usage/simulate", b'{"providerId":"a","tokens":true}', 400),
        ("POST", "/usage/simulate", b'{"providerId":"a","cost":"1"}', 400),
        ("POST", "/usage/simulate", b"[" * 100_000, 400),
        ("GET", "/route", None, 400),
        ("GET", "/route?model=", None, 400),
        ("GET", "/route?model=nope", None, 404),
        ("GET", "/route?model=%ff%00", None, 404),
        ("GET", "/usage/model/nope", None, 404),
        ("GET", "/usage/model/%0d%0aset-cookie:x", None, 404),
        ("GET", "/usage/historical?hours=x", None, 400),
        ("GET", "/usage/historical?hours=-1", None, 400),
        ("GET", "/usage/historical?hours=1e99", None, 400),
        ("GET", "/usage/historical?hours=" + "9" * 5000, None, 400),
        ("GET", "/usage/historical?minutes=nan", None, 400),
        ("GET", "/usage/historical?model=%27%20or%201=1--", None, 200),
        ("GET", "/usage/historical?providerId=%ff%00", None, 200),
        ("DELETE", "/health", None, 405),
        ("POST", "/health", b"{}", 405),
        ("PUT", "/config", b"{}", 405),
        ("GET", "/admin/reload", None, 405),
        ("GET", "/", None, 404),
        ("GET", "/config/../health", None, 404),
        ("GET", "/..%2fconfig", None, 404),
        ("GET", "//nothing", None, 404),
        ("POST", "/v1/messages/count_tokens", b"{}", 400),
    ],
)
def test_wrong_questions(
    gateway: GatewayProcess, method: str, path: str, body: bytes | None, status: int
) -> None:
    given = {"content-type": "application/json", **gateway.admin}
    found, headers, answer = gateway.ask(method, path, body, given)
    assert found == status, answer
    assert headers["content-type"] == "application/json"
    assert "set-cookie" not in headers
    if found >= 400:
        error = json.loads(answer)["error"]
        assert isinstance(error["message"], str)
        assert len(error["message"]) < 500


def test_a_browser_gets_a_page(gateway: GatewayProcess) -> None:
    html = {"accept": "text/html,application/xhtml+xml,*/*;q=0.8"}
    status, headers, body = gateway.ask("GET", "/", headers=html)
    assert status == 200
    assert headers["content-type"] == "text/html; charset=utf-8"
    assert f"http://127.0.0.1:{gateway.port}/v1" in body.decode()
    for path in ("/nothing", "/config/../"):
        assert gateway.ask("GET", path, headers={**html, **gateway.admin})[0] == 404
    status, headers, body = gateway.ask("HEAD", "/")
    assert (status, body) == (200, b"")
    assert headers["content-type"] == "application/json"
    elsewhere = {**html, "sec-fetch-site": "cross-site"}
    assert gateway.ask("GET", "/", headers=elsewhere)[0] == 403


def test_head_is_get_without_a_body(gateway: GatewayProcess) -> None:
    status, headers, body = gateway.ask("HEAD", "/health")
    assert (status, body) == (200, b"")
    assert headers["content-type"] == "application/json"


# -- logins ------------------------------------------------------------------------


@pytest.fixture
def github() -> Iterator[FakeGitHub]:
    with FakeGitHub() as github:
        yield github


def test_a_copilot_login_from_code_to_first_answer(
    start: Start, github: FakeGitHub
) -> None:
    with FakeProvider() as api:
        # Nobody polls faster than GitHub's interval; this one is in a hurry.
        code = {"device_code": "CANARY-DEVICE", "user_code": "ABCD-1234"}
        code |= {"verification_uri": "https://github.com/login/device"}
        github.device = 200, {**code, "expires_in": 900, "interval": 0.01}
        github.polls = [pending(), failed("access_denied"), granted("gho_CANARY_OAUTH")]
        later = time.time() + 1800
        github.sessions = [
            session("CANARY-SESSION", expires_at=later, api=api.base_url)
        ]
        copilot = {"id": "gh", "type": "copilot", "models": [{"name": "m"}]}
        gateway = start(
            {"providers": [copilot]},
            env={
                "LLM_GATEWAY_GITHUB_URL": github.url,
                "LLM_GATEWAY_GITHUB_API_URL": github.url,
            },
        )

        def ask(step: str, **body: str) -> tuple[int, Any]:
            path = f"/api/copilot/auth/{step}"
            status, _, told = gateway.post(path, body, gateway.admin)
            return status, told

        assert gateway.chat()[0] != 200
        assert ask("start", providerId="nobody")[0] == 400
        assert ask("poll")[1]["status"] == "failed"  # nothing is under way yet
        status, told = ask("start")
        assert (status, told["user_code"]) == (200, "ABCD-1234")
        assert told["verification_uri"] == "https://github.com/login/device"
        assert 890 <= told["expires_in"] <= 900
        assert ask("poll")[1]["status"] == "pending"
        gateway.wait_for(
            lambda: ask("poll", flow="gh")[1]["status"] == "denied", "the refusal"
        )
        assert ask("start", providerId="gh")[0] == 200
        gateway.wait_for(
            lambda: ask("poll", providerId="gh") == (200, {"status": "done"}),
            "the login",
        )
        assert gateway.chat()[0] == 200
        sent = api.requests[0]
        assert sent.header("authorization") == "Bearer CANARY-SESSION"
        stored = [p for p in gateway.home.rglob("*") if p.is_file()]
        assert any("gho_CANARY_OAUTH" in p.read_text() for p in stored)
        assert {p.stat().st_mode & 0o777 for p in stored} == {0o600}
        assert gateway.wait_rows("select * from events where kind = 'login'")
        shown = gateway.ask("GET", "/config", headers=gateway.admin)[2].decode()
        assert "CANARY" not in gateway.log() + shown


def test_a_login_without_github_is_an_answer(start: Start) -> None:
    with refused_port() as port:
        nowhere = f"http://127.0.0.1:{port}"
        gateway = start(
            {"providers": [{"id": "gh", "type": "copilot"}]},
            env={
                "LLM_GATEWAY_GITHUB_URL": nowhere,
                "LLM_GATEWAY_GITHUB_API_URL": nowhere,
            },
        )
        path = "/api/copilot/auth/start"
        status, _, told = gateway.post(path, {"providerId": "gh"}, gateway.admin)
        assert status == 502
        assert "GitHub cannot be reached" in told["error"]["message"]
