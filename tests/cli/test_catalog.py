"""`llm-gateway catalog`: shown, checked, updated from a file or an address, and from nowhere
that was not named."""

import hashlib
import json
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from fakes import FakeProvider, refused_port
from fakes.steps import Answer, Received

from llm_gateway.providers.catalog_file import parse
from llm_gateway.providers.registry import packaged

from .conftest import Command

LATE = (datetime.now(UTC).date() + timedelta(days=1)).isoformat()
"""Younger than anything: somewhere it is tomorrow already."""
GROQ = {
    "id": "groq/groq/compound",
    "provider": "groq",
    "models": ["groq/compound", "groq/compound-mini"],
    "limits": {"requestsPerDay": 700},
    "hard_stop": True,
    "trains_on_prompts": "no",
    "source": "its page",
}


def catalogue(as_of: str = LATE, *more: dict[str, Any], **changes: Any) -> str:
    entries = [{**GROQ, "as_of": as_of, **changes}, *more]
    return json.dumps({"format": 1, "as_of": as_of, "free_tiers": entries})


GOOD = catalogue()

Reached = list[tuple[str, int]]
_reached: Reached | None = None


def _note(event: str, args: tuple[Any, ...]) -> None:
    if _reached is not None and event in ("socket.connect", "socket.getaddrinfo"):
        _reached.append(args[1][:2] if event == "socket.connect" else args[:2])


sys.addaudithook(_note)


@pytest.fixture
def reached() -> Iterator[Reached]:
    """Every address that is looked up or connected to while the test runs."""
    global _reached
    _reached = []
    yield _reached
    _reached = None


@pytest.fixture
def kept(folder: Path) -> Path:
    return folder / "home" / "catalog.json"


def test_what_holds_is_shown(command: Command, kept: Path, reached: Reached) -> None:
    code, out, err = command("catalog")
    assert (code, err) == (0, "")
    assert out.startswith(f"The catalogue of {packaged().as_of}: ")
    assert "no update is kept" in out
    for entry in packaged().entries():
        assert entry.source in out
    code, out, _ = command("catalog", "show", "google")
    assert code == 0
    assert "\ngoogle\n" in out
    assert "\ngroq\n" not in out
    assert "no longer free" in out
    assert "  keys of one project share its limits" in out
    assert "uncertain: " in out
    assert not reached
    assert not kept.parent.exists()


def test_it_is_shown_as_a_file(command: Command, folder: Path) -> None:
    _, out, _ = command("catalog", "show", "--json")
    assert parse(out) == packaged()
    _, out, _ = command("catalog", "show", "groq", "--json")
    assert {entry.provider for entry in parse(out).entries()} == {"groq"}


def test_who_is_not_in_it(command: Command) -> None:
    code, out, err = command("catalog", "show", "gogle")
    assert (code, out) == (1, "")
    assert 'did you mean "google"?' in err


def test_an_update_is_shown_kept_and_holds(
    command: Command, folder: Path, kept: Path, reached: Reached
) -> None:
    (folder / "new.json").write_text(GOOD)
    code, out, err = command("catalog", "update", "new.json", "--dry-run")
    assert (code, err) == (0, "")
    assert "1 entries would change" in out
    assert not kept.exists()
    code, out, err = command("catalog", "update", "new.json")
    assert (code, err) == (0, "")
    assert out.splitlines()[0] == "~ groq/groq/compound (groq)"
    assert '-> {"requestsPerDay": 700}' in out
    assert f"as_of: 2026-08-22 -> {LATE}" in out
    assert f"kept in {kept}" in out
    assert kept.stat().st_mode & 0o777 == 0o600
    _, out, _ = command("catalog", "show", "groq")
    assert f"1 of them from {kept}" in out
    assert "free, 700 requests/day" in out
    code, out, _ = command("catalog", "check")
    assert code == 0
    assert f"{kept}: fine. As of {LATE}: 1 tiers" in out
    _, out, _ = command("catalog", "update", "new.json")
    assert "nothing newer: nothing changes" in out
    assert not reached


def test_it_is_used_by_what_reads_the_configuration(
    command: Command, folder: Path
) -> None:
    def checked() -> tuple[int, str, str]:
        return command("check")

    fresh = {"id": "groq/fresh", "models": ["fresh-*"], "as_of": LATE}
    text = {
        "providers": [
            {
                "id": "g",
                "type": "groq",
                "tier": "free",
                "apiKey": "k",
                "models": [{"name": "fresh-1"}],
            }
        ]
    }
    (folder / "config.jsonc").write_text(json.dumps(text))
    code, _, err = checked()
    assert code == 1
    assert "is not known to be on the free tier of Groq" in err
    (folder / "new.json").write_text(catalogue(LATE, {**GROQ, **fresh}))
    _, out, _ = command("catalog", "update", "new.json")
    assert "    ! models count as free by it that did not before" in out
    assert checked()[0] == 0


OLDER = catalogue("2026-08-01")


def test_an_older_one_changes_nothing(
    command: Command, folder: Path, kept: Path
) -> None:
    (folder / "old.json").write_text(OLDER)
    code, out, err = command("catalog", "update", "old.json")
    assert (code, err) == (0, "")
    assert "nothing newer" in out
    assert not kept.exists()


