"""The desk where the configuration lies: read, checked, written, reloaded.

What lives here: `ConfigService`. A text becomes a catalog whole or not at all; only then is it
swapped in. The file is watched, also where an editor replaces it. Everything that
touches the disk runs in a thread.

What this file does not know: HTTP guards, who edits.
"""

import asyncio
import hashlib
import json
import logging
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from llm_gateway.config import edit, files
from llm_gateway.config.docs import schema
from llm_gateway.config.load import (
    Loaded,
    load_config,
    locate,
    parse_config,
    revision_of,
)
from llm_gateway.config.problems import ConfigError, Problem
from llm_gateway.providers import catalog, token_store
from llm_gateway.providers.catalog import Catalog, CatalogError
from llm_gateway.providers.registry import TYPES
from llm_gateway.transport.local_response import LocalResponse

if TYPE_CHECKING:
    from llm_gateway.app.state import AppState

logger = logging.getLogger("llm_gateway")

LOOK_EVERY = 0.25
"""Seconds between two looks at the file."""

LARGEST = 512 * 1024
"""Bytes of a posted configuration: reading more would take json5 many seconds."""

BASE_URLS = {name: row.base_url for name, row in TYPES.items() if row.base_url}


class ConfigService:
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
        self.runtime: AppState | None = None
        self._lock = asyncio.Lock()
        self._seen = ""
        """What was in the file when it was last loaded, or refused."""

    # -- from text to catalog --------------------------------------------------

    def load(self) -> tuple[Loaded, Catalog]:
        """What the file says, whole. Blocks. Raises ConfigError."""
        self._seen = self._content() or ""
        loaded = load_config(self.path, self.env)
        return loaded, self._catalog(loaded)

    def _catalog(self, loaded: Loaded) -> Catalog:
        try:
            return catalog.build(
                loaded.config,
                loaded.revision,
                now=self.clock(),
                signed_in=token_store.stored(self.home),
                simulator_port=self.simulator_port,
            )
        except CatalogError as e:
            raise locate(loaded.text, e.complaints, str(self.path)) from e

    # -- reload ----------------------------------------------------------------

    async def watch(self) -> None:
        """Reload whenever the file says something else. Runs until it is cancelled."""
        last = self._seen
        while True:
            await asyncio.sleep(LOOK_EVERY)
            found = await asyncio.to_thread(self._content)
            if found is None or found == self._seen:
                continue
            try:
                async with self._lock:
                    await self._reload(half_written=found != last)
            except Exception:
                logger.exception("The changed configuration could not be activated.")
            last = found

    async def reload(self) -> LocalResponse:
        async with self._lock:
            error = await self._reload()
        runtime = self._runtime()
        if error is not None:
            return _problems(error)
        return _json({"message": "reloaded", "revision": runtime.catalog.revision})

    async def _reload(self, *, half_written: bool = False) -> ConfigError | None:
        """`half_written`: the file may be; if it is no good, it gets a second look."""
        runtime = self._runtime()
        try:
            loaded, built = await asyncio.to_thread(self.load)
        except ConfigError as e:
            if half_written:
                self._seen = ""
            elif runtime.loading.error != str(e):
                runtime.loading.error = str(e)
                runtime.event(
                    "config", "refused", f"the old configuration serves on: {e}"
                )
            return e
        if loaded.revision == runtime.catalog.revision and _same(
            built, runtime.catalog
        ):
            runtime.loading.error = None
            runtime.state_dirty = True
            return None
        await self._activate(loaded, built)
        return None

    async def _activate(self, loaded: Loaded, built: Catalog) -> None:
        runtime = self._runtime()
        for warning in (*loaded.warnings, *_later(built, runtime.catalog)):
            logger.warning("%s", warning)
        await runtime.activate(built)
        runtime.event("config", "loaded", f"revision {built.revision} is active")

    # -- reading and writing ---------------------------------------------------

    async def read(self, *, as_text: bool) -> LocalResponse:
        """The configuration with its secrets masked."""
        try:
            text = await asyncio.to_thread(self.path.read_text, "utf-8")
            masked = await asyncio.to_thread(edit.mask, text, str(self.path))
        except ConfigError as e:
            return _problems(e)
        except (OSError, UnicodeDecodeError) as e:
            return _json({"error": {"message": f"{self.path}: {e}"}}, 500)
        headers = (
            ("x-config-hash", revision_of(text)),
            ("etag", f'"{revision_of(text)}"'),
        )
        if as_text:
            return LocalResponse(
                200, masked.text.encode(), "application/jsonc", headers
            )
        return _json(masked.data, headers=headers)

    async def write(
        self, body: bytes, *, as_text: bool, dry_run: bool, if_match: str
    ) -> LocalResponse:
        """Validate, keep what was masked, write atomically, activate."""
        if len(body) > LARGEST:
            message = f"A configuration has at most {LARGEST} bytes."
            return _json({"error": {"message": message}}, 413)
        async with self._lock:
            try:
                loaded, built = await asyncio.to_thread(self._checked, body, as_text)
                if dry_run:
                    await asyncio.to_thread(
                        files.check_unchanged, self.path, if_match or None
                    )
                    return _json({"message": "valid", "revision": loaded.revision})
            except ConfigError as e:
                return _problems(e)
            except files.Conflict as e:
                return _json({"error": {"message": str(e)}}, e.status)
            except UnicodeDecodeError as e:
                message = f"The body is not UTF-8 (byte {e.start}); send it as UTF-8."
                return _json({"error": {"message": message}}, 400)
            except OSError as e:
                message = f"{self.path} cannot be read: {e.strerror}"
                return _json({"error": {"message": message}}, 500)
            try:
                await asyncio.to_thread(
                    files.write_config,
                    self.path,
                    loaded.text,
                    now=self.clock(),
                    expected=if_match or None,
                )
            except files.Conflict as e:
                return _json({"error": {"message": str(e)}}, e.status)
            except OSError as e:
                message = f"{self.path} cannot be written: {e.strerror}"
                return _json({"error": {"message": message}}, 500)
            self._seen = _digest(loaded.text.encode())
            await self._activate(loaded, built)
        headers = (("x-config-hash", loaded.revision),)
        return _json(
            {"message": "active", "revision": loaded.revision}, headers=headers
        )

    def _checked(self, body: bytes, as_text: bool) -> tuple[Loaded, Catalog]:
        name = str(self.path)
        said = body.decode()
        new: str | dict[str, Any] = said
        if not as_text:
            try:
                found = json.loads(
                    said, object_pairs_hook=_once, parse_constant=_no_constant
                )
            except (ValueError, RecursionError) as e:
                line = getattr(e, "lineno", 0)
                column = getattr(e, "colno", 0)
                problem = Problem("", line, column, f"is not JSON: {e}", name)
                raise ConfigError(problem, syntax=True) from e
            if not isinstance(found, dict):
                raise ConfigError(
                    Problem("", 1, 1, "is not a JSON object", name), syntax=True
                )
            new = found
        old = self.path.read_text("utf-8") if self.path.exists() else "{}"
        text = edit.restore(new, old, base_urls=BASE_URLS, name=name)
        loaded = parse_config(text, self.env, name)
        return loaded, self._catalog(loaded)

    def schema(self) -> LocalResponse:
        return _json(schema())

    def _content(self) -> str | None:
        """A digest of what the file says: times and sizes can stay when it changes.
        None while it cannot be read, as when an editor is about to replace it."""
        try:
            return _digest(self.path.read_bytes())
        except OSError:
            return None

    def _runtime(self) -> "AppState":
        assert self.runtime is not None
        return self.runtime


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


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def _same(new: Catalog, old: Catalog) -> bool:
    """Not only the text: environment and logins count too."""
    return new.offers == old.offers and new.upstreams == old.upstreams


def _later(new: Catalog, old: Catalog) -> list[str]:
    """What a running gateway cannot take up."""
    changed = []
    if new.config.storage != old.config.storage:
        changed.append("storage")
    if new.config.dashboard != old.config.dashboard:
        changed.append("dashboard")
    return [f"{name}: the change takes effect at the next start." for name in changed]


def _problems(error: ConfigError) -> LocalResponse:
    return _json(error.as_json(), 400 if error.syntax else 422)


def _json(
    value: object, status: int = 200, headers: tuple[tuple[str, str], ...] = ()
) -> LocalResponse:
    text = json.dumps(value, ensure_ascii=False)
    return LocalResponse(status, text.encode(errors="replace"), headers=headers)
