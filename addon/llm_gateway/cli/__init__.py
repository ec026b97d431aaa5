"""The `llm-gateway` command. One module a subcommand, imported when it is called."""

import difflib
import importlib
import os
import sys
import textwrap

from llm_gateway.cli.help_text import FIRST_STEPS
from llm_gateway.private_files import NotPrivate

COMMANDS: dict[str, tuple[str, str, str]] = {
    "serve": (
        "serve",
        "serve",
        "start the gateway, fast: takes every option of mitmdump",
    ),
    "run": (
        "run_env",
        "run",
        "run a command with its LLM traffic going through the gateway",
    ),
    "env": (
        "run_env",
        "env",
        'print the same as shell exports: eval "$(llm-gateway env)"',
    ),
    "init": (
        "init_check",
        "init",
        "write config.jsonc: the example, or from your keys (--detect)",
    ),
    "check": ("init_check", "check", "validate a config file"),
    "explain": ("explain", "explain", "who would answer for a model now, and why"),
    "login": ("login", "login", "sign in to a provider: llm-gateway login copilot"),
    "dashboard": ("dashboard", "dashboard", "start Datasette with the dashboard alone"),
    "status": ("status", "status", "what can be used now, and until when"),
    "tail": ("status", "tail", "requests as they end, one line each"),
    "report": ("report", "report", "spending and savings as a table"),
    "simulate": (
        "simulate",
        "simulate",
        "steady fake usage, to watch limits and charts",
    ),
    "quirks": (
        "quirks",
        "quirks",
        "what providers' refusals taught: list, or forget PROVIDER [MODEL]",
    ),
    "catalog": (
        "catalog",
        "catalog",
        "free tiers as published: show [PROVIDER], check, update FILE-OR-URL",
    ),
    "cluster": (
        "cluster",
        "cluster",
        "gateways that share limits: status, fold, settle MEMBER",
    ),
    "doctor": ("doctor", "doctor", "look for what is wrong, and say what to do"),
}


CODES = "the command's own; 2 there is no such command or option; 130 interrupted"


def usage() -> str:
    lines = ["llm-gateway COMMAND [options]; COMMAND --help for the options of one", ""]
    lines += [f"  {name:<10} {text}" for name, (_, _, text) in COMMANDS.items()]
    steps = textwrap.indent(FIRST_STEPS, "  ")
    lines += ["", "examples:", steps, "", f"exit codes: {CODES}"]
    return "\n".join(lines)


def main(argv: list[str] | None = None) -> int:
    """Exit codes are the subcommand's; 1 when the state folder cannot be trusted, 2 for a
    command that does not exist, 130 when it is interrupted."""
    try:
        code = _run(sys.argv[1:] if argv is None else argv)
        sys.stdout.flush()
    except KeyboardInterrupt:
        return 130
    except NotPrivate as e:
        print(f"llm-gateway: {e}", file=sys.stderr)
        return 1
    except BrokenPipeError:  # `llm-gateway report | head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 141
    return code


def _run(arguments: list[str]) -> int:
    if not arguments or arguments[0] in ("-h", "--help", "help"):
        print(usage())
        return 0 if arguments else 2
    if arguments[0] in ("-V", "--version"):
        from llm_gateway import __version__

        print(f"llm-gateway {__version__}")
        return 0
    name = arguments[0]
    if name not in COMMANDS:
        near = difflib.get_close_matches(name, COMMANDS, 1)
        meant = f"Did you mean {near[0]!r}?\n\n" if near else ""
        print(
            f"llm-gateway: there is no command {name!r}\n{meant or chr(10)}{usage()}",
            file=sys.stderr,
        )
        return 2
    module, function, _ = COMMANDS[name]
    command = getattr(importlib.import_module(f"llm_gateway.cli.{module}"), function)
    return int(command(arguments[1:]) or 0)
