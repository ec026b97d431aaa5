"""What `llm-gateway doctor` looks at on this machine.

What lives here: one function per thing (versions, folder, ports, ledger, trust), each
returning findings that say what is and, where something is wrong, what to do. They
only read; nothing is changed or made.

What this file does not know: providers, the config's text.
"""

import json
import os
import shutil
import sqlite3
import ssl
import stat
import sys
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, Literal
from urllib.parse import quote

import certifi

from llm_gateway import __version__
from llm_gateway.cli.ask import Unreachable, own_token
from llm_gateway.cli.ask import ask as ask_gateway
from llm_gateway.cli.dashboard import DASHBOARD
from llm_gateway.cli.node_version import too_old, version_of
from llm_gateway.cli.run_env import (
    BUNDLE_VARIABLES,
    CA_NAME,
    CA_VARIABLES,
    PROXY_VARIABLES,
)
from llm_gateway.config.files import check_ca, check_state
from llm_gateway.gateway_client import loopback_answer
from llm_gateway.mitm_compat import h2_version
from llm_gateway.private_files import NotPrivate, check_folder

PACKAGES = (
    "mitmproxy",
    "pydantic",
    "json5",
    "sqlite-utils",
    "datasette",
    "genai-prices",
)
ROOMY = 200 * 1024 * 1024
"""Bytes that should be free where the ledger lies."""
SYSTEM_BUNDLES = (
    "/etc/ssl/certs/ca-certificates.crt",  # Debian, Ubuntu, Arch
    "/etc/pki/tls/certs/ca-bundle.crt",  # Fedora, RHEL
    "/etc/ssl/ca-bundle.pem",  # openSUSE
    "/etc/ssl/cert.pem",  # Alpine, macOS
)


Mark = Literal["ok", "note", "fix"]


@dataclass(frozen=True, slots=True)
class Finding:
    """One line of the report."""

    mark: Mark
    """`ok`; `note`: fine, but good to know; `fix`: something does not work."""
    what: str
    said: str


def versions() -> Iterator[Finding]:
    """Python, our own and the packages that we stand on."""
    python = ".".join(map(str, sys.version_info[:3]))
    if sys.version_info < (3, 12):
        yield Finding(
            "note", "python", f"{python}; 3.12 or later gets a newer mitmproxy"
        )
    else:
        yield Finding("ok", "python", python)
    found = [f"llm-gateway {__version__}"]
    for package in PACKAGES:
        try:
            found.append(f"{package} {version(package)}")
        except PackageNotFoundError:
            yield Finding("fix", package, "is not installed; run: pip install -e .")
    yield Finding("ok", "packages", ", ".join(found))
    if old := h2_version.too_old():
        yield Finding("note", "http2", h2_version.TOO_OLD.format(old))
    else:
        yield Finding("ok", "http2", "on")


def node(port: int) -> Iterator[Finding]:
    """Whether apps on this machine's Node can be sent through the proxy."""
    found = shutil.which("node")
    version = version_of(found) if found else None
    if version is None:
        return
    if said := too_old(found, f"http://127.0.0.1:{port}/v1"):
        yield Finding("note", "node", said)
    else:
        yield Finding("ok", "node", ".".join(map(str, version)))


def notices(port: int) -> Iterator[Finding]:
    """What the running gateway has warned of: own keys spent, a CA that is not trusted."""
    for notice in of_gateway(port, "/admin/notices").get("notices", ()):
        times = f" ({notice['count']} times)" if notice["count"] > 1 else ""
        said = f"{notice['subject']} {notice['message']}{times}"
        if notice["kind"] == "private host":
            said = f"{notice['subject']}: {notice['message']}{times}"
        yield Finding("note", notice["kind"], said)


def of_gateway(port: int, path: str) -> dict[str, Any]:
    """What a running gateway answers to its administrator; {}: none does."""
    try:
        _health(loopback_answer(port, "/health") or b"")  # the token is for nobody else
        status, found = ask_gateway(port, path, token=own_token(), timeout=2)
    except (Unreachable, ValueError, KeyError, TypeError):
        return {}
    return found if status == 200 and isinstance(found, dict) else {}


