"""What shared limits cost: a reservation, a request, and how far one server goes.

    python -m benchmarks.cluster            # some two minutes
    python -m benchmarks.cluster --quick

Needs a valkey-server or redis-server, and redis-py. CPU per request is measured as in
`python -m benchmarks`: both gateways are up, visited in turn, and compared visit by visit.
"""

import argparse
import asyncio
import json
import shutil
import statistics
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import redis

from benchmarks import native
from benchmarks.__main__ import Guest, up, visit
from benchmarks.contenders import BIN, PATH, Contender, Site, gateway_config
from benchmarks.measure import BUILD, clean_env, cpu_seconds, free_port, running
from benchmarks.rows import ROWS
from llm_gateway.cluster.link import Link
from llm_gateway.cluster.script_call import Reply
from llm_gateway.cluster.wire import Tls
from llm_gateway.config.cluster_url import parse_cluster_url

BINARY = shutil.which("valkey-server") or shutil.which("redis-server")
SERVER_CPU = 0
WINDOWS = [[f"w{n}", n % 3, 10**12, 60_000_000, 0, 0] for n in range(6)]
"""As many as an attempt with limits on provider, model and budget has."""


@contextmanager
def server(folder: Path) -> Iterator[int]:
    assert BINARY is not None
    port = free_port()
    argv = [BINARY, "--port", str(port), "--bind", "127.0.0.1", "--save", ""]
    log = folder / "server.txt"
    with running(argv, log=log, cpu=SERVER_CPU, env=clean_env()):
        client = redis.Redis(port=port)
        for _ in range(200):
            try:
                client.ping()
                break
            except redis.ConnectionError:
                time.sleep(0.02)
        yield port


class Member:
    """A member's connection, and nothing of a gateway."""

    def __init__(self, port: int, name: str) -> None:
        loop = asyncio.get_running_loop()
        self.there = asyncio.Event()
        self.header: dict[str, Any] = {
            "member": name,
            "instance": "1",
            "generation": "",
            "fresh": "g",
        }
        self.link = Link(
            parse_cluster_url(f"redis://127.0.0.1:{port}"),
            "llm-gateway:{bench}:",
            timeout=10,
            tls=Tls(),
            clock=loop.time,
            on_up=self._up,
            on_down=lambda why: None,
            on_reply=lambda reply: None,
        )
        self.link.header = lambda: self.header
        self.serial = 0
        self.name = name
        self._running = loop.create_task(self.link.run())

    async def _up(self) -> None:
        reply: Reply = await self.link.call([["hello", "salt", [], ""]])
        self.header["generation"] = reply.generation
        self.link.up = True
        self.there.set()

    async def one(self) -> float:
        """A reservation and its settlement; seconds that the reservation took."""
        loop = asyncio.get_running_loop()
        self.serial += 1
        id = f"{self.name}/{self.serial}"
        granted: asyncio.Future[Any] = loop.create_future()
        began = time.perf_counter()
        op = ["reserve", id, 60_000_000, [1, 1000, 1000], WINDOWS]
        self.link.put(op, granted)
        assert (await granted)[0] == 1
        took = time.perf_counter() - began
        self.link.put(["settle", id, [1, 500, 500]])
        return took

    def stop(self) -> None:
        self._running.cancel()


async def reservations(port: int, members: int, each: int, clients: int) -> None:
    """One at a time, then as many as the members can ask for."""
    joined = [Member(port, f"m{n}") for n in range(members)]
    for member in joined:
        await member.there.wait()
    alone = sorted([await joined[0].one() * 1e3 for _ in range(each)])
    p50, p95 = alone[len(alone) // 2], alone[int(len(alone) * 0.95)]
    print(f"| a reservation, one at a time, p50 / p95 | {p50:.2f} / {p95:.2f} ms |")
    client = redis.Redis(port=port)
    pid = [client.info("server")["process_id"]]
    before = cpu_seconds(pid)

    async def client_of(member: Member) -> None:
        for _ in range(each // clients):
            await member.one()

    began = time.perf_counter()
    work = [client_of(member) for member in joined for _ in range(clients)]
    await asyncio.gather(*work)
    took = time.perf_counter() - began
    count = len(work) * (each // clients)
    spent = (cpu_seconds(pid) - before) * 1e6 / count
    print(
        f"| requests/s that {members} members in one process ask for | {count / took:,.0f} |"
    )
    print(
        f"| CPU of the server for a reservation and its settlement | {spent:.0f} µs |"
    )
    print(f"| so one server does, at most | {1e6 / spent:,.0f} requests/s |")
    for member in joined:
        member.stop()


def shared(port: int) -> Contender:
    def start(site: Site) -> tuple[list[str], dict[str, str]]:
        cluster = {"url": f"redis://127.0.0.1:{port}", "member": "bench"}
        config = gateway_config(site) | {"cluster": cluster}
        argv = [str(BIN / "llm-gateway"), "serve"]
        argv += ["--listen-host", "127.0.0.1", "-p", str(site.port)]
        env = {
            "LLM_GATEWAY_CONFIG": site.write("config.jsonc", json.dumps(config)),
            "LLM_GATEWAY_DB": str(site.folder / "usage.db"),
            "LLM_GATEWAY_HOME": str(site.folder),
            "PYTHONPATH": PATH,
        }
        return argv, env

    return Contender("gateway in a cluster", start)


def alone() -> Contender:
    def start(site: Site) -> tuple[list[str], dict[str, str]]:
        argv, env = shared(0).start(site)
        config = json.dumps(gateway_config(site))
        return argv, env | {"LLM_GATEWAY_CONFIG": site.write("config.jsonc", config)}

    return Contender("gateway alone", start)


def cpu_of_requests(port: int, rounds: int, seconds: float) -> None:
    """CPU per request with ÷ without, visit by visit."""
    row = next(row for row in ROWS if row.model == "bench-plain" and not row.stream)
    with (
        native.upstream() as upstream,
        up(alone(), upstream) as one,
        up(shared(port), upstream) as other,
    ):
        ratios, times = [], []
        for n in range(rounds):
            guests: Sequence[Guest] = (one, other) if n % 2 else (other, one)
            found = {g.contender.name: visit(g, row, n, seconds) for g in guests}
            with_, without = found["gateway in a cluster"], found["gateway alone"]
            ratios.append(with_.cpu_ms / without.cpu_ms)
            times.append((with_.cpu_ms, without.cpu_ms))
    middle = statistics.median(ratios)
    a, b = (statistics.median(column) for column in zip(*times, strict=True))
    print(
        f"| CPU per request ({row.name}), with ÷ without | {middle:.2f}"
        f" ({min(ratios):.2f}–{max(ratios):.2f}); {a:.2f} and {b:.2f} ms |"
    )


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.cluster")
    parser.add_argument("--quick", action="store_true", help="fewer of everything")
    quick = parser.parse_args().quick
    if BINARY is None:
        print("There is no valkey-server or redis-server here.")
        return
    BUILD.mkdir(parents=True, exist_ok=True)
    print("| | |\n| --- | --- |")
    with server(BUILD) as port:
        asyncio.run(reservations(port, 5, 500 if quick else 5000, 20))
        cpu_of_requests(port, 3 if quick else 15, 0.4)


if __name__ == "__main__":
    main()
