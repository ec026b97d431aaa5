"""`simulate --count`: fake usage that a running gateway counts, and marks."""

import re

from gateway import GatewayProcess

from .conftest import Command

LINE = re.compile(r"(\w+)/([\w.-]+): \d+ tokens, \$0\.\d{6}")


def test_it_sends_as_many_as_it_was_told(
    command: Command, running: GatewayProcess
) -> None:
    code, out, err = command("simulate", "--count", "4", "--interval", "0")
    assert (code, err) == (0, "")
    found = [LINE.fullmatch(line) for line in out.splitlines()]
    assert [m and m[1] for m in found] == ["free", "vectors", "paid", "pilot"]
    rows = running.rows("select provider from requests where simulated = 1")
    assert len(rows) == 4


def test_one_provider_and_model(command: Command, running: GatewayProcess) -> None:
    arguments = ["--count", "1", "--provider", "paid", "--model", "m"]
    code, out, _ = command("simulate", *arguments)
    assert code == 0
    assert out.startswith("paid/m: ")


def test_what_the_gateway_does_not_know(
    command: Command, running: GatewayProcess
) -> None:
    code, out, err = command("simulate", "--count", "1", "--provider", "nobody")
    assert (code, out) == (1, "")
    assert err == "providerId is one of: free, vectors, paid, pilot.\n"


def test_without_a_gateway(command: Command) -> None:
    code, _, err = command("simulate", "--count", "1")
    assert code == 1
    assert re.fullmatch(
        r"llm-gateway simulate: nothing answers on port \d+; start it with .*\n", err
    )
