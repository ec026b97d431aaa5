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
    text = b"\n".join((*roots(ca_file, env), b""))
    path = home / f"trusted-roots-{hashlib.sha256(text).hexdigest()[:12]}.pem"
    if not path.exists():
        home.mkdir(mode=0o700, parents=True, exist_ok=True)
        draft = path.with_name(f".{path.name}.{os.getpid()}")
        draft.write_bytes(text)
        draft.replace(path)
    return path