WRONG = [
    ("{", "new.json: line 1, column 2: is no JSON"),
    (GOOD[:-9], "is no JSON"),
    ("<!doctype html>", "is no JSON"),
    (catalogue(limits={"requestPerDay": 1}), 'did you mean "requestsPerDay"?'),
    (catalogue(limits={"requestsPerDay": -1}), "is no count"),
    (catalogue(as_of="9999-01-01"), "has not come yet"),
    (catalogue(provider="openai"), 'is an entry of "groq", not of "openai"'),
    (catalogue(source="\x1b[2J"), "has control characters"),
    (catalogue(base_url="https://evil.example"), 'the unknown key "base_url"'),
    (catalogue(LATE, GROQ | {"as_of": "soon", "id": "x"}), "is no date"),
    (" " * (1 << 20), "is larger than 1,048,575 bytes"),
]


@pytest.mark.parametrize(("text", "said"), WRONG)
def test_a_wrong_one_changes_nothing_and_is_said(
    command: Command, folder: Path, kept: Path, text: str, said: str
) -> None:
    kept.parent.mkdir(0o700)
    kept.write_text(OLDER)
    kept.chmod(0o600)
    (folder / "new.json").write_text(text)
    for action in ("update", "check"):
        code, out, err = command("catalog", action, "new.json")
        assert (code, out) == (1, "")
        assert said in err
        assert "new.json" in err
        assert "\x1b" not in err
    assert kept.read_text() == OLDER


def test_one_that_is_not_what_was_announced(
    command: Command, folder: Path, kept: Path
) -> None:
    (folder / "new.json").write_text(GOOD)
    digest = hashlib.sha256(GOOD.encode()).hexdigest()
    (folder / "tampered.json").write_text(GOOD.replace("700", "900"))
    code, out, err = command("catalog", "update", "tampered.json", "--sha256", digest)
    assert (code, out) == (1, "")
    assert "is not the file that was announced: its SHA-256 is " in err
    assert digest in err
    assert not kept.exists()
    code, _, err = command("catalog", "update", "new.json", "--sha256", digest[:-1])
    assert code == 1
    assert "write its 64 hexadecimal digits" in err
    code, _, _ = command("catalog", "update", "new.json", "--sha256", digest.upper())
    assert code == 0
    assert kept.exists()


def test_what_is_kept_and_broken_is_said_and_can_be_replaced(
    command: Command, folder: Path, kept: Path
) -> None:
    kept.parent.mkdir(0o700)
    kept.write_text(GOOD[:-5])
    kept.chmod(0o600)
    code, _, err = command("catalog", "check")
    assert code == 1
    assert f"{kept}: line 1, column" in err
    code, _, err = command("catalog", "show")
    assert code == 0
    assert "The packaged catalogue is used" in err
    (folder / "new.json").write_text(GOOD)
    assert command("catalog", "update", "new.json")[0] == 0
    assert command("catalog", "check")[0] == 0


def served(request: Received) -> Answer:
    match request.target:
        case "/catalog.json?v=2":
            return Answer(body=(GOOD.encode(),))
        case "/moved":
            return Answer(302, ((b"location", b"/catalog.json?v=2"),))
        case "/huge":
            return Answer(body=(b" " * (1 << 20),))
        case _:
            return Answer(404, body=(b"{}",))


def test_from_an_address(command: Command, kept: Path, reached: Reached) -> None:
    with FakeProvider(served) as fake:
        for path, said in (
            ("/moved", "leads elsewhere (status 302)"),
            ("/nowhere", "is answered with status 404"),
            ("/huge", "is larger than"),
        ):
            code, out, err = command("catalog", "update", fake.base_url + path)
            assert (code, out) == (1, "")
            assert err.startswith(f"{fake.base_url}{path}: ")
            assert said in err
        assert not kept.exists()
        url = f"{fake.base_url}/catalog.json?v=2"
        assert command("catalog", "update", url)[0] == 0
        assert kept.exists()
        assert [r.target for r in fake.requests] == ["/moved", "/nowhere", "/huge", "/catalog.json?v=2"]  # fmt: skip
        assert all(r.header("authorization") is None for r in fake.requests)
        assert set(reached) == {("127.0.0.1", fake.port)}


def test_offline(command: Command, kept: Path) -> None:
    with refused_port() as port:
        code, out, err = command("catalog", "update", f"http://127.0.0.1:{port}/c.json")
    assert (code, out) == (1, "")
    assert "cannot be fetched: Connection refused" in err
    assert not kept.exists()
    assert command("catalog", "show")[0] == 0


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("http://catalog.example/c.json", "write https://"),
        ("http://127.0.0.1.example/c.json", "write https://"),
        ("ftp://catalog.example/c.json", "write https://HOST/PATH"),
        ("file:///etc/passwd", "is no address"),
        ("https://", "is no address"),
        ("https://me@catalog.example/c.json", "leave it out"),
        ("https://catalog.example/a b", "is no address"),
        ("https://catalog.example:99999/c", "is no address"),
        ("nowhere.json", "No such file"),
        ("home/../", "cannot be read"),
    ],
)
def test_what_is_no_source(
    command: Command, kept: Path, reached: Reached, url: str, said: str
) -> None:
    code, out, err = command("catalog", "update", url)
    assert (code, out) == (1, "")
    assert said in err
    assert not reached
