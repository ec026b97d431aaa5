"""The package index has a stranger's `llm-gateway`: ours is called otherwise there, and
nothing that we print, write or document names the stranger's as something to install."""

import os
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
CALLED = re.compile("llm[-_.]gateway", re.IGNORECASE)
"""Lines without it are most, and are not looked at longer than that takes."""
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
    for folder, folders, files in os.walk(ROOT):
        folders[:] = [name for name in folders if _is_ours(name)]
        found += [
            path
            for path in (Path(folder, name) for name in files if _is_ours(name))
            if path.suffix in SUFFIXES and path != Path(__file__)
        ]
    return found


def _is_ours(name: str) -> bool:
    hidden = name.startswith(".") and name not in (".ci", ".github")
    return not hidden and name not in LEFT_OUT


def test_nothing_tells_to_install_the_strangers() -> None:
    paths = texts()
    assert len(paths) > 200
    said = [
        f"{path.relative_to(ROOT)}: {found[0]}"
        for path in paths
        for line in path.read_text("utf-8", "replace").splitlines()
        if CALLED.search(line)
        for found in INSTALLS.finditer(line)
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
