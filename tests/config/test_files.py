"""Writing: atomic, private, never over somebody else's change."""

import os
import stat
import threading
from pathlib import Path

import pytest

from llm_gateway.config.files import (
    Conflict,
    admin_token,
    state_folder,
    write_config,
)
from llm_gateway.config.load import revision_of

posix = pytest.mark.skipif(os.name != "posix", reason="file modes")
NOW = 1_800_000_000.25


def mode_of(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def names_in(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_a_write_and_its_backup(tmp_path: Path) -> None:
    path = tmp_path / "config.jsonc"
    path.write_text("{} // old")
    revision = write_config(path, "{} // new ü", now=NOW)
    assert revision == revision_of("{} // new ü")
    assert path.read_text("utf-8") == "{} // new ü"
    backup = tmp_path / "config.jsonc.bak-20270115T080000.250000Z"
    assert names_in(tmp_path) == ["config.jsonc", backup.name]
    assert backup.read_text() == "{} // old"


@posix
def test_modes(tmp_path: Path) -> None:
    path = tmp_path / "config.jsonc"
    write_config(path, "{}", now=NOW)
    assert mode_of(path) == 0o600
    path.chmod(0o640)
    write_config(path, "{} ", now=NOW)
    assert mode_of(path) == 0o640
    (backup,) = tmp_path.glob("*.bak-*")
    assert mode_of(backup) == 0o600


def test_five_backups_are_kept_and_none_for_no_change(tmp_path: Path) -> None:
    path = tmp_path / "config.jsonc"
    for n in range(9):
        write_config(path, f"{{}} // {n}", now=NOW + n)
        write_config(path, f"{{}} // {n}", now=NOW + n + 0.5)
    kept = sorted(tmp_path.glob("config.jsonc.bak-*"))
    assert [backup.read_text() for backup in kept] == [
        f"{{}} // {n}" for n in (3, 4, 5, 6, 7)
    ]


def test_a_change_in_between_is_a_conflict(tmp_path: Path) -> None:
    path = tmp_path / "config.jsonc"
    path.write_text("{} // by hand")
    with pytest.raises(Conflict, match="load it again"):
        write_config(path, "{}", now=NOW, expected=revision_of("{}"))
    assert path.read_text() == "{} // by hand"
    write_config(path, "{}", now=NOW, expected=revision_of("{} // by hand"))
    assert path.read_text() == "{}"


def test_one_of_many_writers_wins(tmp_path: Path) -> None:
    path = tmp_path / "config.jsonc"
    path.write_text("{}")
    base = revision_of("{}")
    results: list[str] = []

    def write(n: int) -> None:
        try:
            results.append(
                write_config(path, f"{{}} // {n}", now=NOW + n, expected=base)
            )
        except Conflict:
            results.append("conflict")

    threads = [threading.Thread(target=write, args=(n,)) for n in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    won = [result for result in results if result != "conflict"]
    assert won == [revision_of(path.read_text())]
    assert not list(tmp_path.glob(".*"))


@posix
def test_a_symbolic_link_stays_one(tmp_path: Path) -> None:
    real = tmp_path / "dotfiles" / "gateway.jsonc"
    real.parent.mkdir()
    real.write_text("{}")
    link = tmp_path / "config.jsonc"
    link.symlink_to(real)
    write_config(link, "{} // new", now=NOW)
    assert link.is_symlink()
    assert real.read_text() == "{} // new"


@posix
def test_a_failed_write_leaves_everything_as_it_was(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "config.jsonc"
    path.write_text("{} // old")

    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space left"):
        write_config(path, "{}", now=NOW)
    assert names_in(tmp_path) == ["config.jsonc"]
    assert path.read_text() == "{} // old"


@posix
def test_the_state_folder(tmp_path: Path) -> None:
    folder = tmp_path / "a" / "state"
    assert state_folder({"LLM_GATEWAY_HOME": str(folder)}) == folder
    assert mode_of(folder) == 0o700
    folder.chmod(0o755)
    state_folder({"LLM_GATEWAY_HOME": str(folder)})
    assert mode_of(folder) == 0o700


def test_the_state_folder_is_in_the_home_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    assert state_folder({}) == tmp_path / ".llm-gateway"


@posix
def test_the_admin_token(tmp_path: Path) -> None:
    token = admin_token(tmp_path)
    path = tmp_path / "admin-token"
    assert len(token.get_secret_value()) == 43
    assert path.read_text() == token.get_secret_value() + "\n"
    assert mode_of(path) == 0o600
    assert admin_token(tmp_path) == token
    assert token.get_secret_value() not in repr(token)


@posix
def test_an_admin_token_that_others_could_read_is_closed(tmp_path: Path) -> None:
    token = admin_token(tmp_path)
    (tmp_path / "admin-token").chmod(0o644)
    assert admin_token(tmp_path) == token
    assert mode_of(tmp_path / "admin-token") == 0o600


@posix
def test_an_admin_token_cut_off_by_a_crash_is_made_anew(tmp_path: Path) -> None:
    (tmp_path / "admin-token").write_text("abc")
    token = admin_token(tmp_path)
    assert len(token.get_secret_value()) == 43
    assert admin_token(tmp_path) == token
    assert names_in(tmp_path) == ["admin-token"]


@posix
def test_an_admin_token_is_not_read_through_a_link(tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.write_text("x" * 43)
    (tmp_path / "admin-token").symlink_to(elsewhere)
    with pytest.raises(OSError, match="symbolic link"):
        admin_token(tmp_path)


def test_drafts_of_a_crash_are_swept_up(tmp_path: Path) -> None:
    path = tmp_path / "config.jsonc"
    (tmp_path / ".config.jsonc.0123456789ab").write_text("sk-left-behind")
    (tmp_path / ".config.jsonc.swp").write_text("an editor's")
    write_config(path, "{}", now=NOW)
    assert names_in(tmp_path) == [".config.jsonc.swp", "config.jsonc"]
