"""Access tokens in files, and logins on disk."""

import os
from pathlib import Path

import pytest
from pydantic import SecretStr

from llm_gateway.providers import token_store
from llm_gateway.providers.credentials import CredentialError, Credentials, TokenFile

from .sending import catalog_of

NOW = 1_763_000_000.0


async def token(source: TokenFile, now: float) -> str:
    return (await source.credential(now)).token.get_secret_value()


async def test_a_token_file_is_read_again_when_it_changes(tmp_path: Path) -> None:
    path = tmp_path / "token"
    path.write_text("ONE\n")
    os.utime(path, (NOW, NOW))
    source = TokenFile(path)
    assert await token(source, NOW) == "ONE"
    path.write_text("TWO\n")
    os.utime(path, (NOW + 5, NOW + 5))
    # looked at once a second at most
    assert await token(source, NOW + 0.5) == "ONE"
    assert await token(source, NOW + 1.0) == "TWO"


async def test_the_same_stamp_is_the_same_file_until_a_401(tmp_path: Path) -> None:
    path = tmp_path / "token"
    for text in ("ONE", "TWO"):
        path.write_text(text)
        os.utime(path, (NOW, NOW))
        if text == "ONE":
            source = TokenFile(path)
            assert await token(source, NOW) == "ONE"
    assert await token(source, NOW + 10) == "ONE"
    source.invalidate()
    assert await token(source, NOW + 10) == "TWO"


@pytest.mark.parametrize("content", ["", "  \n", "a\nb", "tök", "a\x00b"])
async def test_a_file_without_a_token(tmp_path: Path, content: str) -> None:
    path = tmp_path / "token"
    path.write_text(content)
    with pytest.raises(CredentialError, match="holds no access token") as error:
        await TokenFile(path).credential(NOW)
    assert error.value.status == 401


async def test_no_file(tmp_path: Path) -> None:
    with pytest.raises(CredentialError, match="No such file"):
        await TokenFile(tmp_path / "none").credential(NOW)


async def test_the_upstream_names_its_file(tmp_path: Path) -> None:
    path = tmp_path / "token"
    path.write_text("ya29.ONE")
    found = catalog_of(
        {
            "id": "v",
            "type": "google-vertex",
            "project": "p",
            "location": "global",
            "accessTokenFile": str(path),
            "models": [{"name": "google/gemini-2.5-flash"}],
        }
    )
    upstream = found.upstreams["v", ""]
    credentials = Credentials(tmp_path, lambda: NOW)
    assert (await credentials.get(upstream)).token.get_secret_value() == "ya29.ONE"
    path.write_text("ya29.THE-SECOND")
    credentials.invalidate(upstream)
    found_again = await credentials.get(upstream)
    assert found_again.token.get_secret_value() == "ya29.THE-SECOND"
    assert found_again.origin is None


@pytest.mark.parametrize(
    "provider", ["p", "a/b", "..", ".", "ü %", ".hidden", "x" * 32]
)
def test_any_id_makes_a_file(tmp_path: Path, provider: str) -> None:
    token_store.write(tmp_path, provider, SecretStr("T"))
    assert token_store.read(tmp_path, provider) == SecretStr("T")
    assert token_store.path_of(tmp_path, provider).parent == tmp_path / "copilot"
    assert token_store.stored(tmp_path) == {provider}


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"oauth_token": 5}', "\x00"])
def test_a_broken_login_is_none(tmp_path: Path, content: str) -> None:
    path = token_store.path_of(tmp_path, "p")
    path.parent.mkdir()
    path.write_text(content)
    assert token_store.read(tmp_path, "p") is None


def test_a_new_login_replaces_the_old(tmp_path: Path) -> None:
    token_store.write(tmp_path, "p", SecretStr("ONE"))
    token_store.path_of(tmp_path, "p").chmod(0o644)
    token_store.write(tmp_path, "p", SecretStr("TWO"))
    assert token_store.read(tmp_path, "p") == SecretStr("TWO")
    assert token_store.path_of(tmp_path, "p").stat().st_mode & 0o777 == 0o600


def test_nobody_is_signed_in_at_first(tmp_path: Path) -> None:
    assert token_store.stored(tmp_path) == frozenset()
    assert token_store.read(tmp_path, "p") is None
