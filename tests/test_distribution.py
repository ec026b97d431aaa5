"""The package index has a stranger's `llm-gateway`: ours is called otherwise there, and
nothing that we print, write or document names the stranger's as something to install."""

import re
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]

NAME = r"(?<![\w./@-])llm[-_.]gateway(?![\w./-])"
"""The stranger's, in every spelling that an index takes for the same."""
INSTALLS = re.compile(
    rf"""(?ix)
    (?: (?:pip[\d.]*|pipx|uv|poetry|pdm|conda|brew|rye) (?:[ ]tool|[ ]pip)?
        [ ]+ (?:install|add|inject|upgrade|download|run) | uvx | requires? [ ]* [=:] ) [^\n#]* {NAME}
    | {NAME} \[ \w
    | {NAME} [ ]* (?:==|>=|~=|<=)
    | (?:version|distribution|metadata|requires) \( [ ]* ["'] {NAME} ["']
    | (?:pypi\.org|pythonhosted\.org) \S* /llm[-_.]gateway
    """
)
SUFFIXES = frozenset(
    {
        ".py",
        ".md",
        ".toml",
        ".yml",
        ".yaml",
        ".json",
        ".jsonc",
        ".html",
        ".js",
        ".txt",
        ".cfg",
        "",
    }
)
LEFT_OUT = frozenset({"node_modules", "build", "dist", "__pycache__"})


def texts() -> list[Path]:
    found = []
    for path in ROOT.rglob("*"):
        parts = path.relative_to(ROOT).parts
        hidden = any(p.startswith(".") and p not in (".ci", ".github") for p in parts)
        if hidden or LEFT_OUT & set(parts) or path == Path(__file__):
            continue
        if path.suffix in SUFFIXES and path.is_file():
            found.append(path)
    return found


def test_nothing_tells_to_install_the_strangers() -> None:
    paths = texts()
    assert len(paths) > 200
    said = [
        f"{path.relative_to(ROOT)}: {found[0]}"
        for path in paths
        for found in INSTALLS.finditer(path.read_text("utf-8", "replace"))
    ]
    assert not said


@pytest.mark.parametrize(
    ("text", "is_found"),
    [
        ("pip install llm-gateway", True),
        ("`pip install 'llm-gateway[speed]'`", True),
        ("pip3 install -U LLM_Gateway", True),
        ("pipx install llm.gateway", True),
        ("uv tool install llm-gateway", True),
        ("uv add llm-gateway", True),
        ("uvx llm-gateway serve", True),
        ("add llm-gateway>=0.1 to requirements", True),
        ("the extra llm-gateway[speed]", True),
        ('version("llm-gateway")', True),
        ("https://pypi.org/project/llm-gateway/", True),
        ("pip install free-first-llm-gateway", False),
        ("pip install -e .", False),
        ("llm-gateway serve", False),
        ("pip install -e . && llm-gateway-is-not-this", False),
        ("~/.llm-gateway", False),
        ("llm-gateway run -- pip", False),
    ],
)
def test_what_the_search_finds(text: str, is_found: bool) -> None:
    assert (INSTALLS.search(text) is not None) == is_found


def test_our_own_name() -> None:
    assert re.sub(r"[-_.]+", "-", PROJECT["name"]).lower() != "llm-gateway"
    assert PROJECT["scripts"] == {"llm-gateway": "llm_gateway.cli:main"}
    assert PROJECT["entry-points"]["datasette"] == {
        "llm_gateway": "llm_gateway.dashboard"
    }
