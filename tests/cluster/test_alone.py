"""A gateway that is alone loads nothing of a cluster."""

import subprocess
import sys

import pytest

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
