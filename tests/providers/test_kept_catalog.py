"""The catalogue that was kept, on disk: what of it is used, and what happens otherwise."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from llm_gateway.private_files import NotPrivate
from llm_gateway.providers import kept_catalog
from llm_gateway.providers.catalog_file import CatalogFileError
from llm_gateway.providers.published import FreePreset, Published
from llm_gateway.providers.registry import packaged

LATER = "2099-01-01"
NOW = 1_796_000_000
"""2026-11-30."""


def later(**more: str) -> Published:
    tier = FreePreset(("new",), {}, LATER, "s", id="groq/new", provider="groq", **more)  # type: ignore[arg-type]
    return Published(LATER, (tier,))


def test_nothing_is_kept(tmp_path: Path) -> None:
    found = kept_catalog.in_force(tmp_path / "nowhere")
    assert (found.published, found.kept, found.problem) == (packaged(), None, "")
    assert not (tmp_path / "nowhere").exists()
    assert kept_catalog.version(tmp_path) == ""


def test_what_is_kept_is_laid_over_the_packaged_one(tmp_path: Path) -> None:
    path = kept_catalog.write(tmp_path / "home", later())
    assert path.stat().st_mode & 0o777 == 0o600
    found = kept_catalog.in_force(tmp_path / "home")
    row = found.types(NOW)["groq"]
    assert [t.id for t in row.free_presets][-1] == "groq/new"
    assert len(row.free_presets) > 1
    before = kept_catalog.version(tmp_path / "home")
    kept_catalog.write(tmp_path / "home", later(note="again"))
    assert kept_catalog.version(tmp_path / "home") != before
    assert [p.name for p in path.parent.iterdir()] == ["catalog.json"]


def other(path: Path, content: bytes) -> None:
    path.write_bytes(content)
    path.chmod(0o600)


def linked(path: Path) -> None:
    path.rename(path.with_name("elsewhere"))
    path.symlink_to(path.with_name("elsewhere"))


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (lambda path: other(path, b"{"), "is no JSON"),
        (lambda path: other(path, b""), "is no JSON"),
        (lambda path: other(path, path.read_bytes()[:-40]), "is no JSON"),
        (lambda path: other(path, b"\xff"), "is no text in UTF-8"),
        (lambda path: other(path, b" " * (1 << 20)), "is larger than 1,048,576 bytes"),
        (lambda path: other(path, b'{"format": 9}'), "it is for a newer gateway"),
        (lambda path: other(path, b"[" * 100_000), "is no JSON"),
        (lambda path: path.chmod(0o666), "can be written by others"),
        (linked, "is a symbolic link"),
        (lambda path: (path.unlink(), os.mkfifo(path)), "is no regular file"),
    ],
    ids=[
        "broken",
        "empty",
        "cut",
        "bytes",
        "huge",
        "newer",
        "deep",
        "writable",
        "link",
        "pipe",
    ],
)
def test_what_cannot_be_used_leaves_the_packaged_one_in_force(
    tmp_path: Path, spoil: Callable[[Path], object], said: str
) -> None:
    path = kept_catalog.write(tmp_path, later())
    spoil(path)
    found = kept_catalog.in_force(tmp_path)
    assert (found.published, found.kept) == (packaged(), None)
    assert str(path) in found.problem
    assert said in found.problem
    assert found.types(NOW)["groq"].free_presets


def test_what_could_not_be_read_again_is_not_kept(tmp_path: Path) -> None:
    path = kept_catalog.write(tmp_path, later())
    before = path.read_bytes()
    with pytest.raises(CatalogFileError, match="is larger than"):
        kept_catalog.write(tmp_path, later(note="x" * (1 << 20)))
    linked(path)
    with pytest.raises(NotPrivate):
        kept_catalog.write(tmp_path, later())
    assert path.read_bytes() == before
