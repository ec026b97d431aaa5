"""How it starts, and how it says that it does not."""

import http.client
import json
import os
import socket
import struct
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from fakes import FakeProvider

from gateway import GatewayProcess, chat, provider

from .conftest import Start


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return int(probe.getsockname()[1])


def refusal(folder: Path, confdir: Path, config: Any, **more: Any) -> str:
    """The log of a gateway that does not start; it ended with exit code 1."""
    log = ended(GatewayProcess(folder, config, confdir=confdir, **more))
    assert log.count("The gateway does not start.") == 1
    return log


def ended(gateway: GatewayProcess) -> str:
    """The same for any reason not to start."""
    try:
        with pytest.raises(AssertionError, match="ended early"):
            gateway.start()
        assert gateway.process is not None
        assert gateway.process.returncode == 1
        log = gateway.log()
    finally:
        gateway.__exit__(None, None, None)
    assert "Traceback" not in log
    return log


SLOW = Path(__file__).with_name("slow_start.py")

MISTAKES = """\
{
  "logLevel": "loud",
  "providers": [
    {
      "id": "a",
      "type": "openai-compatibel",
      "apiKey": "sk-CANARY-in-a-file",
      "baseURL": "http://example.com/v1",
      "modells": [],
    },
    { "id": "b", "type": "groq", "limits": { "requestsPerMinute": -1 } }
  ]
}
"""
EXPECTED = [
    ("config.jsonc:2:", "logLevel:", '"loud"', "info"),
    (
        "config.jsonc:6:",
        "providers[0].type:",
        '"openai-compatibel"',
        "openai-compatible",
    ),
    ("config.jsonc:8:", "providers[0].baseURL:", "unencrypted", "https://"),
    ("config.jsonc:9:", "providers[0].modells:", "", "models"),
    ("config.jsonc:11:", "providers[1].limits.requestsPerMinute:", "-1", "0"),
]
"""Where, which key, what was found, what to write."""


def test_five_mistakes_get_five_messages(tmp_path: Path, confdir: Path) -> None:
    log = refusal(tmp_path, confdir, MISTAKES, forked=False)
    lines = [line for line in log.splitlines() if "config.jsonc:" in line]
    assert len(lines) == 5, log
    for line, parts in zip(lines, EXPECTED, strict=True):
        for part in parts:
            assert part in line
    assert "CANARY" not in log


@pytest.mark.parametrize("how", ["option", "environment"])
def test_a_named_file_that_is_missing(tmp_path: Path, confdir: Path, how: str) -> None:
    missing = str(tmp_path / "nowhere.jsonc")
    more: dict[str, Any] = {"env": {"LLM_GATEWAY_CONFIG": missing}}
    if how == "option":
        more = {"options": {"gateway_config": missing}}
    log = refusal(tmp_path, confdir, None, **more)
    assert f"{missing}: there is no such file" in log
    assert f"llm-gateway init {missing}" in log
    assert not (tmp_path / "config.jsonc").exists()


@pytest.mark.parametrize(
    ("env", "options", "said"),
    [
        (
            {"LOG_LEVEL": "loud"},
            {},
            "LOG_LEVEL=loud is no level; write one of trace, debug",
        ),
        (
            {"LLM_GATEWAY_GITHUB_URL": "ftp://x"},
            {},
            "LLM_GATEWAY_GITHUB_URL does not begin",
        ),
        ({}, {"gateway_db": "no/such/folder/usage.db"}, "no/such/folder"),
        ({"LLM_GATEWAY_HOME": "/dev/null/home"}, {}, "/dev/null/home"),
    ],
)
def test_what_surrounds_it_is_wrong(
    tmp_path: Path,
    confdir: Path,
    env: dict[str, str],
    options: dict[str, str],
    said: str,
) -> None:
    log = refusal(tmp_path, confdir, {"providers": []}, env=env, options=options)
    assert said in log


@pytest.mark.parametrize("port", ["eighty", "0", "65536", "-1"])
def test_a_port_that_is_none(tmp_path: Path, confdir: Path, port: str) -> None:
    gateway = GatewayProcess(
        tmp_path, {"providers": []}, confdir=confdir, env={"PORT": port}
    )
    listening_by(gateway)
    assert f"PORT={port} is not a port; write a number from 1 to 65535" in ended(
        gateway
    )


