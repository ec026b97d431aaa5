"""Configuration life cycle: load, validate, write and reload config.jsonc.

A text becomes a catalog whole or not at all; only then is it swapped in. The file is
watched, also where an editor replaces it. Everything that touches the disk runs in a
thread. What this file does not know: HTTP, who edits (admin/config_routes.py).
"""

import asyncio
import hashlib
import importlib.util
import json
import logging
import ssl
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from llm_gateway.app.startup_log import (
    SKIPPED,
    log_tier_notes,
    serving,
    skipped_providers,
)
from llm_gateway.app.state import AppState
from llm_gateway.config import edit, files, versions
from llm_gateway.config.load import (
    Loaded,
    load_config,
    locate,
    parse_config,
    revision_of,
)
from llm_gateway.config.models import Cluster
from llm_gateway.config.no_proxy import no_proxy
from llm_gateway.config.problems import ConfigError, Problem, UnlocatedProblem
from llm_gateway.config.versions import Version
from llm_gateway.ledger.model_lists import Retired
from llm_gateway.network.own_addresses import is_this_machine
from llm_gateway.network.proxy_rules import ProxyRules, configured, without_ours
from llm_gateway.network.trust import write_roots
from llm_gateway.providers import catalog, kept_catalog, tier_notes, token_store
from llm_gateway.providers.catalog import Catalog, CatalogError
from llm_gateway.providers.listed_models import Lists
from llm_gateway.providers.registry import TYPES, packaged
from llm_gateway.providers.upstream import own_proxies

logger = logging.getLogger("llm_gateway")

CONFIG_POLL_SECONDS = 0.25
"""Seconds between two looks at the file."""

DAY = 86_400
"""Seconds."""

BASE_URLS = {name: row.base_url for name, row in TYPES.items() if row.base_url}


class CatalogLoader:
    """From the configuration's text to a catalog. Blocks."""

    def __init__(
        self,
        path: Path,
        home: Path,
        env: Mapping[str, str],
        clock: Callable[[], float],
        simulator_port: int,
    ) -> None:
        self.path = path
        self.home = home
        self.env = env
        self.clock = clock
        self.simulator_port = simulator_port
        self.own_ports: frozenset[int] = frozenset()
        """Where this gateway listens: no way out of itself."""
        self.roots: Path | None = None
        """Whom outgoing TLS trusts, by the configuration that was read last."""
        self.forced: ProxyRules | None = None
        """What mitmproxy's upstream mode says of the way out; it wins over the config."""
        self.lists: Lists = {}
        """What providers listed when they were last asked."""
        self.retired: Retired = {}
        """Offers that answered twice that there is no such model."""
        self.catalogue = kept_catalog.InForce(packaged())
        """What is published of free tiers, as it was when the configuration was last read."""
        self._said: set[str] = set()
        self.seen: str | None = None
        """Digest of what was last loaded, or refused; None: look again."""
        self._kept = ""
        """Version of the kept catalogue, and the day, that were last read."""

    def load(self) -> tuple[Loaded, Catalog]:
        """What the file says, whole. Raises ConfigError."""
        self.seen = self.digest()
        loaded = load_config(self.path, self.env)
        return loaded, self._catalog(loaded)

    def check(self, new: str | dict[str, Any]) -> tuple[Loaded, Catalog]:
        """A new text or value, with what was masked in it restored from the file.
        Raises ConfigError, OSError."""
        name = str(self.path)
        old = self.path.read_text("utf-8") if self.path.exists() else "{}"
        text = edit.restore(new, old, base_urls=BASE_URLS, name=name)
        loaded = parse_config(text, self.env, name)
        return loaded, self._catalog(loaded)

    def digest(self) -> str:
        """A digest of what the file says (times and sizes can stay when it changes), of
        the kept catalogue and of the day, from which on entries of it may hold.
        Empty while it cannot be read: it is gone, or an editor is about to replace it."""
        try:
            return _digest(self.path.read_bytes(), self._version())
        except OSError:
            return ""

    def digest_as_read(self, text: str) -> str:
        """The digest of a text that was written, beside the catalogue it was built with."""
        return _digest(text.encode(), self._kept)

    def _version(self) -> str:
        return f"{kept_catalog.version(self.home)} {int(self.clock() // DAY)}"

    def _catalog(self, loaded: Loaded) -> Catalog:
        if (found := cluster_problem(loaded.config.cluster)) is not None:
            raise locate(loaded.text, [found], str(self.path))
        network = loaded.config.network
        ways, complaints = configured(
            network.proxy.get_secret_value(), network.no_proxy, self.env
        )
        if self.forced is not None:
            ways = replace(self.forced, without=no_proxy(network.no_proxy))
        try:
            self.roots = write_roots(self.home, network.ca_file, self.env)
        except (OSError, ValueError) as e:
            problem = UnlocatedProblem(("network", "caFile"), f"cannot be used: {e}")
            raise locate(loaded.text, [problem], str(self.path)) from e
        kept, left_out = without_ours(
            ways,
            own_proxies(loaded.config.providers),
            lambda proxy: proxy.port in self.own_ports and is_this_machine(proxy.host),
        )
        complaints = (*complaints, *left_out)
        self._kept = self._version()
        self.catalogue = kept_catalog.in_force(self.home)
        for complaint in (*complaints, *filter(None, (self.catalogue.problem,))):
            if complaint not in self._said:
                self._said.add(complaint)
                logger.warning("%s", complaint)
        try:
            return catalog.build(
                loaded.config,
                loaded.revision,
                now=self.clock(),
                signed_in=token_store.stored(self.home),
                simulator_port=self.simulator_port,
                ways=kept,
                lists=self.lists,
                retired=self.retired,
                types=self.catalogue.types(self.clock()),
            )
        except CatalogError as e:
            raise locate(loaded.text, e.complaints, str(self.path)) from e

    def rebuilt(self, old: Catalog) -> Catalog:
        """The same configuration, with the lists of models as they are now."""
        return catalog.build(
            old.config,
            old.revision,
            now=self.clock(),
            signed_in=token_store.stored(self.home),
            simulator_port=self.simulator_port,
            ways=old.ways,
            lists=self.lists,
            retired=self.retired,
            types=self.catalogue.types(self.clock()),
        )


