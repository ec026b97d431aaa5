"""Outbound proxies as people have them: tinyproxy, Squid, Dante and `ssh -D`, on loopback.

    with RealProxy("squid", {"provider.test": "127.0.0.1"}, folder, user="me", ...) as proxy:
        proxy.url, proxy.log()

Each runs in a mount namespace of its own, with a hosts file (and where it asks the system
for users, a list of users) that nobody else has: names that only the proxy can resolve.
`missing(kind)` says why one cannot be started here.
"""

import os
import shutil
import socket
import subprocess
import sys
import threading
from collections.abc import Mapping
from pathlib import Path

from child_processes import default_interrupt

_PATH = f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin"
_NCSA = "/usr/lib/squid/basic_ncsa_auth"
PROGRAMS = {
    "tinyproxy": "tinyproxy",
    "squid": "squid",
    "dante": "danted",
    "ssh": "sshd",
}
START_SECONDS = 30.0


def missing(kind: str) -> str:
    """Why a proxy of this kind cannot be started here; "" when it can."""
    program = PROGRAMS[kind]
    if shutil.which(program, path=_PATH) is None:
        return f"{program} is not installed"
    if not sys.platform.startswith("linux") or shutil.which("unshare") is None:
        return "there is no unshare, and so no hosts file for the proxy alone"
    tried = subprocess.run(["unshare", "-m", "true"], capture_output=True, check=False)
    return "" if tried.returncode == 0 else "mount namespaces need root here"


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as found:
        port: int = found.getsockname()[1]
        return port


def _hashed(password: str, form: str) -> str:
    command = ["openssl", "passwd", form, password]
    return subprocess.run(
        command, capture_output=True, text=True, check=True
    ).stdout.strip()


