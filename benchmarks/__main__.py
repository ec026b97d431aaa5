"""`python -m benchmarks`: all contenders up at once, short visits in random order.

A machine is never quiet: the same process costs twice as much CPU per request in one
minute as in the next. So what is compared is what was measured side by side: in each
round every contender is visited once, in random order, and its CPU per request is
divided by that of bare mitmdump in the same round. Median and range over the rounds.
"""

import argparse
import json
import random
import statistics
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

from benchmarks import contenders as who
from benchmarks import native
from benchmarks.contenders import BARE, CONTENDERS, Contender, Site
from benchmarks.measure import (
    BUILD,
    GATEWAY_CPU,
    clean_env,
    cpu_seconds,
    family,
    free_port,
    memory_mib,
    running,
)
from benchmarks.rows import ROWS, Row


@dataclass(frozen=True)
class Visit:
    """One contender under one load, once."""

    contender: str
    row: str
    round: int
    cpu_ms: float
    """CPU milliseconds per request, or per 1000 chunks for streams."""
    load: native.Load


@dataclass
class Guest:
    """A contender that is up."""

    contender: Contender
    site: Site
    pids: list[int]
    start_seconds: float


@contextmanager
def up(contender: Contender, upstream: int, patience: float = 60) -> Iterator[Guest]:
    """Start it and wait for its first answer."""
    folder = BUILD / "run" / contender.name.replace(" ", "-").replace(",", "")
    folder.mkdir(parents=True, exist_ok=True)
    for left in folder.glob("usage.db*"):
        left.unlink()
    site = Site(free_port(), upstream, folder)
    argv, extra = contender.start(site)
    began = time.monotonic()
    log = folder / "log.txt"
    env = clean_env(extra)
    with running(argv, log=log, cpu=GATEWAY_CPU, env=env) as process:
        while not answers(contender, site):
            if process.poll() is not None or time.monotonic() > began + patience:
                tail = log.read_text(errors="replace")[-1500:]
                raise RuntimeError(f"{contender.name} does not answer:\n{tail}")
            time.sleep(0.01)
        took = time.monotonic() - began
        yield Guest(contender, site, family(process.pid), took)


def answers(contender: Contender, site: Site) -> bool:
    headers = dict(who.SDK_HEADERS + contender.headers(site))
    del headers["Accept-Encoding"], headers["Connection"]
    body = b'{"model":"bench-plain","messages":[{"role":"user","content":"hi"}]}'
    url = f"http://127.0.0.1:{site.port}/v1/chat/completions"
    try:
        ask = urllib.request.Request(url, body, headers)
        with urllib.request.urlopen(ask, timeout=20) as answer:
            return answer.status == 200
    except OSError:
        return False


def visit(guest: Guest, row: Row, round_: int, seconds: float) -> Visit:
    model = row.model
    if row.failover and not guest.contender.fails_over:
        model = "bench-plain"
    request = guest.site.folder / "request"
    headers = (
        ("Host", f"127.0.0.1:{guest.site.port}"),
        *who.SDK_HEADERS,
        *guest.contender.headers(guest.site),
    )
    model = guest.contender.prefix + model
    native.write_request(
        request,
        model=model,
        headers=headers,
        size=row.prompt,
        stream=row.stream,
        dialect=row.dialect if guest.contender.translates else "chat",
    )
    before = cpu_seconds(guest.pids)
    load = native.load(
        guest.site.port,
        request,
        clients=row.clients,
        seconds=row.seconds if row.count else row.seconds * seconds / 0.65,
        count=row.count,
        new=row.new,
    )
    used = cpu_seconds(guest.pids) - before
    units = max(load.requests, 1) * (row.chunks / 1000 if row.chunks else 1)
    return Visit(guest.contender.name, row.name, round_, used * 1e3 / units, load)


def takes_part(contender: Contender, row: Row) -> bool:
    if contender.name == BARE:
        return True
    able = contender.translates or row.dialect == "chat"
    return able and (contender.fails_over or not row.failover)


def spread(values: Sequence[float], digits: int = 2) -> str:
    middle = statistics.median(values)
    low, high = min(values), max(values)
    return f"{middle:.{digits}f} ({low:.{digits}f}–{high:.{digits}f})"


