"""For all tests: a busy machine is no failure, so hypothesis keeps no time."""

from hypothesis import HealthCheck, settings

settings.register_profile(
    "gateway", deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("gateway")
