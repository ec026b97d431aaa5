"""`python -m benchmarks.oneshot`: a client that asks one question and goes.

A provider behind 30 ms of network each way, TLS in front. Each client is new: new TCP
connection, new TLS session, one request, gone. Time to the first byte of the answer,
directly and through the gateway, one after the other in random order; medians.

The network is a forwarder on loopback that holds back every piece of data for 30 ms, and
the first one of a connection for a round trip more: that is TCP's own handshake, which
loopback does at once.
"""

import argparse
import asyncio
import json
import random
import ssl
import statistics
import sys
import time
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AsyncExitStack

from benchmarks import contenders as who
from benchmarks.contenders import Site
from benchmarks.measure import BUILD, GATEWAY_CPU, ROOT, clean_env, free_port, running

sys.path.insert(0, str(ROOT / "tests"))

from fakes import Authority, FakeProvider, answers, client_context

BODY = b'{"model":"bench-plain","messages":[{"role":"user","content":"hi"}]}'


async def forward(
    reader: asyncio.StreamReader,
    writer: asyncio.StreamWriter,
    delay: float,
    first: float,
) -> None:
    """From one socket to another, each piece `delay` seconds late."""
    loop = asyncio.get_running_loop()
    queue: asyncio.Queue[tuple[float, bytes]] = asyncio.Queue()

    async def read() -> None:
        late = first
        while data := await reader.read(65536):
            queue.put_nowait((loop.time() + delay + late, data))
            late = 0.0
        queue.put_nowait((loop.time() + delay, b""))

    reading = asyncio.create_task(read())
    try:
        while True:
            due, data = await queue.get()
            await asyncio.sleep(due - loop.time())
            if not data:
                writer.write_eof()
                return
            writer.write(data)
    except OSError:
        pass
    finally:
        reading.cancel()


async def slow_network(port: int, delay: float) -> asyncio.Server:
    """A port that is as far away from `port` as a provider is."""

    async def connected(
        reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        there, back = await asyncio.open_connection("127.0.0.1", port)
        await asyncio.gather(
            forward(reader, back, delay, 2 * delay), forward(there, writer, delay, 0.0)
        )
        writer.close()
        back.close()

    return await asyncio.start_server(connected, "127.0.0.1", 0)


async def ask(port: int, head: bytes, tls: ssl.SSLContext | None) -> float:
    """Milliseconds from nothing to the first byte of the answer's body."""
    began = time.perf_counter()
    reader, writer = await asyncio.open_connection(
        "127.0.0.1", port, ssl=tls, server_hostname="127.0.0.1" if tls else None
    )
    writer.write(head + BODY)
    status = await reader.readuntil(b"\r\n\r\n")
    assert b" 200 " in status.split(b"\r\n")[0], status
    await reader.readexactly(1)
    took = (time.perf_counter() - began) * 1e3
    writer.close()
    return took


def head_for(port: int) -> bytes:
    lines = ["POST /v1/chat/completions HTTP/1.1", f"Host: 127.0.0.1:{port}"]
    lines += [f"{k}: {v}" for k, v in who.SDK_HEADERS]
    lines += [f"Content-Length: {len(BODY)}", "", ""]
    return "\r\n".join(lines).encode()


async def measure(rounds: int, delay: float) -> None:
    folder = BUILD / "oneshot"
    folder.mkdir(parents=True, exist_ok=True)
    authority = Authority(folder / "authority")
    async with AsyncExitStack() as stack:
        context = authority.server_context()
        provider = stack.enter_context(FakeProvider(answers.ok("hello"), tls=context))
        network = await slow_network(provider.port, delay)
        far = network.sockets[0].getsockname()[1]
        site = Site(free_port(), far, folder)
        config = who.gateway_config(site)
        for one in config["providers"]:
            one["baseURL"] = f"https://127.0.0.1:{far}/v1"
        path = site.write("config.jsonc", json.dumps(config))
        for left in folder.glob("usage.db*"):
            left.unlink()
        argv = [str(who.BIN / "mitmdump"), "-s", str(ROOT / "addon/gateway.py")]
        argv += ["--listen-host", "127.0.0.1", "-p", str(site.port)]
        argv += ["--set", f"ssl_verify_upstream_trusted_ca={authority.ca}"]
        env = {
            "LLM_GATEWAY_CONFIG": path,
            "LLM_GATEWAY_DB": str(folder / "usage.db"),
            "LLM_GATEWAY_HOME": str(folder),
            "PYTHONPATH": str(ROOT / "addon"),
        }
        log = folder / "log.txt"
        stack.enter_context(running(argv, log=log, cpu=GATEWAY_CPU, env=clean_env(env)))
        await until_it_answers(site.port)
        head = head_for(site.port)

        async def direct() -> float:
            return await ask(far, head_for(far), client_context(authority.ca))

        async def gateway() -> float:
            return await ask(site.port, head, None)

        await alternate(rounds, {"direct": direct, "gateway": gateway}, provider)


async def until_it_answers(port: int) -> None:
    for _ in range(200):
        try:
            await ask(port, head_for(port), None)
            return
        except (OSError, asyncio.IncompleteReadError):
            await asyncio.sleep(0.1)
    raise RuntimeError("the gateway does not answer")


async def alternate(
    rounds: int, ways: dict[str, Callable[[], Awaitable[float]]], provider: FakeProvider
) -> None:
    took: dict[str, list[float]] = {name: [] for name in ways}
    opened = provider.count("open")
    for _ in range(rounds):
        for name in random.sample(list(ways), len(ways)):
            took[name].append(await ways[name]())
            await asyncio.sleep(0.05)  # a client's socket closes before the next opens
    opened = provider.count("open") - opened
    middle = {name: statistics.median(values) for name, values in took.items()}
    print("| | first byte, median ms | range | ÷ direct |\n| --- | --- | --- | --- |")
    for name, values in took.items():
        spread = f"{min(values):.0f}–{max(values):.0f}"
        share = middle[name] / middle["direct"]
        print(f"| {name} | {middle[name]:.1f} | {spread} | {share:.2f} |")
    print(f"\nConnections that the provider saw: {opened}, {rounds} of them direct.")


def main(argv: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.oneshot")
    parser.add_argument("--rounds", type=int, default=30)
    parser.add_argument("--delay", type=float, default=30.0, help="ms, each way")
    asked = parser.parse_args(argv)
    asyncio.run(measure(asked.rounds, asked.delay / 1000))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
