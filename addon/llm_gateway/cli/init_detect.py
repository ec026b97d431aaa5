"""`llm-gateway init --detect`: a configuration from the API keys in the environment.

What lives here: the file's text and the report. Nobody is asked anything: what a key gives
is what the catalogue of free tiers says. Keys of the environment are not copied: the file
names their variables. Files of tools are looked at only when that is asked for.
"""

import json
import stat
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from llm_gateway.providers.kept_catalog import in_force
from llm_gateway.providers.key_detection import (
    FoundKey,
    allowance,
    entry,
    found_keys,
)
from llm_gateway.providers.registry import TYPES
from llm_gateway.providers.tool_keys import TOOLS, ToolKeys, keys_in, names_of

MOST_BYTES = 1 << 20
BUDGET = {"costPerDay": 0.5, "costPerMonth": 5}


def detected(
    env: Mapping[str, str], home: Path, files: Sequence[ToolKeys] = ()
) -> tuple[FoundKey, ...]:
    return found_keys(env, in_force(home).types(time.time()).values(), files)


def tool_files(folder: Path) -> Iterator[ToolKeys | str]:
    """The files of well-known tools that are in a home folder, with the keys in them; or
    what is wrong with one, as a line."""
    names = names_of(TYPES.values())
    for tool in TOOLS:
        path = folder / tool.path
        shown = f"~/{tool.path} ({tool.title})"
        try:
            if not stat.S_ISREG(path.stat().st_mode):
                continue
            with open(path, "rb") as file:
                text = file.read(MOST_BYTES).decode("utf-8-sig")
            yield ToolKeys(tool.title, shown, keys_in(tool.form, text, names))
        except (FileNotFoundError, NotADirectoryError):
            continue
        except OSError as e:
            yield f"{shown} cannot be read: {e.strerror}"
        except ValueError:
            yield f"{shown} is not written as expected: left alone"


def looked_in() -> str:
    """The files that `tool_files` looks at, for a message."""
    return ", ".join(f"~/{tool.path}" for tool in TOOLS)


def looked_for() -> str:
    """The variables that are known, for a message."""
    rows = TYPES.values()
    return ", ".join(row.key_variables[0] for row in rows if row.key_variables)


def configuration(found: Sequence[FoundKey]) -> str:
    """The text of config.jsonc."""
    paid = any(not one.is_free for one in found)
    lines = [
        "// Made from the keys in the environment by: llm-gateway init --detect",
        "// Saving the file is enough: the gateway reads it again at once.",
        '// Every key and its default: README, "Configuration".',
        "{",
        '  "providers": [',
        *_entries(found),
        f"  ]{',' if paid else ''}",
    ]
    if paid:
        lines += [
            "  // What everything paid may cost together, in US$.",
            f'  "budget": {json.dumps(BUDGET)}',
        ]
    return "\n".join([*lines, "}"]) + "\n"


def _entries(found: Sequence[FoundKey]) -> Iterator[str]:
    for index, one in enumerate(found):
        said = (
            "free"
            if one.is_free
            else "costs money: true uses it after all that is free"
        )
        yield f"    // {one.row.title}: {said}"
        comma = "," if index < len(found) - 1 else ""
        yield f"    {json.dumps(entry(one), ensure_ascii=False)}{comma}"


def report(found: Sequence[FoundKey]) -> Iterator[str]:
    """What each key gives, a line each."""
    for one in found:
        row = one.row
        yield f"{row.type} ({one.place})"
        if one.is_free:
            yield from (f"  {line}" for line in allowance(row))
            yield from (f"  {line}" for line in _conditions(one))
        else:
            yield "  has no free tier that lasts: it is switched off in the file"
            yield from (f"  {t.note}" for t in row.ended_tiers if t.note)
            if not one.lists:
                yield "  has no list of models to take from: name some in the file"
        for name in one.missing:
            yield f"  is skipped until {name} is set, too"
        for name in one.others:
            yield f"  {name} holds another key, which is left alone{_counted(one)}"


def _conditions(found: FoundKey) -> Iterator[str]:
    row = found.row
    if row.free_key:
        yield f"counts as free, but {row.free_key}"
    trains = {preset.trains_on_prompts for preset in row.free_presets}
    if "yes" in trains:
        yield "prompts may be used for training"
    elif "varies" in trains:
        yield "whether prompts are used for training depends on who serves the model"
    yield from dict.fromkeys(p.terms for p in row.free_presets if p.terms)


def _counted(found: FoundKey) -> str:
    counted = found.row.counted_by
    if counted is None:
        return ""
    return f": keys of one {counted.counted_by} share its limits"