def cluster_problem(wanted: Cluster | None) -> UnlocatedProblem | None:
    """What keeps this installation from joining it, whatever its server says. Blocks."""
    if wanted is None:
        return None
    if importlib.util.find_spec("redis") is None:
        return UnlocatedProblem(
            ("cluster",),
            "needs a client library that is not installed; "
            "pip install 'free-first-llm-gateway[cluster]'",
            on_key=True,
        )
    for key, path in (("caFile", wanted.ca_file), ("certFile", wanted.cert_file)):
        try:
            context = ssl.create_default_context()
            if path and key == "caFile":
                context.load_verify_locations(path)
            elif path:
                context.load_cert_chain(path, wanted.key_file)
        except OSError as error:
            return UnlocatedProblem(
                ("cluster", key), f"cannot be used: {error.strerror or error}"
            )
    return None


class ConfigService:
    """Watches, reloads and writes the configuration of a running gateway."""

    def __init__(self, loader: CatalogLoader, state: AppState) -> None:
        self.loader = loader
        self.path = loader.path
        self.state = state
        self._lock = asyncio.Lock()
        self._told = set(tier_notes.notes(state.catalog))

    async def watch(self) -> None:
        """Reload whenever the file says something else. Runs until it is cancelled."""
        loader = self.loader
        last = loader.seen
        while True:
            await asyncio.sleep(CONFIG_POLL_SECONDS)
            found = await asyncio.to_thread(loader.digest)
            if found == loader.seen:
                continue
            try:
                async with self._lock:
                    await self._reload(half_written=found != last)
            except Exception:
                logger.exception("The changed configuration could not be activated.")
            last = found

    async def reload(self) -> str:
        """Read the file again; the revision that is active then. Raises ConfigError."""
        async with self._lock:
            error = await self._reload()
        if error is not None:
            raise error
        return self.state.catalog.revision

    async def _reload(self, *, half_written: bool = False) -> ConfigError | None:
        """`half_written`: the file may be; if it is no good, it gets a second look."""
        state = self.state
        try:
            loaded, built = await asyncio.to_thread(self.loader.load)
        except ConfigError as e:
            if half_written:
                self.loader.seen = None
            elif state.loading.error != str(e):
                state.loading.error = str(e)
                state.event(
                    "config", "refused", f"the old configuration serves on: {e}"
                )
            return e
        if loaded.revision == state.catalog.revision and _same(built, state.catalog):
            state.loading.error = None
            state.state_dirty = True
            return None
        await self._activate(loaded, built)
        return None

    async def _activate(self, loaded: Loaded, built: Catalog) -> None:
        state = self.state
        for warning in (*loaded.warnings, *_later(built, state.catalog)):
            logger.warning("%s", warning)
        before = skipped_providers(state.catalog)
        await state.activate(built)
        await self._tell_notes(built)
        for provider, reason in skipped_providers(built).items():
            if before.get(provider) != reason:
                logger.info(SKIPPED, provider, reason)
        models, providers = serving(built)
        state.event(
            "config",
            "loaded",
            f"revision {built.revision} is active: "
            f"{models} models of {providers} providers",
        )

    async def rebuild(self) -> None:
        """The active configuration again, with the lists of models as they are now: as
        with any new one, what is in flight is served under the old to its end."""
        async with self._lock:
            old = self.state.catalog
            built = await asyncio.to_thread(self.loader.rebuilt, old)
            if not _same(built, old):
                await self.state.activate(built)
                await self._tell_notes(built)

    async def _tell_notes(self, built: Catalog) -> None:
        log_tier_notes(await asyncio.to_thread(tier_notes.notes, built), self._told)

    async def read(self) -> tuple[str, edit.Masked]:
        """The file's text, and the same with its secrets masked.
        Raises ConfigError, OSError, UnicodeDecodeError."""
        text = await asyncio.to_thread(self.path.read_text, "utf-8")
        return text, await asyncio.to_thread(edit.mask, text, str(self.path))

    async def versions(self) -> list[Version]:
        """What the file said before the gateway's last writes, the newest first."""
        return await asyncio.to_thread(versions.versions, self.path)

    async def difference(self, id_: str) -> tuple[Version, str, list[str]]:
        """A version, the revision of the file as it is, and what restoring the version
        would change in that, as lines of a unified diff. Raises versions.NoVersion,
        ConfigError, OSError, UnicodeDecodeError."""

        def work() -> tuple[Version, str, list[str]]:
            found = versions.version(self.path, id_)
            now = self.path.read_text("utf-8")
            lines = versions.difference(now, found.text, str(self.path))
            return found, revision_of(now), lines

        return await asyncio.to_thread(work)

    async def restore(self, id_: str, *, expected: str | None) -> Loaded:
        """Write a version as it was, its keys included. Raises versions.NoVersion,
        OSError, and as `write` does."""
        found = await asyncio.to_thread(versions.version, self.path, id_)
        return await self.write(found.text.encode(), as_text=True, expected=expected)

    async def check(
        self, body: bytes, *, as_text: bool, expected: str | None
    ) -> Loaded:
        """Validate without writing. Raises as `write` does, NotWritable included."""
        async with self._lock:
            loaded, _ = await asyncio.to_thread(self._checked, body, as_text)
            try:
                await asyncio.to_thread(files.check_unchanged, self.path, expected)
            except OSError as e:
                raise NotWritable(f"{self.path} cannot be read: {e.strerror}") from e
        return loaded

    async def write(
        self, body: bytes, *, as_text: bool, expected: str | None
    ) -> Loaded:
        """Validate, keep what was masked, write atomically, activate.

        `expected`: the revision that the file has to have; None: any. Raises ConfigError,
        NotWritable, UnicodeDecodeError, files.Conflict.
        """
        async with self._lock:
            loaded, built = await asyncio.to_thread(self._checked, body, as_text)
            try:
                await asyncio.to_thread(
                    files.write_config,
                    self.path,
                    loaded.text,
                    now=self.loader.clock(),
                    expected=expected,
                )
            except OSError as e:
                raise NotWritable(f"{self.path} cannot be written: {e.strerror}") from e
            self.loader.seen = self.loader.digest_as_read(loaded.text)
            await self._activate(loaded, built)
        return loaded

    def _checked(self, body: bytes, as_text: bool) -> tuple[Loaded, Catalog]:
        said = body.decode()
        new = said if as_text else _json_object(said, str(self.path))
        try:
            return self.loader.check(new)
        except OSError as e:
            raise NotWritable(f"{self.path} cannot be read: {e.strerror}") from e


