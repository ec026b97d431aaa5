"""Who is measured. To add a peer, add one entry to CONTENDERS.

An entry says how to start it on a port with the upstream as its only provider, which
headers its clients send, and what is missing on this machine, if anything is.
"""

import json
import os
import shutil
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from benchmarks.measure import BUILD, ROOT

PEERS = BUILD / "peers"
BIN = Path(sys.executable).parent

PATH = os.pathsep.join(
    filter(None, (str(ROOT / "addon"), os.environ.get("PYTHONPATH")))
)
"""The gateway from this checkout, whatever is installed; then the caller's own."""

SDK_HEADERS = (
    ("Accept-Encoding", "gzip, deflate"),
    ("Connection", "keep-alive"),
    ("Accept", "application/json"),
    ("Content-Type", "application/json"),
    ("User-Agent", "OpenAI/Python 2.8.1"),
    ("X-Stainless-Lang", "python"),
    ("X-Stainless-Package-Version", "2.8.1"),
    ("X-Stainless-OS", "Linux"),
    ("X-Stainless-Arch", "x64"),
    ("X-Stainless-Runtime", "CPython"),
    ("X-Stainless-Runtime-Version", "3.13.0"),
    ("Authorization", "Bearer sk-bench"),
    ("X-Stainless-Async", "false"),
    ("x-stainless-retry-count", "0"),
    ("x-stainless-read-timeout", "600"),
)
"""What OpenAI's Python library sends."""


@dataclass(frozen=True)
class Site:
    """Where a contender is started."""

    port: int
    upstream: int
    folder: Path

    @property
    def base(self) -> str:
        return f"http://127.0.0.1:{self.upstream}/v1"

    def write(self, name: str, text: str) -> str:
        path = self.folder / name
        path.write_text(text)
        return str(path)


Start = Callable[[Site], tuple[list[str], dict[str, str]]]
"""Where it runs -> command line and what to add to the environment."""


@dataclass(frozen=True)
class Contender:
    name: str
    start: Start
    needs: tuple[Path | str, ...] = ()
    """Files and programs; what is missing leaves the contender out."""
    headers: Callable[[Site], tuple[tuple[str, str], ...]] = lambda site: ()
    prefix: str = ""
    """What its clients put before the name of a model."""
    fails_over: bool = False
    translates: bool = False
    """Clients that speak Messages or Responses are answered out of chat."""
    peer: bool = False

    def missing(self) -> str | None:
        for need in self.needs:
            if not (need.exists() if isinstance(need, Path) else shutil.which(need)):
                return str(need)
        return None


def _mitmdump(script: Path, **more: str) -> Start:
    def start(site: Site) -> tuple[list[str], dict[str, str]]:
        argv = [str(BIN / "mitmdump"), "-q", "-s", str(script)]
        argv += ["--listen-host", "127.0.0.1", "-p", str(site.port)]
        env = {"BENCH_UPSTREAM": str(site.upstream), "PYTHONPATH": PATH}
        return argv, env | more

    return start


MODELS = (
    "bench-plain",
    "bench-after-100000",
    "bench-stream-50-20000",
    "bench-stream-600-1000",
    *(f"bench-down-{kib * 1024}" for kib in (16, 256, 4096)),
)


def gateway_config(site: Site) -> dict[str, object]:
    """Everything on: limits on provider and model, prices, a budget, the ledger."""
    limits = {"requestsPerMinute": 10**9, "tokensPerDay": 10**12, "costPerDay": 10**6}
    pricing = {"inputCostPerMillionTokens": 0.3, "outputCostPerMillionTokens": 2.5}

    def provider(name: str, models: list[dict[str, object]]) -> dict[str, object]:
        about = {"id": name, "type": "openai-compatible", "baseURL": site.base}
        about["dialects"] = ["chat"]
        return about | {"apiKey": f"sk-{name}", "limits": limits, "models": models}

    def model(name: str, **more: object) -> dict[str, object]:
        limit = {"requestsPerMinute": 10**9, "tokensPerMinute": 10**12}
        return {"name": name, "pricing": pricing, "limits": limit, **more}

    cheap = {"inputCostPerMillionTokens": 0.1, "outputCostPerMillionTokens": 0.1}
    small, large = {"contextWindow": 8192}, {"contextWindow": 131072}
    failing = model("bench-400", mappedName="bench-failover", **small)
    answering = model("bench-plain", mappedName="bench-failover", **large)
    return {
        "logLevel": "info",
        "providers": [
            provider("upstream", [model(name) for name in MODELS]),
            provider("second", [model(name) for name in MODELS]),
            provider("failing", [failing | {"pricing": cheap}]),
            provider("answering", [answering]),
        ],
        "budget": {"costPerDay": 10**6},
        "dashboard": {"port": 0},
    }


def _gateway(*command: str) -> Start:
    def start(site: Site) -> tuple[list[str], dict[str, str]]:
        config = site.write("config.jsonc", json.dumps(gateway_config(site), indent=2))
        argv = [*command, "--listen-host", "127.0.0.1", "-p", str(site.port)]
        env = {
            "LLM_GATEWAY_CONFIG": config,
            "LLM_GATEWAY_DB": str(site.folder / "usage.db"),
            "LLM_GATEWAY_HOME": str(site.folder),
            "PYTHONPATH": PATH,
        }
        return argv, env

    return start


