"""From config.jsonc to a catalog: read, validated, with the models that providers list.

Everything here may block: it runs in a thread. What this file does not know: what is in
force, who edits.
"""

import hashlib
import importlib.util
import logging
import ssl
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path

from llm_gateway.config import edit
from llm_gateway.config.load import (
    Loaded,
    load_config,
    locate,
    parse_config,
)
from llm_gateway.config.models import Cluster
from llm_gateway.config.no_proxy import no_proxy
from llm_gateway.config.problems import UnlocatedProblem
from llm_gateway.config.strict_json import json_object
from llm_gateway.ledger.model_lists import Retired
from llm_gateway.network.own_addresses import is_this_machine
from llm_gateway.network.proxy_rules import ProxyRules, configured, without_ours
from llm_gateway.network.trust import write_roots
from llm_gateway.providers import catalog, kept_catalog, token_store
from llm_gateway.providers.catalog import Catalog, CatalogError
from llm_gateway.providers.listed_models import Lists
from llm_gateway.providers.registry import TYPES, packaged
from llm_gateway.providers.upstream import own_proxies

logger = logging.getLogger("llm_gateway")

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
        self._checked: tuple[bytes, bool, str, Loaded] | None = None
        """What was checked last, against which text of the file: a page has the same body
        checked and then saved, and of hundreds of models reading it is most of the work."""
        self._kept = ""
        """Version of the kept catalogue, and the day, that were last read."""

    def load(self) -> tuple[Loaded, Catalog]:
        """What the file says, whole. Raises ConfigError."""
        self.seen = self.digest()
        loaded = load_config(self.path, self.env)
        return loaded, self._catalog(loaded)

    def check(self, body: bytes, *, as_text: bool) -> tuple[Loaded, Catalog]:
        """A new text, or a value as JSON, with what was masked in it restored from the
        file. Raises ConfigError, OSError, UnicodeDecodeError."""
        name = str(self.path)
        old = self.path.read_text("utf-8") if self.path.exists() else "{}"
        known = self._checked
        if known is None or known[:3] != (body, as_text, old):
            self._checked = None
            said = body.decode()
            new = said if as_text else json_object(said, name)
            text = edit.restore(new, old, base_urls=BASE_URLS, name=name)
            known = (body, as_text, old, parse_config(text, self.env, name))
            self._checked = known
        return known[3], self._catalog(known[3])

    def forget_checked(self) -> None:
        """It was written: what it holds is in the file now."""
        self._checked = None

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


def _digest(content: bytes, beside: str) -> str:
    return hashlib.sha256(content + b"\0" + beside.encode()).hexdigest()
