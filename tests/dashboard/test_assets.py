"""What is shipped: every file in the table, nothing from elsewhere, vendored as stated."""

import hashlib
import re
from pathlib import Path

import pytest

from llm_gateway.dashboard import assets

STATIC = Path(assets.__file__).parent / "static"
TEMPLATES = Path(assets.__file__).parent / "templates"
NOT_SERVED = {"VENDOR.md"}


def test_the_table_names_every_file() -> None:
    found = {
        path.relative_to(STATIC).as_posix()
        for path in STATIC.rglob("*")
        if path.is_file() and path.name not in NOT_SERVED
    }
    assert set(assets.TYPES) == found


def test_vendored_files_are_what_they_were() -> None:
    folder = STATIC / "vendor" / "uplot-1.6.32"
    stated = re.findall(
        r"\| (\S+) \| ([0-9a-f]{64}) \|", (folder / "VENDOR.md").read_text()
    )
    assert {name for name, _ in stated} == {
        "uPlot.iife.min.js",
        "uPlot.min.css",
        "LICENSE",
    }
    for name, digest in stated:
        assert hashlib.sha256((folder / name).read_bytes()).hexdigest() == digest


OWN = [
    *(path for path in STATIC.rglob("*") if path.suffix in (".js", ".css")),
    *TEMPLATES.glob("*.html"),
]


@pytest.mark.parametrize("path", OWN, ids=lambda path: path.name)
def test_nothing_comes_from_elsewhere(path: Path) -> None:
    text = path.read_text()
    for address in re.findall(
        r"""\b(?:src|href|url|import|from)\s*[=(]?\s*["'(]?(https?:)?//[^"')\s]+""",
        text,
    ):
        raise AssertionError(f"{path.name} loads from {address}")


@pytest.mark.parametrize(
    "path", list(TEMPLATES.glob("*.html")), ids=lambda path: path.name
)
def test_pages_hold_no_inline_script_or_style(path: Path) -> None:
    text = path.read_text()
    assert not re.search(r"<script(?![^>]*\ssrc=)", text)
    assert not re.search(r"<style|\sstyle=|\son\w+=", text)
    assert "|safe" not in text


@pytest.mark.parametrize(
    "path",
    list(STATIC.glob("*.js")),
    ids=lambda path: path.name,
)
def test_scripts_make_text_nodes_only(path: Path) -> None:
    forbidden = (
        r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\(|new Function"
    )
    assert not re.search(forbidden, path.read_text())