def test_a_port_that_is_taken(tmp_path: Path, confdir: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        gateway = GatewayProcess(
            tmp_path, {"providers": []}, confdir=confdir, env={"PORT": str(port)}
        )
        listening_by(gateway)
        log = ended(gateway)
    assert f"failed to listen on 127.0.0.1:{port}" in log


def test_clients_that_are_there_before_it_is_ready(
    start: Start, tmp_path: Path
) -> None:
    """After a restart apps ask again at once, and mitmproxy listens before its add-ons
    run: whoever gets in that early waits, and is answered."""
    port = free_port()
    with FakeProvider() as fake, ThreadPoolExecutor(8) as pool:
        stop = threading.Event()
        clients = [pool.submit(asks_until, stop, port) for _ in range(8)]
        try:
            config = {"providers": [provider(fake, "a", free=True)]}
            # Where mitmproxy keeps its certificates is not said: it looks late then.
            gateway = start(
                config,
                arguments=("-p", str(port), "-s", str(SLOW)),
                options={"confdir": None},
                env={"HOME": str(tmp_path)},
            )
            gateway.wait_for(lambda: len(fake.requests) > 20, "requests")
        finally:
            stop.set()
        assert {status for client in clients for status in client.result()} == {200}


HEALTH = b"GET /health HTTP/1.1\r\nHost: 127.0.0.1:%d\r\n"
PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + b"\0\0\0\4\0\0\0\0\0"
EARLY: dict[str, tuple[bytes, str, bytes]] = {
    "asks and has it closed": (HEALTH + b"Connection: close\r\n\r\n", "", b" 200 "),
    "asks as 1.0 does": (HEALTH.replace(b"1.1\r", b"1.0\r") + b"\r\n", "", b" 200 "),
    "asks and stays": (HEALTH + b"\r\n", "first", b" 200 "),
    "asks twice": (HEALTH + b"\r\n" + HEALTH + b"Connection: close\r\n\r\n", "", b" 200 "),
    "asks and sends no more": (HEALTH + b"Connection: close\r\n\r\n", "half", b""),
    "asks and leaves": (HEALTH + b"\r\n", "leave", b""),
    "asks and resets": (HEALTH + b"\r\n", "reset", b""),
    "half a head": (b"GET /health HT", "half", b""),
    "no HTTP": (b"\x00\xff\x1b garbage\r\n\r\n", "", b" 400 "),
    "a head that is wrong": (b"GET /health HTTP/1.1\r\n: x\r\n\r\n", "", b" 400 "),
    "a TLS hello": (b"\x16\x03\x01\x00\x05\x01\x00\x00\x01\x00", "half", b""),
    "HTTP/2, which needs TLS": (PREFACE, "first", b" 505 "),
    "a tunnel to nowhere": (b"CONNECT 127.0.0.1:1 HTTP/1.1\r\nHost: x\r\n\r\n", "first", b"HTTP/1.1 "),
    "nothing": (b"", "leave", b""),
}  # fmt: skip
"""What a client sends before the gateway is ready, what it does then (waits until it is
closed, waits for the first bytes, sends no more, leaves, resets), what it must be told."""


def early(port: int, row: tuple[bytes, str, bytes]) -> bytes:
    """What such a client gets; fails when it has to wait for more than it is due."""
    sent, then, _ = row
    while True:
        try:
            client = socket.create_connection(("127.0.0.1", port), 20)
            break
        except OSError:
            continue
    with client:
        client.sendall(sent.replace(b"%d", b"%d" % port))
        if then == "leave":
            return b""
        if then == "reset":
            client.setsockopt(
                socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0)
            )
            return b""
        if then == "half":
            client.shutdown(socket.SHUT_WR)
        got = b""
        while data := client.recv(65536):
            got += data
            if then == "first":
                break
        return got


def test_whatever_a_client_does_before_it_is_ready(
    start: Start, tmp_path: Path
) -> None:
    """What was sent meanwhile is read when the gateway is ready, and answered or closed;
    nothing of it ends the start or leaves a traceback (`start` looks for one)."""
    port = free_port()
    with ThreadPoolExecutor(len(EARLY)) as pool:
        clients = {name: pool.submit(early, port, row) for name, row in EARLY.items()}
        gateway = start(
            {"providers": []},
            arguments=("-p", str(port), "-s", str(SLOW)),
            options={"confdir": None},
            env={"HOME": str(tmp_path), "SLOW_START_CLIENTS": str(len(EARLY) - 3)},
        )
        for name, (_, _, due) in EARLY.items():
            assert due in clients[name].result(), name
        assert gateway.get("/health")[0] == 200
        assert "crashed" not in gateway.log()


