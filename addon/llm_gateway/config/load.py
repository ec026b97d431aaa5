"""From the text of a config to a `Config`, or to every problem in it at once.

    text → tree of spans (jsonc) → plain data (json5) → references replaced
         → mistakes (checks) + pydantic → Loaded | ConfigError

What lives here: this walk, and the one place that reads the file. What this file does
not know: what keys mean, how the text is changed.
"""

import json
import os
import re
import stat
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from decimal import Decimal
from hashlib import sha256
from pathlib import Path as FilePath
from typing import Any

import json5
from pydantic import ValidationError

from llm_gateway.config.introspection import holds_secret

from .checks import find_errors, find_warnings
from .environment import expand
from .fields import FromEnvironment
from .jsonc import Node, Path, SyntaxProblem, parse, position, show, without_extras
from .models import Config
from .problems import ConfigError, Problem, UnlocatedProblem, complaint


@dataclass(frozen=True, slots=True)
class Loaded:
    """A config that can be used, and the text it came from."""

    config: Config
    text: str = field(repr=False)
    """As in the file, secrets and all: for `edit.mask` and nothing else."""
    revision: str
    """The first 12 hex digits of the text's SHA-256."""
    warnings: tuple[Problem, ...] = ()
    """Accepted, but probably not meant."""


def revision_of(text: str) -> str:
    """The first 12 hex digits of the SHA-256 of the text in UTF-8."""
    return sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:12]


def read_tree(text: str, name: str) -> Node:
    """The text's tree of spans. Raises `ConfigError` at the first thing that is no JSON5."""
    tree = parse(text)
    if isinstance(tree, SyntaxProblem):
        line, column = position(text, tree.offset)
        raise ConfigError(Problem("", line, column, tree.message, name), syntax=True)
    return tree


def _joined(value: Any) -> Any:
    # json5 leaves "\ud83d\ude00" as two halves; JSON means one character.
    match value:
        case str():
            return value.encode("utf-16", "surrogatepass").decode(
                "utf-16", "surrogatepass"
            )
        case dict():
            return {_joined(key): _joined(item) for key, item in value.items()}
        case list():
            return [_joined(item) for item in value]
        case _:
            return value


def read_data(text: str, name: str, tree: Node | None = None) -> Any:
    """Plain data, fractions as `Decimal`. Raises `ConfigError`.

    `tree`: the text's, where it was read already: of 600 models that takes as long as
    all that is done with it.
    """
    tree = tree or read_tree(text, name)
    # What nearly all configs are is read a hundred times faster so: of 30 providers with
    # 20 models each, json5 makes seconds.
    with suppress(ValueError, RecursionError):
        plain = without_extras(text, tree)
        found = json.loads(plain, parse_float=Decimal)
        return _joined(found) if "\\u" in text else found
    try:
        return _joined(json5.loads(text, parse_float=Decimal))
    except (ValueError, ArithmeticError, RecursionError) as error:
        line, column = 1, 1
        if found := re.search(r":(\d+) (.*) at column (\d+)", str(error)):
            line, column = int(found[1]), int(found[3])
        problem = Problem("", line, column, f"is not JSON5: {error}"[:200], name)
        raise ConfigError(problem, syntax=True) from None


class _Filled:
    """Plain data with its references replaced, and what could not be."""

    def __init__(self, data: Any, env: Mapping[str, str]) -> None:
        self.env = env
        self.complaints: list[UnlocatedProblem] = []
        self.missing: dict[int, list[str]] = {}
        self.data = self.fill(data, ())

    def fill(self, value: Any, path: Path) -> Any:
        match value:
            case dict():
                filled = {k: self.fill(v, (*path, k)) for k, v in value.items()}
                return {k: v for k, v in filled.items() if v is not _UNSET}
            case list():
                items = [self.fill(item, (*path, n)) for n, item in enumerate(value)]
                return _UNSET if _UNSET in items else items
            case str():
                return self.text(value, path)
            case _:
                return value

    def text(self, text: str, path: Path) -> Any:
        said = expand(text, self.env)
        if not said.missing and not said.malformed:
            return FromEnvironment(said.text) if said.names else said.text
        # What must be there stays as written; the rest is left out, so that one unset
        # variable makes no second complaint.
        left = text if path[-1:] in _NEVER_LEFT_OUT else _UNSET
        if said.malformed:
            self.complain(
                path,
                "has a ${ that begins no reference; write ${NAME} or "
                "${NAME:-default}, or $${ for the characters themselves",
            )
            return left
        match path:
            case ("providers", int(index), _, *_):
                self.missing.setdefault(index, []).extend(said.missing)
            case _:
                self.complain(
                    path,
                    f"{', '.join(dict.fromkeys(said.missing))} is not set; set it, "
                    f"or write a default: ${{{said.missing[0]}:-…}}",
                )
        return left

    def complain(self, path: Path, message: str) -> None:
        self.complaints.append(UnlocatedProblem(path, message))


