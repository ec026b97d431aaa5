"""Management API of the configuration: GET and POST /config, schema, reload, versions.

From requests to `ConfigService` and back: masked values, revisions as ETags, and errors
with their place. What this file does not know: files, how a configuration is checked.
"""

import json
from collections.abc import Awaitable

from llm_gateway.admin.json_responses import AdminRequest
from llm_gateway.app.config_service import ConfigService, NotWritable
from llm_gateway.config import files, versions
from llm_gateway.config.docs import schema
from llm_gateway.config.load import Loaded, revision_of
from llm_gateway.config.problems import ConfigError
from llm_gateway.timestamps import iso
from llm_gateway.transport.local_response import LocalResponse

MAX_CONFIG_BYTES = 512 * 1024
"""Of a posted configuration: reading more would take json5 many seconds."""


class ConfigRoutes:
    def __init__(self, service: ConfigService) -> None:
        self.service = service

    async def reload(self) -> LocalResponse:
        try:
            revision = await self.service.reload()
        except ConfigError as e:
            return _problems(e)
        return _json({"message": "reloaded", "revision": revision})

    async def read(self, asked: AdminRequest) -> LocalResponse:
        """The configuration with its secrets masked; as the file is with `?format=text`."""
        try:
            text, masked = await self.service.read()
        except ConfigError as e:
            return _problems(e)
        except (OSError, UnicodeDecodeError) as e:
            return _failure(500, f"{self.service.path}: {e}")
        headers = (
            ("x-config-hash", revision_of(text)),
            ("etag", f'"{revision_of(text)}"'),
        )
        if asked.query.get("format") == "text":
            return LocalResponse(
                200, masked.text.encode(), "application/jsonc", headers
            )
        return _json(masked.data, headers=headers)

    async def write(self, asked: AdminRequest) -> LocalResponse:
        """Validate, and without `?dry_run=1` write and activate."""
        body = asked.body
        as_text = "jsonc" in asked.headers.get("content-type", "")
        dry_run = asked.query.get("dry_run") in ("1", "true")
        if len(body) > MAX_CONFIG_BYTES:
            return _failure(
                413, f"A configuration has at most {MAX_CONFIG_BYTES} bytes."
            )
        work = self.service.check if dry_run else self.service.write
        return await _written(
            work(body, as_text=as_text, expected=asked.match() or None), dry_run=dry_run
        )

    async def versions(self, asked: AdminRequest) -> LocalResponse:
        """What the file said before the gateway's last writes, the newest first; what
        restoring one would change with `?id=`."""
        if (id_ := asked.query.get("id")) is not None:
            return await self._difference(id_)
        found = await self.service.versions()
        shown = [
            {
                "id": one.id,
                "replaced_at": iso(one.replaced_at),
                "revision": one.revision,
                "bytes": len(one.text.encode()),
            }
            for one in found
        ]
        return _json({"versions": shown})

    async def _difference(self, id_: str) -> LocalResponse:
        """What restoring a version would change in the file as it is (`against`, the
        `If-Match` of who restores it): lines of a unified diff, masked."""
        try:
            found, against, lines = await self.service.difference(id_)
        except ConfigError as e:
            return _problems(e)
        except versions.NoVersion:
            return _no_version(id_)
        except (OSError, UnicodeDecodeError) as e:
            return _failure(500, f"{self.service.path}: {e}")
        shown = {
            "id": found.id,
            "revision": found.revision,
            "against": against,
            "difference": lines,
        }
        return _json(shown)

    async def restore(self, asked: AdminRequest) -> LocalResponse:
        """Write a version as it was, its keys included, and activate it."""
        id_ = asked.json().get("id")
        if not isinstance(id_, str):
            return _failure(400, "id: write one of GET /config/versions")
        try:
            return await _written(
                self.service.restore(id_, expected=asked.match() or None), dry_run=False
            )
        except versions.NoVersion:
            return _no_version(id_)
        except OSError as e:
            return _failure(500, f"{self.service.path}: {e}")

    def schema(self, asked: AdminRequest) -> LocalResponse:
        return _json(schema())


async def _written(work: Awaitable[Loaded], *, dry_run: bool) -> LocalResponse:
    """What became of writing, or of checking, a configuration."""
    try:
        loaded = await work
    except ConfigError as e:
        return _problems(e)
    except files.Conflict as e:
        return _failure(e.status, str(e))
    except UnicodeDecodeError as e:
        return _failure(
            400, f"The body is not UTF-8 (byte {e.start}); send it as UTF-8."
        )
    except NotWritable as e:
        return _failure(500, str(e))
    said: dict[str, object] = {"message": "valid", "revision": loaded.revision}
    if loaded.warnings:
        said["warnings"] = [one.as_json() for one in loaded.warnings]
    if dry_run:
        return _json(said)
    headers = (("x-config-hash", loaded.revision),)
    return _json(said | {"message": "active"}, headers=headers)


def _no_version(id_: str) -> LocalResponse:
    return _failure(404, f"There is no version {id_[:40]!r}; see GET /config/versions.")


def _problems(error: ConfigError) -> LocalResponse:
    return _json(error.as_json(), 400 if error.syntax else 422)


def _failure(status: int, message: str) -> LocalResponse:
    return _json({"error": {"message": message}}, status)


def _json(
    value: object, status: int = 200, headers: tuple[tuple[str, str], ...] = ()
) -> LocalResponse:
    text = json.dumps(value, ensure_ascii=False)
    return LocalResponse(status, text.encode(errors="replace"), headers=headers)