def planted(folder: Path, ca: Path, what: str) -> dict[str, str | None]:
    """A state or CA folder that is not ours alone; options that name it."""
    home = folder / "home"
    confdir = folder / "ca"
    home.mkdir(mode=0o700)
    token = home / "admin-token"
    token.write_text("somebody-else-knows-this-token-0123456789")
    token.chmod(0o600)
    if what == "folder":
        home.chmod(0o777)
    elif what == "token":
        token.chmod(0o666)
    elif what == "linked token":
        token.rename(folder / "elsewhere")
        token.symlink_to(folder / "elsewhere")
    elif what == "login":
        (home / "copilot").mkdir(mode=0o700)
        (home / "copilot" / "c.json").symlink_to(token)
    elif what == "cookies":
        (home / "dashboard-secret").mkdir()
    elif what == "CA":
        confdir.mkdir()
        (confdir / "mitmproxy-ca.pem").write_bytes(ca.read_bytes())
        (confdir / "mitmproxy-ca.pem").chmod(0o666)
        return {"confdir": str(confdir)}
    elif what == "another owner":
        if os.geteuid() != 0:
            pytest.skip("only root can give files away")
        os.chown(home, 65534, 65534)
        os.chown(token, 65534, 65534)
    return {}


@pytest.mark.skipif(os.name != "posix", reason="permissions of POSIX")
@pytest.mark.parametrize(
    ("what", "said"),
    [
        ("folder", "home can be written by others (mode 0777)"),
        ("token", "admin-token can be written by others (mode 0666)"),
        ("linked token", "admin-token is a symbolic link"),
        ("login", "c.json is a symbolic link"),
        ("cookies", "dashboard-secret is no regular file"),
        ("CA", "mitmproxy-ca.pem can be written by others"),
        ("another owner", "(uid 65534), the gateway runs as"),
    ],
)
def test_a_state_that_may_be_somebody_elses(
    tmp_path: Path, confdir: Path, running: GatewayProcess, what: str, said: str
) -> None:
    options = planted(tmp_path, confdir / "mitmproxy-ca.pem", what)
    log = refusal(tmp_path, confdir, {"providers": []}, options=options)
    assert said in log


@pytest.mark.skipif(os.name != "posix", reason="permissions of POSIX")
def test_an_open_umask_opens_nothing(tmp_path: Path, start: Start) -> None:
    """Nobody else may write, or read, what a gateway makes; its CA's folder included."""
    before = os.umask(0)
    try:
        gateway = start(
            None,
            options={"confdir": None},
            env={"HOME": str(tmp_path)},
        )
    finally:
        os.umask(before)
    assert gateway.get("/health")[0] == 200
    assert (tmp_path / ".mitmproxy" / "mitmproxy-ca.pem").exists()
    made = [*gateway.folder.rglob("*"), *(tmp_path / ".mitmproxy").rglob("*")]
    assert len(made) > 5
    for path in (tmp_path / ".mitmproxy", *made):
        assert path.stat().st_mode & 0o022 == 0, path
        if path.suffix != ".cer":
            assert path.stat().st_mode & 0o077 == 0 or path.name in PUBLIC, path


PUBLIC = ("mitmproxy-ca-cert.pem", "mitmproxy-ca-cert.p12")


def asks_until(stop: threading.Event, port: int) -> set[int]:
    seen = set()
    body = json.dumps(chat()).encode()
    while not stop.is_set():
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
        try:
            connection.connect()
        except OSError:
            continue
        try:
            connection.request("POST", "/v1/chat/completions", body)
            seen.add(connection.getresponse().status)
        finally:
            connection.close()
    return seen


