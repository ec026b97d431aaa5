"""Every dialect is a row that can work, and nobody else knows one by its name."""

import ast
import json
import re
from collections.abc import Iterator
from dataclasses import MISSING, fields, replace
from pathlib import Path
from typing import Any

import pytest
from own_dialect import PARLEY

import llm_gateway
from llm_gateway import dialects
from llm_gateway.dialects import (
    CHAT,
    COMPLETIONS,
    MESSAGES,
    RESPONSES,
    SPECS,
    DialectSpec,
    RequestBody,
    RequestError,
    first_of,
    is_request_path,
    match,
    match_subpath,
    read,
    register,
    unrouted,
)
from llm_gateway.dialects.spec import Action, ModelPlace
from llm_gateway.providers import TYPES
from llm_gateway.streaming.response_probe import ProbeState, ResponseProbe
from llm_gateway.streaming.stream_meter import StreamMeter

PACKAGE = Path(llm_gateway.__file__).parent
FOLDER = Path(dialects.__file__).parent
NAMES = [path.name for path in FOLDER.iterdir() if (path / "__init__.py").exists()]


PATHS = {
    "parley": "/v1/parleys/m:talk",
    "generateContent": "/v1beta/models/m:generateContent",
}
"""Of dialects that name the model there."""


# --- the rows


def folder(name: str) -> str:
    """`generateContent` -> `generate_content`."""
    return re.sub("[A-Z]", lambda found: f"_{found[0].lower()}", name)


@pytest.mark.parametrize(
    ("path", "routed"),
    [
        ("/v1/responses/compact", False),
        ("/openai/v1/responses/compact?x=1", False),
        ("/v1/responses", True),
        ("/v1/responses/input_tokens", True),
        ("/v1/responses/resp_1/cancel", True),
        ("/v1/compact", True),
    ],
)
def test_a_summary_that_its_maker_alone_can_read_is_not_routed(
    path: str, routed: bool
) -> None:
    found = unrouted(path)
    assert (found is None) is routed
    if found is not None:
        assert found[0] is RESPONSES
        assert "sum its past up" in found[1]


def test_every_folder_is_a_row_and_every_row_a_folder() -> None:
    assert sorted(map(folder, SPECS)) == sorted(NAMES)
    for name, spec in SPECS.items():
        assert spec.name == name
        assert getattr(dialects, folder(name).upper()) is spec


def test_every_dialect_is_spoken_by_a_provider() -> None:
    assert {name for row in TYPES.values() for name in row.paths} == set(SPECS)


@pytest.mark.parametrize("name", [*SPECS, "parley"])
def test_a_row_does_what_it_says(name: str) -> None:
    spec = SPECS.get(name, PARLEY)
    body = json.dumps({"model": "m", **spec.example}).encode()
    found = read(spec, body, path=PATHS.get(name, ""))
    assert isinstance(found, RequestBody)
    assert (found.ask.dialect, found.ask.model) == (name, "m")
    assert found.ask.input_estimate > 0
    # Errors of ours are understood as errors, by the row itself and by whoever reads it.
    error = json.loads(spec.error_body(503, "c", "m"))
    assert spec.answer_failed(error)
    if spec.event_has_content is None:
        return
    event = spec.stream_error("c", "m")
    assert event.endswith(b"\n\n")
    assert ResponseProbe(spec, True).feed(event) is ProbeState.ERROR
    meter = StreamMeter(spec, strip_usage=False)
    assert meter.feed(event) == event
    meter.finish()
    assert meter.end_error == ("error event" if spec.stream_end else "")


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        ({"name": ""}, "`name` is no word"),
        ({"name": "A b"}, "`name` is no word"),
        ({"ends": ()}, "`ends` is empty"),
        ({"ends": ("talk",)}, "'talk' is no end of a path"),
        ({"ends": ("/talk/",)}, "'/talk/' is no end of a path"),
        ({"foreign_ends": ("x",)}, "'x' is no end of a path"),
        ({"free_paths": {"": "/x"}}, "'' is no end of a path"),
        ({"path": "talk"}, "begin it with a slash"),
        ({"path": "/{model}"}, "`actions` go together"),
        ({"path": "/{action}"}, "has no `{model}`"),
        ({"actions": None}, "`actions` go together"),
        ({"headers": ((b"X-A", b"1"),)}, "header b'X-A' is not in lower case"),
        ({"forwards": frozenset({b"X-A"})}, "header b'X-A' is not in lower case"),
        ({"event_has_content": None, "usage_event": CHAT.usage_event}, "no streams"),
        ({"error_body": None}, "`error_body` cannot be called"),
        ({"read_usage": None}, "`read_usage` cannot be called"),
    ],
)
def test_a_row_that_cannot_work_says_why(change: dict[str, Any], fault: str) -> None:
    with pytest.raises(ValueError, match=re.escape(fault)) as caught:
        replace(PARLEY, **change)
    assert str(caught.value).startswith(f"dialect {change.get('name', 'parley')!r}: ")


def test_a_row_without_a_column_is_no_row() -> None:
    needed = [
        f.name
        for f in fields(DialectSpec)
        if f.default is MISSING and f.default_factory is MISSING
    ]
    assert {"name", "ends", "error_body", "find_usage", "stream_end"} <= set(needed)
    given = {name: getattr(PARLEY, name) for name in needed}
    for name in needed:
        with pytest.raises(TypeError, match=name):
            DialectSpec(**{k: v for k, v in given.items() if k != name})


