"""`llm-gateway doctor`: look for what is wrong, and say what to do.

What lives here: the order of the check-ups and the report, one line each. The
check-ups are in `doctor_machine.py` (this machine) and `doctor_providers.py` (providers).

What this file does not know: how anything is checked.
"""

import argparse
import asyncio
import os
import sqlite3
import time
from collections.abc import Iterable, Iterator
from datetime import UTC, date, datetime
from pathlib import Path

from llm_gateway.cli import doctor_cluster, doctor_machine
from llm_gateway.cli.doctor_machine import Finding
from llm_gateway.cli.doctor_network import outbound_proxies
from llm_gateway.cli.doctor_providers import Reached, reach_all
from llm_gateway.cli.help_text import command_parser
from llm_gateway.cli.known_lists import known_lists
from llm_gateway.cli.outgoing import follow
from llm_gateway.cli.quirks import learned, printable
from llm_gateway.cli.terminal import paint_for
from llm_gateway.config.load import Loaded, load_config, locate
from llm_gateway.config.problems import ConfigError
from llm_gateway.providers import kept_catalog, token_store
from llm_gateway.providers.catalog import Catalog, CatalogError, build
from llm_gateway.providers.credentials import Credentials
from llm_gateway.providers.dialect_support import summary
from llm_gateway.providers.github_client import GitHub
from llm_gateway.providers.tier_notes import notes

MARKS = {"ok": "ok  ", "note": "note", "fix": "FIX "}
COLOURS = {"ok": "green", "note": "yellow", "fix": "red"}
OLD_DAYS = 120
"""Free tiers move within weeks."""


def doctor(argv: list[str]) -> int:
    """Print the report. 1 when something has to be fixed, else 0."""
    options = _options(argv)
    fixes, paint = 0, paint_for()
    for finding in examine(options):
        mark = paint(COLOURS[finding.mark], MARKS[finding.mark])
        print(f"{mark}  {finding.what:<16}  {finding.said}", flush=True)
        fixes += finding.mark == "fix"
    print(f"\n{fixes} to fix." if fixes else "\nNothing to fix.")
    return 1 if fixes else 0


def examine(options: argparse.Namespace) -> Iterator[Finding]:
    home: Path = options.home
    yield from doctor_machine.versions()
    yield doctor_machine.mitmproxy_code()
    yield from doctor_machine.node(options.port)
    catalog: Catalog | None = None
    left_out: tuple[str, ...] = ()
    if not options.config.exists() and not options.config_named:
        yield Finding("ok", "config", f"{options.config} is made at the first start")
    else:
        try:
            loaded = load_config(options.config, os.environ)
            catalog, left_out = _catalog(loaded, options)
        except ConfigError as e:
            yield from (
                Finding("fix", "config", str(problem)) for problem in e.problems
            )
        else:
            yield from _config(loaded, options.config)
    yield from doctor_machine.state_folder(home)
    yield _published(home)
    yield doctor_machine.gateway_port(options.port)
    yield from doctor_machine.notices(options.port)
    if catalog is not None:
        yield from doctor_cluster.cluster(catalog.config.cluster, options.port)
    port = 8001 if catalog is None else catalog.config.dashboard.port
    yield doctor_machine.dashboard_port(port)
    yield from doctor_machine.ledger(options.db)
    yield from _quirks(options.db)
    yield from doctor_machine.trust(
        options.confdir.expanduser(), os.environ, options.port
    )
    if catalog is not None:
        yield from (Finding("note", "way out", line) for line in left_out)
        yield from outbound_proxies(catalog, offline=options.offline)
        yield from _dialects(catalog)
        yield from _free_keys(catalog)
        yield from (Finding("note", n.provider, n.text) for n in notes(catalog))
        yield from _providers(catalog, home, offline=options.offline)


def _quirks(path: Path) -> Iterator[Finding]:
    """What refusals taught, a line for each provider; the command that shows all of it."""
    try:
        rows = learned(path)
    except (OSError, sqlite3.Error):
        return  # the ledger's own line says it
    found: dict[str, dict[str, None]] = {}
    for row in rows:
        found.setdefault(row["provider"], {})[printable(row["says"])] = None
    for provider, said in sorted(found.items()):
        some = "; ".join([*said][:3])
        more = f", and {len(said) - 3} more" if len(said) > 3 else ""
        shown = f"{printable(provider)}: requests go {some}{more}"
        yield Finding("note", "quirks", f"{shown} (llm-gateway quirks)")


def _published(home: Path) -> Finding:
    """Which catalogue of free tiers holds."""
    found = kept_catalog.in_force(home)
    if found.problem:
        return Finding("fix", "catalog", found.problem.replace("\n", "; "))
    whose = (
        "as packaged" if found.kept is None else f"with an update of {found.kept.as_of}"
    )
    text = f"free tiers as of {found.published.as_of}, {whose}"
    age = datetime.now(UTC).date() - date.fromisoformat(found.published.as_of)
    if age.days > OLD_DAYS:
        old = f"{text}: {age.days} days old; llm-gateway catalog update FILE-OR-URL"
        return Finding("note", "catalog", old)
    return Finding("ok", "catalog", text)