def test_the_first_start_makes_a_configuration(start: Start) -> None:
    gateway = start(None, forked=False)
    assert "Wrote config.jsonc from the example" in gateway.log()
    assert gateway.config_path.stat().st_mode & 0o777 == 0o600
    assert gateway.config_path.read_text().startswith("// LLM Gateway: an example")
    home, token = gateway.home, gateway.home / "admin-token"
    assert home.stat().st_mode & 0o777 == 0o700
    assert token.stat().st_mode & 0o777 == 0o600
    assert str(token) in gateway.log()
    assert token.read_text().strip() not in gateway.log()
    # The line that the log offers works as it stands, without any key.
    model = gateway.get("/v1/models")[2]["data"][0]["id"]
    assert f'"model":"{model}"' in gateway.log()
    assert gateway.chat(model)[0] == 200

    # The second start leaves it as it is, and tightens what became too wide.
    gateway.stop()
    gateway.config_path.write_text("{}")
    token.chmod(0o644)
    home.chmod(0o755)
    said = token.read_text()
    with GatewayProcess(
        gateway.folder, None, confdir=gateway.confdir, forked=False
    ) as again:
        again.wait_log("Try: curl")
        assert "Wrote config.jsonc" not in again.log()
        assert gateway.config_path.read_text() == "{}"
        assert token.read_text() == said
        assert token.stat().st_mode & 0o777 == 0o600
        assert home.stat().st_mode & 0o777 == 0o700


def listening_by(gateway: GatewayProcess, *arguments: str) -> None:
    """Start it with an address and a port of its own choice, not with the harness's."""
    command = gateway._command
    at = command.index("--listen-host")
    gateway._command = [*command[:at], *command[at + 4 :], *arguments]


def test_options_win_over_the_environment_and_it_over_the_rest(
    tmp_path: Path, confdir: Path
) -> None:
    with FakeProvider() as fake:
        for name in ("default", "environment", "option"):
            config = {"logLevel": "debug", "providers": [provider(fake, name, name)]}
            (tmp_path / f"{name}.jsonc").write_text(json.dumps(config))
        (tmp_path / "default.jsonc").rename(tmp_path / "config.jsonc")
        port, other = free_port(), free_port()
        env = {
            "LLM_GATEWAY_CONFIG": str(tmp_path / "environment.jsonc"),
            "LLM_GATEWAY_DB": str(tmp_path / "environment.db"),
            "LOG_LEVEL": "error",
            "PORT": str(port),
        }
        gateway = GatewayProcess(tmp_path, None, confdir=confdir, env=env)
        listening_by(gateway)
        with gateway:
            assert gateway.port == port
            # On one address from the first moment on, and never on all of them.
            said = [line for line in gateway.log().splitlines() if "listening" in line]
            assert len(said) == 1
            assert f"listening at 127.0.0.1:{port}" in said[0]
            assert [m["id"] for m in gateway.get("/v1/models")[2]["data"]] == [
                "environment"
            ]
            level = "/admin/logging/level"
            assert gateway.get(level, gateway.admin)[2] == {"level": "error"}
            # A reload does not undo what the environment said.
            text = (
                (tmp_path / "environment.jsonc").read_text().replace("debug", "trace")
            )
            (tmp_path / "environment.jsonc").write_text(text)
            assert gateway.post("/admin/reload", b"", gateway.admin)[0] == 200
            assert gateway.get(level, gateway.admin)[2] == {"level": "error"}
        assert (tmp_path / "environment.db").exists()
        assert not (tmp_path / "usage.db").exists()

        gateway = GatewayProcess(
            tmp_path,
            None,
            confdir=confdir,
            env=env,
            options={
                "gateway_config": str(tmp_path / "option.jsonc"),
                "gateway_db": str(tmp_path / "option.db"),
            },
        )
        listening_by(gateway, "--listen-port", str(other))
        with gateway:
            assert gateway.port == other
            assert [m["id"] for m in gateway.get("/v1/models")[2]["data"]] == ["option"]
        assert (tmp_path / "option.db").exists()

        gateway = GatewayProcess(tmp_path, None, confdir=confdir)
        with gateway:
            assert [m["id"] for m in gateway.get("/v1/models")[2]["data"]] == [
                "default"
            ]
            assert gateway.get(level, gateway.admin)[2] == {"level": "debug"}
            text = gateway.config_path.read_text().replace("debug", "warn")
            gateway.config_path.write_text(text)
            assert gateway.post("/admin/reload", b"", gateway.admin)[0] == 200
            assert gateway.get(level, gateway.admin)[2] == {"level": "warn"}
        assert (tmp_path / "usage.db").exists()
        assert os.stat(tmp_path / "usage.db").st_mode & 0o077 == 0
