"""The file of trusted roots: what is put together, and certificates that nobody can read."""

import ssl
from pathlib import Path

import certifi
import pytest
from fakes import Authority

from llm_gateway.network.trust import certificates, write_roots

NONSENSE = b"-----BEGIN CERTIFICATE-----\nbm9uc2Vuc2U=\n-----END CERTIFICATE-----\n"
LETTERS = b"-----BEGIN CERTIFICATE-----\n\xff?!\n-----END CERTIFICATE-----\n"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "authority").mkdir()
    return Authority(tmp_path / "authority").ca


def count(path: Path) -> int:
    """Loaded as mitmproxy does it."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.load_verify_locations(path)
    return len(context.get_ca_certs())


@pytest.mark.parametrize("broken", [NONSENSE, LETTERS], ids=["nonsense", "letters"])
def test_one_that_cannot_be_read_keeps_nobody_from_the_others(
    tmp_path: Path, root: Path, broken: bytes
) -> None:
    store = tmp_path / "store.pem"
    store.write_bytes(broken + root.read_bytes() + broken)
    env = {"SSL_CERT_FILE": str(store)}
    with_it = write_roots(tmp_path / "home", None, env)
    assert count(with_it) == count(write_roots(tmp_path / "home", None, {})) + 1
    assert write_roots(tmp_path / "home", None, env) == with_it


@pytest.mark.parametrize("broken", [NONSENSE, LETTERS], ids=["nonsense", "letters"])
def test_one_that_was_named_has_to_be_read(
    tmp_path: Path, root: Path, broken: bytes
) -> None:
    named = tmp_path / "company.pem"
    named.write_bytes(root.read_bytes() + broken)
    for _ in range(2):
        with pytest.raises(ValueError, match="cannot be read"):
            write_roots(tmp_path / "home", str(named), {})
    named.write_bytes(b"in another form")
    with pytest.raises(ValueError, match="no certificate in PEM form"):
        write_roots(tmp_path / "home", str(named), {})


def test_lines_of_other_systems_are_the_same_certificate(
    tmp_path: Path, root: Path
) -> None:
    other = tmp_path / "windows.pem"
    other.write_bytes(b"\xef\xbb\xbf" + root.read_bytes().replace(b"\n", b" \r\n"))
    assert certificates(other) == certificates(root)
    assert count(write_roots(tmp_path / "home", str(other), {})) >= len(
        certificates(Path(certifi.where()))
    )