class NotWritable(Exception):
    """The file cannot be read or written. The text says which, and why."""


def _json_object(said: str, name: str) -> dict[str, Any]:
    try:
        found = json.loads(said, object_pairs_hook=_once, parse_constant=_no_constant)
    except (ValueError, RecursionError) as e:
        line = getattr(e, "lineno", 0)
        column = getattr(e, "colno", 0)
        problem = Problem("", line, column, f"is not JSON: {e}", name)
        raise ConfigError(problem, syntax=True) from e
    if not isinstance(found, dict):
        raise ConfigError(Problem("", 1, 1, "is not a JSON object", name), syntax=True)
    return found


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """An object whose keys all differ: which of two was meant, nobody knows."""
    found = dict(pairs)
    if len(found) < len(pairs):
        keys = [key for key, _ in pairs]
        twice = next(key for key in keys if keys.count(key) > 1)
        raise ValueError(f"{twice[:40]!r} stands twice in one object")
    return found


def _no_constant(name: str) -> float:
    raise ValueError(f"{name} is no number of JSON")


def _digest(content: bytes, beside: str) -> str:
    return hashlib.sha256(content + b"\0" + beside.encode()).hexdigest()


def _same(new: Catalog, old: Catalog) -> bool:
    """Not only the text: environment and logins count too."""
    return (
        new.offers == old.offers
        and new.upstreams == old.upstreams
        and new.ways == old.ways
    )


def _later(new: Catalog, old: Catalog) -> list[str]:
    """What a running gateway cannot take up."""
    changed = []
    if new.config.storage != old.config.storage:
        changed.append("storage")
    if new.config.dashboard != old.config.dashboard:
        changed.append("dashboard")
    return [f"{name}: the change takes effect at the next start." for name in changed]
