"""Imports point one way: the table of layers, no cycle, and who may use what is optional.

Imports inside functions and under TYPE_CHECKING count, too: they are arrows as well.
"""

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

PACKAGE = "llm_gateway"
ROOT = Path(__file__).parents[1] / "addon" / PACKAGE

LAYERS = """
frozen ids late_patterns timestamps secret_patterns private_files packaged_files
gateway_client domain
dialects
config
network
accounting
streaming adaptation
translation
limits
providers simulator
client_identity
routing
ledger
cluster
mitm_compat
transport
pool fastpath
app
admin
pipeline
startup
bootstrap
addon
"""
"""From the bottom to the top: what is in a line imports lines above it, and itself."""

ASIDE = {
    "cli": "frozen ids late_patterns timestamps secret_patterns private_files packaged_files gateway_client "
    "domain config dialects network accounting streaming adaptation limits providers client_identity "
    "routing ledger mitm_compat dashboard_process dashboard",
    "dashboard": "gateway_client timestamps",
    "dashboard_process": "packaged_files private_files",
    "__main__": "cli",
}
"""What is no part of the gateway's own process, and all that it imports."""

OPTIONAL = {"fastpath": {"startup"}, "pool": {"startup"}}
"""Package -> who may import it: the gateway works without."""

EVERYBODY = {"__init__"}
"""Its version."""
ALSO = {"bootstrap": {"dashboard_process"}}

VALUES = {
    "dialects": {
        "adaptation.adapted",
        "adaptation.kept_state",
        "adaptation.vocabulary",
        "adaptation.marked_state",
        *(
            f"translation.{name}"
            for name in (
                *(
                    "answer_events",
                    "base64_text",
                    "cache_marks",
                    "call_pairs",
                    "carried",
                ),
                *("codec", "conversation"),
                *(
                    "efforts",
                    "foreign",
                    "instructions",
                    "made_ids",
                    "numbers",
                    "opaque_text",
                ),
                *("settings", "tools"),
                *("answer_parts", "document_text", "unread"),
            )
        ),
    }
}
"""Package -> modules further up that are its vocabulary: they import no dialect."""

RANKS = {
    name: rank
    for rank, names in enumerate(LAYERS.strip().splitlines())
    for name in names.split()
}


BLOCKS = ("body", "orelse", "finalbody", "handlers", "cases")
"""Where statements stand in statements."""


@cache
def import_statements(text: str) -> list[ast.Import | ast.ImportFrom]:
    """Wherever they stand in a module's text. Expressions, which are most of it, are not
    looked into: no import stands there."""
    found: list[ast.Import | ast.ImportFrom] = []
    todo: list[ast.AST] = [ast.parse(text)]
    while todo:
        node = todo.pop()
        if isinstance(node, ast.Import | ast.ImportFrom):
            found.append(node)
        else:
            todo += [
                one
                for name in BLOCKS
                for one in getattr(node, name, ())
                if isinstance(one, ast.AST)
            ]
    return found


def modules(root: Path) -> dict[str, Path]:
    """Dotted name below the package -> file; `` for the package itself."""
    found = {}
    for path in root.rglob("*.py"):
        parts = list(path.relative_to(root).with_suffix("").parts)
        if parts[-1] == "__init__":
            parts.pop()
        found[".".join(parts)] = path
    return found


def imports(name: str, path: Path, known: dict[str, Path]) -> Iterator[str]:
    """Modules of the package that this one imports, wherever in its text."""
    package = name if path.name == "__init__.py" else name.rpartition(".")[0]
    for node in import_statements(path.read_text("utf-8")):
        if isinstance(node, ast.Import):
            for alias in node.names:
                first, _, rest = alias.name.partition(".")
                if first == PACKAGE:
                    yield rest
        else:
            if node.level:
                above = package.split(".") if package else []
                above = above[: len(above) - node.level + 1]
                base = ".".join([*above, *([node.module] if node.module else [])])
            else:
                first, _, base = (node.module or "").partition(".")
                if first != PACKAGE:
                    continue
            for alias in node.names:
                inner = f"{base}.{alias.name}".lstrip(".")
                yield inner if inner in known else base


