"""What an independent fault server says of the gateway as a client.

llmock (PyPI) plays providers that limit rates, fail and disconnect, and judges whoever
talks to it: was Retry-After waited for, were hopeless errors tried again, was there a
storm of retries? Three of them stand behind the gateway, OpenAI's SDK before it. Skipped
where llmock is not installed: pip install llmock
"""

import asyncio
import json
import re
import subprocess
import sys
import threading
import urllib.request
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from sdks import openai

from gateway import GatewayProcess

from .conftest import Start
from .failing import priced

LLMOCK = Path(sys.executable).with_name("llmock")
CLIENTS, ASKED = 10, 30
"""So many at a time, and so often each."""
ECHO = ("--response-style", "echo", "--stream-chunk-delay-ms", "1")

pytestmark = pytest.mark.skipif(not LLMOCK.exists(), reason="llmock is not installed")


class Mock:
    """One llmock, on a port of its own choice."""

    def __init__(self, folder: Path, name: str, *options: str) -> None:
        self.name = name
        log = folder / f"{name}.log"
        with log.open("wb") as out:
            self.process = subprocess.Popen(
                [LLMOCK, "serve", "--port", "0", *ECHO, *options],
                stdout=out,
                stderr=subprocess.STDOUT,
            )
        tick = threading.Event()
        for _ in range(1500):
            found = re.search(r"running on (http://\S+)", log.read_text("utf-8"))
            if found:
                self.url = found[1]
                return
            assert self.process.poll() is None, log.read_text("utf-8")
            tick.wait(0.02)
        self.stop()
        raise AssertionError(f"llmock did not start: {log.read_text('utf-8')}")

    def stop(self) -> None:
        self.process.terminate()
        self.process.wait(10)

    def told(self, what: str) -> Any:
        with urllib.request.urlopen(f"{self.url}/_llmock/{what}", timeout=10) as found:
            return json.load(found)

    def provider(self, price: float) -> dict[str, Any]:
        return {
            "id": self.name,
            "type": "openai-compatible",
            "baseURL": f"{self.url}/v1",
            "apiKey": "sk-anything",
            "models": priced(price, "gpt-mock"),
        }


@pytest.fixture
def run(tmp_path: Path) -> Iterator[Callable[..., Mock]]:
    running: list[Mock] = []

    def started(name: str, *options: str) -> Mock:
        running.append(Mock(tmp_path, name, *options))
        return running[-1]

    yield started
    for mock in running:
        mock.stop()


async def one(client: "openai.AsyncOpenAI", nonce: str, streamed: bool) -> str:
    """How a request ended: `answered`, `cut` or `refused`."""
    message: Any = {"role": "user", "content": nonce}
    text = ""
    try:
        if streamed:
            async for chunk in await client.chat.completions.create(
                model="gpt-mock", messages=[message], stream=True
            ):
                text += chunk.choices[0].delta.content or ""
        else:
            whole = await client.chat.completions.create(
                model="gpt-mock", messages=[message]
            )
            text = whole.choices[0].message.content or ""
    except openai.APIStatusError as e:
        if e.status_code not in (429, 503) or "retry-after" not in e.response.headers:
            raise
        return "refused"
    except openai.APIError as e:
        if not streamed or e.code != "upstream_truncated":
            raise
        return "cut"
    assert text.endswith(f"You said: {nonce}")
    return "answered"


async def crowd(gateway: GatewayProcess) -> Counter[tuple[str, str]]:
    """Everybody asks; every prompt comes twice, so that llmock sees what is repeated."""
    ends: Counter[tuple[str, str]] = Counter()

    async def ask(number: int) -> None:
        async with openai.AsyncOpenAI(
            api_key="any", base_url=f"{gateway.url}/v1", max_retries=0
        ) as client:
            for count in range(ASKED):
                nonce = f"nonce-{number}-{count // 4}"
                form = "stream" if count % 2 else "plain"
                ends[form, await one(client, nonce, form == "stream")] += 1

    await asyncio.gather(*map(ask, range(CLIENTS)))
    return ends


async def test_verdict(start: Start, run: Callable[..., Mock]) -> None:
    mocks = [
        run("limited", "--rpm", "20"),
        run(
            "failing", *(f"--error-rate={e}" for e in ("500=0.2", "503=0.1", "429=0.1"))
        ),
        run("leaving", "--stream-fault", "disconnect=0.15"),
    ]
    providers = [mock.provider(price) for price, mock in enumerate(mocks)]
    gateway = start({"providers": providers})
    ends = await crowd(gateway)
    verdicts = {mock.name: mock.told("verdict") for mock in mocks}
    short = {
        name: {key: v[key] for key in ("calls", "attempts", "errors", "warnings")}
        | {"warned": dict(Counter(f["code"] for f in v["findings"]))}
        for name, v in verdicts.items()
    }
    ended = {f"{form} {end}": count for (form, end), count in sorted(ends.items())}
    print(f"llmock: {json.dumps({'clients': ended, **short})}")  # pytest -rP shows it
    for name, verdict in verdicts.items():
        found = [f for f in verdict["findings"] if f["severity"] == "error"]
        assert found == [], name
        assert verdict["attempts"] > 5, name
    # The one that leaves mid-stream answers plain requests: nobody need be refused.
    assert ends["plain", "answered"] == CLIENTS * ASKED / 2
    assert ends["stream", "answered"] > CLIENTS * ASKED / 4
    rows = gateway.ended(CLIENTS * ASKED)
    outcomes = Counter(row["outcome"] for row in rows)
    answered = ends["plain", "answered"] + ends["stream", "answered"]
    assert (outcomes["ok"], outcomes["truncated"]) == (answered, ends["stream", "cut"])
