"""`llm-gateway init` and `llm-gateway check`: a config to start with, and what is wrong with one."""

import os
import sys
import time
from collections.abc import Collection
from pathlib import Path

from llm_gateway.cli.help_text import command_parser
from llm_gateway.config.load import load_config, locate
from llm_gateway.config.problems import ConfigError
from llm_gateway.providers.catalog import Catalog, CatalogError, build
from llm_gateway.providers.listed_models import Lists

OfferKey = tuple[str, str, str]


def init(argv: list[str]) -> int:
    from llm_gateway.packaged_files import example_config

    parser = command_parser(
        "init",
        "Write a config from the commented example.",
    )
    parser.add_argument(
        "file",
        nargs="?",
        type=Path,
        default=Path("config.jsonc"),
        help="default config.jsonc",
    )
    options = parser.parse_args(argv)
    path: Path = options.file
    try:
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        print(f"{path} is there already; it stays as it is.", file=sys.stderr)
        return 1
    except OSError as e:
        print(f"{path} cannot be written: {e.strerror}", file=sys.stderr)
        return 1
    with os.fdopen(handle, "w", encoding="utf-8") as file:
        file.write(example_config())
    print(f"Wrote {path}. Edit it, then: llm-gateway check {path}")
    return 0


def default_config() -> Path:
    return Path(os.environ.get("LLM_GATEWAY_CONFIG") or "config.jsonc")


def read(
    path: Path, lists: Lists | None = None, retired: Collection[OfferKey] = ()
) -> Catalog:
    """The catalog that a file describes. Raises ConfigError.

    `lists`, `retired`: what providers listed, and what they list in vain.
    """
    from llm_gateway.config.files import state_folder
    from llm_gateway.providers import token_store

    loaded = load_config(path, os.environ)
    for warning in loaded.warnings:
        print(f"warning: {warning}", file=sys.stderr)
    signed_in = token_store.stored(state_folder(os.environ))
    try:
        return build(
            loaded.config,
            loaded.revision,
            now=time.time(),
            signed_in=signed_in,
            lists=lists or {},
            retired=retired,
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