def arrows(root: Path) -> dict[str, set[str]]:
    known = modules(root)
    return {
        name: {other for other in imports(name, path, known) if other != name}
        for name, path in known.items()
    }


def complaints(root: Path) -> list[str]:
    """Every arrow that points the wrong way, as `routing.status -> app.state: why`."""
    found = []
    for name, others in arrows(root).items():
        top = name.partition(".")[0]
        if top and top not in RANKS and top not in ASIDE:
            found.append(f"{name}: has no place in the table of layers")
            continue
        for other in sorted(others):
            to = other.partition(".")[0]
            if to in ("", top) or not top:
                continue
            if to in ALSO.get(top, ()) or other in VALUES.get(top, ()):
                continue
            if to in OPTIONAL and top not in OPTIONAL[to]:
                found.append(f"{name} -> {other}: is optional")
            elif top in ASIDE:
                if to not in ASIDE[top].split():
                    found.append(f"{name} -> {other}: not for {top}")
            elif to in ASIDE:
                found.append(f"{name} -> {other}: {to} is another program")
            elif to in RANKS and RANKS[to] >= RANKS[top]:
                found.append(f"{name} -> {other}: points upwards")
    return sorted(found)


def cycles(root: Path) -> list[str]:
    """Modules that import each other, over however many others."""
    graph = arrows(root)
    found, done = [], set()

    def walk(name: str, trail: list[str]) -> None:
        if name in trail:
            found.append(" -> ".join([*trail[trail.index(name) :], name]))
            return
        if name in done:
            return
        for other in sorted(graph.get(name, ())):
            # A package's own front imports its modules, and they each other.
            if other and not name.startswith(f"{other}."):
                walk(other, [*trail, name])
        done.add(name)

    for name in sorted(graph):
        walk(name, [])
    return found


def test_imports_point_one_way():
    assert complaints(ROOT) == []


def test_there_is_no_cycle():
    assert cycles(ROOT) == []


def test_values_import_no_dialect():
    found = arrows(ROOT)
    for name in set().union(*VALUES.values()):
        assert {other.partition(".")[0] for other in found[name]} <= {
            "adaptation",
            "domain",
            "frozen",
            "translation",
        }


FORBIDDEN = {
    "upwards": (
        "routing/status.py",
        "from llm_gateway.app import state",
        "points upwards",
    ),
    "inside a function": (
        "limits/windows.py",
        "def f():\n    import llm_gateway.ledger.store",
        "points upwards",
    ),
    "for types only": (
        "transport/layer.py",
        "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from ..pipeline import exchange",
        "points upwards",
    ),
    "the fast path": ("pipeline/handler.py", "from .. import fastpath", "is optional"),
    "the pool": (
        "transport/stream.py",
        "from llm_gateway.pool.pool import x",
        "is optional",
    ),
    "its neighbour": (
        "fastpath/hooks.py",
        "from llm_gateway.pool import pool",
        "is optional",
    ),
    "another program": ("app/state.py", "import llm_gateway.cli", "is another program"),
    "the dashboard's": (
        "dashboard/views.py",
        "from llm_gateway.ledger import schema",
        "not for dashboard",
    ),
    "no place": ("helpers.py", "", "has no place in the table of layers"),
}


@pytest.mark.parametrize("kind", FORBIDDEN)
def test_what_is_forbidden_is_found(kind, tmp_path):
    where, text, why = FORBIDDEN[kind]
    for name in (where, "fastpath/__init__.py", "pool/pool.py", "app/state.py"):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    assert complaints(tmp_path) == [] or kind == "no place"
    (tmp_path / where).write_text(text)
    [found] = complaints(tmp_path)
    assert found.startswith(where.removesuffix(".py").replace("/", "."))
    assert found.endswith(why)


def test_a_cycle_is_found(tmp_path):
    (tmp_path / "limits").mkdir()
    (tmp_path / "limits" / "a.py").write_text("from llm_gateway.limits import b")
    (tmp_path / "limits" / "b.py").write_text("def f():\n    from .c import x")
    (tmp_path / "limits" / "c.py").write_text("import llm_gateway.limits.a")
    assert cycles(tmp_path) == ["limits.a -> limits.b -> limits.c -> limits.a"]