_UNSET = object()
_NEVER_LEFT_OUT = {("id",), ("type",), ("name",), ("key",)}


def _duplicates(tree: Node) -> Iterable[tuple[Path, int]]:
    for path, node in tree.walk():
        seen = set()
        for member in node.members:
            if member.key in seen:
                yield (*path, member.key), member.start
            seen.add(member.key)


def _place(tree: Node, said: UnlocatedProblem) -> int:
    """Where in the text a complaint points: at its key, its value, or what is around."""
    for end in range(len(said.path), -1, -1):
        path = said.path[:end]
        if said.on_key and end == len(said.path):
            around = tree.at(path[:-1])
            keys = [m.start for m in around.members if m.key == path[-1]] if around else []  # fmt: skip
            if keys:
                return keys[-1]
        elif node := tree.at(path):
            return node.start
    return 0


def _problem(text: str, tree: Node, name: str, said: UnlocatedProblem) -> Problem:
    line, column = position(text, _place(tree, said))
    return Problem(show(said.path), line, column, said.message, name)


def locate(
    text: str, complaints: Iterable[UnlocatedProblem], name: str = "config.jsonc"
) -> ConfigError:
    """Complaints of later stages (the catalog's) as an error with lines and columns.

    Raises:
        ConfigError: the text is no JSONC, so that nothing has a place in it.
    """
    tree = read_tree(text, name)
    problems = {_problem(text, tree, name, one): None for one in complaints}
    return ConfigError(*sorted(problems, key=lambda p: (p.line, p.column)))


def parse_config(
    text: str, env: Mapping[str, str], name: str = "config.jsonc"
) -> Loaded:
    """The config that a text says. Raises `ConfigError` with all its problems.

    `env` is asked for `${NAME}`. A provider in which one is unset is kept and says so
    (`Provider.missing_env`); elsewhere an unset one is a problem.
    """
    tree = read_tree(text, name)
    raw = read_data(text, name, tree)
    filled = _Filled(raw, env)
    said = list(filled.complaints)
    said += [
        UnlocatedProblem(
            path, "stands here for the second time; leave one out", on_key=True
        )
        for path, _ in _duplicates(tree)
    ]
    said += find_errors(filled.data, filled.missing.keys())

    def as_written(path: Path) -> Any:
        value = raw
        for step in path:
            value = value[step]
        return value

    config = None
    try:
        config = Config.model_validate(filled.data)
    except ValidationError as error:
        said += [
            complaint(one, as_written)
            for one in error.errors(include_url=False, include_input=False)
        ]
    if said or config is None:
        raise locate(text, said, name)
    warnings = [
        _problem(text, tree, name, one)
        for one in find_warnings(filled.data, filled.missing.keys())
    ]
    providers = tuple(
        provider.with_missing_env(tuple(dict.fromkeys(filled.missing[index])))
        if index in filled.missing
        else provider
        for index, provider in enumerate(config.providers)
    )
    config = config.model_copy(update={"providers": providers})
    return Loaded(config, text, revision_of(text), tuple(warnings))


def has_written_secrets(text: str, name: str = "config.jsonc") -> bool:
    """Whether a secret stands in the text itself, not only as `${NAME}`.

    Raises:
        ConfigError: the text is no JSONC.
    """
    tree = read_tree(text, name)
    return any(
        node.kind == "string"
        and holds_secret(path, node.string)
        and "${" not in node.string
        for path, node in tree.walk()
    )


def load_config(path: FilePath, env: Mapping[str, str]) -> Loaded:
    """The config in a file. Raises `ConfigError`, also when it cannot be read."""
    name = str(path)
    try:
        with open(path, "rb") as file:
            mode = os.fstat(file.fileno()).st_mode
            content = file.read(1 << 22)
    except FileNotFoundError:
        raise ConfigError(
            Problem("", 0, 0, "there is no such file; make it with: llm-gateway init", name)
        ) from None  # fmt: skip
    except OSError as error:
        reason = (error.strerror or "cannot be read").lower()
        raise ConfigError(Problem("", 0, 0, f"{reason}; it has to be readable", name)) from None  # fmt: skip
    try:
        text = content.decode("utf-8")
    except UnicodeDecodeError as error:
        line, column = position(content[: error.start].decode("utf-8"), error.start)
        raise ConfigError(
            Problem("", line, column, "is not UTF-8; save it as UTF-8", name),
            syntax=True,
        ) from None
    loaded = parse_config(text, env, name)
    if os.name == "posix" and mode & (stat.S_IRGRP | stat.S_IROTH) and has_written_secrets(text):  # fmt: skip
        said = f"holds keys and can be read by others; chmod 600 {name}"
        warnings = (*loaded.warnings, Problem("", 0, 0, said, name))
        return Loaded(loaded.config, text, loaded.revision, warnings)
    return loaded
