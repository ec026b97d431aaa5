"""Every client from every vendor to every other and back, plain and streamed: `python -m vendors.matrix`.

Prints one line per client and table, then what was refused, and what nobody may see. Exits
with 1 where something went wrong.
"""

import argparse
import collections
import sys
import tempfile
import time
from pathlib import Path

from gateway import GatewayProcess

from .agents import AGENTS, ROUTING, Agent
from .agents import VENDORS as OF_AGENTS
from .chat_vendors import VENDORS as CHAT
from .clients import CLIENTS, Client
from .google_vendors import VENDORS as GOOGLE
from .messages_vendors import VENDORS as MESSAGES
from .responses_vendors import VENDORS as RESPONSES
from .stage import VendorStage, moves, short_moves

TABLES = {
    "chat": CHAT,
    "messages": MESSAGES,
    "responses": RESPONSES,
    "generateContent": GOOGLE,
}


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--dialect", choices=[*TABLES], action="append")
    parser.add_argument("--client", action="append", help="part of its name")
    parser.add_argument("--rows", choices=["known", "learned"], action="append")
    parser.add_argument("--short", action="store_true")
    parser.add_argument("--agents", action="store_true", help="instead of SDKs")
    asked = parser.parse_args()
    bad = 0
    if asked.agents:
        some = [
            a
            for a in AGENTS
            if a.dialect in (asked.dialect or TABLES)
            and (not asked.client or any(part in a.name for part in asked.client))
        ]
        return 1 if _agents(some, asked.short) else 0
    for dialect in asked.dialect or TABLES:
        clients = [
            c
            for c in CLIENTS
            if c.dialect == dialect
            and (not asked.client or any(part in c.name for part in asked.client))
        ]
        for rows in asked.rows or ["known", "learned"]:
            bad += _matrix(dialect, rows == "known", clients, asked.short)
    return 1 if bad else 0


def _agents(agents: list[Agent], short: bool) -> int:
    """All of them on one gateway, nothing known of any vendor."""
    bad, choose = 0, short_moves if short else moves
    stage = VendorStage(OF_AGENTS, "chat", known=False)
    with stage.fake, tempfile.TemporaryDirectory() as folder:
        where = Path(folder)
        (where / "conf").mkdir()
        (where / "gw").mkdir()
        config = stage.config(routing=ROUTING)
        with GatewayProcess(where / "gw", config, confdir=where / "conf") as gateway:
            url = f"http://127.0.0.1:{gateway.port}"
            for n, agent in enumerate(agents):
                if agent.missing:
                    print(f"{agent.name:<36} not installed: {agent.missing}")
                    continue
                todo = choose(stage, 1000 * n + 1, agent.dialect)
                began = time.perf_counter()
                wrong = agent.run(url, todo, where)
                took = time.perf_counter() - began
                said = f"{len(todo) - len(wrong)} of {len(todo)}"
                print(f"{agent.name:<36} {said}, {took:.0f} s", flush=True)
                for text in wrong.values():
                    print(f"    {text[:600]}")
                bad += len(wrong)
            bad += report(stage, gateway)
            before = [seen.refused.copy() for seen in stage.seen]
            gateway.stop()
            gateway.start()
            url = f"http://127.0.0.1:{gateway.port}"
            for n, agent in enumerate(a for a in agents if not a.missing):
                todo = short_moves(stage, 9000 + 100 * n, agent.dialect)
                bad += len(agent.run(url, todo, where))
            again = before != [seen.refused for seen in stage.seen]
            print(f"after a restart: {'refused again' if again else 'no refusal'}")
            bad += again
    return bad


