"""What the limit engine costs per request: `python benchmarks/engine.py [--requests N]`.

One request, as routing does it: does it fit on each of 20 candidates, how much headroom
have they, reserve on one, settle. Nine limits each: three of the provider, three of the
model, two of the client and one budget, over rolling and calendar windows. Time is an
argument of the engine, so the clock here only measures.
"""

import argparse
import statistics
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent / "addon"))

from llm_gateway.domain import NANO, Charge, Limit, Metric, Reset, Window
from llm_gateway.limits.limiter import Limiter, Reservation, scopes_of

CANDIDATES = 20
T0 = 1_790_000_000.0
PACIFIC = Reset(zone="America/Los_Angeles")
NEED, REAL = Charge(1, 1500, 2_000_000), Charge(1, 900, 1_100_000)


def limits_of(provider: str, model: str, *, room: int) -> tuple[Limit, ...]:
    """Nine limits. `room` is how many requests a minute and a provider may have."""
    whole = ("provider", provider, "")
    part = ("model", provider, "", model)
    client = ("client", "cursor")
    return (
        Limit(whole, Metric.REQUESTS, Window.MINUTE, room),
        Limit(whole, Metric.REQUESTS, Window.DAY, room * 1440, PACIFIC),
        Limit(whole, Metric.TOKENS, Window.MONTH, room * 100_000_000),
        Limit(part, Metric.REQUESTS, Window.MINUTE, room),
        Limit(part, Metric.TOKENS, Window.MINUTE, room * 1500),
        Limit(part, Metric.TOKENS, Window.DAY, room * 10_000_000),
        Limit(client, Metric.REQUESTS, Window.HOUR, 10_000_000),
        Limit(client, Metric.COST, Window.DAY, 1_000_000 * NANO, Reset()),
        Limit(("budget",), Metric.COST, Window.MONTH, 10_000_000 * NANO),
    )


def run(requests: int, *, room: int, pace: float, fresh_tuples: bool) -> list[float]:
    """Microseconds of each request."""
    limiter, now = Limiter(), T0
    offers = []
    for i in range(CANDIDATES):
        provider, model = f"provider-{i}", f"family/model-{i}:free"
        scopes = scopes_of(provider, "", model, "cursor")
        offers.append((limits_of(provider, model, room=room), scopes))
    took = []
    for i in range(requests):
        now += pace
        begun = time.perf_counter()
        ready = []
        for given, scopes in offers:
            limits = (*given[:6], *given[6:]) if fresh_tuples else given
            if limiter.fit(limits, NEED, now, scopes=scopes) is None:
                ready.append((limits, scopes))
        if ready:
            limits, scopes = ready[i % len(ready)]
            got = limiter.reserve(limits, NEED, now, id="r", scopes=scopes)
            if isinstance(got, Reservation):
                limiter.settle(got, REAL, now)
        took.append((time.perf_counter() - begun) * 1e6)
    return took


def headroom(requests: int) -> list[float]:
    """Microseconds for the headroom of all candidates."""
    limiter, now = Limiter(), T0
    offers = [limits_of(f"p{i}", f"m{i}", room=600) for i in range(CANDIDATES)]
    took = []
    for i in range(requests):
        now += 0.01
        got = limiter.reserve(offers[i % CANDIDATES], NEED, now, id="r")
        if isinstance(got, Reservation):
            limiter.settle(got, REAL, now)
        begun = time.perf_counter()
        for limits in offers:
            limiter.headroom(limits, now)
        took.append((time.perf_counter() - begun) * 1e6)
    return took


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--requests", type=int, default=20_000)
    n = parser.parse_args().requests
    rows = (
        ("plenty of room", run(n, room=1_000_000, pace=0.001, fresh_tuples=False)),
        ("half used", run(n, room=600, pace=0.01, fresh_tuples=False)),
        ("all at their limits", run(n, room=10, pace=0.01, fresh_tuples=False)),
        ("plenty, new tuples", run(n, room=1_000_000, pace=0.001, fresh_tuples=True)),
        ("headroom of 20", headroom(n)),
    )
    print(f"{CANDIDATES} candidates × 9 limits: fit on all, reserve and settle on one")
    print(f"{'':22}{'median':>9}{'p95':>9}{'mean':>9}   µs per request")
    for name, took in rows:
        took.sort()
        p95 = took[int(len(took) * 0.95)]
        middle, mean = statistics.median(took), statistics.fmean(took)
        print(f"{name:22}{middle:9.1f}{p95:9.1f}{mean:9.1f}")


if __name__ == "__main__":
    main()