class RealProxy:
    def __init__(
        self,
        kind: str,
        hosts: Mapping[str, str],
        folder: Path,
        *,
        scheme: str = "http",
        user: str = "",
        password: str = "",
        certificate: Path | None = None,
    ) -> None:
        """`certificate`: PEM with key, of a proxy that speaks TLS itself."""
        folder.mkdir(parents=True)
        self.kind, self.folder, self.scheme = kind, folder, scheme
        self.user, self.password = user, password
        self.port = _free_port()
        self._certificate = certificate
        lines = [f"{address} {name}\n" for name, address in hosts.items()]
        self._binds: dict[str, Path] = {
            "/etc/hosts": self._file("hosts", "127.0.0.1 localhost\n", *lines)
        }
        self._programs: list[subprocess.Popen[bytes]] = []
        self._out = folder / "out"

    @property
    def url(self) -> str:
        who = f"{self.user}:{self.password}@" if self.user else ""
        return f"{self.scheme}://{who}127.0.0.1:{self.port}"

    def log(self) -> str:
        """Whatever it wrote down."""
        return "".join(
            path.read_text(errors="replace")
            for path in sorted(self.folder.iterdir())
            if path.suffix == ".log" or path == self._out
        )

    def __enter__(self) -> "RealProxy":
        getattr(self, f"_{self.kind}")()
        tick = threading.Event()
        for _ in range(int(START_SECONDS / 0.05)):
            try:
                socket.create_connection(("127.0.0.1", self.port), 1).close()
                return self
            except OSError:
                if any(p.poll() is not None for p in self._programs):
                    break
                tick.wait(0.05)
        self.__exit__()
        raise AssertionError(f"{self.kind} does not listen:\n{self.log()}")

    def __exit__(self, *_: object) -> None:
        for program in reversed(self._programs):
            program.kill()
            program.wait()

    def _file(self, name: str, *lines: str, mode: int = 0o644) -> Path:
        path = self.folder / name
        path.write_text("".join(lines))
        path.chmod(mode)
        return path

    def _run(self, *command: str, alone: bool = True) -> None:
        before: list[str] = []
        if alone:
            mounts = " && ".join(
                f"mount --bind {a} {b}" for b, a in self._binds.items()
            )
            script = f'mount -t tmpfs none /run && mount -t tmpfs none /dev/shm && mkdir /run/sshd && {mounts} && exec "$@"'
            before = ["unshare", "-m", "sh", "-c", script, "sh"]
        with self._out.open("ab") as out:
            program = subprocess.Popen(
                [*before, *command],
                stdout=out,
                stderr=out,
                stdin=subprocess.DEVNULL,
                cwd=self.folder,
                env={**os.environ, "PATH": _PATH},
                preexec_fn=default_interrupt,
            )
        self._programs.append(program)

    # -- each with its own configuration

    def _tinyproxy(self) -> None:
        lines = [
            f"Port {self.port}\nListen 127.0.0.1\nTimeout 60\nMaxClients 100\n",
            f'LogFile "{self.folder}/tiny.log"\nLogLevel Connect\nPidFile "{self.folder}/pid"\n',
            "Allow 127.0.0.1\n",
        ]
        if self.user:
            lines.append(f"BasicAuth {self.user} {self.password}\n")
        self._run("tinyproxy", "-d", "-c", str(self._file("tiny.conf", *lines)))

    def _squid(self) -> None:
        """It gives up root, and then reaches its files by way of /mnt."""
        self.folder.chmod(0o777)
        self._binds["/mnt"] = self.folder
        listening = f"http_port 127.0.0.1:{self.port}"
        if self._certificate is not None:
            self._file("tls.pem", self._certificate.read_text())
            listening = f"https_port 127.0.0.1:{self.port} tls-cert=/mnt/tls.pem"
        lines = [
            f"{listening}\npid_filename none\ncache deny all\ncache_log /mnt/cache.log\n",
            "access_log stdio:/mnt/access.log\ncoredump_dir /mnt\nvisible_hostname squid\n",
            "hosts_file /etc/hosts\nshutdown_lifetime 0 seconds\npinger_enable off\n",
            "cache_effective_user nobody\nmax_filedescriptors 1024\n",
        ]
        if self.user:
            self._file("users", f"{self.user}:{_hashed(self.password, '-apr1')}\n")
            lines += [
                f"auth_param basic program {_NCSA} /mnt/users\nauth_param basic children 1\n",
                "acl known proxy_auth REQUIRED\nhttp_access allow known\n",
            ]
        lines.append(
            "http_access deny all\n" if self.user else "http_access allow all\n"
        )
        self._run("squid", "-N", "-f", str(self._file("squid.conf", *lines)))

    def _dante(self) -> None:
        method = "username" if self.user else "none"
        lines = [
            f"logoutput: {self.folder}/dante.log\n",
            f"internal: 127.0.0.1 port = {self.port}\nexternal: 127.0.0.1\n",
            f"clientmethod: none\nsocksmethod: {method}\n",
            "user.privileged: root\nuser.unprivileged: nobody\n",
            "client pass { from: 127.0.0.0/8 to: 0.0.0.0/0 }\n",
            "socks pass { from: 127.0.0.0/8 to: 0.0.0.0/0 log: connect }\n",
        ]
        if self.user:
            known = Path("/etc/passwd").read_text()
            secret = Path("/etc/shadow").read_text()
            hashed = _hashed(self.password, "-6")
            line = f"{self.user}:x:64321:64321::/:/bin/false\n"
            self._binds["/etc/passwd"] = self._file("passwd", known, line)
            shadow = f"{self.user}:{hashed}:20000:0:99999:7:::\n"
            self._binds["/etc/shadow"] = self._file(
                "shadow", secret, shadow, mode=0o600
            )
        self._run("danted", "-N", "1", "-f", str(self._file("dante.conf", *lines)))

    def _ssh(self) -> None:
        """SOCKS is spoken by the client, names are looked up by the server."""
        for name in ("host", "own"):
            key = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", name]
            subprocess.run(key, cwd=self.folder, check=True)
        there = _free_port()
        lines = [
            f"Port {there}\nListenAddress 127.0.0.1\nHostKey {self.folder}/host\n",
            f"AuthorizedKeysFile {self.folder}/own.pub\nPidFile none\nStrictModes no\n",
            "PasswordAuthentication no\nPermitRootLogin yes\nUsePAM no\nUseDNS no\n",
        ]
        config = str(self._file("sshd.conf", *lines))
        program = shutil.which("sshd", path=_PATH)  # it wants to be called by its path
        assert program is not None
        self._run(program, "-D", "-e", "-f", config)
        tick = threading.Event()
        for _ in range(int(START_SECONDS / 0.05)):
            try:
                socket.create_connection(("127.0.0.1", there), 1).close()
                break
            except OSError:
                tick.wait(0.05)
        options = ["StrictHostKeyChecking=no", "UserKnownHostsFile=/dev/null"]
        options += ["BatchMode=yes", "ExitOnForwardFailure=yes"]
        given = [part for option in options for part in ("-o", option)]
        self._run(
            *("ssh", "-N", "-D", f"127.0.0.1:{self.port}", "-p", str(there)),
            *("-i", f"{self.folder}/own", *given, "127.0.0.1"),
            alone=False,
        )
