"""For all tests. hypothesis takes the same examples each time, so that a suite that passed
passes again; `HYPOTHESIS_PROFILE=explore` looks for new ones. A busy machine is no
failure: no example has a deadline.
"""

import os

from hypothesis import HealthCheck, settings

settings.register_profile(
    "gateway",
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.register_profile(
    "explore",
    deadline=None,
    max_examples=1000,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "gateway"))