def _config(loaded: Loaded, path: Path) -> Iterator[Finding]:
    for warning in loaded.warnings:
        yield Finding("note", "config", str(warning))
    count = len(loaded.config.providers)
    yield Finding("ok", "config", f"{path}, {count} providers")


def _catalog(
    loaded: Loaded, options: argparse.Namespace
) -> tuple[Catalog, tuple[str, ...]]:
    """Models of lists included, as of when a gateway last read them; and what is left out
    of what was said about the way out."""
    config = loaded.config
    ways, left_out = follow(config.network, options.port, config.providers)
    home, now = options.home, time.time()
    lists, retired = known_lists(options.db)
    try:
        catalog = build(
            config,
            loaded.revision,
            now=now,
            signed_in=token_store.stored(home),
            ways=ways,
            lists=lists,
            retired=retired,
            types=kept_catalog.in_force(home).types(now),
        )
    except CatalogError as e:
        raise locate(loaded.text, e.complaints, str(options.config)) from e
    return catalog, left_out


def _dialects(catalog: Catalog) -> Iterator[Finding]:
    """Who answers what, and which well-known apps that leaves out."""
    if any(offer.enabled for offer in catalog.offers):
        for answered, line in summary(
            catalog.offers, translate=catalog.config.routing.translate
        ):
            yield Finding("ok" if answered else "note", "dialects", line)


def _free_keys(catalog: Catalog) -> Iterator[Finding]:
    """Keys that count as free here and may be billed all the same: how to tell."""
    free = {
        (offer.provider, offer.account)
        for offer in catalog.offers
        if offer.enabled and offer.free
    }
    said = {
        provider: how
        for (provider, account) in sorted(free)
        if (how := catalog.upstreams[provider, account].type_info.free_key)
    }
    for provider, how in said.items():
        yield Finding("note", provider, f"counts as free, but {how}")


def _providers(catalog: Catalog, home: Path, *, offline: bool) -> Iterator[Finding]:
    skipped = {o.provider: o.disabled_reason for o in catalog.offers if not o.enabled}
    skipped |= catalog.without_models
    usable = _usable(catalog)
    serving = {provider for provider, _ in usable}
    for provider, reason in skipped.items():
        if provider not in serving:
            yield Finding("note", provider, reason)
    if not usable:
        yield Finding(
            "fix", "providers", "none can be used; set a key or add a simulator"
        )
    elif offline:
        yield Finding(
            "ok", "providers", f"{len(serving)} configured, not asked (--offline)"
        )
    else:
        asked = [(catalog.upstreams[key], models) for key, models in usable.items()]
        try:
            github = GitHub.from_environment(os.environ)
        except ValueError as e:
            yield Finding("fix", "copilot", str(e))
            github = GitHub()
        credentials = Credentials(home, time.time, github)
        yield from _reached(asyncio.run(reach_all(asked, credentials)))


def _usable(catalog: Catalog) -> dict[tuple[str, str], list[str]]:
    """Accounts that can serve -> models that the configuration writes out. What is taken from
    a provider's own list cannot be missing there."""
    usable: dict[tuple[str, str], list[str]] = {}
    providers = {provider.id: provider for provider in catalog.config.providers}
    for key in catalog.upstreams:
        provider = providers[key[0]]
        if provider.enabled and provider.wanted:
            usable[key] = []
    for offer in catalog.offers:
        if offer.enabled:
            written = [m.name for _, m in providers[offer.provider].own_models]
            models = usable.setdefault((offer.provider, offer.account), [])
            models += [offer.model] if offer.model in written else []
    return usable


def _reached(found: Iterable[Reached]) -> Iterator[Finding]:
    for one in found:
        if one.problem:
            yield Finding("fix", one.who, one.problem)
        elif one.note:
            yield Finding("note", one.who, one.note)
        else:
            yield Finding("ok", one.who, one.said)


def _options(argv: list[str]) -> argparse.Namespace:
    env = os.environ
    parser = command_parser(
        "doctor",
        "Look for what is wrong, and say what to do. Changes nothing. "
        "Asks every configured provider for its list of models, unless --offline.",
    )
    parser.add_argument(
        "--config",
        type=Path,
        help="the configuration (default: LLM_GATEWAY_CONFIG, else config.jsonc)",
    )
    parser.add_argument(
        "--db",
        type=Path,
        default=Path(env.get("LLM_GATEWAY_DB") or "usage.db"),
        help="the ledger (default: LLM_GATEWAY_DB, else usage.db)",
    )
    parser.add_argument(
        "--port",
        type=int,
        default=int(env["PORT"]) if env.get("PORT", "").isdigit() else 8080,
        help="the gateway's port (default: PORT, else 8080)",
    )
    parser.add_argument(
        "--confdir",
        type=Path,
        default=Path("~/.mitmproxy"),
        help="mitmproxy's configuration folder, where the CA lies",
    )
    parser.add_argument(
        "--offline", action="store_true", help="do not ask providers anything"
    )
    options = parser.parse_args(argv)
    named = options.config or env.get("LLM_GATEWAY_CONFIG")
    options.config_named = bool(named)
    options.config = Path(named or "config.jsonc")
    options.home = Path(env.get("LLM_GATEWAY_HOME") or "~/.llm-gateway").expanduser()
    return options
