"""What tests of the wire share: recordings, and every way to cut bytes into chunks."""

from collections.abc import Callable
from pathlib import Path

from hypothesis import strategies as st

RECORDINGS = Path(__file__).parent / "recordings"
STREAMS = sorted(path.name for path in RECORDINGS.glob("*.sse"))
ANSWERS = sorted(
    path.name for path in RECORDINGS.glob("*.json") if not path.name.startswith("error")
)


def recording(name: str) -> bytes:
    return (RECORDINGS / name).read_bytes()


def dialect_of(name: str) -> str:
    """The dialect that a recording's name ends in."""
    for part in ("completions", "embeddings", "responses", "messages"):
        if part in name:
            return part
    return "messages" if name.startswith("anthropic") else "chat"


def cut(data: bytes, places: list[int]) -> list[bytes]:
    """`data` in chunks, cut at these places (modulo its length); some may be empty."""
    edges = sorted(place % (len(data) + 1) for place in places)
    starts = [0, *edges]
    return [data[a:b] for a, b in zip(starts, [*edges, len(data)], strict=True)]


places = st.lists(st.integers(0, 10_000), max_size=12)


def fed(feed: Callable[[bytes], bytes], chunks: list[bytes]) -> bytes:
    return b"".join(feed(chunk) for chunk in chunks)
