"""`llm-gateway simulate`: steady fake usage, to watch limits, alerts and charts."""

import random
import sys
import time

from llm_gateway.cli.ask import Unreachable, add_port_option, ask, message_of
from llm_gateway.cli.help_text import command_parser


def simulate(argv: list[str]) -> int:
    """The exit code. Raises SystemExit for arguments, or a PORT, that are none."""
    parser = command_parser(
        "simulate",
        "Post simulated usage to a running gateway until stopped.",
    )
    parser.add_argument("--provider", help="provider id; default: each in turn")
    parser.add_argument("--model", help="its model; default: its first")
    parser.add_argument(
        "--interval", type=float, default=1.0, help="seconds between two; default 1"
    )
    parser.add_argument(
        "--count", type=int, default=0, help="how many; default 0: until stopped"
    )
    add_port_option(parser)
    options = parser.parse_args(argv)
    sent = 0
    try:
        providers = [options.provider] if options.provider else _providers(options.port)
        if not providers:
            print("llm-gateway simulate: the gateway has no providers", file=sys.stderr)
            return 1
        while not options.count or sent < options.count:
            tokens = random.randint(50, 2000)
            asked = {
                "providerId": providers[sent % len(providers)],
                "tokens": tokens,
                "cost": round(tokens * 2e-6, 6),
            }
            if options.model:
                asked["model"] = options.model
            status, answer = ask(options.port, "/usage/simulate", post=asked)
            if status != 200:
                print(message_of(answer), file=sys.stderr)
                return 1
            sent += 1
            print(
                f"{answer['providerId']}/{answer['model']}: {tokens} tokens, ${answer['cost']:.6f}"
            )
            if not options.count or sent < options.count:
                time.sleep(options.interval)
    except Unreachable as e:
        print(f"llm-gateway simulate: {e}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        pass  # the way to stop it
    return 0


def _providers(port: int) -> list[str]:
    status, found = ask(port, "/usage/current")
    if status != 200:
        raise Unreachable(message_of(found))
    return [provider["id"] for provider in found["providers"]]
