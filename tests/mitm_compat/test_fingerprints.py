"""The installed mitmproxy is the one that ours was compared with; another one is noticed."""

import pytest

from llm_gateway.mitm_compat import __main__ as command
from llm_gateway.mitm_compat import fingerprints
from llm_gateway.mitm_compat.sites import FAILOVER, GROUPS, HTTP, SITES, SMALL, Site


@pytest.fixture(autouse=True)
def _asked_anew():
    fingerprints.compare.cache_clear()
    yield
    fingerprints.compare.cache_clear()


@pytest.mark.parametrize("group", GROUPS)
def test_all_of_them_are_known_here(group):
    assert fingerprints.unknown(group) == ()


def test_every_group_has_sites_and_every_site_a_group():
    assert {site.group for site in SITES} == set(GROUPS)
    assert all(site.known for site in SITES)
    assert sum(site.group == FAILOVER for site in SITES) >= 12


def other() -> str:
    return "not what was compared"


@pytest.mark.parametrize(
    "site", [s for s in SITES if s.group == HTTP], ids=lambda s: s.name
)
def test_one_unknown_text_turns_its_whole_group_off(site, monkeypatch):
    resolve = fingerprints.resolve
    monkeypatch.setattr(
        fingerprints,
        "resolve",
        lambda name: other if name == site.functions[0] else resolve(name),
    )
    assert site.name in fingerprints.unknown(HTTP)
    assert set(fingerprints.groups_off()) >= {HTTP}


@pytest.mark.parametrize(
    "name",
    ["no.such.module:f", "mitmproxy.http:NoSuchClass.f", "mitmproxy.http:Headers.gone"],
)
def test_what_is_not_there_is_unknown(name, monkeypatch):
    sites = (Site(SMALL, (name,), frozenset({"00000000"})),)
    monkeypatch.setattr(fingerprints, "SITES", sites)
    assert len(fingerprints.unknown(SMALL)) == 1


def test_what_may_lack_is_no_reason(monkeypatch):
    lacking = Site(
        SMALL, ("mitmproxy.http:Headers.gone",), frozenset("x"), may_lack=True
    )
    monkeypatch.setattr(fingerprints, "SITES", (lacking,))
    assert fingerprints.is_known(SMALL)


def test_what_has_no_text_has_no_digest():
    assert fingerprints.digest(len) == ""


def test_the_command_tells_of_each_site(capsys):
    assert command.main([]) == 0
    told = capsys.readouterr().out
    assert all(
        site.name in told and group in told for site in SITES for group in [site.group]
    )
    assert "UNKNOWN" not in told


@pytest.mark.process
def test_the_command_shows_what_is_different(monkeypatch, tmp_path, capsys):
    verified = tmp_path / "somewhere.py"
    verified.write_text("def f():\n    return 'verified'\n")
    here = tmp_path / "here"
    here.mkdir()
    (here / "somewhere.py").write_text("def f():\n    return 'another'\n")
    monkeypatch.syspath_prepend(str(here))
    monkeypatch.setattr(
        fingerprints, "SITES", (Site(SMALL, ("somewhere:f",), frozenset({"0" * 8})),)
    )
    assert command.main(["--verified", str(tmp_path)]) == 1
    told = capsys.readouterr().out
    assert "UNKNOWN" in told
    assert "-    return 'verified'" in told
    assert "+    return 'another'" in told
