"""What the doctor finds on this machine and at providers, and what it says to do."""

import json
import os
import socket
import sqlite3
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from fakes.certs import Authority
from fakes.outbound import OutboundProxy

from llm_gateway import __version__
from llm_gateway.cli import doctor_cluster, doctor_machine
from llm_gateway.cli.doctor import doctor
from llm_gateway.cli.doctor_machine import Finding
from llm_gateway.cli.doctor_providers import names_in
from llm_gateway.cli.run_env import CA_NAME
from llm_gateway.config.models import Cluster
from llm_gateway.providers import kept_catalog
from llm_gateway.providers.published import Published
from llm_gateway.providers.registry import packaged

Answer = tuple[int, bytes]


@contextmanager
def server(
    answer: Callable[[str, dict[str, str]], Answer], tls: ssl.SSLContext | None = None
) -> Iterator[int]:
    """An HTTP server on a loopback port; `answer` sees path and headers of each GET."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            headers = {name.lower(): value for name, value in self.headers.items()}
            status, body = answer(self.path, headers)
            self.send_response(status)
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: Any) -> None:
            pass

    class Quiet(ThreadingHTTPServer):
        daemon_threads = True

        def handle_error(self, *_: Any) -> None:
            pass

    with Quiet(("127.0.0.1", 0), Handler) as running:
        if tls is not None:
            running.socket = tls.wrap_socket(running.socket, server_side=True)
        thread = threading.Thread(
            target=running.serve_forever, kwargs={"poll_interval": 0.01}
        )
        thread.start()
        try:
            yield running.server_port
        finally:
            running.shutdown()
            thread.join()


@contextmanager
def free_port() -> Iterator[int]:
    """A port that nobody listens on, held so that nobody can."""
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        yield held.getsockname()[1]


@pytest.fixture(autouse=True)
def surroundings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An empty machine: nothing of the one that the tests run on."""
    for name in list(os.environ):
        if name.endswith(("_PROXY", "_proxy", "_BUNDLE", "_CERT", "_CERTS", "_CAINFO")):
            monkeypatch.delenv(name)
    for name in ("SSL_CERT_FILE", "CODEX_CA_CERTIFICATE", "LLM_GATEWAY_CONFIG", "PORT"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.delenv("LLM_GATEWAY_DB", raising=False)
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    monkeypatch.setenv("LLM_GATEWAY_HOME", str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path)


def examined(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, config: Any, *more: str
) -> tuple[int, list[str]]:
    """Exit code, and the report without the white space between its columns."""
    path = tmp_path / "config.jsonc"
    text = config if isinstance(config, str) else json.dumps(config)
    path.write_text(text)
    path.chmod(0o600)
    with free_port() as port:
        code = doctor(
            ["--port", str(port), "--confdir", str(tmp_path / "mitmproxy"), *more]
        )
    lines = capsys.readouterr().out.splitlines()
    return code, [" ".join(line.split()) for line in lines]


def provider(port: int, *models: str, **more: Any) -> dict[str, Any]:
    return {
        "id": "p",
        "type": "openai-compatible",
        "baseURL": f"http://127.0.0.1:{port}/v1",
        "apiKey": "PROVIDER-KEY",
        "models": [{"name": name} for name in models],
        **more,
    }


def config_of(*providers: dict[str, Any]) -> dict[str, Any]:
    return {"providers": providers, "dashboard": {"port": 0}}


def models(*names: str) -> Answer:
    return 200, json.dumps({"data": [{"id": name} for name in names]}).encode()


def test_it_says_which_way_each_provider_is_reached(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    with (
        server(lambda *_: models("m")) as port,
        OutboundProxy("http", {"far.internal": port}) as general,
        OutboundProxy(
            "socks5h", {"own.internal": port}, user="me", password="CANARY"
        ) as own,
        free_port() as nobody,
    ):
        entries = [
            provider(port, "m", id="far", baseURL=f"http://far.internal:{port}/v1"),
            provider(
                port,
                "m",
                id="own",
                baseURL=f"http://own.internal:{port}/v1",
                proxy=own.url,
            ),
            provider(port, "m", id="near", proxy="none"),
            provider(port, "m", id="here"),
            provider(port, "m", id="lost", proxy=f"http://127.0.0.1:{nobody}"),
        ]
        config = config_of(*entries) | {"network": {"proxy": general.url}}
        code, lines = examined(capsys, tmp_path, config)
        assert code == 1
        for line in (
            f"ok way out {general.url} (network.proxy): far",
            f"ok way out socks5h://127.0.0.1:{own.port}: own",
            "ok way out directly: near, here",
            f"ok far 1 models, by way of 127.0.0.1:{general.port}",
            f"ok own 1 models, by way of 127.0.0.1:{own.port}",
            "ok near 1 models",
        ):
            assert line in lines
        [lost] = [line for line in lines if "FIX way out" in line]
        assert (
            f"127.0.0.1:{nobody}: lost. The outbound proxy refuses connections." in lost
        )
        [failed] = [line for line in lines if line.startswith("FIX lost")]
        assert f"outbound proxy 127.0.0.1:{nobody}" in failed
        assert "CANARY" not in "".join(lines)
        _, lines = examined(capsys, tmp_path, config_of(entries[3]))
        assert "ok way out directly, without an outbound proxy" in lines


def test_it_says_what_of_the_environment_is_left_out(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who looks for the reason why nothing goes through the proxy finds it here."""
    monkeypatch.setenv("HTTPS_PROXY", "ftp://me:CANARY@proxy.test:3128")
    config = config_of(provider(9, "m", proxy="http://localhost:8123"))
    # Of two ports the last one counts.
    _, lines = examined(capsys, tmp_path, config, "--offline", "--port", "8123")
    [unread, ours] = [line for line in lines if line.startswith("note way out")]
    assert unread.startswith("note way out HTTPS_PROXY does not begin with")
    assert 'The proxy of provider "p" is this gateway itself' in ours
    assert "ok way out directly, without an outbound proxy" in lines
    assert "CANARY" not in "".join(lines)


def test_it_says_how_to_tell_that_a_free_key_is_billed(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    def google(id: str, **more: Any) -> dict[str, Any]:
        model = [{"name": "gemini-3.5-flash"}]
        return {"id": id, "type": "google", "apiKey": "K", "models": model, **more}

    config = config_of(
        google("first", free=True),
        google("second", tier="free"),
        google("paid"),
        google("off", free=True, enabled=False),
    )
    _, lines = examined(capsys, tmp_path, config, "--offline")
    said = [line for line in lines if "counts as free, but" in line]
    assert [line.split()[:2] for line in said] == [
        ["note", "first"],
        ["note", "second"],
    ]
    assert all("key of a project with billing is billed" in line for line in said)
    assert all("How to tell" in line and "FreeTier" in line for line in said)


def test_it_says_what_free_tiers_it_rests_on(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    def of(type_: str, model: str, **more: Any) -> dict[str, Any]:
        return {"id": type_, "type": type_, "models": [{"name": model}], **more}

    lite = "gemini-3.5-flash-lite"
    config = config_of(
        of("google", lite, tier="free", apiKeys=["ONE", "TWO"]),
        of("mistral", "mistral-small-latest", tier="free", apiKey="K"),
        of("cerebras", "gpt-oss-120b", free=True, apiKey="K"),
    )
    code, lines = examined(capsys, tmp_path, config, "--offline")
    assert code == 0
    said = "\n".join(lines)
    assert "note google 2 keys are counted as accounts of their own" in said
    assert "note mistral the free tier of * is uncertain: the price page" in said
    assert "note cerebras * is counted as free, as configured, but" in said


def test_it_says_which_catalogue_of_free_tiers_holds(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    def said() -> str:
        sim = {"id": "s", "type": "simulator", "models": [{"name": "m"}]}
        _, lines = examined(capsys, tmp_path, config_of(sim), "--offline")
        return next(line for line in lines if " catalog " in line)

    assert f" catalog free tiers as of {packaged().as_of}, as packaged" in said()
    home = tmp_path / "home"
    kept_catalog.write(home, Published("2099-01-01"))
    assert (
        said() == "ok catalog free tiers as of 2099-01-01, with an update of 2099-01-01"
    )
    (home / "catalog.json").write_text("{")
    assert said().startswith(f"FIX catalog {home / 'catalog.json'}: line 1, column 2")


def test_models_of_a_list_need_not_be_known_yet(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    with server(lambda *_: models("a", "b")) as port:
        config = config_of(provider(port) | {"models": "all"})
        code, lines = examined(capsys, tmp_path, config)
    assert code == 0
    assert "ok p 2 models" in lines
    code, lines = examined(capsys, tmp_path, config, "--offline")
    assert code == 0
    assert "ok providers 1 configured, not asked (--offline)" in lines
    config["providers"][0]["apiKey"] = "${NOBODY_SET_THIS}"
    code, lines = examined(capsys, tmp_path, config, "--offline")
    assert code == 1
    assert "note p not configured: NOBODY_SET_THIS is not set" in lines
    assert "FIX providers none can be used; set a key or add a simulator" in lines


# -- the whole report


def test_a_machine_where_all_is_well(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    seen: list[tuple[str, dict[str, str]]] = []

    def answer(path: str, headers: dict[str, str]) -> Answer:
        seen.append((path, headers))
        return models("a", "b")

    with server(answer) as port:
        code, lines = examined(capsys, tmp_path, config_of(provider(port, "a")))
    assert code == 0
    assert "ok config config.jsonc, 1 providers" in lines
    assert "ok p 2 models" in lines
    assert lines[-1] == "Nothing to fix."
    ((path, headers),) = seen
    assert path == "/v1/models"
    assert headers["authorization"] == "Bearer PROVIDER-KEY"
    assert headers["host"] == f"127.0.0.1:{port}"
    assert headers["user-agent"] == f"llm-gateway/{__version__}"


def test_it_says_who_answers_which_dialect(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    with free_port() as port:
        one = provider(port, "a", dialects=["chat"])
        _, lines = examined(capsys, tmp_path, config_of(one), "--offline")
    assert "ok dialects chat: p" in lines
    assert "ok dialects messages: translated: p" in lines
    assert lines[-1] == "Nothing to fix."


@pytest.mark.process
@pytest.mark.parametrize(
    ("version", "line"),
    [
        ("v20.11.1", "note node Node 20.11.1 does not send `fetch` through a proxy"),
        ("v24.1.0", "ok node 24.1.0"),
        ("what?", ""),
    ],
)
def test_the_node_on_the_path(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, version: str, line: str
) -> None:
    node = tmp_path / "node"
    node.write_text(f"#!/bin/sh\necho '{version}'\n")
    node.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    found = [f"{f.mark} {f.what} {f.said}" for f in doctor_machine.node(8080)]
    assert len(found) == bool(line)
    assert not line or found[0].startswith(line)


def test_what_the_running_gateway_has_warned_of(tmp_path: Path) -> None:
    asked: list[tuple[str, str]] = []
    one = {"kind": "own key", "subject": "codex", "message": "asks for m", "count": 3}

    def answer(path: str, headers: dict[str, str]) -> Answer:
        asked.append((path, headers.get("authorization", "")))
        if path == "/health":
            return 200, json.dumps({"version": __version__, "status": "ok"}).encode()
        return 200, json.dumps({"notices": [one]}).encode()

    (tmp_path / "home").mkdir()
    (tmp_path / "home" / "admin-token").write_text("TOKEN")
    with server(answer) as port:
        found = list(doctor_machine.notices(port))
    assert found == [Finding("note", "own key", "codex asks for m (3 times)")]
    assert asked == [("/health", ""), ("/admin/notices", "Bearer TOKEN")]


def test_what_the_running_gateway_says_of_its_cluster(tmp_path: Path) -> None:
    differs = [
        {"limit": f"cost/{window} on groq", "amounts": {"desk": 0.35, "laptop": None}}
        for window in ("hour", "day", "month", "hour", "day", "month", "hour")
    ]
    said = {
        "name": "home",
        "server": "redis://h",
        "state": "up",
        "members": 2,
        "absent": ["server"],
        "differences": differs,
    }

    def answer(path: str, headers: dict[str, str]) -> Answer:
        if path == "/health":
            return 200, json.dumps({"version": __version__, "status": "ok"}).encode()
        assert path == "/admin/cluster"
        return 200, json.dumps(said).encode()

    wanted = Cluster.model_validate({"url": "redis://h"})
    with server(answer) as port:
        found = list(doctor_cluster.cluster(wanted, port))
        assert not list(doctor_cluster.cluster(None, port))
    with free_port() as port:
        assert not list(doctor_cluster.cluster(wanted, port))
    assert {one.what for one in found} == {"cluster"}
    first, missing, one, *_, more = [f"{one.mark} {one.said}" for one in found]
    assert first == "ok home on redis://h: up, members alive: 2"
    assert missing.startswith("note server was not heard of")
    assert one == "note amounts differ: cost/hour on groq: desk $0.35, laptop none"
    assert more == "note 2 more amounts differ (llm-gateway cluster)"


def test_the_token_is_not_for_another_program(tmp_path: Path) -> None:
    seen: list[str] = []

    def answer(path: str, headers: dict[str, str]) -> Answer:
        seen.append(headers.get("authorization", ""))
        return 200, b'{"hello": 1}'

    (tmp_path / "home").mkdir()
    (tmp_path / "home" / "admin-token").write_text("TOKEN")
    with server(answer) as port:
        assert list(doctor_machine.notices(port)) == []
    with free_port() as port:
        assert list(doctor_machine.notices(port)) == []
    assert seen == [""]


def test_offline_asks_nobody(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    with free_port() as port:
        code, lines = examined(
            capsys, tmp_path, config_of(provider(port, "a")), "--offline"
        )
    assert code == 0
    assert "ok providers 1 configured, not asked (--offline)" in lines


def test_a_broken_config_is_shown_with_its_lines(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    code, lines = examined(capsys, tmp_path, '{\n  "providrs": []\n}')
    assert code == 1
    (said,) = [line for line in lines if line.startswith("FIX config")]
    assert "config.jsonc:2:" in said
    assert '"providers"' in said


def test_a_tier_that_is_not_known_is_shown_with_its_line(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    text = """{"providers": [{"id": "c", "type": "cerebras", "apiKey": "K",
      "tier": "free",
      "models": [{"name": "m"}]}]}"""
    code, lines = examined(capsys, tmp_path, text)
    assert code == 1
    (said,) = [line for line in lines if line.startswith("FIX config")]
    assert said.startswith("FIX config config.jsonc:2:")
    assert "no lasting free tier" in said


def test_no_config_yet(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    with free_port() as port:
        code = doctor(["--port", str(port), "--confdir", str(tmp_path)])
    assert code == 0
    assert "config.jsonc is made at the first start" in capsys.readouterr().out


def test_a_named_config_has_to_be_there(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    with free_port() as port:
        code = doctor(["--port", str(port), "--config", "nowhere.jsonc"])
    assert code == 1
    assert "nowhere.jsonc: there is no such file" in capsys.readouterr().out


# -- providers


@pytest.mark.parametrize(
    ("asked", "answer", "said"),
    [
        (["a"], models("a", "b"), "ok p 2 models"),
        # spellings of the same
        (["gemini-2.5-flash"], models("models/gemini-2.5-flash"), "ok p 1 models"),
        (["llama3.2"], models("llama3.2:latest"), "ok p 1 models"),
        (["gpt-oss:groq"], models("gpt-oss"), "ok p 1 models"),
        # a bare list
        (["a"], (200, b'[{"id": "a"}]'), "ok p 1 models"),
        # not there
        (
            ["gpt-4o-mni"],
            models("gpt-4o-mini"),
            'note p does not list "gpt-4o-mni" (did you mean "gpt-4o-mini"?)',
        ),
        # refused
        (
            ["a"],
            (401, b"{}"),
            "FIX p its key is refused (status 401); check it, or make a new one",
        ),
        (["a"], (503, b""), "note p is busy (status 503); try again later"),
        (
            ["a"],
            (404, b""),
            "note p answers 404 when asked for its models; check baseURL",
        ),
        (["a"], (200, b"<html>"), "note p answers no list of models; check baseURL"),
    ],
)
def test_what_a_provider_says(
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
    asked: list[str],
    answer: Answer,
    said: str,
) -> None:
    with server(lambda *_: answer) as port:
        code, lines = examined(capsys, tmp_path, config_of(provider(port, *asked)))
    assert said in lines
    assert code == said.startswith("FIX")


def test_nobody_listens(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    with free_port() as port:
        code, lines = examined(capsys, tmp_path, config_of(provider(port, "a")))
    assert code == 1
    assert "FIX p 127.0.0.1: refuses connections; is it running?" in lines


def test_a_certificate_that_nobody_trusts(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    seen: list[str] = []

    def answer(path: str, _: dict[str, str]) -> Answer:
        seen.append(path)
        return models("a")

    tls = Authority(tmp_path / "authority").server_context()
    with server(answer, tls) as port:
        config = provider(port, "a", baseURL=f"https://127.0.0.1:{port}/v1")
        code, lines = examined(capsys, tmp_path, config_of(config))
    assert code == 1
    (said,) = [line for line in lines if line.startswith("FIX p")]
    assert "its certificate is not trusted" in said
    # and so it never saw the key
    assert seen == []


def test_every_account_is_asked_with_its_own_key(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    def answer(_: str, headers: dict[str, str]) -> Answer:
        return models("a") if headers["authorization"] == "Bearer ONE" else (401, b"")

    with server(answer) as port:
        config = provider(port, "a", apiKeys=["ONE", "TWO"])
        del config["apiKey"]
        _, lines = examined(capsys, tmp_path, config_of(config))
    assert "ok p#1 1 models" in lines
    assert any(line.startswith("FIX p#2 its key is refused") for line in lines)


def test_who_is_skipped_is_said(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    code, lines = examined(
        capsys,
        tmp_path,
        config_of(
            {
                "id": "q",
                "type": "groq",
                "apiKey": "${NOBODY_SET_THIS}",
                "models": [{"name": "m"}],
            },
            {"id": "cp", "type": "copilot", "models": [{"name": "m"}]},
        ),
    )
    assert code == 1
    assert "note q not configured: NOBODY_SET_THIS is not set" in lines
    assert (
        "note cp not configured: not signed in, run `llm-gateway login copilot`"
        in lines
    )
    assert "FIX providers none can be used; set a key or add a simulator" in lines


def test_a_simulator_is_enough(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    sim = {"id": "s", "type": "simulator", "models": [{"name": "m"}]}
    code, lines = examined(capsys, tmp_path, config_of(sim))
    assert code == 0
    assert "ok s built in" in lines


@pytest.mark.parametrize(
    ("body", "names"),
    [
        (b'{"data": [{"id": "a"}, {"id": "b"}]}', {"a", "b"}),
        (b'[{"id": "a"}]', {"a"}),
        (b'{"models": [{"name": "a"}]}', {"a"}),
        (b'{"data": ["a", {"id": 5}, null]}', {"a"}),
        (b'{"data": {}}', None),
        (b"5", None),
        (b"", None),
    ],
)
def test_lists_of_models(body: bytes, names: set[str] | None) -> None:
    assert names_in(body) == names


# -- ports


def test_our_own_gateway() -> None:
    health = {"status": "ok", "version": __version__, "degraded": []}
    with server(lambda *_: (200, json.dumps(health).encode())) as port:
        assert doctor_machine.gateway_port(port) == Finding(
            "ok", "gateway", f"runs on port {port}, ok"
        )


@pytest.mark.parametrize(
    ("health", "mark", "said"),
    [
        (
            {"status": "degraded", "version": __version__, "degraded": ["disk full"]},
            "fix",
            "degraded: disk full",
        ),
        (
            {
                "status": "ok",
                "version": __version__,
                "degraded": [],
                "config": {"error": "config.jsonc:1:1: is no JSON"},
            },
            "fix",
            "ok: config: config.jsonc:1:1: is no JSON",
        ),
        (
            {"status": "ok", "version": "0.0.1", "degraded": []},
            "note",
            f"installed is {__version__}; start it again",
        ),
        ("hello", "fix", "another program listens"),
    ],
)
def test_a_gateway_that_is_not_well(health: Any, mark: str, said: str) -> None:
    with server(lambda *_: (200, json.dumps(health).encode())) as port:
        found = doctor_machine.gateway_port(port)
    assert found.mark == mark
    assert said in found.said


def test_the_dashboards_port() -> None:
    assert doctor_machine.dashboard_port(0).mark == "ok"
    with free_port() as port:
        assert "is free" in doctor_machine.dashboard_port(port).said
    with server(lambda *_: (200, b'{"datasette": {"version": "0.65.5"}}')) as port:
        assert doctor_machine.dashboard_port(port) == Finding(
            "ok", "dashboard", f"http://127.0.0.1:{port}/-/gateway"
        )
    with server(lambda *_: (404, b"no")) as port:
        assert doctor_machine.dashboard_port(port).mark == "fix"


# -- the ledger and the state folder


def marks(findings: Iterator[Finding]) -> list[tuple[str, str]]:
    return [(found.mark, found.said) for found in findings]


def test_the_ledger(tmp_path: Path) -> None:
    path = tmp_path / "usage.db"
    assert marks(doctor_machine.ledger(path)) == [
        ("ok", f"{path} is made at the first start")
    ]
    path.write_bytes(b"this is no database, however long one looks at it" * 50)
    ((mark, said),) = marks(doctor_machine.ledger(path))
    assert mark == "fix"
    assert "cannot be read (file is not a database); move it away" in said
    path.unlink()
    database = sqlite3.connect(path)
    database.execute("CREATE TABLE other (a)")
    database.commit()
    assert marks(doctor_machine.ledger(path)) == [
        ("fix", f"{path} holds no ledger; set LLM_GATEWAY_DB")
    ]
    database.execute("CREATE TABLE requests (id)")
    database.commit()
    database.close()
    ((mark, said),) = marks(doctor_machine.ledger(path))
    assert mark == "ok"
    assert said.startswith(f"{path}, 0.0 MB, SQLite ")


@pytest.mark.skipif(os.name != "posix", reason="file modes are POSIX")
def test_the_state_folder(tmp_path: Path) -> None:
    home = tmp_path / "home"
    assert marks(doctor_machine.state_folder(home)) == [
        ("ok", f"{home} is made at the first start")
    ]
    home.mkdir(mode=0o700)
    token = home / "admin-token"
    token.touch(mode=0o600)
    (home / "ca-bundle.pem").touch(mode=0o644)
    assert marks(doctor_machine.state_folder(home)) == [("ok", str(home))]
    token.chmod(0o644)
    assert marks(doctor_machine.state_folder(home)) == [
        ("fix", f"others can read it; chmod go= {token}")
    ]


# -- trust


@pytest.fixture
def ca_folder(tmp_path: Path) -> Path:
    folder = tmp_path / "mitmproxy"
    authority = Authority(folder)
    authority.ca.rename(folder / CA_NAME)
    return folder


def trusted(
    ca_folder: Path, env: dict[str, str], name: str = "NODE_EXTRA_CA_CERTS"
) -> list[tuple[str, str]]:
    found = doctor_machine.trust(ca_folder, env, 8080)
    return [(f.mark, f.said) for f in found if name in f.said]


AGAIN = 'run: eval "$(llm-gateway env)"'
PROXIED = {"HTTPS_PROXY": "http://127.0.0.1:8080"}


def test_no_ca_yet(tmp_path: Path) -> None:
    assert marks(doctor_machine.trust(tmp_path, {}, 8080)) == [
        ("ok", f"{tmp_path / CA_NAME} is made at the first start")
    ]


def test_variables_that_name_bundles(ca_folder: Path, tmp_path: Path) -> None:
    bundle = tmp_path / "bundle.pem"
    Authority(tmp_path / "other").ca.rename(bundle)

    def said(env: dict[str, str]) -> tuple[str, str]:
        ((mark, text),) = trusted(ca_folder, env)
        return mark, text.partition(": ")[2]

    node = {"NODE_EXTRA_CA_CERTS": str(bundle)}
    assert said({}) == ("ok", "not set; `llm-gateway run` sets it where it is needed")
    assert said(PROXIED) == ("note", f"not set, but the proxy is; {AGAIN}")
    assert said(node) == ("note", f"{bundle} does not know the gateway; {AGAIN}")
    assert said({**node, **PROXIED}) == (
        "fix",
        f"{bundle} does not know the gateway; {AGAIN}",
    )
    bundle.write_text(bundle.read_text() + (ca_folder / CA_NAME).read_text())
    assert said({**node, **PROXIED}) == ("ok", f"{bundle} knows the gateway")
    bundle.unlink()
    assert said(node) == ("fix", f"{bundle} is no file; {AGAIN}")


def test_roots_of_the_machine_are_looked_at(ca_folder: Path) -> None:
    found = marks(doctor_machine.trust(ca_folder, {}, 8080))
    assert ("ok", "certifi's roots do not know the gateway") in found
    assert ("ok", "system roots do not know the gateway") in found


@pytest.mark.skipif(os.name != "posix", reason="file modes are POSIX")
def test_the_key_of_the_ca_is_for_its_owner(ca_folder: Path) -> None:
    key = ca_folder / "mitmproxy-ca.pem"
    key.touch()
    key.chmod(0o644)
    assert (
        "fix",
        f"others can read the CA's key; chmod 600 {key}",
    ) in marks(doctor_machine.trust(ca_folder, {}, 8080))


def test_a_ca_file_without_a_certificate(tmp_path: Path) -> None:
    (tmp_path / CA_NAME).write_text("nothing")
    ((mark, said),) = marks(doctor_machine.trust(tmp_path, {}, 8080))
    assert mark == "fix"
    assert "holds no certificate" in said


def test_versions_of_what_runs_here() -> None:
    found = list(doctor_machine.versions())
    assert [f.what for f in found] == ["python", "packages", "http2"]
    assert f"llm-gateway {__version__}, mitmproxy " in found[1].said
