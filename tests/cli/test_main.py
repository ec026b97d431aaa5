"""The command itself: which subcommands there are, and what is said without a good one."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from fakes import child

from llm_gateway import __version__
from llm_gateway.cli import COMMANDS, explain

from .conftest import Command

ADDON = Path(__file__).parents[2] / "addon"


def test_alone_it_says_what_there_is(command: Command) -> None:
    code, out, _ = command()
    assert code == 2
    for name in COMMANDS:
        assert f"\n  {name} " in out
    assert command("--help")[:2] == (0, out)
    after = out.partition("\nexamples:\n")[2].partition("\nexit codes: ")
    assert after[2].strip()
    for line in after[0].strip().splitlines():
        assert line.split()[:1] == ["llm-gateway"]
        assert line.split()[1] in COMMANDS


def test_version(command: Command) -> None:
    assert command("--version") == (0, f"llm-gateway {__version__}\n", "")


def test_a_command_that_does_not_exist(command: Command) -> None:
    code, out, err = command("exlpain")
    assert (code, out) == (2, "")
    assert err.startswith("llm-gateway: there is no command 'exlpain'\n")
    assert "Did you mean 'explain'?" in err


@pytest.mark.parametrize("name", sorted(COMMANDS))
def test_each_has_a_help(command: Command, name: str) -> None:
    code, out, err = command(name, "--help")
    assert (code, err) == (0, "")
    assert out.startswith(f"usage: llm-gateway {name} ")


@pytest.mark.parametrize("name", sorted(COMMANDS))
def test_a_help_has_examples_defaults_and_exit_codes(
    command: Command, name: str
) -> None:
    out = command(name, "--help")[1]
    options, _, after = out.partition("\nexamples:\n")
    examples, _, codes = after.partition("\nexit codes: ")
    assert codes.strip()
    lines = examples.strip().splitlines()
    assert all(f"llm-gateway {name}" in line for line in lines), lines
    # What an example says, the command takes.
    own = [line.partition(" -- ")[0] for line in lines]
    said = {word for line in own for word in re.findall(r" (--[a-z-]+)", line)}
    assert {word for word in said if word not in options} == set()
    # No option and no argument without a word on it.
    listed = options[options.index("\noptions:") :].splitlines()
    silent = [
        line
        for line, next_line in zip(listed, [*listed[1:], ""], strict=True)
        if re.fullmatch(r"  -\S+(?: [^ ]+)*", line) and not next_line.startswith("    ")
    ]
    assert silent == []


@pytest.mark.parametrize("name", ["explain", "simulate", "run", "env", "login"])
@pytest.mark.parametrize("port", ["abc", "0", "70000", "-1"])
def test_a_port_that_is_none(
    command: Command, monkeypatch: pytest.MonkeyPatch, name: str, port: str
) -> None:
    monkeypatch.setenv("PORT", port)
    code, _, err = command(name, "x")
    assert code == 1
    assert err == f"PORT={port} is not a port; write a number from 1 to 65535."


def test_interrupted(command: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(explain, "ask", interrupted)
    assert command("explain", "m") == (130, "", "")


@pytest.mark.process
def test_whoever_reads_it_may_stop_reading() -> None:
    with child(
        [sys.executable, "-m", "llm_gateway", "--help"],
        env={**os.environ, "PYTHONPATH": str(ADDON)},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as process:
        assert process.stdout
        assert process.stderr
        process.stdout.close()
        assert process.stderr.read() == b""
        assert process.wait(20) == 141
