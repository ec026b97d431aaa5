"""`python -m benchmarks.soak`: does memory stay where it is?

Requests and stream chunks in ten equal slices; after each slice the gateway's resident
memory. The first slices fill caches and pools; what counts is that the later ones add
nothing. Half of the requests bring their own connection.
"""

import argparse
import sys
from collections.abc import Sequence

from benchmarks import native
from benchmarks.__main__ import up, visit
from benchmarks.contenders import CONTENDERS
from benchmarks.measure import memory_mib
from benchmarks.rows import Row

SLICES = 10
CHUNKS = 600


def main(argv: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.soak")
    parser.add_argument("--requests", type=int, default=100_000)
    parser.add_argument("--chunks", type=int, default=1_000_000)
    parser.add_argument("--contender", default="gateway, mitmdump -s")
    asked = parser.parse_args(argv)
    contender = next(c for c in CONTENDERS if c.name == asked.contender)
    each = asked.requests // SLICES // 2
    streams = asked.chunks // SLICES // CHUNKS
    rows = (
        Row("kept", count=each, seconds=600),
        Row("new", count=each, seconds=600, new=True),
        Row(
            "streams",
            model="bench-stream-600-1000",
            clients=16,
            count=streams,
            seconds=600,
            new=True,
            chunks=CHUNKS,
        ),
    )
    errors = 0
    with native.upstream() as upstream, up(contender, upstream) as guest:
        print(f"| after | MiB | {contender.name}\n| --- | --- |", flush=True)
        print(f"| start | {memory_mib(guest.pids):.1f} |", flush=True)
        for n in range(1, SLICES + 1):
            loads = [visit(guest, row, n, 0.65).load for row in rows]
            errors += sum(load.errors for load in loads)
            done = f"{2 * each * n:,} requests, {streams * CHUNKS * n:,} chunks"
            print(f"| {done} | {memory_mib(guest.pids):.1f} |", flush=True)
    print(f"\nErrors: {errors}.")
    return 1 if errors else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