def table(row: Row, visits: Sequence[Visit]) -> str:
    """One row of measurements as a Markdown table, a line per contender."""
    unit = "1000 chunks" if row.stream else "request"
    first = "first byte p50" if row.stream else "p50"
    lines = [
        f"### {row.name}",
        "",
        f"| | CPU ÷ bare | CPU ms per {unit} | {first} ms | p99 ms | per s | errors |",
        "| --- | --- | --- | --- | --- | --- | --- |",
    ]
    base = {v.round: v.cpu_ms for v in visits if v.contender == BARE}
    for name in (c.name for c in CONTENDERS):
        mine = [v for v in visits if v.contender == name]
        if not mine:
            continue
        ratios = [v.cpu_ms / base[v.round] for v in mine if v.round in base]
        middle = statistics.median
        p50 = middle(v.load.first_p50 if row.stream else v.load.p50 for v in mine)
        p99 = middle(v.load.first_p99 if row.stream else v.load.p99 for v in mine)
        rate = middle(v.load.requests / v.load.seconds for v in mine)
        errors = sum(v.load.errors for v in mine)
        status = next((f" ({v.load.status})" for v in mine if v.load.status), "")
        lines.append(
            f"| {name} | {spread(ratios) if ratios else '–'} "
            f"| {spread([v.cpu_ms for v in mine])} | {p50:.2f} | {p99:.2f} "
            f"| {rate:.0f} | {errors}{status} |"
        )
    return "\n".join([*lines, ""])


def install_peers() -> None:
    who.PEERS.mkdir(parents=True, exist_ok=True)
    (who.PEERS / "package.json").write_text(json.dumps(who.PACKAGE_JSON))
    for name, argv in who.INSTALL:
        print(f"{name}: {' '.join(argv)}", flush=True)
        subprocess.run(argv, check=False)


def main(argv: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--seconds", type=float, default=0.65, help="of a visit")
    parser.add_argument("--quick", action="store_true", help="2 short rounds, no peers")
    parser.add_argument(
        "--only", action="append", help="contenders, by part of the name"
    )
    parser.add_argument("--rows", action="append", help="rows, by part of the name")
    parser.add_argument(
        "--raw", type=Path, help="append every visit to this file, as JSON"
    )
    parser.add_argument("--install-peers", action="store_true")
    asked = parser.parse_args(argv)
    if asked.install_peers:
        install_peers()
        return 0
    if asked.quick:
        asked.rounds, asked.seconds = 2, 0.3
    rows = [r for r in ROWS if not asked.rows or any(a in r.name for a in asked.rows)]
    chosen = [
        c
        for c in CONTENDERS
        if c.name == BARE
        or (not asked.only and not (asked.quick and c.peer))
        or any(a in c.name for a in asked.only or ())
    ]
    BUILD.mkdir(parents=True, exist_ok=True)
    with ExitStack() as stack:
        upstream = stack.enter_context(native.upstream())
        guests = []
        for contender in chosen:
            if missing := contender.missing():
                print(f"{contender.name}: left out, {missing} is not here", flush=True)
                continue
            try:
                guests.append(stack.enter_context(up(contender, upstream)))
            except RuntimeError as error:
                print(f"{contender.name}: left out. {error}", flush=True)
        idle = {g.contender.name: memory_mib(g.pids) for g in guests}
        warm_up(guests)
        for row in rows:
            visits = list(rounds(guests, row, asked.rounds, asked.seconds))
            print(table(row, visits), flush=True)
            if asked.raw:
                with asked.raw.open("a") as out:
                    out.writelines(json.dumps(asdict(v)) + "\n" for v in visits)
        print(
            "### Start and memory\n\n| | seconds to the first answer | MiB idle | MiB after |"
        )
        print("| --- | --- | --- | --- |")
        for g in guests:
            print(
                f"| {g.contender.name} | {g.start_seconds:.2f} "
                f"| {idle[g.contender.name]:.0f} | {memory_mib(g.pids):.0f} |"
            )
    return 0


def warm_up(guests: Sequence[Guest]) -> None:
    """Caches and just-in-time compilers; not measured."""
    for guest in guests:
        for row in (ROWS[0], ROWS[2]):
            visit(guest, row, 0, 1.0)


def rounds(
    guests: Sequence[Guest], row: Row, n: int, seconds: float
) -> Iterator[Visit]:
    part = [g for g in guests if takes_part(g.contender, row)]
    for round_ in range(n):
        for guest in random.sample(part, len(part)):
            guest.pids = family(guest.pids[0])
            yield visit(guest, row, round_, seconds)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