def mitmproxy_code() -> Finding:
    """Is mitmproxy's code the one that the fast path and failover were compared with?"""
    from llm_gateway.mitm_compat.fingerprints import groups_off
    from llm_gateway.mitm_compat.sites import GROUPS, VERIFIED

    if not (off := groups_off()):
        return Finding("ok", "mitmproxy code", f"as compared with {VERIFIED}")
    return Finding(
        "note",
        "mitmproxy code",
        f"not compared in part, last with {VERIFIED}: "
        + "; ".join(f"{group} ({GROUPS[group]})" for group in off)
        + "; more: python -m llm_gateway.mitm_compat",
    )


def state_folder(home: Path) -> Iterator[Finding]:
    """The folder with the admin token and the logins: for its owner alone."""
    if not home.exists():
        yield Finding("ok", "state folder", f"{home} is made at the first start")
        return
    if not os.access(home, os.W_OK | os.X_OK):
        yield Finding(
            "fix", "state folder", f"{home} cannot be written; chown it to you"
        )
        return
    try:
        check_folder(home, use_another="set LLM_GATEWAY_HOME to a folder of your own")
        check_state(home)
    except NotPrivate as e:
        yield Finding("fix", "state folder", str(e))
        return
    open_to_others = [
        path
        for path in (home, *sorted(home.rglob("*")))
        if path.suffix != ".pem" and path.stat().st_mode & (stat.S_IRWXG | stat.S_IRWXO)
    ]
    if open_to_others and os.name == "posix":
        names = " ".join(map(str, open_to_others))
        yield Finding("fix", "state folder", f"others can read it; chmod go= {names}")
    else:
        yield Finding("ok", "state folder", str(home))


def gateway_port(port: int) -> Finding:
    """Free, a gateway's, or somebody else's."""
    found = loopback_answer(port, "/health")
    if found is None:
        return Finding("ok", "gateway", f"port {port} is free, no gateway runs there")
    try:
        health = _health(found)
        running, status = str(health["version"]), str(health["status"])
    except (ValueError, KeyError, TypeError):
        return Finding(
            "fix",
            "gateway",
            f"another program listens on port {port}; stop it, or start the gateway with PORT=8090",
        )
    reasons = health.get("degraded") or ()
    error = (health.get("config") or {}).get("error")
    if reasons or error:
        why = "; ".join([*map(str, reasons), *([f"config: {error}"] if error else [])])
        return Finding("fix", "gateway", f"runs on port {port}, {status}: {why}")
    if running != __version__:
        return Finding(
            "note",
            "gateway",
            f"version {running} runs on port {port}, installed is {__version__}; start it again",
        )
    return Finding("ok", "gateway", f"runs on port {port}, {status}")


def _health(answer: bytes) -> dict[str, Any]:
    """A gateway's. Raises ValueError, KeyError or TypeError for anybody else's."""
    health: dict[str, Any] = json.loads(answer)
    health["version"], health["status"]
    return health


def dashboard_port(port: int) -> Finding:
    if port == 0:
        return Finding("ok", "dashboard", "is switched off (dashboard.port is 0)")
    found = loopback_answer(port, "/-/versions.json")
    if found is None:
        return Finding(
            "ok", "dashboard", f"port {port} is free, no dashboard runs there"
        )
    if b'"datasette"' in found:
        return Finding("ok", "dashboard", DASHBOARD.format(port))
    return Finding(
        "fix",
        "dashboard",
        f"another program listens on port {port}; stop it, or set dashboard.port",
    )


def ledger(path: Path) -> Iterator[Finding]:
    """The SQLite file: opened read-only, never repaired."""
    folder = path.parent if path.parent != Path("") else Path(".")
    if not os.access(folder, os.W_OK):
        yield Finding(
            "fix", "ledger", f"{folder.resolve()} cannot be written; chown it to you"
        )
    elif (free := shutil.disk_usage(folder).free) < ROOMY:
        yield Finding("fix", "ledger", f"only {free >> 20} MB are free; make room")
    if not path.exists():
        yield Finding("ok", "ledger", f"{path} is made at the first start")
        return
    address = f"file:{quote(str(path.resolve()))}?mode=ro"
    try:
        database = sqlite3.connect(address, uri=True, timeout=2)
        try:
            database.execute("PRAGMA query_only = 1")
            (rows,) = database.execute(
                "SELECT count(*) FROM sqlite_master WHERE name = 'requests'"
            ).fetchone()
            billed = _billed(database)
        finally:
            database.close()
    except sqlite3.Error as e:
        yield Finding("fix", "ledger", f"{path} cannot be read ({e}); move it away")
        return
    if not rows:
        yield Finding("fix", "ledger", f"{path} holds no ledger; set LLM_GATEWAY_DB")
        return
    for label, until in billed:
        yield Finding(
            "fix",
            "billed",
            f"{label} counts as free and was billed for: it is not asked until {until}. "
            "Use a key without billing, or take `free` out of its configuration",
        )
    size = path.stat().st_size / 1e6
    yield Finding(
        "ok", "ledger", f"{path}, {size:.1f} MB, SQLite {sqlite3.sqlite_version}"
    )


