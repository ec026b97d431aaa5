"""`llm-gateway login copilot`: GitHub's device flow in a terminal.

Where a gateway is running, it does the login itself and uses it at once; otherwise the
token is stored here, where the gateway looks for it when it starts.
"""

import asyncio
import os
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

from pydantic import SecretStr

from llm_gateway.cli.ask import (
    Unreachable,
    add_port_option,
    ask,
    message_of,
    own_token,
)
from llm_gateway.cli.help_text import command_parser
from llm_gateway.cli.init_check import add_config_option
from llm_gateway.cli.outgoing import follow
from llm_gateway.config.files import state_folder
from llm_gateway.config.load import load_config
from llm_gateway.config.models import Config
from llm_gateway.config.problems import ConfigError
from llm_gateway.providers import token_store
from llm_gateway.providers.copilot_protocol import DeviceCode, Granted, Pending, Refused
from llm_gateway.providers.copilot_session import CopilotLogin
from llm_gateway.providers.github_client import GitHub
from llm_gateway.providers.upstream import ways_to

NOTICE = (
    "Copilot's terms are written for editors; GitHub can notice other use of a token. "
    "What you do with yours is your choice."
)


def login(argv: list[str]) -> int:
    """The exit code. Raises SystemExit for arguments, or a PORT, that are none."""
    parser = command_parser("login", "Sign in to a provider.")
    parser.add_argument("what", choices=["copilot"], help="whose account")
    parser.add_argument(
        "--provider",
        help="id of the provider in the config; default: its first Copilot provider, else copilot",
    )
    add_config_option(parser)
    add_port_option(parser)
    parser.add_argument(
        "--print",
        action="store_true",
        dest="show",
        help="print the token for `oauthToken` in the config instead of storing it",
    )
    options = parser.parse_args(argv)
    config = _config(options.config)
    copilots = [p for p in config.providers if p.type == "copilot"]
    first = copilots[0].id if copilots else "copilot"
    provider = options.provider or first
    try:
        github = GitHub.from_environment(os.environ)
    except ValueError as e:
        print(f"llm-gateway login: {e}", file=sys.stderr)
        return 1
    flow: CopilotLogin | RunningGateway
    if not options.show and RunningGateway.knows(options.port, provider):
        flow = RunningGateway(options.port)
    else:
        ways, _ = follow(config.network, options.port, config.providers)
        for entry in copilots:
            if entry.id == provider:
                ways = ways_to(entry, ways)
        github = replace(github, ways=ways)
        flow = CopilotLogin(state_folder(os.environ), github, time.time)
    granted = asyncio.run(_wait_for(flow, provider))
    if isinstance(granted, Refused):
        print(granted.message, file=sys.stderr)
        return 1
    place = token_store.path_of(state_folder(os.environ), provider)
    if options.show:
        place.unlink(missing_ok=True)
        print(f'"oauthToken": "{granted.oauth_token.get_secret_value()}"')
    elif isinstance(flow, RunningGateway):
        print(f"Signed in. The gateway on port {options.port} uses it from now on.")
    else:
        print(f"Signed in. The token lies in {place}.")
    return 0


def _config(path: Path) -> Config:
    """What it says; without one that can be read, the defaults."""
    try:
        return load_config(path, os.environ).config
    except ConfigError:
        return Config()


async def _wait_for(
    flow: "CopilotLogin | RunningGateway", provider: str
) -> Granted | Refused:
    """Show the code, and wait until somebody has typed it, or nobody may any more."""
    started = await flow.start(provider)
    if isinstance(started, Refused):
        return started
    print(NOTICE)
    print(
        f"Open {started.verification_uri} and enter the code {started.user_code}",
        flush=True,
    )
    wait = started.interval
    while True:
        await asyncio.sleep(wait)
        found = await flow.poll(provider)
        if not isinstance(found, Pending):
            return found
        wait = found.interval


class RunningGateway:
    """The same flow, done by a gateway that is running."""

    def __init__(self, port: int) -> None:
        self.port = port

    @staticmethod
    def knows(port: int, provider: str) -> bool:
        """Does a gateway of ours run there, with this provider?"""
        try:
            _, found = ask(port, "/usage/current", timeout=2)
        except Unreachable:
            return False
        known = found.get("providers", ()) if isinstance(found, dict) else ()
        return bool(own_token()) and any(p["id"] == provider for p in known)

    async def start(self, provider: str) -> DeviceCode | Refused:
        status, found = await self._post("start", {"providerId": provider})
        if status != 200:
            return Refused("", message_of(found), status)
        return DeviceCode(
            SecretStr(""),
            found["user_code"],
            found["verification_uri"],
            time.time() + found["expires_in"],
            found["interval"],
        )

    async def poll(self, provider: str) -> Granted | Pending | Refused:
        status, found = await self._post("poll", {"flow": provider})
        match found.get("status") if status == 200 else None:
            case "pending":
                return Pending(found["interval"])
            case "done":
                return Granted(SecretStr(""))
            case _:
                return Refused("", found.get("message") or message_of(found), status)

    async def _post(self, step: str, asked: dict[str, Any]) -> tuple[int, Any]:
        path = f"/api/copilot/auth/{step}"
        try:
            return ask(self.port, path, post=asked, token=own_token())
        except Unreachable as e:
            return 0, {"error": {"message": f"llm-gateway login: {e}"}}
