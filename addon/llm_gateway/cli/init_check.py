"""`llm-gateway init` and `llm-gateway check`: a config to start with, and what is wrong with one."""

import argparse
import os
import shlex
import sys
import time
from collections.abc import Collection
from pathlib import Path

from llm_gateway.cli import init_detect
from llm_gateway.cli.help_text import command_parser
from llm_gateway.config.files import state_folder, state_path
from llm_gateway.config.load import load_config, locate
from llm_gateway.config.problems import ConfigError
from llm_gateway.providers.catalog import Catalog, CatalogError, build
from llm_gateway.providers.key_detection import FoundKey, odd_keys
from llm_gateway.providers.listed_models import Lists
from llm_gateway.providers.registry import TYPES

OfferKey = tuple[str, str, str]


def init(argv: list[str]) -> int:
    from llm_gateway.packaged_files import example_config

    parser = command_parser(
        "init",
        "Write a config from the commented example, or from the API keys that the "
        "environment holds.",
    )
    parser.add_argument(
        "file",
        nargs="?",
        type=Path,
        default=Path("config.jsonc"),
        help="default config.jsonc",
    )
    parser.add_argument(
        "--detect",
        action="store_true",
        help="use the keys in the environment: free models at once, paid providers "
        "switched off; says what each gives, asks nobody",
    )
    parser.add_argument(
        "--tools",
        action="store_true",
        help="with --detect: keys in the files of well-known tools, too, which are copied; "
        f"looks at {init_detect.looked_in()}",
    )
    options = parser.parse_args(argv)
    if options.tools and not options.detect:
        parser.error("--tools is for --detect")
    path: Path = options.file
    found: tuple[FoundKey, ...] = ()
    if options.detect:
        files = [*init_detect.tool_files(Path.home())] if options.tools else []
        for line in (file for file in files if isinstance(file, str)):
            print(line, file=sys.stderr)
        for line in odd_keys(os.environ, TYPES.values()):
            print(line, file=sys.stderr)
        held = [file for file in files if not isinstance(file, str)]
        found = init_detect.detected(os.environ, state_path(os.environ), held)
        if not found:
            print(
                f"No key of a provider is {_where(options.tools)}, and nothing is written. "
                f"Set one of {init_detect.looked_for()}; {_or_tools(options.tools)}or write the example, which "
                "needs none: llm-gateway init",
                file=sys.stderr,
            )
            return 1
    try:
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        print(f"{path} is there already; it stays as it is.", file=sys.stderr)
        return 1
    except OSError as e:
        print(f"{path} cannot be written: {e.strerror}", file=sys.stderr)
        return 1
    with os.fdopen(handle, "w", encoding="utf-8") as file:
        file.write(init_detect.configuration(found) if found else example_config())
    if not found:
        print(f"Wrote {path}. Edit it, then: llm-gateway check {path}")
        return 0
    for line in init_detect.report(found):
        print(line)
    if any(one.key is not None for one in found):
        print(f"\nKeys from files were copied into {path}, which nobody else may read.")
    print(f"\nWrote {path}. Start the gateway: {_start(path)}")
    print("Its log says a line to try, once the providers have said what they have.")
    return 0


def _where(tools: bool) -> str:
    if tools:
        return "set in the environment, nor in a tool's file"
    return "set in the environment"


def _or_tools(tools: bool) -> str:
    return "" if tools else "or look into the files of well-known tools: --tools; "


def _start(path: Path) -> str:
    if path == default_config():
        return "llm-gateway serve"
    return f"llm-gateway serve --set gateway_config={shlex.quote(str(path))}"


def default_config() -> Path:
    return Path(os.environ.get("LLM_GATEWAY_CONFIG") or "config.jsonc")


def add_config_option(parser: argparse.ArgumentParser) -> None:
    """`--config`, for commands that read a configuration besides."""
    parser.add_argument(
        "--config",
        type=Path,
        default=default_config(),
        help="default LLM_GATEWAY_CONFIG, else config.jsonc",
    )


def read(
    path: Path, lists: Lists | None = None, retired: Collection[OfferKey] = ()
) -> Catalog:
    """The catalog that a file describes. Raises ConfigError.

    `lists`, `retired`: what providers listed, and what they list in vain.
    """
    from llm_gateway.providers import kept_catalog, token_store

    loaded = load_config(path, os.environ)
    for warning in loaded.warnings:
        print(f"warning: {warning}", file=sys.stderr)
    home = state_folder(os.environ)
    signed_in = token_store.stored(home)
    now = time.time()
    published = kept_catalog.in_force(home)
    if published.problem:
        print(f"warning: {published.problem}", file=sys.stderr)
    try:
        return build(
            loaded.config,
            loaded.revision,
            now=now,
            signed_in=signed_in,
            lists=lists or {},
            retired=retired,
            types=published.types(now),
        )
    except CatalogError as e:
        raise locate(loaded.text, e.complaints, str(path)) from e


def check(argv: list[str]) -> int:
    parser = command_parser(
        "check",
        "Validate a config. Exit code 1 when something is wrong with it.",
    )
    parser.add_argument(
        "file",
        nargs="?",
        type=Path,
        default=default_config(),
        help="default LLM_GATEWAY_CONFIG, else config.jsonc",
    )
    options = parser.parse_args(argv)
    try:
        catalog = read(options.file)
    except ConfigError as e:
        print(e, file=sys.stderr)
        return 1
    names = len(catalog.model_names())
    usable = {offer.provider for offer in catalog.offers if offer.enabled}
    reached = {provider for provider, _ in catalog.upstreams}
    listing = [
        provider.id
        for provider in catalog.config.providers
        if provider.enabled and provider.wanted and provider.id in reached
    ]
    usable.update(listing)
    skipped = {o.provider: o.disabled_reason for o in catalog.offers if not o.enabled}
    skipped |= catalog.without_models
    print(
        f"{options.file}: fine. {len(usable)} of {len(catalog.config.providers)} "
        f"providers can be used, {names} model {'name' if names == 1 else 'names'}."
    )
    for provider, reason in skipped.items():
        if provider not in usable:
            print(f"  {provider} is skipped: {reason}")
    for provider in listing:
        print(
            f"  {provider} takes models from its own list, which the gateway asks for."
        )
    return 0
