"""Whose a file with secrets is, and who else may write it."""

import os
import socket
from collections.abc import Callable
from pathlib import Path

import pytest

from llm_gateway import private_files
from llm_gateway.config.files import (
    admin_token,
    check_ca,
    check_state,
    exposure,
    state_folder,
)
from llm_gateway.dashboard_process.command import environment
from llm_gateway.private_files import NotPrivate
from llm_gateway.providers import token_store

pytestmark = pytest.mark.skipif(os.name != "posix", reason="permissions of POSIX")

SOMEBODY = 65534
TOKEN = "planted-by-somebody-else-0123456789abcdef"


@pytest.fixture
def foreign(monkeypatch: pytest.MonkeyPatch) -> Callable[[Path], None]:
    """`foreign(path)`: it belongs to somebody else now, link or not."""

    def give_away(path: Path) -> None:
        if os.geteuid() == 0:
            os.chown(path, SOMEBODY, SOMEBODY, follow_symlinks=False)
        else:  # who cannot give it away becomes somebody else
            me = os.geteuid()
            monkeypatch.setattr(os, "geteuid", lambda: me + 1)

    return give_away


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A state folder with everything in it."""
    folder = state_folder({"LLM_GATEWAY_HOME": str(tmp_path / "home")})
    admin_token(folder)
    environment(tmp_path / "usage.db", folder, base={})
    token_store.write(folder, "copilot", token_store.SecretStr("gho_login"))
    check_state(folder)
    return folder


FILES = ("admin-token", "dashboard-secret", "copilot/copilot.json")


def spoiled(path: Path, how: str, foreign: Callable[[Path], None]) -> None:
    content = path.read_bytes()
    if how == "another owner":
        foreign(path)
    elif how == "group may write":
        path.chmod(0o620)
    elif how == "others may write":
        path.chmod(0o602)
    elif how == "a link":
        path.unlink()
        target = path.parent.parent / "elsewhere"
        target.write_bytes(content)
        path.symlink_to(target)
    elif how == "a link to nowhere":
        path.unlink()
        path.symlink_to("nowhere")
    elif how == "a pipe":
        path.unlink()
        os.mkfifo(path)
    elif how == "a socket":
        path.unlink()
        where = os.open(path.parent, os.O_RDONLY)
        with socket.socket(socket.AF_UNIX) as made:
            os.fchdir(where)
            made.bind(path.name)
        os.close(where)
    elif how == "a folder":
        path.unlink()
        path.mkdir()


SAID = {
    "another owner": "belongs to",
    "group may write": "can be written by others",
    "others may write": "can be written by others",
    "a link": "is a symbolic link",
    "a link to nowhere": "is a symbolic link",
    "a pipe": "is no regular file",
    "a socket": "is no regular file",
    "a folder": "is no regular file",
}


@pytest.mark.parametrize("how", SAID)
@pytest.mark.parametrize("name", FILES)
def test_a_file_that_may_be_somebody_elses(
    name: str,
    how: str,
    home: Path,
    foreign: Callable[[Path], None],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(home)
    path = home / name
    spoiled(path, how, foreign)
    with pytest.raises(NotPrivate, match=SAID[how]) as refused:
        check_state(home)
    if how != "another owner" or os.geteuid() == 0:
        assert str(path) in str(refused.value)
    # And whoever reads it does not.
    if name == "copilot/copilot.json":
        assert token_store.read(home, "copilot") is None
        return
    with pytest.raises(NotPrivate):
        reading(name, home)


def reading(name: str, home: Path) -> None:
    if name == "admin-token":
        admin_token(home)
    else:
        environment(home / "usage.db", home, base={})


def checking(home: Path) -> None:
    state_folder({"LLM_GATEWAY_HOME": str(home)})
    check_state(home)


@pytest.mark.parametrize("name", FILES)
def test_a_file_that_others_could_read_is_closed(name: str, home: Path) -> None:
    path = home / name
    content = path.read_bytes()
    path.chmod(0o644)
    assert private_files.read(path) == content
    assert path.stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("mode", [0o770, 0o707, 0o777, 0o1777, 0o720])
@pytest.mark.parametrize("name", ["", "copilot"])
def test_a_folder_that_others_may_write(name: str, mode: int, home: Path) -> None:
    folder = home / name
    folder.chmod(mode)
    with pytest.raises(NotPrivate, match=f"chmod 700 {folder}"):
        checking(home)


@pytest.mark.parametrize("name", ["", "copilot"])
def test_a_folder_of_somebody_else(
    name: str, home: Path, foreign: Callable[[Path], None]
) -> None:
    foreign(home / name)
    with pytest.raises(NotPrivate, match="belongs to"):
        checking(home)


def test_a_link_to_a_folder(
    tmp_path: Path, home: Path, foreign: Callable[[Path], None]
) -> None:
    """One's own is followed; one that somebody else made is not."""
    link = tmp_path / "link"
    link.symlink_to(home)
    assert state_folder({"LLM_GATEWAY_HOME": str(link)}) == link
    foreign(link)
    with pytest.raises(NotPrivate, match="belongs to"):
        state_folder({"LLM_GATEWAY_HOME": str(link)})


def test_the_ca(tmp_path: Path, foreign: Callable[[Path], None]) -> None:
    check_ca(tmp_path / "not there yet")
    folder = tmp_path / "confdir"
    folder.mkdir()
    key = folder / "mitmproxy-ca.pem"
    key.write_text("key")
    folder.chmod(0o777)
    key.chmod(0o600)
    check_ca(folder)
    assert folder.stat().st_mode & 0o777 == 0o755
    key.chmod(0o622)
    with pytest.raises(NotPrivate, match="can be written by others"):
        check_ca(folder)
    key.chmod(0o600)
    foreign(key)
    with pytest.raises(NotPrivate, match="belongs to"):
        check_ca(folder)


KEYS = '{"providers": [{"id": "a", "type": "groq", "apiKey": "gsk_0123456789abcdef"}]}'
NO_KEYS = '{"providers": [{"id": "a", "type": "groq", "apiKey": "${GROQ}"}]}'


@pytest.mark.parametrize(
    ("mode", "text", "said"),
    [
        (0o600, KEYS, ""),
        (0o644, KEYS, "holds keys and can be read by others"),
        (0o640, KEYS, "holds keys and can be read by others"),
        (0o644, NO_KEYS, ""),
        (0o664, NO_KEYS, "can be changed by others"),
        (0o606, KEYS, "can be changed by others"),
    ],
)
def test_a_config_is_only_warned_about(
    tmp_path: Path, mode: int, text: str, said: str
) -> None:
    path = tmp_path / "config.jsonc"
    path.write_text(text)
    path.chmod(mode)
    found = exposure(path, text)
    assert said in found if said else found == ""
    assert "gsk_" not in found
