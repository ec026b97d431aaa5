"""API keys in the configuration files of well-known tools: where, and how they are spelt.

    TOOLS                         which file of which tool, in which form
    keys_in(form, text, names)    variable -> key, as if it stood in the environment

Only keys that their owner typed in count: tokens of logins belong to the product that was
logged in to, and are passed over. What this file does not know: the disk, the environment.
"""

import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from pydantic import SecretStr

from llm_gateway.providers.provider_type import ProviderType

Names = Mapping[str, str]
"""How a provider is called, in lower case -> its usual variable."""
Pairs = Iterator[tuple[str, Any]]


_KEY = re.compile(r"_(api_)?(key|token)$")
_BASE = re.compile(r"_(api_base|base_url)$")


@dataclass(frozen=True, slots=True)
class Tool:
    title: str
    path: str
    """From the home folder."""
    form: str
    """A key of FORMS."""
    source: str = ""
    """Where the path and the form are said."""


TOOLS = (
    Tool("aider", ".aider.conf.yml", "aider", "aider.chat/docs/config/api-keys.html"),
    Tool("aider and Gemini CLI", ".env", "dotenv", "aider.chat/docs/config/dotenv.html"),
    Tool("Gemini CLI", ".gemini/.env", "dotenv", "geminicli.com/docs/get-started"),
    Tool("OpenCode", ".local/share/opencode/auth.json", "opencode", "opencode.ai/docs"),
    Tool("llm", ".config/io.datasette.llm/keys.json", "by name", "llm.datasette.io"),
    Tool("llm", "Library/Application Support/io.datasette.llm/keys.json", "by name", "llm.datasette.io"),
    Tool("Codex", ".codex/auth.json", "by variable", "its own file, 2026-11"),
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class ToolKeys:
    """What one file holds."""

    title: str
    shown: str
    """Its path, for people."""
    keys: Mapping[str, SecretStr] = field(default_factory=dict)
    """By variable."""


def names_of(rows: Iterable[ProviderType]) -> Names:
    """`gemini`, `google`, … -> `GEMINI_API_KEY`: the type, and what stands before
    `_API_KEY` in a variable of it."""
    found: dict[str, str] = {}
    for row in rows:
        for variable in row.key_variables:
            found[variable.lower()] = row.key_variables[0]
            found.setdefault(_KEY.sub("", variable.lower()), row.key_variables[0])
            found[row.type] = row.key_variables[0]
    return found


def keys_in(form: str, text: str, names: Names) -> Mapping[str, SecretStr]:
    """What can be used of a file. Raises ValueError where it is not of its form."""
    found: dict[str, SecretStr] = {}
    pairs = [(name.lower(), value) for name, value in FORMS[form](text)]
    elsewhere = {_BASE.sub("", name) for name, value in pairs if _BASE.search(name) and value}  # fmt: skip
    for name, value in pairs:
        variable = names.get(name)
        if variable is None or _KEY.sub("", name) in elsewhere:
            continue  # a key for another address than the provider's own
        if _is_key(value):
            found.setdefault(variable, SecretStr(value))
    return found


def _is_key(value: Any) -> bool:
    """Whole, and no reference to somewhere else."""
    return isinstance(value, str) and bool(re.fullmatch(r"[!-#%-~]{8,512}", value))


def _dotenv(text: str) -> Pairs:
    for line in text.splitlines():
        found = re.fullmatch(r"\s*(?:export\s+)?(\w+)\s*=\s*(.*?)\s*", line)
        if found and re.search(r"_(KEY|TOKEN|BASE|URL)$", found[1]):
            yield found[1], _plain(found[2])


def _aider(text: str) -> Pairs:
    """`openai-api-key: K`; `api-key:` with a list of NAME=K, below it or in brackets."""
    in_list = False
    for line in text.splitlines():
        if found := re.match(r"(openai|anthropic)-(api-key|api-base):\s*(.*)", line):
            what = found[2].replace("-", "_")
            yield f"{found[1]}_{what}", _plain(found[3])
        if not re.match(r"\s*(-|#|$)", line):
            in_list = line.startswith("api-key:")
        if in_list:
            listed = line.removeprefix("api-key:").strip().strip("[]")
            for item in listed.split(","):
                name, _, key = _plain(item.strip().removeprefix("-")).partition("=")
                yield name.strip(), key


def _plain(value: str) -> str:
    """Without quotes, or what follows a space and a #."""
    value = value.strip()
    if found := re.match(r"""(["'])(.*?)\1""", value):
        return found[2]
    return re.split(r"\s#", value, maxsplit=1)[0].strip()


def _object(text: str) -> dict[str, Any]:
    try:
        found = json.loads(text)
    except RecursionError as e:
        raise ValueError("is nested too deeply") from e
    if not isinstance(found, dict):
        raise ValueError("is no object")
    return found


def _opencode(text: str) -> Pairs:
    for name, value in _object(text).items():
        if isinstance(value, dict) and value.get("type") == "api":
            yield name, value.get("key")


def _by_name(text: str) -> Pairs:
    yield from _object(text).items()


FORMS: Mapping[str, Callable[[str], Pairs]] = {
    "dotenv": _dotenv,
    "aider": _aider,
    "opencode": _opencode,
    "by name": _by_name,
    "by variable": _by_name,
}
