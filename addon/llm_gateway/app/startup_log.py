"""Startup summary in the log: models, providers, addresses, what is missing."""

import json
import logging
import shlex
import sys
from collections.abc import Iterable
from pathlib import Path

from llm_gateway import __version__
from llm_gateway.app.state import AppState
from llm_gateway.dialects import DEFAULT
from llm_gateway.mitm_compat import h2_version
from llm_gateway.packaged_files import activation
from llm_gateway.providers.catalog import Catalog
from llm_gateway.providers.dialect_support import summary
from llm_gateway.providers.tier_notes import TierNote, notes

logger = logging.getLogger("llm_gateway")

SKIPPED = "%s is skipped: %s"


def skipped_providers(catalog: Catalog) -> dict[str, str]:
    """Provider -> what it lacks, of those that cannot be asked at all."""
    found: dict[str, str] = {}
    for offer in catalog.offers:
        if offer.disabled_reason.startswith("not configured"):
            found.setdefault(offer.provider, offer.disabled_reason)
    return found


def serving(catalog: Catalog) -> tuple[int, int]:
    """How many names clients may ask for, and of how many providers."""
    usable = {offer.provider for offer in catalog.offers if offer.enabled}
    return len(catalog.model_names()), len(usable)


def log_startup_summary(
    runtime: AppState, home: Path, made_config: bool, dashboard_port: int
) -> None:
    """What is there, what is missing, and a line to try."""
    catalog = runtime.catalog
    config = catalog.config
    if made_config:
        logger.info("Wrote config.jsonc from the example; edit it as you like.")
    if sys.version_info < (3, 12):
        logger.info("Python 3.12 or newer would get a newer mitmproxy.")
    if old := h2_version.too_old():
        logger.warning("%s.", h2_version.TOO_OLD.format(old))
    for provider, reason in skipped_providers(catalog).items():
        logger.info(SKIPPED, provider, reason)
    log_tier_notes(notes(catalog), set())
    usable = [offer for offer in catalog.offers if offer.enabled]
    if not config.budget.model_fields_set and any(not o.zero_cost for o in usable):
        logger.warning("No budget is set: paid use is unlimited.")
    base = f"http://127.0.0.1:{runtime.port}"
    models, providers = serving(catalog)
    logger.info(
        "LLM Gateway %s serves %d models of %d providers at %s/v1 (policy %s)",
        __version__,
        models,
        providers,
        base,
        config.routing.policy.value,
    )
    for _, line in summary(usable, translate=catalog.config.routing.translate):
        logger.info("%s", line)
    for way in catalog.ways.proxies():
        logger.info("The way out: %s (%s)", way.shown, catalog.ways.source)
    # A user without a password is no user to Bun and undici.
    proxy = base.replace("//", "//CLIENT-KEY:x@", 1) if runtime.keys_required else base
    logger.info("Proxy: HTTPS_PROXY=%s; or: llm-gateway run -- CMD", proxy)
    logger.info("Admin token: %s", home / "admin-token")
    if dashboard_port:
        logger.info("Dashboard: http://127.0.0.1:%d/-/gateway", dashboard_port)
    if line := activation():
        logger.info("For the command llm-gateway, first: %s", line)
    if usable or not any(p.wanted for p in config.providers):
        log_request_to_try(runtime)
    else:
        logger.info(
            "The providers are being asked for their models; a line to try follows."
        )


def log_tier_notes(found: Iterable[TierNote], told: set[TierNote]) -> None:
    """What was not told before."""
    for note in found:
        if note not in told:
            told.add(note)
            level = logging.WARNING if note.is_warning else logging.INFO
            logger.log(level, "%s: %s.", note.provider, note.text)


def log_request_to_try(runtime: AppState) -> None:
    """A request of a model that is offered, as a line for a shell."""
    model = next(iter(runtime.catalog.model_names()), "MODEL")
    asked = {"model": model, **DEFAULT.example}
    logger.info(
        "Try: curl http://127.0.0.1:%d/v1%s -H 'content-type: application/json' -d %s",
        runtime.port,
        DEFAULT.path,
        shlex.quote(json.dumps(asked, separators=(",", ":"))),
    )