@pytest.mark.parametrize(
    ("spec", "fault"),
    [
        (CHAT, "'chat' is registered twice"),
        (
            replace(PARLEY, ends=(":talk", "/responses")),
            "'parley': '/responses' is an end of 'responses' already",
        ),
        (replace(PARLEY, ends=("/fim/completions",)), "is kept from 'completions'"),
    ],
)
def test_two_rows_for_one_thing_are_refused(spec: DialectSpec, fault: str) -> None:
    before = dict(SPECS)
    with pytest.raises(ValueError, match=re.escape(fault)):
        register(spec)
    assert dict(SPECS) == before
    assert match("POST", "/v1/parleys/m:talk") is None


# --- request lines


def test_the_longest_end_wins_whatever_the_order_of_the_rows() -> None:
    assert match("POST", "/v1/chat/completions") is CHAT
    assert match("POST", "/v1/completions") is COMPLETIONS


@pytest.mark.parametrize(
    ("method", "path", "found"),
    [
        ("POST", "/v1/messages/count_tokens", (MESSAGES, "/count_tokens")),
        ("POST", "/anthropic/v1/messages/count_tokens?beta=1", (MESSAGES, "/count_tokens")),
        ("GET", "/v1/messages/count_tokens", None),
        ("POST", "/messages/count_tokens", (MESSAGES, "/count_tokens")),
        ("POST", "/v1//messages/count_tokens/", (MESSAGES, "/count_tokens")),
        ("POST", "/v1/messages/count_tokens/x", None),
        ("POST", "/v1/responses/count_tokens", None),
        ("POST", "/count_tokens", None),
        ("POST", "", None),
    ],
)  # fmt: skip
def test_paths_below_a_dialect(method: str, path: str, found: object) -> None:
    assert match_subpath(method, path) == found
    assert match(method, path) is None


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("/chat/completions", True),
        ("/deep/down/responses", True),
        ("/anthropic/messages", True),
        ("/messages", True),
        ("/messages/count_tokens", True),
        ("/v1/messages/count_tokens", True),
        ("/responses/", False),
        ("/config", False),
        ("/", False),
    ],
)
def test_ends_of_request_paths(path: str, expected: bool) -> None:
    assert is_request_path(path) is expected


def test_the_first_of_several_is_the_registrys() -> None:
    assert first_of({RESPONSES.name, CHAT.name, MESSAGES.name}) == "chat"
    assert first_of({MESSAGES.name, RESPONSES.name}) == "responses"
    assert first_of(set()) is None


# --- bodies whose model is in the path


@pytest.mark.parametrize(
    ("path", "model", "stream"),
    [
        ("/v2/parleys/m:talk", "m", False),
        ("/parleys/models%2Fm-2:talkOn?key=1", "models/m-2", True),
        ("/v2/parleys/m:weigh", "m", False),
    ],
)
def test_the_path_names_the_model_and_the_body_has_no_say(
    path: str, model: str, stream: bool
) -> None:
    raw = b'{"model": "other", "stream": true, "ceiling": {"words": 9}}'
    found = read(PARLEY, raw, path=path)
    assert isinstance(found, RequestBody)
    assert (found.ask.model, found.ask.stream) == (model, stream)
    assert found.ask.max_tokens == 9
    assert found.rewritten() is raw


def test_a_path_without_a_model() -> None:
    found = read(PARLEY, b"{}", path="/v2/parleys/:talk")
    assert isinstance(found, RequestError)
    assert (found.status, found.param) == (400, "model")
    assert PARLEY.model_place is ModelPlace.PATH
    assert PARLEY.actions == (Action("talk"), Action("talkOn", "as=events"))


# --- nobody else knows a dialect


def _sources() -> Iterator[Path]:
    """Product code outside of `dialects/`; rows of providers, the words of their lists and
    quotas, and the tables of what refusals in a dialect teach aside."""
    rows = {
        path
        for path in (PACKAGE / "providers").glob("*.py")
        if re.search(r"\bProviderType\(|^OPENAI = speaks\(", path.read_text(), re.M)
    }
    rows |= {*(PACKAGE / "providers").glob("*_readers.py")}
    adaptation = PACKAGE / "adaptation"
    tables = ("wording*.py", "*_lessons.py", "sentences.py", "sent_body.py")
    rows |= {path for table in tables for path in adaptation.glob(table)}
    for path in sorted(PACKAGE.rglob("*.py")):
        if FOLDER not in path.parents and path not in rows:
            yield path


def _knows(code: str, names: set[str]) -> Iterator[str]:
    names = names | {folder(name) for name in names}
    rows = {name.upper() for name in names}
    if not any(name in code for name in names | rows):
        return  # most files: they need not be parsed
    for node in ast.walk(ast.parse(code)):
        match node:
            case ast.Constant(value=str(text)) if text in names:
                yield f"{node.lineno}: {text!r}"
            case ast.ImportFrom(module=str(module)) if "dialects" in module:
                for name in (*module.split("."), *(n.name for n in node.names)):
                    if name in names | rows:
                        yield f"{node.lineno}: import {name}"
            case ast.Attribute(attr=str(attr), value=ast.Name(id=base)) if (
                base.lower() in ("dialect", "dialects") and attr in names | rows
            ):
                yield f"{node.lineno}: {base}.{attr}"


def test_no_dialect_is_known_by_name_outside_of_its_folder() -> None:
    found = [
        f"{path.relative_to(PACKAGE)}:{known}"
        for path in _sources()
        for known in _knows(path.read_text(), set(SPECS))
    ]
    assert found == []


@pytest.mark.parametrize(
    "code",
    [
        'if dialect == "chat": pass',
        'TABLE = {"messages": 1}',
        "from llm_gateway.dialects import MESSAGES",
        "from .dialects.chat.errors import stream_error",
        "from llm_gateway.dialects.messages import MESSAGES as anything",
        "if dialect is dialects.RESPONSES: pass",
        "x = Dialect.CHAT",
    ],
)
def test_what_would_be_found(code: str) -> None:
    assert list(_knows(code, set(SPECS)))
