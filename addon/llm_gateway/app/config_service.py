"""Configuration life cycle: load, validate, write and reload config.jsonc.

A text becomes a catalog whole or not at all; only then is it swapped in. The file is
watched, also where an editor replaces it. Everything that touches the disk runs in a
thread. What this file does not know: HTTP, who edits (admin/config_routes.py).
"""

import asyncio
import logging

from llm_gateway.app.catalog_loader import CatalogLoader
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
    revision_of,
)
from llm_gateway.config.problems import ConfigError
from llm_gateway.config.versions import Version
from llm_gateway.providers import tier_notes
from llm_gateway.providers.catalog import Catalog

logger = logging.getLogger("llm_gateway")

CONFIG_POLL_SECONDS = 0.25
"""Seconds between two looks at the file."""


class ConfigService:
    """Watches, reloads and writes the configuration of a running gateway."""

    def __init__(self, loader: CatalogLoader, state: AppState) -> None:
        self.loader = loader
        self.path = loader.path
        self.state = state
        self._lock = asyncio.Lock()
        self._told = set(tier_notes.notes(state.catalog))
        self._shown: tuple[str, edit.Masked] | None = None
        """The text that was read last, and what may be shown of it: a page asks for it as
        text and as values, and again after each save."""

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
        if self._shown is None or self._shown[0] != text:
            masked = await asyncio.to_thread(edit.mask, text, str(self.path))
            self._shown = (text, masked)
        return self._shown

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
            self.loader.forget_checked()
            await self._activate(loaded, built)
        return loaded

    def _checked(self, body: bytes, as_text: bool) -> tuple[Loaded, Catalog]:
        try:
            return self.loader.check(body, as_text=as_text)
        except OSError as e:
            raise NotWritable(f"{self.path} cannot be read: {e.strerror}") from e


class NotWritable(Exception):
    """The file cannot be read or written. The text says which, and why."""


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
