"""Datasette as a child: its command line, its life, its end."""

import asyncio
import json
import os
import re
import signal
import socket
import sqlite3
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest
from child_processes import child
from datasette.cli import check_databases

from llm_gateway.cli import main
from llm_gateway.dashboard_process import command
from llm_gateway.dashboard_process.child import DashboardProcess

from .conftest import Serve
from .ledgers import Ledger

METADATA = {
    "title": "t",
    "plugins": {"llm-gateway": {}},
    "databases": {
        "usage": {
            "description": "d",
            "queries": {"q": {"sql": "select 1"}},
            "tables": {"requests": {"size": 50, "allow": {"id": "root"}}},
        }
    },
}


def test_metadata_is_split_for_1_0() -> None:
    metadata, config = command.split(METADATA)
    assert metadata == {
        "title": "t",
        "databases": {
            "usage": {"description": "d", "tables": {"requests": {"size": 50}}}
        },
    }
    assert config == {
        "plugins": {"llm-gateway": {}},
        "databases": {
            "usage": {
                "queries": {"q": {"sql": "select 1"}},
                "tables": {"requests": {"allow": {"id": "root"}}},
            }
        },
    }


def test_metadata_takes_the_name_of_the_file() -> None:
    assert set(command.named(METADATA, "mine")["databases"]) == {"mine"}
    assert command.named({"title": "t"}, "mine") == {"title": "t", "databases": {}}


@pytest.mark.parametrize("v1", [False, True])
def test_the_command_line(v1: bool, tmp_path: Path, ledger: Ledger) -> None:
    found = command.arguments(ledger.path, 8001, tmp_path, v1=v1)
    assert found[:5] == [sys.executable, "-m", "datasette", "serve", str(ledger.path)]
    assert "--root" in found
    assert found[found.index("suggest_facets") + 1] == "off"
    files = {found[n]: Path(found[n + 1]) for n, one in enumerate(found) if one in ("-m", "-c") and n > 2}  # fmt: skip
    assert set(files) == ({"-m", "-c"} if v1 else {"-m"})
    parts: dict[str, Any] = {
        option: json.loads(path.read_text())["databases"]["usage"]
        for option, path in files.items()
    }
    assert ("queries" in parts["-m"]) is not v1
    assert "queries" in parts["-c" if v1 else "-m"]


def test_a_database_that_is_not_there_is_left_out(tmp_path: Path) -> None:
    found = command.arguments(tmp_path / "usage.db", 8001, tmp_path, v1=False)
    assert str(tmp_path / "usage.db") not in found


@contextmanager
def locked(path: Path, how: str) -> Iterator[None]:
    """Nobody can read it: a journal of the old kind, or one program that has it alone."""
    with closing(sqlite3.connect(path, isolation_level=None)) as holder:
        if how == "exclusive":
            holder.execute("PRAGMA locking_mode = exclusive")
        else:
            holder.execute("PRAGMA journal_mode = delete")
        holder.execute("BEGIN EXCLUSIVE")
        holder.execute("CREATE TABLE changing (a)")
        yield
        holder.execute("ROLLBACK")


