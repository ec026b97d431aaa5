"""A gateway that is alone loads nothing of a cluster."""

import subprocess
import sys

import pytest
from tables import each_row

from llm_gateway.app.cluster_membership import usual_name
from llm_gateway.config.models import Cluster

CODE = """
import sys
import llm_gateway.addon
loaded = sorted(m for m in sys.modules if m.split(".")[0] == "redis"
    or m.startswith(("llm_gateway.cluster", "llm_gateway.limits.shared")))
print(loaded)
"""


@pytest.mark.process
def test_nothing_of_it_is_imported() -> None:
    done = subprocess.run(
        [sys.executable, "-c", CODE], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[]"


@each_row(
    "host", ["desk", "desk.local", "Jürgens MacBook", "", "a b\n", "-x", "h" * 80]
)
def test_a_machine_of_any_name_has_the_name_of_a_member(host: str) -> None:
    name = usual_name(host, 8080)
    assert Cluster.model_validate({"url": "redis://h", "member": name}).member == name
