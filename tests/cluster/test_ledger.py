"""One ledger for all members: every finished request once, whatever went away meanwhile."""

from fakes import FakeProvider

from gateway import GatewayProcess, provider

from .conftest import Join, statuses, storm, wait_until

ROWS = "select id, coalesce(member, '') as member, total_tokens, cost_nano from requests where outcome <> 'in_flight'"


def ids(gateway: GatewayProcess, sql: str = ROWS) -> list[str]:
    return sorted(row["id"] for row in gateway.rows(sql))


def test_rows_of_all_members_are_collected_once(join: Join) -> None:
    with FakeProvider() as fake:
        config = {"providers": [provider(fake, "p", free=True)]}
        # Served before anybody collects, and after.
        [early] = join(config, "early", cluster={"name": "ledger"})
        assert statuses(storm([early], 5)) == {200: 5}
        early.ended(5)
        [all_of_them] = join(config, "all", cluster={"name": "ledger", "collect": True})
        assert statuses(storm([early, all_of_them], 10)) == {200: 20}
        early.ended(15)
        wait_until(lambda: len(ids(all_of_them)) == 25, "all rows")
        own = {row["id"] for row in all_of_them.rows(ROWS) if not row["member"]}
        assert len(own) == 10
        assert set(ids(all_of_them)) == own | set(ids(early))
        members = {row["member"] for row in all_of_them.rows(ROWS)}
        assert members == {"", "early"}
        wait_until(
            lambda: early.rows("select count(*) as n from unsent")[0]["n"] == 0,
            "nothing to be left to send",
        )
        # What others used is shown, and does not count twice here.
        found = all_of_them.rows("select member from members order by member")
        assert [row["member"] for row in found] == ["all", "early"]