@pytest.mark.parametrize("how", ["exclusive", "delete"])
@pytest.mark.parametrize("named", [True, False])
async def test_a_locked_database_is_waited_for(
    how: str,
    named: bool,
    ledger: Ledger,
    serve: Serve,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Datasette, which looks into each that it was started with, starts all the same."""
    if named and version("datasette") >= "1":
        pytest.skip("1.0's alphas read a named database before any plugin is asked")
    ledger.close()
    if not named:
        monkeypatch.setenv("LLM_GATEWAY_DB", str(ledger.path))
    with locked(ledger.path, how):
        client = serve(*[ledger.path] if named else [])
        await client.ds.invoke_startup()
        await check_databases(client.ds)
        # Each waits for a moment; all at once, as a browser's tabs do.
        pages = ("", "/requests", "/history", "/config", "/apps")
        asked = ("/live.json", "/receipt", "/requests.json", "/history.json")
        answers = await asyncio.gather(
            *(client.get(f"/-/gateway{path}") for path in (*pages, *asked))
        )
        found = dict(zip((*pages, *asked), answers, strict=True))
        assert [found[page].status_code for page in pages] == [200] * len(pages)
        assert [found[path].status_code for path in asked] == [503] * len(asked)
        said = found["/live.json"].json()["error"]["message"]
        assert "usage.db is locked: another program" in said
        assert all("locked" in found[path].text for path in asked)
    assert (await client.get("/-/gateway/live.json")).status_code == 200
    assert "usage" in client.ds.databases


def test_the_child_inherits_no_key(tmp_path: Path) -> None:
    base = {
        "PATH": "/bin",
        "LC_ALL": "C",
        "GROQ_API_KEY": "gsk-secret",
        "HTTPS_PROXY": "http://127.0.0.1:8080",
        "PYTHONPATH": "/x",
    }
    found = command.environment(
        tmp_path / "u.db",
        tmp_path,
        gateway_url="http://127.0.0.1:8080",
        hosts=("a.lan", "b.lan"),
        base=base,
    )
    assert "GROQ_API_KEY" not in found
    assert "HTTPS_PROXY" not in found
    assert found["PATH"] == "/bin"
    assert found["PYTHONPATH"].endswith(os.pathsep + "/x")
    assert found["LLM_GATEWAY_DASHBOARD_HOSTS"] == "a.lan b.lan"
    assert found["LLM_GATEWAY_DB"] == str(tmp_path / "u.db")


def test_the_secret_of_cookies_is_kept(tmp_path: Path) -> None:
    home = tmp_path / "state"
    first, second = (
        command.environment(tmp_path / "u.db", home, base={})["DATASETTE_SECRET"]
        for _ in range(2)
    )
    assert first == second
    assert len(first) == 64
    assert (home / "dashboard-secret").stat().st_mode & 0o777 == 0o600


class Log(list[str]):
    def __call__(self, text: str) -> None:
        self.append(text)


def start(path: Path, home: Path, port: int = 0) -> tuple[DashboardProcess, Log, Log]:
    said, warned = Log(), Log()
    process = DashboardProcess(
        path, port, gateway_url="http://127.0.0.1:1", home=home, say=said, warn=warned
    )
    process.start()
    return process, said, warned


@pytest.mark.process
def test_it_serves_says_how_to_sign_in_and_stops(
    ledger: Ledger,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """With the link of the log, and with one that is made while it runs."""
    monkeypatch.delenv("DATASETTE_SECRET", raising=False)
    process, said, warned = start(ledger.path, tmp_path)
    try:
        assert process.ready.wait(60)
        with urllib.request.urlopen(process.url + "/-/gateway", timeout=20) as answer:
            assert answer.status == 200
        [line] = said
        link = line.removeprefix("Dashboard: sign in once with ")
        opener = urllib.request.build_opener(urllib.request.HTTPCookieProcessor())
        with opener.open(link, timeout=20) as answer:
            assert answer.url == process.url + "/-/gateway"
            assert b"Sign out" in answer.read()
        for mine in (tmp_path, tmp_path / "elsewhere"):
            monkeypatch.setenv("LLM_GATEWAY_HOME", str(mine))
            port = process.url.rpartition(":")[2]
            assert main(["dashboard", "--link", "--port", port]) == 0
            link = capsys.readouterr().out.strip()
            assert link.startswith(f"{process.url}/-/gateway/sign-in?token=")
            opener = urllib.request.build_opener(urllib.request.HTTPCookieProcessor())
            if mine == tmp_path:
                with opener.open(link, timeout=20) as answer:
                    assert b"Sign out" in answer.read()
                continue
            with pytest.raises(urllib.error.HTTPError, match="403") as caught:
                opener.open(link, timeout=20)
            caught.value.close()
        with urllib.request.urlopen(process.url + "/usage/spend_by_day", timeout=20) as answer:  # fmt: skip
            assert answer.status == 200
    finally:
        process.stop()
    assert warned == []
    with pytest.raises(OSError, match="refused"):
        urllib.request.urlopen(process.url, timeout=5)


def test_a_link_to_nowhere(capsys: pytest.CaptureFixture[str]) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        port = str(unused.getsockname()[1])
        assert main(["dashboard", "--link", "--port", port]) == 1
    said = capsys.readouterr()
    assert said.out == ""
    assert f"no dashboard answers on port {port}" in said.err


def test_a_port_that_is_taken_is_one_warning(ledger: Ledger, tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        process, said, warned = start(ledger.path, tmp_path, port)
        assert process.ready.wait(20)
        process.stop()
    assert said == []
    assert warned == [
        f"The dashboard is not started: port {port} is in use. Choose another one with "
        "dashboard.port in config.jsonc (0: no dashboard)."
    ]


@pytest.mark.process
def test_a_child_that_cannot_start_is_one_warning(tmp_path: Path) -> None:
    (tmp_path / "usage.db").write_bytes(b"this is no database " * 100)
    process, said, warned = start(tmp_path / "usage.db", tmp_path)
    assert process.ready.wait(60)
    process.stop()
    assert said == []
    assert len(warned) == 1
    assert "not a database" in warned[0]
    assert "goes on without it" in warned[0]


@pytest.mark.process
def test_stopped_before_it_started(tmp_path: Path, ledger: Ledger) -> None:
    process, _, warned = start(ledger.path, tmp_path)
    process.stop()
    assert warned == []
    assert process.ready.is_set()


PARENT = """
import sys
from pathlib import Path
from llm_gateway.dashboard_process.child import DashboardProcess

process = DashboardProcess(Path(sys.argv[1]), 0, gateway_url="", home=Path(sys.argv[2]), say=str)
process.start()
process.ready.wait(60)
print(process.url, flush=True)
input()
"""


@pytest.mark.process
def test_it_ends_with_a_gateway_that_is_killed(ledger: Ledger, tmp_path: Path) -> None:
    with child(
        [sys.executable, "-c", PARENT, str(ledger.path), str(tmp_path)],
        env={**os.environ, "PYTHONPATH": str(command.PACKAGE.parent)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as parent:
        url = parent.stdout.readline().strip()
        host, port = url.removeprefix("http://").split(":")
        connection = socket.create_connection((host, int(port)), 20)
        parent.send_signal(signal.SIGKILL)
        # The child closes what is open when it ends.
        connection.settimeout(20)
        with connection, suppress(ConnectionResetError):
            assert connection.recv(1) == b""


@pytest.mark.process
def test_the_command_serves_a_ledger_that_comes_later(tmp_path: Path) -> None:
    path = tmp_path / "later.db"
    with child(
        [sys.executable, "-m", "llm_gateway", "dashboard", "--db", str(path), "--port", "0"],
        env={**os.environ, "PYTHONPATH": str(command.PACKAGE.parent)},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as process:  # fmt: skip
        said = []
        for line in process.stdout:
            said.append(line)
            if found := re.search(r"running on (http://\S+:\d+)", line):
                break
        assert found is not None, said
        assert "does not exist yet: the dashboard waits for it" in said[0]
        with pytest.raises(urllib.error.HTTPError, match="503") as caught:
            urllib.request.urlopen(found[1] + "/-/gateway/live.json", timeout=20)
        caught.value.close()
        Ledger(path).close()
        with urllib.request.urlopen(
            found[1] + "/-/gateway/live.json", timeout=20
        ) as answer:
            assert answer.status == 200
        process.send_signal(signal.SIGINT)
        process.stdout.read()
        assert process.wait(20) == 0
