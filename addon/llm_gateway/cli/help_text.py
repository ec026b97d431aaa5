"""Help of each command: what it does, examples to copy, exit codes; one parser for all.

The examples are run, or parsed, by a test: each has arguments that its command takes.
"""

import argparse
import difflib
import re
import textwrap
from typing import NoReturn

EXAMPLES: dict[str, str] = {
    "serve": """\
llm-gateway serve                  config.jsonc and usage.db of this folder
llm-gateway serve --listen-port 9000
llm-gateway serve --set gateway_config=my.jsonc --set gateway_db=my.db
llm-gateway serve --set gateway_dashboard_port=0""",
    "run": """\
llm-gateway run -- aider --model gpt-4o
llm-gateway run --client me -- python app.py""",
    "env": """\
eval "$(llm-gateway env)"          this shell's LLM traffic goes through the gateway
eval "$(llm-gateway env --unset)"  and no longer""",
    "init": """\
llm-gateway init
llm-gateway init ~/llm/config.jsonc
llm-gateway init --detect          from the keys that are set""",
    "catalog": """\
llm-gateway catalog show           what each free tier gives
llm-gateway catalog show groq
llm-gateway catalog check          what holds here, and what ends""",
    "check": """\
llm-gateway check
llm-gateway check ~/llm/config.jsonc && echo good""",
    "explain": """\
llm-gateway explain gpt-4o                       who would answer now, and why
llm-gateway explain gpt-4o --dialect messages    for an app that speaks it
llm-gateway explain --request body.json          for that very request
llm-gateway explain gpt-4o --json | jq .chosen""",
    "login": """\
llm-gateway login copilot
llm-gateway login copilot --print""",
    "dashboard": """\
llm-gateway dashboard --db usage.db
llm-gateway dashboard --link       a sign-in link, while everything runs on""",
    "status": """\
llm-gateway status                 what can be used now, until when
llm-gateway status --watch         the same, again every 2 seconds
llm-gateway status --line          one line: tmux, a prompt, a menu bar
llm-gateway status --json | jq .ready""",
    "tail": """\
llm-gateway tail                   the last 10 requests, then each as it ends
llm-gateway tail -n 50 --no-follow
llm-gateway tail --failed          only what was not answered""",
    "report": """\
llm-gateway report                 the last 30 days, by provider
llm-gateway report --days 7 --by client
llm-gateway report --by model --json | jq '.[0]'""",
    "simulate": """\
llm-gateway simulate               each provider in turn, one a second
llm-gateway simulate --provider groq --count 50 --interval 0.1""",
    "quirks": """\
llm-gateway quirks                 what refusals taught
llm-gateway quirks forget groq     learn it anew""",
    "cluster": """\
llm-gateway cluster                who shares these limits
llm-gateway cluster settle laptop  one that never returns""",
    "doctor": """\
llm-gateway doctor
llm-gateway doctor --offline       without asking providers""",
}

EXIT_CODES: dict[str, str] = {
    "serve": "0 when it is stopped; 1 when it cannot start, with the reason",
    "run": "the command's own; 127 when there is no such command",
    "env": "0; 1 no gateway answers, and nothing is printed",
    "init": "0 written; 1 the file is there, or cannot be written",
    "check": "0 it can be used; 1 something is wrong with it",
    "catalog": "0; 1 a catalogue is not in order, or could not be had: nothing changed",
    "explain": "0 somebody can answer now, or --request was judged; 1 nobody can",
    "login": "0 signed in; 1 not",
    "dashboard": "Datasette's; with --link 1 when no dashboard answers",
    "status": "0 something can answer; 1 nothing can, no gateway runs, or there is no ledger",
    "tail": "0; 1 there is no ledger",
    "report": "0; 1 there is no ledger",
    "simulate": "0; 1 no gateway answers, or it refused",
    "quirks": "0; 1 there is no ledger, or no such name",
    "cluster": "0; 1 this gateway shares nothing, or none answers",
    "doctor": "0 nothing to fix; 1 something is",
}


FIRST_STEPS = """\
llm-gateway init --detect          a configuration from the keys that are set
llm-gateway serve                  the gateway, with its dashboard
llm-gateway run -- CMD             an app that uses it, unchanged
llm-gateway status                 what can be used now"""
"""Below the list of commands."""


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        """As argparse's, and which option was nearly written."""
        known = [name for one in self._actions for name in one.option_strings]
        for typed in re.findall(r"(?<!\S)--[\w-]+", message.partition(": ")[2]):
            if near := difflib.get_close_matches(typed, known, 1, 0.8):
                message += f"; did you mean {near[0]}?"
        super().error(message)


def command_parser(name: str, about: str) -> argparse.ArgumentParser:
    """A parser whose help ends with examples and exit codes."""
    return _Parser(
        prog=f"llm-gateway {name}",
        description=textwrap.fill(about, 78),
        epilog=f"examples:\n{textwrap.indent(EXAMPLES[name], '  ')}\n\n"
        f"exit codes: {EXIT_CODES[name]}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
