"""`llm-gateway cluster`: who shares the limits, fold anew, settle for one that never returns.

The running gateway is asked; what lives here is the table.
"""

import argparse
import json
import sys
from collections.abc import Sequence
from typing import Any

from llm_gateway.cli.ask import Unreachable, ask, message_of, own_token
from llm_gateway.cli.ask import port_from_environment as usual_port
from llm_gateway.cli.help_text import command_parser

HEAD = ("member", "heard", "state", "where", "open", "clock", "version")


def cluster(argv: Sequence[str]) -> int:
    """0; 1 when no gateway answers, it is in no cluster, or could not do it."""
    options = _options(argv)
    path = f"/admin/cluster{'' if options.action == 'status' else '/' + options.action}"
    post: dict[str, Any] | None = None
    if options.action != "status":
        post = {"member": options.member} if options.action == "settle" else {}
    try:
        status, answer = ask(options.port, path, post=post, token=own_token())
    except Unreachable as error:
        print(f"llm-gateway: {error}", file=sys.stderr)
        return 1
    if status != 200:
        print(f"llm-gateway: {message_of(answer)}", file=sys.stderr)
        return 1
    if options.json:
        print(json.dumps(answer, indent=2))
    elif options.action == "status":
        print(table(answer))
    elif options.action == "fold":
        print(f"{answer['folded']} windows folded.")
    else:
        print(f"{answer['settled']} open requests of {options.member} count as used.")
    return 0


def table(answer: dict[str, Any]) -> str:
    """What `GET /admin/cluster` says, for people."""
    lines = [f"{answer['name']} on {answer['server']}: {answer['state']}"]
    lines += [f"  {reason}" for reason in answer["degraded"]]
    rows = [HEAD, *(_cells(one) for one in answer["list"])]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        cells = (cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        lines.append("  ".join(cells).rstrip())
    if answer["collector"]:
        lines.append(f"{answer['collector']} collects the requests of all.")
    if answer["absent"]:
        who = ", ".join(answer["absent"])
        lines.append(f"Not heard of since the counters began anew: {who}.")
    if answer["differences"]:
        lines.append("Members allow different amounts:")
        lines += [f"  {difference(one)}" for one in answer["differences"]]
    return "\n".join(lines)


def difference(one: dict[str, Any]) -> str:
    """`requests/day on groq: desk 100, laptop none`."""
    unit = "$" if one["limit"].startswith("cost") else ""
    said = [
        f"{who} {'none' if most is None else f'{unit}{most}'}"
        for who, most in one["amounts"].items()
    ]
    return f"{one['limit']}: {', '.join(said)}"


def _cells(one: dict[str, Any]) -> tuple[str, ...]:
    where = f"{one['host']}:{one['port']}" if one["port"] else str(one["host"])
    return (
        str(one["member"]),
        f"{one['seconds']:.0f} s ago",
        str(one["state"]),
        where,
        str(one["in_flight"]),
        f"{one['clock_offset_ms']:+} ms",
        str(one["version"]),
    )


def _options(argv: Sequence[str]) -> argparse.Namespace:
    parser = command_parser(
        "cluster",
        "Gateways that share their limits: who there is; `fold` replaces this"
        " member's part of the counters with what its ledger says; `settle MEMBER` counts"
        " as used what one that never returns had open.",
    )
    actions = ("status", "fold", "settle")
    parser.add_argument("action", nargs="?", choices=actions, default="status")
    parser.add_argument("member", nargs="?", help="whose, for `settle`")
    parser.add_argument("--json", action="store_true", help="for programs")
    parser.add_argument(
        "--port", type=int, default=None, help="the gateway's; default PORT, else 8080"
    )
    options = parser.parse_args(argv)
    if (options.action == "settle") != bool(options.member):
        parser.error("settle takes the name of a member, the others take none")
    if options.port is None:
        options.port = usual_port()
    return options
