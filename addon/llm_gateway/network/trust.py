"""Certificate authorities that are trusted for what leaves this machine.

Beside certifi's: the system's store, `SSL_CERT_FILE`, and `network.caFile`. Companies read
TLS with a root of their own, which is in one of these. mitmproxy takes one file, so they
are put together into one, named by its content. Blocks: it reads and writes files.
"""

import hashlib
import os
import re
import ssl
from collections.abc import Mapping
from pathlib import Path

import certifi

_CERTIFICATE = re.compile(
    rb"-----BEGIN CERTIFICATE-----.*?-----END CERTIFICATE-----", re.S
)
SYSTEM = (
    "/etc/ssl/certs/ca-certificates.crt",  # Debian, Ubuntu, Alpine, Arch
    "/etc/pki/tls/certs/ca-bundle.crt",  # Fedora, RHEL
    "/etc/ssl/ca-bundle.pem",  # SUSE
    "/etc/ssl/cert.pem",  # macOS, BSD
)


def certificates(path: Path) -> list[bytes]:
    """Those in a PEM file. Raises OSError, ValueError when there is none."""
    found = [
        re.sub(rb"\s+\n", b"\n", c) for c in _CERTIFICATE.findall(path.read_bytes())
    ]
    if not found:
        raise ValueError(f"{path} holds no certificate in PEM form")
    return found


def check(path: Path) -> int:
    """How many there are, all of which can be read. Raises OSError, ValueError."""
    found = certificates(path)
    if _broken(found):
        raise ValueError(f"{path} holds a certificate that cannot be read")
    return len(found)


def roots(ca_file: str | None, env: Mapping[str, str]) -> list[bytes]:
    """All of them, each once. Raises OSError, ValueError for `ca_file` only."""
    own = certificates(Path(ca_file).expanduser()) if ca_file else []
    files = [certifi.where(), env.get("SSL_CERT_FILE", "")]
    system = ssl.get_default_verify_paths().cafile
    files += [system] if system else [p for p in SYSTEM if os.path.exists(p)][:1]
    found = list(own)
    for name in filter(None, files):
        try:
            found += certificates(Path(name))
        except (OSError, ValueError):
            continue
    return list(dict.fromkeys(found))


def write_roots(home: Path, ca_file: str | None, env: Mapping[str, str]) -> Path:
    """The file that holds them. Raises OSError, ValueError."""
    found = roots(ca_file, env)
    digest = hashlib.sha256(_joined(found)).hexdigest()[:12]
    path = home / f"trusted-roots-{digest}.pem"
    if not path.exists():
        if ca_file:
            check(Path(ca_file).expanduser())
        home.mkdir(mode=0o700, parents=True, exist_ok=True)
        draft = path.with_name(f".{path.name}.{os.getpid()}")
        draft.write_bytes(_joined(_readable(found)))
        draft.replace(path)
    return path


def _joined(found: list[bytes]) -> bytes:
    return b"\n".join((*found, b""))


def _readable(found: list[bytes]) -> list[bytes]:
    """One that OpenSSL cannot read would keep it from reading all the others."""
    return [one for one in found if not _broken([one])] if _broken(found) else found


def _broken(found: list[bytes]) -> bool:
    try:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.load_verify_locations(cadata=_joined(found).decode("ascii"))
    except (ssl.SSLError, ValueError):
        return True
    return False
