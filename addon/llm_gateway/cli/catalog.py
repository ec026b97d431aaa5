"""`llm-gateway catalog`: what is published of free tiers, models and accounts, and updates of it.

    show [PROVIDER]      what holds here: the packaged catalogue and what was kept over it
    check [FILE]         is a catalogue in order? without FILE: the one that is kept
    update FILE-OR-URL   show what is newer in it, and keep that in the state folder

Nothing is ever fetched but the address that is named. A running gateway takes up what is
kept at once.
"""

import argparse
import os
import sys
from collections.abc import Iterator
from datetime import UTC, datetime

from llm_gateway.cli.catalog_source import SourceError, content_of
from llm_gateway.cli.catalog_text import differences, shown
from llm_gateway.cli.help_text import command_parser
from llm_gateway.config.files import state_folder, state_path
from llm_gateway.config.suggestions import nearest
from llm_gateway.private_files import NotPrivate
from llm_gateway.providers import catalog_file, kept_catalog
from llm_gateway.providers.catalog_file import CatalogFileError
from llm_gateway.providers.catalog_update import Update, proposed
from llm_gateway.providers.published import Published, beyond
from llm_gateway.providers.registry import packaged


def catalog(argv: list[str]) -> int:
    """0; 1 when a catalogue is not in order, or could not be had; then nothing changes.
    Raises NotPrivate."""
    options = _options(argv)
    try:
        match options.action:
            case "check":
                return _check(options.file)
            case "update":
                return _update(options.source, options.sha256, dry_run=options.dry_run)
            case _:
                return _show(options.provider, as_json=options.json)
    except (CatalogFileError, SourceError) as e:
        print(e, file=sys.stderr)
    except NotPrivate:
        raise
    except OSError as e:
        print(f"{e.filename or ''}: {e.strerror or e}", file=sys.stderr)
    return 1


def _show(provider: str, *, as_json: bool) -> int:
    found = kept_catalog.in_force(state_path(os.environ))
    if found.problem:
        print(f"warning: {found.problem}", file=sys.stderr)
    names = sorted({entry.provider for entry in found.published.entries()})
    if provider and provider not in names:
        near = nearest(provider, names)
        hint = f'did you mean "{near}"?' if near else f"it has {', '.join(names)}"
        print(f'The catalogue says nothing of "{provider}"; {hint}', file=sys.stderr)
        return 1
    if as_json:
        print(catalog_file.dump(_of(found.published, provider)), end="")
        return 0
    for line in (*_summary(found), *shown(found.published, provider)):
        print(line)
    return 0


def _of(found: Published, provider: str) -> Published:
    if not provider:
        return found
    return Published(
        found.as_of,
        tuple(t for t in found.free_tiers if t.provider == provider),
        tuple(m for m in found.models if m.provider == provider),
        tuple(a for a in found.accounts if a.provider == provider),
    )


def _summary(found: kept_catalog.InForce) -> Iterator[str]:
    count = len(found.published.entries())
    yield f"The catalogue of {found.published.as_of}: {count} entries."
    if found.kept is None:
        yield f"It is the packaged one, of {packaged().as_of}; no update is kept."
        return
    newer = len(beyond(found.published, packaged()).entries())
    path = kept_catalog.path_of(state_path(os.environ))
    yield f"{newer} of them from {path}, the rest from the packaged one."


def _check(file: str) -> int:
    if file:
        found, update = _compared(file)
        print(f"{file}: fine. {_counted(found)}")
        if count := len(update.changes):
            print(f"{count} newer than what holds: llm-gateway catalog update {file}")
        return 0
    print(f"packaged: fine. {_counted(packaged())}")
    path = kept_catalog.path_of(state_path(os.environ))
    kept = kept_catalog.read(state_path(os.environ))
    said = f"fine. {_counted(kept)}" if kept is not None else "no update is kept"
    print(f"{path}: {said}")
    return 0


def _counted(found: Published) -> str:
    uncertain = sum(bool(entry.uncertain) for entry in found.free_tiers)
    days = sorted(entry.as_of for entry in found.entries())
    ages = f", entries of {days[0]} to {days[-1]}" if days else ""
    return (
        f"As of {found.as_of}: {len(found.free_tiers)} tiers ({uncertain} uncertain), "
        f"{len(found.models)} facts of models, {len(found.accounts)} of accounts{ages}."
    )


def _compared(source: str, sha256: str = "") -> tuple[Published, Update]:
    """What a source says, and what of it would change what holds."""
    content = content_of(source, kept_catalog.MOST_BYTES - 1, sha256)
    found = catalog_file.parse(kept_catalog.text_of(content, source), source)
    now = kept_catalog.in_force(state_path(os.environ))
    if now.problem:
        print(f"warning: {now.problem}", file=sys.stderr)
    today = datetime.now(UTC).date()
    return found, proposed(packaged(), now.published, found, today, source)


def _update(source: str, sha256: str, *, dry_run: bool) -> int:
    _, update = _compared(source, sha256)
    for line in differences(update.changes):
        print(line)
    if update.older:
        print(
            f"{update.older} entries are no newer than what holds, and stay as it is."
        )
    if not update.changes:
        print(f"{source} has nothing newer: nothing changes.")
    elif dry_run:
        print(
            f"{len(update.changes)} entries would change (--dry-run: nothing is kept)."
        )
    else:
        path = kept_catalog.write(state_folder(os.environ), update.kept)
        print(f"{len(update.changes)} entries changed; kept in {path}.")
        print("It holds at once where a gateway runs, else from its next start on.")
    return 0


def _options(argv: list[str]) -> argparse.Namespace:
    parser = command_parser(
        "catalog",
        "What is published of free tiers, models and accounts, with dates and sources. "
        "Nothing is fetched unless an address is named here.",
    )
    actions = parser.add_subparsers(dest="action")
    parser.set_defaults(provider="", json=False)
    show = actions.add_parser("show", help="what holds here (also without a word)")
    show.add_argument("provider", nargs="?", default="", help="of one alone")
    show.add_argument("--json", action="store_true", help="as a catalogue's file")
    check = actions.add_parser("check", help="is a catalogue in order?")
    check.add_argument("file", nargs="?", default="", help="default: the one kept here")
    update = actions.add_parser(
        "update", help="show what is newer in another one, and keep it"
    )
    update.add_argument("source", metavar="FILE-OR-URL")
    update.add_argument("--sha256", default="", help="refuse it unless this is its sum")
    update.add_argument("--dry-run", action="store_true", help="show, keep nothing")
    return parser.parse_args(argv)
