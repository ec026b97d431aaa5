"""What is measured: one row is one kind of load, the same for every contender."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Row:
    name: str
    model: str = "bench-plain"
    clients: int = 16
    seconds: float = 0.65
    count: int = 0
    """End after this many requests, when not 0; `seconds` is then a limit."""
    new: bool = False
    """A new TCP connection for each request."""
    prompt: int = 16
    """Bytes of prompt."""
    chunks: int = 0
    """Content events per answer, for streams."""
    failover: bool = False
    """Contenders that cannot fail over are left out; the yardstick answers plainly."""
    dialect: str = "chat"
    """What clients speak. The upstream speaks chat alone: contenders that do not translate
    are left out, and the yardstick is asked for chat."""

    @property
    def stream(self) -> bool:
        return self.chunks > 0


KB, MB = 1024, 1024 * 1024

ROWS = (
    Row("keep-alive, 16 clients"),
    Row("keep-alive, 1 client", clients=1),
    Row("new connection each, 16 clients", new=True),
    Row(
        "answers after 100 ms, 16 clients",
        model="bench-after-100000",
        seconds=2.0,
    ),
    Row(
        "answers after 100 ms, 1 client",
        model="bench-after-100000",
        clients=1,
        seconds=2.0,
    ),
    Row(
        "100 streams at once",
        model="bench-stream-50-20000",
        clients=100,
        count=100,
        seconds=10,
        new=True,
        chunks=50,
    ),
    *(
        Row(
            f"100 streams, {dialect} from chat",
            model="bench-stream-50-20000",
            clients=100,
            count=100,
            seconds=10,
            new=True,
            chunks=50,
            dialect=dialect,
        )
        for dialect in ("messages", "responses")
    ),
    Row(
        "4 long streams, 1000 chunks/s each",
        model="bench-stream-600-1000",
        clients=4,
        count=4,
        seconds=10,
        chunks=600,
    ),
    Row("prompt of 16 KB", prompt=16 * KB, clients=4),
    Row("prompt of 256 KB", prompt=256 * KB, clients=4),
    Row("prompt of 4 MB", prompt=4 * MB, clients=2, seconds=1.2),
    Row("answer of 16 KB", model=f"bench-down-{16 * KB}", clients=4),
    Row("answer of 256 KB", model=f"bench-down-{256 * KB}", clients=4),
    Row("answer of 4 MB", model=f"bench-down-{4 * MB}", clients=2, seconds=1.2),
    # A context that is too long is an error that leaves no cooldown behind: it fails over
    # each time, not only the first.
    Row("first provider fails each time", model="bench-failover", failover=True),
)
