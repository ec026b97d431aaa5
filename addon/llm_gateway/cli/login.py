"""`llm-gateway login copilot`: GitHub's device flow in a terminal."""

import argparse
import asyncio
import os
import sys
import time
from pathlib import Path

from llm_gateway.cli.configure import default_config
from llm_gateway.config.files import state_folder
from llm_gateway.config.load import load_config
from llm_gateway.config.problems import ConfigError
from llm_gateway.providers import tokens
from llm_gateway.providers.copilot import Granted, Pending, Refused
from llm_gateway.providers.copilot_auth import CopilotLogin
from llm_gateway.providers.github import GitHub

NOTICE = (
    "Copilot's terms are written for editors; GitHub can notice other use of a token. "
    "What you do with yours is your choice."
)


def login(argv: list[str]) -> int:
    parser = argparse.ArgumentParser(
        prog="llm-gateway login", description="Sign in to a provider."
    )
    parser.add_argument("what", choices=["copilot"])
    parser.add_argument(
        "--provider",
        help="id of the provider in the config; default: its first Copilot provider, else copilot",
    )
    parser.add_argument("--config", type=Path, default=default_config())
    parser.add_argument(
        "--print",
        action="store_true",
        dest="show",
        help="print the token for `oauthToken` in the config instead of storing it",
    )
    options = parser.parse_args(argv)
    provider = options.provider or _first_copilot(options.config)
    return asyncio.run(_login(provider, options.show))


def _first_copilot(path: Path) -> str:
    try:
        loaded = load_config(path, os.environ)
    except ConfigError:
        return "copilot"
    return next(
        (p.id for p in loaded.config.providers if p.type == "copilot"), "copilot"
    )


async def _login(provider: str, show: bool) -> int:
    home = state_folder(os.environ)
    flow = CopilotLogin(home, GitHub.from_environment(os.environ), time.time)
    started = await flow.start(provider)
    if isinstance(started, Refused):
        print(started.message, file=sys.stderr)
        return 1
    print(NOTICE)
    print(f"Open {started.verification_uri} and enter the code {started.user_code}")
    wait = started.interval
    while True:
        await asyncio.sleep(wait)
        match await flow.poll(provider):
            case Pending(interval):
                wait = interval
            case Refused() as refused:
                print(refused.message, file=sys.stderr)
                return 1
            case Granted(token):
                break
    if show:
        tokens.path_of(home, provider).unlink(missing_ok=True)
        print(f'"oauthToken": "{token.get_secret_value()}"')
    else:
        print(
            f"Signed in. The token lies in {tokens.path_of(home, provider)}; a running gateway sees it when its config is saved or reloaded."
        )
    return 0