def _billed(database: sqlite3.Connection) -> list[tuple[str, str]]:
    """(what was billed though it counts as free, until when it is not asked)."""
    if not database.execute(
        "SELECT 1 FROM sqlite_master WHERE name = 'billed_offers'"
    ).fetchone():
        return []
    return database.execute(
        """
        SELECT provider || iif(account = '', '', '#' || account)
            || iif(model = '', ' (every model of its key)', '/' || model), returns_at
        FROM billed_offers WHERE returns_at > strftime('%Y-%m-%dT%H:%M:%fZ', 'now')
        ORDER BY provider, account, model
        """
    ).fetchall()


def trust(confdir: Path, env: Mapping[str, str], port: int) -> Iterator[Finding]:
    """Which ecosystems trust the gateway's CA. Only the proxy way needs that."""
    ca = confdir / CA_NAME
    if not ca.exists():
        yield Finding("ok", "trust", f"{ca} is made at the first start")
        return
    try:
        check_ca(confdir)
    except NotPrivate as e:
        yield Finding("fix", "trust", str(e))
        return
    key = confdir / "mitmproxy-ca.pem"
    if os.name == "posix" and key.exists() and key.stat().st_mode & 0o077:
        yield Finding("fix", "trust", f"others can read the CA's key; chmod 600 {key}")
    ours = certificates(ca)
    if not ours:
        yield Finding(
            "fix", "trust", f"{ca} holds no certificate; delete it and start again"
        )
        return
    proxied = any(f":{port}" in env.get(name, "") for name in PROXY_VARIABLES)
    for what, paths in _bundles():
        there = any(ours <= certificates(path) for path in paths)
        said = "know the gateway" if there else "do not know the gateway"
        yield Finding("ok", "trust", f"{what} {said}")
    alike: dict[tuple[Mark, str], list[str]] = {}
    for name in (*BUNDLE_VARIABLES, *CA_VARIABLES):
        alike.setdefault(_variable(env.get(name, ""), ours, proxied), []).append(name)
    for (mark, said), names in alike.items():
        yield Finding(mark, "trust", f"{', '.join(names)}: {said}")


def _variable(value: str, ours: frozenset[str], proxied: bool) -> tuple[Mark, str]:
    """How one variable that names a bundle stands."""
    again = 'run: eval "$(llm-gateway env)"'
    if not value:
        if proxied:
            return "note", f"not set, but the proxy is; {again}"
        return "ok", "not set; `llm-gateway run` sets it where it is needed"
    if not Path(value).is_file():
        return "fix", f"{value} is no file; {again}"
    if ours <= certificates(Path(value)):
        return "ok", f"{value} knows the gateway"
    return "fix" if proxied else "note", f"{value} does not know the gateway; {again}"


def _bundles() -> Iterator[tuple[str, Iterable[Path]]]:
    found = ssl.get_default_verify_paths()
    system = {found.cafile, found.openssl_cafile, *SYSTEM_BUNDLES}
    yield (
        "system roots",
        [Path(path) for path in system if path and Path(path).is_file()],
    )
    yield "certifi's roots", [Path(certifi.where())]


def certificates(bundle: Path) -> frozenset[str]:
    """The certificates in a PEM file, as their base64 without line ends."""
    try:
        text = bundle.read_text(errors="replace")
    except OSError:
        return frozenset()
    parts = text.split("-----BEGIN CERTIFICATE-----")[1:]
    ends = (part.partition("-----END CERTIFICATE-----")[0] for part in parts)
    return frozenset("".join(end.split()) for end in ends)
