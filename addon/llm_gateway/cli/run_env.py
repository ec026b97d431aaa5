"""`llm-gateway run -- CMD` and `llm-gateway env`: unmodified apps, through the gateway.

What lives here: the proxy and CA variables that each ecosystem reads, and the bundle
they point to: the machine's usual roots plus the gateway's own CA, since most of these
variables replace the roots instead of adding to them.
"""

import argparse
import json
import os
import re
import shlex
import shutil
import ssl
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from urllib.parse import quote

import certifi

from llm_gateway.cli.ask import Unreachable, add_port_option, ask
from llm_gateway.cli.background_servers import in_front
from llm_gateway.cli.help_text import command_parser
from llm_gateway.cli.node_version import node_of, too_old
from llm_gateway.config.files import check_ca, state_folder
from llm_gateway.providers.hosts import KNOWN_HOSTS, matches

CA_NAME = "mitmproxy-ca-cert.pem"
BUNDLE_VARIABLES = (
    "SSL_CERT_FILE",  # OpenSSL, httpx, Go, Ruby, .NET, curl
    "REQUESTS_CA_BUNDLE",  # requests
    "CURL_CA_BUNDLE",  # curl, requests
    "AWS_CA_BUNDLE",  # boto3, AWS CLI
    "GIT_SSL_CAINFO",  # git
    "CODEX_CA_CERTIFICATE",  # Codex
    "PIP_CERT",  # pip
    "CARGO_HTTP_CAINFO",  # cargo
)
CA_VARIABLES = (
    "NODE_EXTRA_CA_CERTS",  # Node, Bun, Claude Code: adds to the roots
    "DENO_CERT",  # Deno
)
PROXY_VARIABLES = ("HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "https_proxy")
NODE_PROXY = "NODE_USE_ENV_PROXY"
"""Node's own fetch ignores proxies otherwise."""
PASSWORD = "x"
"""Stands behind a client's name in the proxy's address; nobody looks at it."""
NO_PROXY_VARIABLES = ("NO_PROXY", "no_proxy")
NO_PROXY = ("localhost", "127.0.0.1", "::1")
EVERYTHING = "*"
"""In NO_PROXY: no proxy at all, so nothing would come through the gateway."""
_CERTIFICATE = re.compile(
    r"-----BEGIN CERTIFICATE-----.+?-----END CERTIFICATE-----", re.DOTALL
)
BEFORE = "LLM_GATEWAY_ENV_BEFORE"
"""What a shell's variables said before `env` set them, as JSON: for `env --unset`."""
PATIENCE = 2.0
"""Seconds for which the gateway is waited for before the command runs anyway."""


def variables(
    port: int,
    bundle: Path,
    ca: Path,
    user: str = "",
    environ: Mapping[str, str] = MappingProxyType({}),
) -> dict[str, str]:
    """What a child's environment needs, by name. environ: what it has already."""
    # Bun sends nothing at all, and undici no name, when the password is left out.
    who = f"{quote(user, safe='')}:{PASSWORD}@" if user else ""
    address = f"http://{who}127.0.0.1:{port}"
    found = dict.fromkeys(PROXY_VARIABLES, address)
    found |= dict.fromkeys(NO_PROXY_VARIABLES, ",".join(no_proxy(environ)))
    found |= dict.fromkeys(BUNDLE_VARIABLES, str(bundle))
    found |= dict.fromkeys(CA_VARIABLES, str(ca))
    found[NODE_PROXY] = "1"
    return found


def no_proxy(environ: Mapping[str, str]) -> list[str]:
    """Hosts that apps reach without the gateway: the user's own and this machine.

    The user's are hosts of their network, which the gateway does not reach for anybody
    (`server.allowedTunnels`). Both variables count: programs look at one or the other.
    What would let a known LLM host by is left out: such an app asks for nothing else here.
    """
    said = {host.lower(): host for host in (*_no_proxy_of(environ), *NO_PROXY)}
    return [host for host in said.values() if not lets_by(host)]


def lets_by(entry: str) -> bool:
    """An entry of NO_PROXY with which an LLM host would not go through the gateway."""
    name, _, port = entry.lower().partition(":")
    name = name.removeprefix("*").strip(".")
    if entry == EVERYTHING or not name:
        return entry == EVERYTHING
    if port not in ("", "443"):
        return False
    return matches(name, KNOWN_HOSTS) or any(
        host.endswith(f".{name}") for host in KNOWN_HOSTS
    )


def _no_proxy_of(environ: Mapping[str, str]) -> list[str]:
    said = ",".join(environ.get(name, "") for name in NO_PROXY_VARIABLES)
    return [host for host in re.split(r"[,\s]+", said) if host]


def ca_certificate(confdir: Path) -> Path:
    """The gateway's CA certificate; made when mitmproxy has never run with `confdir`.
    Raises `NotPrivate`."""
    path = confdir / CA_NAME
    check_ca(confdir)
    if not path.exists():
        from mitmproxy.certs import CertStore

        confdir.mkdir(mode=0o700, parents=True, exist_ok=True)
        CertStore.from_store(confdir, "mitmproxy", 2048)
    return path


def write_bundle(ca: Path) -> Path:
    """One file with the usual roots and our CA, in the state folder.

    Roots of the user's own come from SSL_CERT_FILE; in a shell that has been prepared by
    us that is the bundle itself, which has them already.

    Raises:
        NotPrivate: others may write the state folder.
        OSError: it cannot be written, or a root cannot be read.
    """
    bundle = state_folder(os.environ) / "ca-bundle.pem"
    system = ssl.get_default_verify_paths()
    given = (os.environ.get("SSL_CERT_FILE"), system.cafile, system.openssl_cafile)
    roots = [Path(certifi.where()), *(Path(path) for path in given if path), ca]
    found = [
        certificate
        for path in dict.fromkeys(roots)
        if path.is_file()
        for certificate in _CERTIFICATE.findall(path.read_text(errors="replace"))
    ]
    temporary = bundle.with_name(f".{bundle.name}.{os.getpid()}")
    temporary.write_text("\n".join(dict.fromkeys(found)) + "\n")
    temporary.replace(bundle)
    return bundle


def _parser(name: str, description: str) -> argparse.ArgumentParser:
    parser = command_parser(name, description)
    add_port_option(parser)
    parser.add_argument(
        "--confdir",
        type=Path,
        default=Path("~/.mitmproxy"),
        help="mitmproxy's configuration folder, where the CA lies",
    )
    parser.add_argument(
        "--client",
        type=_client,
        default="",
        help="a name or client key, to tell this app apart in the ledger",
    )
    return parser


def _client(text: str) -> str:
    if ":" in text:  # it would end there: proxies know users as NAME:PASSWORD
        raise argparse.ArgumentTypeError(f"{text!r}: leave out the colon")
    return text


def reaches_gateway(port: int) -> bool:
    """Is a gateway there? If not, standard error says so."""
    try:
        ask(port, "/health", timeout=PATIENCE)
    except Unreachable as e:
        print(f"llm-gateway: {e}", file=sys.stderr)
        return False
    return True


def _variables(options: argparse.Namespace) -> dict[str, str]:
    ca = ca_certificate(options.confdir.expanduser().absolute())
    for entry in dict.fromkeys(filter(lets_by, _no_proxy_of(os.environ))):
        what = "nothing" if entry == EVERYTHING else "requests to an LLM"
        verb = "would" if entry == EVERYTHING else "would not"
        print(
            f"llm-gateway: NO_PROXY holds {entry}, so {what} {verb} come through the "
            f"gateway; the {entry} is left out.",
            file=sys.stderr,
        )
    return variables(
        options.port, write_bundle(ca), ca, options.client, environ=os.environ
    )


def exports(ours: Mapping[str, str], environ: Mapping[str, str]) -> list[str]:
    """Lines for a shell that set `ours` and keep what stood there, for `unset_lines`."""
    before = {name: environ[name] for name in ours if name in environ}
    # In a shell that is prepared already, what stands there is ours.
    kept = environ.get(BEFORE) or json.dumps(before, separators=(",", ":"))
    return [
        f"export {name}={shlex.quote(value)}"
        for name, value in {**ours, BEFORE: kept}.items()
    ]


def unset_lines(environ: Mapping[str, str]) -> list[str]:
    """Lines for a shell that give each variable the value from before `env`, or none."""
    if BEFORE not in environ:
        return []
    try:
        found = json.loads(environ[BEFORE])
        before = dict(found) if isinstance(found, dict) else {}
    except ValueError:
        before = {}
    names = [*PROXY_VARIABLES, *NO_PROXY_VARIABLES, *BUNDLE_VARIABLES, *CA_VARIABLES]
    names += [NODE_PROXY, BEFORE]
    return [
        f"export {name}={shlex.quote(str(before[name]))}"
        if name in before
        else f"unset {name}"
        for name in names
    ]


def env(argv: list[str]) -> int:
    """1 where no gateway answers: a shell that was sent there would reach nothing."""
    parser = _parser(
        "env", "Print shell exports that send LLM traffic through the gateway."
    )
    parser.add_argument(
        "--force",
        action="store_true",
        help="print them although no gateway answers",
    )
    parser.add_argument(
        "--unset",
        action="store_true",
        help='take them back in this shell: eval "$(llm-gateway env --unset)"',
    )
    options = parser.parse_args(argv)
    if options.unset:
        lines = unset_lines(os.environ)
        if not lines:
            print("llm-gateway env: nothing is set in this shell", file=sys.stderr)
        print(*lines, sep="\n", end="\n" if lines else "")
        return 0
    if not reaches_gateway(options.port) and not options.force:
        print(
            "llm-gateway env: nothing is exported, since every HTTPS request of this "
            "shell would fail; --force exports all the same",
            file=sys.stderr,
        )
        return 1
    print(*exports(_variables(options), os.environ), sep="\n")
    return 0


def run(argv: list[str]) -> int:
    parser = _parser(
        "run", "Run a command with its LLM traffic going through the gateway."
    )
    parser.add_argument("command", nargs=argparse.REMAINDER, help="-- CMD ARGS…")
    options = parser.parse_args(argv)
    command = options.command[1:] if options.command[:1] == ["--"] else options.command
    if not command:
        parser.error("which command? llm-gateway run -- CMD ARGS…")
    if shutil.which(command[0]) is None:
        print(f"llm-gateway run: {command[0]}: command not found", file=sys.stderr)
        return 127
    base_url = f"http://127.0.0.1:{options.port}/v1"
    if said := too_old(node_of(command), base_url):
        print(f"llm-gateway run: {said}", file=sys.stderr)
    if (asked := in_front(command)) != command:
        print(
            f"llm-gateway run: {command[0]} gets {asked[1]}: its server in the background "
            "may have been started elsewhere, and would go past the gateway",
            file=sys.stderr,
        )
        command = asked
    reaches_gateway(options.port)
    child = {**os.environ, **_variables(options)}
    if os.name == "posix":
        os.execvpe(command[0], command, child)
    return subprocess.run(command, env=child).returncode
