"""A ledger of the test's own, and a Datasette with the plugin that reads it."""

import gc
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from jinja2.bccache import Bucket, BytecodeCache

with warnings.catch_warnings():
    warnings.simplefilter("ignore", ResourceWarning)
    from datasette.app import Datasette
    from datasette.plugins import pm

    gc.collect()

from llm_gateway import dashboard
from llm_gateway.dashboard import compat
from llm_gateway.dashboard.plugin_state import board_of

from .fake_gateway import FakeGateway
from .ledgers import Ledger
from .staging import chromium, house, stage

__all__ = ["chromium", "house", "stage"]

NOW = 1_772_366_430.0
"""2026-03-01T12:00:30Z, a Sunday."""

if not pm.is_registered(dashboard):
    pm.register(dashboard, name="llm_gateway")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Datasette 0.65 opens connections that it does not close, here and there."""
    for item in items:
        if item.path.parent == Path(__file__).parent:
            item.add_marker(
                pytest.mark.filterwarnings("ignore:unclosed database:ResourceWarning")
            )


@pytest.fixture(autouse=True, scope="module")
def _only_its_own_garbage() -> None:
    """`close` collects garbage after each Datasette: not among what was there before."""
    gc.collect()
    gc.freeze()


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    made = Ledger(tmp_path / "usage.db")
    yield made
    made.close()


@pytest.fixture(autouse=True)
def own_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """No test reads the token or the database of whoever runs it."""
    monkeypatch.setenv("LLM_GATEWAY_HOME", str(tmp_path / "home"))
    monkeypatch.delenv("LLM_GATEWAY_URL", raising=False)
    monkeypatch.delenv("LLM_GATEWAY_DASHBOARD_HOSTS", raising=False)
    monkeypatch.setenv("LLM_GATEWAY_DB", str(tmp_path / "elsewhere.db"))
    (tmp_path / "home").mkdir(mode=0o700)
    return tmp_path / "home"


@pytest.fixture
def gateway(own_home: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeGateway]:
    """A gateway that the plugin finds, with its token in place."""
    with FakeGateway() as fake:
        monkeypatch.setenv("LLM_GATEWAY_URL", fake.url)
        token = own_home / "admin-token"
        token.write_text(fake.token + "\n")
        token.chmod(0o600)
        yield fake


class CompiledTemplates(BytecodeCache):
    """Of all Datasettes of a run: else each compiles its pages again."""

    def __init__(self) -> None:
        self.known: dict[str, bytes] = {}

    def load_bytecode(self, bucket: Bucket) -> None:
        if bucket.key in self.known:
            bucket.bytecode_from_string(self.known[bucket.key])

    def dump_bytecode(self, bucket: Bucket) -> None:
        self.known[bucket.key] = bucket.bytecode_to_string()


COMPILED = CompiledTemplates()

Serve = Callable[..., "Client"]


@pytest.fixture
def serve() -> Iterator[Serve]:
    """`serve(path, ...)`: an in-process client of a Datasette with these files."""
    made: list[Datasette] = []

    def start(*paths: Path, plugin: dict[str, Any] | None = None) -> Client:
        plugins = {"plugins": {"llm-gateway": plugin or {}}}
        key = "config" if compat.V1 else "metadata"
        ds = Datasette([str(path) for path in paths], memory=True, **{key: plugins})
        ds.root_enabled = True
        environment: Any = getattr(ds, "_jinja_env", None) or ds.jinja_env
        environment.bytecode_cache = COMPILED
        made.append(ds)
        return Client(ds)

    yield start
    for ds in made:
        close(ds)


def close(ds: Any) -> None:
    board_of(ds).close()
    if hasattr(ds, "close"):
        ds.close()
        return
    with warnings.catch_warnings():
        # 0.65 leaves its connections to its threads: they are collected here, and not
        # in somebody's test.
        warnings.simplefilter("ignore", ResourceWarning)
        for db in ds.databases.values():
            db.close()
        ds.executor.shutdown()
        ds.databases.clear()
        gc.collect()


class Client:
    """`ds.client`, as root or as nobody."""

    def __init__(self, ds: Any) -> None:
        self.ds = ds

    async def get(self, path: str, *, root: bool = False, **headers: str) -> Any:
        return await self.ds.client.get(path, headers=self._headers(root, headers))

    async def post(
        self, path: str, body: Any = None, *, root: bool = True, **headers: str
    ) -> Any:
        return await self.ds.client.post(
            path,
            json={} if body is None else body,
            headers=self._headers(root, headers),
        )

    def _headers(self, root: bool, given: dict[str, str]) -> dict[str, str]:
        headers = {name.replace("_", "-"): value for name, value in given.items()}
        if root:
            cookie = self.ds.sign({"a": {"id": "root"}}, "actor")
            headers["cookie"] = f"ds_actor={cookie}"
        return headers


@pytest.fixture(autouse=True)
def without_rich(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where rich happens to be installed, Datasette 0.65 makes a 500 of every 404."""
    monkeypatch.setattr("datasette.handle_exception.rich", None, raising=False)
