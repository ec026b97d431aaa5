"""What a save on Providers & config takes: 30 providers with 20 models, 100 requests a second.

    python -m dashboard.save_load --saves 5

Run it in tests/, with PYTHONPATH=../addon. A real gateway, its dashboard, a browser that
changes one limit and saves. Prints, as medians and longest: from the key to "Valid.", from
the button to "Saved and active", the gateway's own answer to POST /config, and how long
requests take while it saves and while it does not.
"""

import argparse
import http.client
import json
import re
import tempfile
import threading
import time
from pathlib import Path
from statistics import median
from typing import Any

from gateway import GatewayProcess

from .browsing import browser
from .test_with_the_gateway import free_port

PROVIDERS, MODELS = 30, 20


def config() -> dict[str, Any]:
    return {
        "providers": [
            {
                "id": f"p{p:02}",
                "type": "simulator",
                "free": True,
                "apiKey": f"sk-provider-number-{p:02}",
                "simulator": {"latencyMs": 1, "tokensPerSecond": 10000, "outputTokens": 5},
                "models": [
                    {
                        "name": f"vendor/model-{m:02}",
                        "mappedName": f"model-{m:02}",
                        "limits": {"requestsPerMinute": 1000, "requestsPerDay": 100_000},
                    }
                    for m in range(MODELS)
                ],
            }
            for p in range(PROVIDERS)
        ]
    }  # fmt: skip


def asking(
    port: int, rate: float, stop: threading.Event, took: list[tuple[float, float]]
) -> None:
    """`rate` requests a second on one connection: (when it was sent, seconds)."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    n, due = 0, time.monotonic()
    while not stop.is_set():
        n, due = n + 1, due + 1 / rate
        body = {"model": f"model-{n % MODELS:02}", "messages": [{"role": "user", "content": "Hi"}]}  # fmt: skip
        began = time.monotonic()
        connection.request("POST", "/v1/chat/completions", json.dumps(body), {"content-type": "application/json"})  # fmt: skip
        connection.getresponse().read()
        took.append((began, time.monotonic() - began))
        stop.wait(max(0.0, due - time.monotonic()))
    connection.close()


def post(gateway: GatewayProcess, value: int) -> float:
    """Seconds that the gateway takes for a save, as the page sends it."""
    _, headers, text = gateway.ask("GET", "/config", headers=gateway.admin)
    changed = json.loads(text)
    changed["providers"][3]["models"][3]["limits"]["requestsPerDay"] = value
    sent = {**gateway.admin, "if-match": headers["x-config-hash"]}
    began = time.monotonic()
    status, _, said = gateway.post("/config", changed, sent)
    assert status == 200, said
    return time.monotonic() - began


def save(page: Any, value: int) -> tuple[float, float]:
    """(to "Valid.", from the button to "active"), in seconds."""
    card = page.get_by_role("article", name="p15", exact=True)
    field = card.locator(".number", has_text="requests / day").locator("input").nth(7)
    pending = page.locator("#pending")
    began = time.monotonic()
    field.fill(str(value))
    pending.get_by_text("Valid.", exact=True).wait_for()
    valid = time.monotonic() - began
    # Timed in the page: the test's own look at it is not part of what a person waits for.
    active = page.evaluate(
        """() => new Promise((done) => {
             const began = performance.now(), node = document.getElementById("pending");
             new MutationObserver(() => { if (node.dataset.kind === "active") done(performance.now() - began); })
               .observe(node, { attributes: true });
             document.getElementById("save").click();
           })"""
    )
    return valid, active / 1000


def said(name: str, seconds: list[float]) -> str:
    return f"{name}: {median(seconds):.2f} s, longest {max(seconds):.2f} s"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--saves", type=int, default=5)
    parser.add_argument("--rate", type=float, default=100, help="requests a second")
    given = parser.parse_args()
    took: list[tuple[float, float]] = []
    stop = threading.Event()
    with tempfile.TemporaryDirectory() as name:
        folder, port = Path(name), str(free_port())
        (folder / "work").mkdir()
        gateway = GatewayProcess(
            folder / "work",
            config(),
            confdir=folder / "confdir",
            options={"gateway_dashboard_port": port},
            forked=False,
        )
        with gateway, browser() as chromium:
            gateway.wait_log("sign in once with http://")
            link = re.search(r"sign in once with (http://\S+)", gateway.log())
            assert link is not None
            askers = [
                threading.Thread(target=asking, args=(gateway.port, given.rate / 4, stop, took))
                for _ in range(4 if given.rate else 0)
            ]  # fmt: skip
            for asker in askers:
                asker.start()
            try:
                page = chromium.new_page()
                page.goto(link[1])
                page.goto(link[1].partition("/-/")[0] + "/-/gateway/config")
                page.get_by_role("article", name="p29", exact=True).wait_for()
                page.wait_for_timeout(3000)
                spans, pages = [], []
                for n in range(given.saves):
                    began = time.monotonic()
                    pages.append(save(page, 50_000 + n))
                    spans.append((began, time.monotonic()))
                    page.wait_for_timeout(1500)
                posts = [post(gateway, 60_000 + n) for n in range(given.saves)]
            finally:
                stop.set()
                for asker in askers:
                    asker.join()
    print(said("from the key to valid (0.4 s of it waiting)", [v for v, _ in pages]))
    print(said("from the button to active", [a for _, a in pages]))
    print(said("the gateway's answer to a save", posts))
    if not took:
        return
    during = [s for at, s in took if any(a <= at <= b for a, b in spans)]
    while_not = [s for at, s in took if at < spans[0][0]]
    for name, times in (("while it saves", during), ("before", while_not)):
        times = sorted(times) or [0.0]
        print(
            f"requests {name}: {len(times)}, median {median(times) * 1000:.0f} ms, "
            f"99 % {times[len(times) * 99 // 100] * 1000:.0f} ms, longest {times[-1] * 1000:.0f} ms"
        )


if __name__ == "__main__":
    main()