def _matrix(dialect: str, known: bool, clients: list[Client], short: bool) -> int:
    print(f"== {dialect}, {'rows of their types' if known else 'nothing known'}")
    stage = VendorStage(TABLES[dialect], dialect, known=known)
    with stage.fake, tempfile.TemporaryDirectory() as folder:
        where = Path(folder)
        (where / "conf").mkdir()
        (where / "gw").mkdir()
        gateway = GatewayProcess(where / "gw", stage.config(), confdir=where / "conf")
        with gateway:
            bad = _runs(stage, gateway, clients, short)
            bad += report(stage, gateway)
            before = [sum(seen.refused.values()) for seen in stage.seen]
            gateway.stop()
            gateway.start()
            first = next((c for c in clients if not c.missing), None)
            if first is not None:
                todo = (short_moves if short else moves)(stage, 900_001)
                wrong = first.run(
                    f"http://127.0.0.1:{gateway.port}", todo, first.streams[-1]
                )
                after = [sum(seen.refused.values()) for seen in stage.seen]
                again = sum(after) - sum(before)
                print(f"after a restart: {len(wrong)} fail, {again} refusals")
                bad += len(wrong) + again
    return bad


def _runs(
    stage: VendorStage, gateway: GatewayProcess, clients: list[Client], short: bool
) -> int:
    bad, first = 0, 1
    for client in clients:
        if client.missing:
            print(f"{client.name:<36} not installed: {client.missing}")
            continue
        for stream in client.streams:
            todo = (short_moves if short else moves)(stage, first)
            first += len(todo)
            refused = sum(sum(seen.refused.values()) for seen in stage.seen)
            began = time.perf_counter()
            wrong = client.run(f"http://127.0.0.1:{gateway.port}", todo, stream)
            took = time.perf_counter() - began
            refused = sum(sum(seen.refused.values()) for seen in stage.seen) - refused
            form = "streamed" if stream else "plain"
            said = f"{len(todo) - len(wrong)} of {len(todo)}"
            print(
                f"{client.name:<36} {form:<9} {said:<12} {refused} refusals, {took:.0f} s",
                flush=True,
            )
            names = {m.number: m for m in todo}
            kinds = collections.Counter(wrong.values())
            for text, n in kinds.most_common(6):
                move = names[next(k for k, v in wrong.items() if v == text)]
                pair = f"{stage.vendors[move.source].name}>{stage.vendors[move.target].name}"
                print(f"    {n} × {pair}: {text[:400]}")
            bad += len(wrong)
    return bad


def report(stage: VendorStage, gateway: GatewayProcess) -> int:
    """What must hold over all of it; how often it does not."""
    bad = 0
    sent = sum(seen.requests for seen in stage.seen)
    gateway.wait_rows(
        "select count(*) n from requests where outcome = 'in_flight'",
        lambda found: found[0]["n"] == 0,
    )
    attempts = gateway.rows("select count(*) n from attempts")[0]["n"]
    print(f"requests seen upstream {sent}, rows of attempts {attempts}")
    bad += sent != attempts
    for n, (vendor, seen) in enumerate(zip(stage.vendors, stage.seen, strict=True)):
        id = stage.id(n)
        counted = gateway.rows(
            "select count(*) n from attempts where provider = ? and counted = 1", id
        )[0]["n"]
        taught = gateway.rows(
            "select reason, count(*) n from attempts where provider = ? and "
            "outcome = 'repaired' group by reason",
            id,
        )
        twice = [t for t in taught if t["n"] > 1]
        refused = sum(seen.refused.values())
        print(
            f"{vendor.name:<12} {seen.requests} requests ({counted} counted), {refused} refusals,"
            f" {len(taught)} lessons: {'; '.join(t['reason'] for t in taught)}"
        )
        for lesson in twice:
            print(f"    taught {lesson['n']} times: {lesson['reason']}")
        for words, times in seen.refused.items():
            if times > 1:
                print(f"    refused {times} times: {words[:300]}")
        for text, times in collections.Counter(seen.wrong).most_common(5):
            print(f"    WRONG {times} ×: {text[:400]}")
        bad += len(twice) + len(seen.wrong)
        if counted != seen.requests - seen.away:
            print(f"    WRONG {counted} counted, but {seen.requests - seen.away} were")
            bad += 1
    return bad


if __name__ == "__main__":
    sys.exit(main())
