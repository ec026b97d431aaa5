"""Members of a cluster share their limits exactly, as the upstream sees it."""

from fakes import FakeProvider

from gateway import provider

from .conftest import Join, statuses, storm


def test_requests_per_minute_hold_over_all_members(join: Join) -> None:
    with FakeProvider() as fake:
        limited = provider(fake, "p", free=True, limits={"requestsPerMinute": 100})
        members = join({"providers": [limited]}, "a", "b", cluster={"name": "rpm"})
        found = storm(members, 200)
        assert statuses(found) == {200: 100, 429: 300}
        assert len(fake.requests) == 100
