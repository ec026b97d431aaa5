"""The upstream and the load generator: compiled when a C compiler is here, else asyncio."""

import json
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from benchmarks.measure import BUILD, CLIENT_CPU, clean_env, pin

HERE = Path(__file__).parent


def program(name: str) -> list[str]:
    """The command line that starts `upstream` or `load`."""
    source, binary = HERE / "native" / f"{name}.c", BUILD / "bin" / name
    compiler = shutil.which("cc") or shutil.which("gcc") or shutil.which("clang")
    if compiler is None:
        return [sys.executable, str(HERE / "native" / "slow.py"), name]
    if not binary.exists() or binary.stat().st_mtime < source.stat().st_mtime:
        binary.parent.mkdir(parents=True, exist_ok=True)
        subprocess.run([compiler, "-O2", "-o", binary, source], check=True)
    return [str(binary)]


@contextmanager
def upstream() -> Iterator[int]:
    """A provider on a free port, while the block lasts; its port."""
    process = subprocess.Popen(
        [*program("upstream"), "0"],
        stdout=subprocess.PIPE,
        text=True,
        preexec_fn=pin(CLIENT_CPU),
        env=clean_env(),
    )
    try:
        assert process.stdout
        yield int(process.stdout.readline())
    finally:
        process.kill()
        process.wait()


@dataclass(frozen=True)
class Load:
    """What the load generator saw. Times in milliseconds."""

    requests: int
    errors: int
    status: int
    """The first status that was not 2xx, else 0."""
    seconds: float
    bytes: int
    p50: float
    p99: float
    first_p50: float
    """Time to the first byte of a body."""
    first_p99: float


def load(
    port: int, request: Path, *, clients: int, seconds: float, count: int = 0, new: bool
) -> Load:
    argv = [*program("load"), str(port), str(request), str(clients), str(seconds)]
    done = subprocess.run(
        [*argv, str(count), str(int(new))],
        capture_output=True,
        text=True,
        check=True,
        timeout=seconds + 30,
        preexec_fn=pin(CLIENT_CPU),
        env=clean_env(),
    )
    return Load(**json.loads(done.stdout))


PATHS = {
    "chat": "/v1/chat/completions",
    "messages": "/v1/messages",
    "responses": "/v1/responses",
}
PLAIN: dict[str, dict[str, object]] = {
    "chat": {},
    "messages": {"max_tokens": 1000},
    "responses": {"store": False},
}
"""What a request of a dialect has besides its model and its turns."""


def write_request(
    path: Path,
    *,
    model: str,
    headers: Sequence[tuple[str, str]],
    size: int,
    stream: bool,
    dialect: str = "chat",
) -> None:
    """The bytes of a request with about `size` bytes of prompt."""
    words = ("word " * (size // 5 + 1))[:size]
    fields: dict[str, object] = {"model": model, **PLAIN[dialect]}
    turns = [{"role": "user", "content": words}]
    fields["input" if dialect == "responses" else "messages"] = turns
    if stream:
        fields["stream"] = True
        if dialect == "chat":
            fields["stream_options"] = {"include_usage": True}
    body = json.dumps(fields, separators=(",", ":")).encode()
    lines = [f"POST {PATHS[dialect]} HTTP/1.1"]
    lines += [f"{k}: {v}" for k, v in headers]
    lines += [f"Content-Length: {len(body)}", "", ""]
    path.write_bytes("\r\n".join(lines).encode() + body)
