"""`llm-gateway explain MODEL`: who would answer now, and why not the others.

The running gateway is asked. Where none runs, the config and the ledger on disk are
weighed in its place; cooldowns, which live in memory, are then unknown.
"""

import argparse
import json
import os
import sys
import time
from pathlib import Path
from typing import Any
from urllib.parse import quote

from llm_gateway.cli.ask import Unreachable, ask, message_of, port_from_environment
from llm_gateway.cli.configure import default_config, read
from llm_gateway.config.problems import ConfigError


def explain(argv: list[str]) -> int:
    parser = argparse.ArgumentParser(
        prog="llm-gateway explain",
        description="Who would answer for a model now, and why. Exit code 1 for an unknown model.",
    )
    parser.add_argument("model")
    parser.add_argument("--port", type=int, default=port_from_environment())
    parser.add_argument("--config", type=Path, default=default_config())
    parser.add_argument("--json", action="store_true", help="as GET /route answers")
    options = parser.parse_args(argv)
    try:
        status, found = ask(
            options.port, f"/route?model={quote(options.model, safe='')}"
        )
    except Unreachable:
        try:
            status, found = _offline(options.model, options.config)
        except ConfigError as e:
            print(e, file=sys.stderr)
            return 1
    if status != 200:
        print(message_of(found), file=sys.stderr)
        return 1
    print(json.dumps(found, indent=2) if options.json else table(found))
    return 0


def _offline(model: str, path: Path) -> tuple[int, Any]:
    from llm_gateway.edge import current
    from llm_gateway.edge.runtime import LONGEST_WINDOW, Standpoint
    from llm_gateway.ledger.store import Store

    print(
        "No gateway is running: weighed from the config and the ledger.",
        file=sys.stderr,
    )
    now = time.time()
    standpoint = Standpoint(read(path))
    store = Store(Path(os.environ.get("LLM_GATEWAY_DB") or "usage.db"))
    if store.path.exists():
        spent = store.spent(now - LONGEST_WINDOW)
        standpoint.limiter.replay(spent, tuple(standpoint.catalog.limits()), now)
    decision = current.decision(standpoint, model, now)
    if decision is None:
        return 404, {"error": {"message": f"The model {model!r} does not exist here."}}
    return 200, current.explained(decision)


def table(found: dict[str, Any]) -> str:
    """The decision as a person reads it, in the order of the tries."""
    lines = [f"{found['model']} (policy {found['policy']})", ""]
    for n, candidate in enumerate(found["candidates"], 1):
        account = f"#{candidate['account']}" if candidate["account"] else ""
        name = f"{candidate['provider']}{account}/{candidate['model']}"
        mark = {"taken": "->", "ready": f"{n}.", "skipped": "x"}[candidate["verdict"]]
        cost = candidate["expected_cost"]
        price = (
            "free"
            if candidate["free"]
            else "price unknown"
            if cost is None
            else f"~${cost:.6f}"
        )
        lines.append(f"{mark:>3} {name:<44} {price:<14} {candidate['reason']}")
        if candidate["returns_at"]:
            lines.append(f"{'':>4}back at {candidate['returns_at']}")
        presets = [
            f"{x['key']} {x['amount']} (as of {x['as_of']})"
            for x in candidate["limits"]
            if x.get("as_of")
        ]
        if presets:
            lines.append(f"{'':>4}preset: {', '.join(presets)}")
    if found["chosen"] is None:
        lines.append("Nobody can answer for it now.")
    return "\n".join(lines)
