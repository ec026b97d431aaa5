"""What an update changes in the catalogue, and what of it is kept."""

from dataclasses import replace
from datetime import date
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llm_gateway.domain import Metric, Window
from llm_gateway.providers.catalog_file import CatalogFileError
from llm_gateway.providers.catalog_update import proposed
from llm_gateway.providers.published import (
    AccountFact,
    FreePreset,
    ModelFact,
    Published,
    overlaid,
)

TODAY = date(2026, 6, 15)
OLD, LATE, NEW = "2026-05-01", "2026-06-01", "2026-06-10"


def tier(name: str = "t", as_of: str = OLD, **more: Any) -> FreePreset:
    limits = {(Metric.REQUESTS, Window.DAY): more.pop("a_day", 20)}
    known = {"id": name, "provider": "groq", "hard_stop": None} | more
    return FreePreset((f"{name}*",), limits, as_of, "s", **known)


BASE = Published(LATE, (tier(), tier("u")))


@pytest.mark.parametrize(
    ("update", "changed", "older"),
    [
        (Published(NEW, (tier(as_of=NEW, a_day=30),)), {"t"}, 0),
        (Published(NEW, (tier(as_of=OLD, a_day=30),)), set(), 1),
        (Published(NEW, (tier(as_of="2026-04-01", a_day=30),)), set(), 1),
        (Published(OLD, (tier(as_of=OLD, a_day=30), tier("v"))), set(), 2),
        (Published(LATE, (tier(as_of=LATE, a_day=30),)), {"t"}, 0),
        (Published(NEW, (tier("v"), tier("w"), tier("u"))), {"v", "w"}, 1),
        (Published(LATE, (tier("v"),)), set(), 1),
        (Published(NEW, (tier("u", as_of=NEW), tier())), {"u"}, 1),
        (Published(NEW), set(), 0),
    ],
    ids=[
        "younger",
        "same-day",
        "older",
        "older-whole",
        "same-catalogue",
        "new-entries",
        "unknown-in-none-younger",
        "date-alone",
        "nothing",
    ],
)
def test_what_is_younger_counts_entry_by_entry(
    update: Published, changed: set[str], older: int
) -> None:
    found = proposed(BASE, BASE, update, TODAY)
    assert {change.id for change in found.changes} == changed
    assert found.older == older
    assert {entry.id for entry in found.kept.entries()} == changed


def test_a_change_is_said_key_by_key() -> None:
    new = tier(as_of=NEW, a_day=30, note="more")
    (change,) = proposed(BASE, BASE, Published(NEW, (new,)), TODAY).changes
    assert change.fields == {
        "limits": ('{"requestsPerDay": 20}', '{"requestsPerDay": 30}'),
        "as_of": (OLD, NEW),
        "note": ("", "more"),
    }
    assert not change.is_new


@pytest.mark.parametrize(
    ("new", "frees"),
    [
        (tier(as_of=NEW, a_day=9_999), False),
        (replace(tier(as_of=NEW), models=("t*", "*")), True),
        (replace(tier(as_of=NEW), models=("t",)), True),
        (tier(as_of=NEW, status="ended"), False),
        (tier("v", as_of=NEW), True),
        (tier("v", as_of=NEW, status="candidate"), False),
        (tier("gone", as_of=NEW), True),
        (tier("gone", as_of=NEW, status="candidate"), True),
        (replace(tier("gone", as_of=NEW, status="ended"), models=("u*",)), True),
        (replace(tier("gone", as_of=NEW, status="ended"), since=LATE), True),
        (tier("gone", as_of=NEW, status="ended", note="why"), False),
        (replace(tier("later", as_of=NEW), since=OLD), True),
        (replace(tier("later", as_of=NEW), since=LATE, note="why"), False),
    ],
)
def test_what_makes_models_count_as_free_is_marked(
    new: FreePreset, frees: bool
) -> None:
    later = replace(tier("later"), since=LATE)
    base = Published(LATE, (tier(), tier("gone", status="ended"), later))
    (change,) = proposed(base, base, Published(NEW, (new,)), TODAY).changes
    assert change.frees is frees


@pytest.mark.parametrize(
    ("update", "said"),
    [
        (Published("2026-06-17"), "c.json: as_of: 2026-06-17 has not come yet (today is 2026-06-15)"),
        (Published("9999-12-31", (tier(as_of="9999-12-31"),)), "has not come yet"),
        (Published(NEW, (tier(as_of=NEW, provider="openai"),)), 'c.json: t: is an entry of "groq", not of "openai"; give it another id'),
        (Published(NEW, (), (), (AccountFact("k", "groq", "account", NEW, "s"),)), 'k: is an entry of "google"'),
    ],
)  # fmt: skip
def test_what_no_later_one_could_mend_is_refused(update: Published, said: str) -> None:
    base = replace(BASE, accounts=(AccountFact("k", "google", "project", OLD, "s"),))
    with pytest.raises(CatalogFileError) as refused:
        proposed(base, base, update, TODAY, "c.json")
    assert said in str(refused.value)


def test_tomorrow_is_today_elsewhere() -> None:
    proposed(BASE, BASE, Published("2026-06-16"), TODAY)


DAYS = st.sampled_from(["2026-01-01", "2026-01-02", "2026-01-03", "2026-01-04"])
NAMES = st.sampled_from("abcd")
TIERS = st.builds(tier, NAMES, DAYS, a_day=st.integers(1, 5))
FACTS = st.builds(
    ModelFact,
    NAMES,
    st.just("groq"),
    st.just(("m",)),
    DAYS,
    st.just("s"),
    max_output=st.integers(1, 5),
)


@st.composite
def catalogues(draw: st.DrawFn) -> Published:
    by_id = {"unique_by": lambda entry: entry.id, "max_size": 4}
    tiers = tuple(draw(st.lists(TIERS, **by_id)))
    facts = tuple(draw(st.lists(FACTS, **by_id)))
    days = [draw(DAYS), *(entry.as_of for entry in (*tiers, *facts))]
    return Published(max(days), tiers, facts)


@given(catalogues(), st.lists(catalogues(), max_size=4))
def test_what_is_kept_gives_what_was_shown(
    packaged: Published, updates: list[Published]
) -> None:
    """After any updates, what is laid over the packaged catalogue gives what holds; the
    same update once more changes nothing; no entry ever gets older."""
    kept, holds = Published(""), packaged
    for update in updates:
        found = proposed(packaged, holds, update, TODAY)
        after = overlaid(holds, update)
        kept = found.kept
        ages = {(type(e), e.id): e.as_of for e in after.entries()}
        assert all(ages[type(e), e.id] >= e.as_of for e in holds.entries())
        holds = after
        assert not proposed(packaged, holds, update, TODAY).changes
        assert overlaid(packaged, kept) == holds