def _litellm(site: Site) -> tuple[list[str], dict[str, str]]:
    def entry(name: str, sent: str) -> str:
        return (
            f"  - model_name: {name}\n    litellm_params:\n"
            f"      model: openai/{sent}\n      api_base: {site.base}\n"
            "      api_key: sk-upstream\n"
        )

    text = "model_list:\n" + "".join(entry(name, name) for name in MODELS)
    text += entry("bench-failover", "bench-400") + entry("bench-second", "bench-plain")
    text += (
        "router_settings:\n  num_retries: 0\n  disable_cooldowns: true\n"
        '  context_window_fallbacks: [{"bench-failover": ["bench-second"]}]\n'
        "general_settings:\n  master_key: sk-bench\n"
    )
    argv = [str(PEERS / "litellm/bin/litellm"), "--config", site.write("l.yaml", text)]
    argv += ["--host", "127.0.0.1", "--port", str(site.port), "--num_workers", "1"]
    env = {"LITELLM_LOCAL_MODEL_COST_MAP": "True", "LITELLM_LOG": "ERROR"}
    return argv, env


PORTKEY = PEERS / "node_modules/@portkey-ai/gateway/build/start-server.js"


def _portkey(site: Site) -> tuple[list[str], dict[str, str]]:
    return ["node", str(PORTKEY), f"--port={site.port}", "--headless"], {}


def _portkey_headers(site: Site) -> tuple[tuple[str, str], ...]:
    return (("x-portkey-provider", "openai"), ("x-portkey-custom-host", site.base))


def _freellmpool(site: Site) -> tuple[list[str], dict[str, str]]:
    models = "".join(f'  {{ name = "{name}", rpd = 0 }},\n' for name in MODELS)
    text = (
        '[[provider]]\nid = "bench"\nlabel = "Bench"\nadapter = "openai"\n'
        f'base_url = "{site.base}"\nkey_env = "BENCH_KEY"\nmodels = [\n{models}]\n'
    )
    argv = [str(PEERS / "freellmpool/bin/freellmpool"), "proxy"]
    argv += ["--host", "127.0.0.1", "--port", str(site.port)]
    env = {
        "FREELLMPOOL_CONFIG": site.write("providers.toml", text),
        "FREELLMPOOL_ALLOW_LOCAL_PROVIDERS": "1",
        "BENCH_KEY": "sk-upstream",
        "HOME": str(site.folder),
    }
    return argv, env


BARE = "bare mitmdump"

CONTENDERS = (
    Contender(BARE, _mitmdump(ROOT / "benchmarks/bare.py")),
    Contender("bare, lean", _mitmdump(ROOT / "benchmarks/bare_lean.py")),
    Contender(
        "bare, lean, warm", _mitmdump(ROOT / "benchmarks/bare_lean.py", BENCH_WARM="1")
    ),
    Contender(
        "gateway, mitmdump -s",
        _gateway(str(BIN / "mitmdump"), "-s", str(ROOT / "addon/gateway.py")),
        fails_over=True,
        translates=True,
    ),
    Contender(
        "gateway, no ledger",
        _gateway(str(BIN / "mitmdump"), "-s", str(ROOT / "benchmarks/storeless.py")),
        fails_over=True,
        translates=True,
    ),
    Contender(
        "gateway, serve",
        _gateway(sys.executable, "-m", "llm_gateway", "serve"),
        fails_over=True,
        translates=True,
    ),
    Contender(
        "litellm",
        _litellm,
        needs=(PEERS / "litellm/bin/litellm",),
        fails_over=True,
        translates=True,
        peer=True,
    ),
    Contender(
        "portkey",
        _portkey,
        needs=("node", PORTKEY),
        headers=_portkey_headers,
        peer=True,
    ),
    Contender(
        "freellmpool",
        _freellmpool,
        needs=(PEERS / "freellmpool/bin/freellmpool",),
        prefix="bench/",  # it streams only from a provider that is named, or known to it
        peer=True,
    ),
)

INSTALL = (
    ("litellm", [sys.executable, "-m", "venv", str(PEERS / "litellm")]),
    ("litellm", [str(PEERS / "litellm/bin/pip"), "install", "-q", "litellm[proxy]"]),
    ("freellmpool", [sys.executable, "-m", "venv", str(PEERS / "freellmpool")]),
    (
        "freellmpool",
        [str(PEERS / "freellmpool/bin/pip"), "install", "-q", "freellmpool"],
    ),
    ("portkey", ["npm", "install", "--prefix", str(PEERS), "--no-fund", "--no-audit"]),
)
"""What `--install-peers` runs."""

PACKAGE_JSON = {
    "private": True,
    "dependencies": {"@portkey-ai/gateway": "1.15.2"},
    # With newer ones every stream of this version ends in a 500.
    "overrides": {"@hono/node-server": "1.13.5", "hono": "4.9.7"},
}
