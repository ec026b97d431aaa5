"""What `llm-gateway doctor` asks a running gateway about its cluster.

What lives here: findings about who is there, who is missing and what members allow
differently. What it does not know: the server that they share.
"""

from collections.abc import Iterator

from llm_gateway.cli.cluster import difference
from llm_gateway.cli.doctor_machine import Finding, of_gateway
from llm_gateway.config.models import Cluster

NAMED = 5
"""Differences that have a line."""


def cluster(wanted: Cluster | None, port: int) -> Iterator[Finding]:
    """Nothing where none is configured or no gateway runs."""
    found = of_gateway(port, "/admin/cluster") if wanted is not None else {}
    if not found:
        return
    yield Finding(
        "ok" if found["state"] == "up" else "note",
        "cluster",
        f"{found['name']} on {found['server']}: {found['state']}, "
        f"members alive: {found['members']}",
    )
    for who in found["absent"]:
        said = f"{who} was not heard of since the counters began anew"
        yield Finding("note", "cluster", said)
    differences = found["differences"]
    for one in differences[:NAMED]:
        yield Finding("note", "cluster", f"amounts differ: {difference(one)}")
    if len(differences) > NAMED:
        said = f"{len(differences) - NAMED} more amounts differ (llm-gateway cluster)"
        yield Finding("note", "cluster", said)
