"""Bodies are read without trust and rewritten without a trace."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tables import each_row

from llm_gateway.dialects import (
    CHAT,
    EMBEDDINGS,
    MESSAGES,
    RESPONSES,
    SPECS,
    DialectSpec,
    RequestBody,
    RequestError,
    read,
)
from llm_gateway.dialects.extras import MEMBERS
from llm_gateway.domain import RequestInfo


def body(text: str, dialect: DialectSpec = CHAT, path: str = "") -> RequestBody:
    """`path`: for dialects that have the model there."""
    found = read(dialect, text.encode(), path=path)
    assert isinstance(found, RequestBody), found
    return found


# --- refusals


@each_row(
    ("raw", "message", "param"),
    [
        # no JSON object
        (b"", "it does not start with {", None),
        (b"[]", "it does not start with {", None),
        (b'"model"', "it does not start with {", None),
        (b"{", "a name in quotes is missing at character 1", None),
        (b"{1:2}", "a name in quotes is missing at character 1", None),
        (b'{"a" 1}', "a colon is missing at character 5", None),
        (b'{"a":}', "expecting value at character 5", None),
        (b'{"a":1 "b":2}', "a comma is missing at character 7", None),
        (b'{"a":1,}', "a name in quotes is missing at character 7", None),
        (b'{"a":[1}', "expecting ',' delimiter at character 7", None),
        (b'{"a":"\n"}', "invalid control character at at character 6", None),
        (b'{"model":"m"} {}', "something follows the object at character 13", None),
        (b'{"a":' + b"[" * 200_000, "it is nested too deeply", None),
        # other encodings
        (b"\xef\xbb\xbf{}", "byte order mark", None),
        ('{"model":"m"}'.encode("utf-16"), "not UTF-8 (byte 0)", None),
        ('{"model":"m"}'.encode("utf-16-le"), "a name in quotes is missing", None),
        (b'{"model":"\xff"}', "not UTF-8 (byte 10)", None),
        (b'{"model":"\xed\xa0\x80"}', "not UTF-8 (byte 10)", None),
        # model
        (b"{}", "`model` is missing", "model"),
        (b'{"model":null}', "`model` is missing", "model"),
        (b'{"model":""}', "`model` is not a name", "model"),
        (b'{"model":7}', "`model` is not a name", "model"),
        (b'{"model":["m"]}', "`model` is not a name", "model"),
        (b'{"model":"%s"}' % (b"m" * 201), "longer than 200", "model"),
        (b'{"model":"a\\nb"}', "cannot be printed", "model"),
        (b'{"model":"a\\u0000"}', "cannot be printed", "model"),
        (b'{"model":"a\x7f"}', "cannot be printed", "model"),
        (b'{"model":"\\ud800"}', "cannot be printed", "model"),
        # said twice
        (b'{"model":"a","model":"b"}', "`model` is given twice", "model"),
        (b'{"model":"a","mod\\u0065l":"a"}', "`model` is given twice", "model"),
        (
            b'{"model":"a","max_tokens":1,"max_tokens":2}',
            "`max_tokens` is given twice",
            "max_tokens",
        ),
        (b'{"model":"a","stream":true,"stream":false}', "given twice", "stream"),
        *(
            (
                b'{"model":"a","%b":["paid"],"%b":null}' % (member, again),
                f"`{member.decode()}` is given twice",
                member.decode(),
            )
            for member, again in (
                *((name.encode(), name.encode()) for name in sorted(MEMBERS)),
                (b"models", b"mod\\u0065ls"),
                (b"messages", b"messages"),
                (b"provider", b"provider"),
            )
        ),
        # within what may be paid for
        *(
            (
                b'{"model":"a","%b":%b}' % (member, value),
                f"`{twice}` is given twice in one object of `{member.decode()}`",
                member.decode(),
            )
            for member, value, twice in (
                (b"tools", b'[{"type":"web_search","type":"function"}]', "type"),
                (b"tools", b'[{"type":"function","type":"web_search"}]', "type"),
                (b"tools", b'[{"t\\u0079pe":"x","type":"function"}]', "type"),
                (b"tools", b'{"type":"web_search","type":null}', "type"),
                (b"tools", b'[{"tools":[{"type":"x"}],"tools":[]}]', "tools"),
                (b"tools", b'[{"a":%b,"type":"x","type":"y"}]' % (b"9" * 5000), "type"),
                (
                    b"plugins",
                    b'[{"id":"web","enabled":true,"enabled":false}]',
                    "enabled",
                ),
                (b"plugins", b'[{"id":"web","i\\u0064":"response-healing"}]', "id"),
                (
                    b"input",
                    b'[{"type":"additional_tools","tools":[1],"tools":[]}]',
                    "tools",
                ),
            )
        ),
        # stream
        (b'{"model":"a","stream":"true"}', "neither true nor false", "stream"),
        (b'{"model":"a","stream":1}', "neither true nor false", "stream"),
        # numbers that limits rest on
        (b'{"model":"a","max_tokens":"9"}', "not a whole number", "max_tokens"),
        (b'{"model":"a","max_tokens":1.5}', "not a whole number", "max_tokens"),
        (b'{"model":"a","max_tokens":true}', "not a whole number", "max_tokens"),
        (b'{"model":"a","max_tokens":NaN}', "not a whole number", "max_tokens"),
        (b'{"model":"a","max_tokens":Infinity}', "not a whole number", "max_tokens"),
        (b'{"model":"a","max_tokens":1e999}', "not a whole number", "max_tokens"),
        (
            b'{"model":"a","max_output_tokens":%d}' % 2**60,
            "not a whole number",
            "max_output_tokens",
        ),
        (b'{"model":"a","n":%s}' % (b"9" * 5000), "not a whole number", "n"),
    ],
)
def test_problems(raw, message, param):
    found = read(CHAT, raw)
    assert isinstance(found, RequestError)
    assert (found.status, found.code, found.param) == (400, "invalid_request", param)
    assert message in found.message


@each_row(
    "more",
    [
        # none of our business
        '"temperature":NaN',
        '"seed":' + "9" * 5000,
        '"logit_bias":{"1":-Infinity}',
        '"metadata":1,"metadata":2',
        '"messages":"nonsense"',
        '"messages":[7,null,[],{"role":7,"content":{"text":1}}]',
        '"stream":null,"n":null,"max_tokens":null',
        '"stream_options":7',
        '"user":"\\ud800"',
    ],
)
@each_row("dialect", list(SPECS.values()))
def test_what_others_may_judge_passes_unchanged(more, dialect):
    text = '{"model":"m",' + more + "}"
    found = body(text, dialect, "/models/m:generateContent")
    assert found.rewritten() is found.raw
    assert found.rewritten(model="x") == text.replace('"m"', '"x"', 1).encode()


def test_the_longest_and_strangest_model_names():
    for model in ("m" * 200, "a b", "ai/модель:free", "👩‍💻", '"'):
        assert body(json.dumps({"model": model})).ask.model == model


def test_a_model_from_the_path():
    path = "/openai/deployments/my-gpt/chat/completions"
    found = read(CHAT, b'{"messages":[]}', path=path)
    assert isinstance(found, RequestBody)
    assert found.ask.model == "my-gpt"
    assert found.rewritten() == b'{"messages":[]}'
    assert found.rewritten(model="my-gpt") == b'{"model":"my-gpt","messages":[]}'
    found = read(CHAT, b'{"model":"b","messages":[]}', path=path)
    assert isinstance(found, RequestBody)
    assert found.ask.model == "b"


# --- what is asked


def test_a_chat():
    text = """{
        "model": "gpt-4o", "stream": true, "n": 2, "max_tokens": 100,
        "max_completion_tokens": 200.0, "stream_options": {"include_usage": true},
        "messages": [{"role": "user", "content": "Hi"}]
    }"""
    assert body(text).ask == RequestInfo(
        dialect=CHAT.name,
        model="gpt-4o",
        stream=True,
        max_tokens=200,
        wants_usage=True,
        input_estimate=5,
        conversation=body(
            '{"model":"x","messages":[{"role":"user","content":"Hi"}]}'
        ).ask.conversation,
        opening=body(
            '{"model":"x","messages":[{"role":"user","content":"Hi"}]}'
        ).ask.opening,
        n=2,
    )


@pytest.mark.parametrize(
    ("members", "limit"),
    [
        ("", None),
        (',"max_tokens":7', 7),
        (',"max_completion_tokens":7', 7),
        (',"max_output_tokens":7', 7),
        (',"max_tokens":7,"max_completion_tokens":9', 9),
        (',"max_tokens":0', 0),
        (',"max_tokens":-1', None),
    ],
)
def test_max_tokens(members, limit):
    assert body('{"model":"m"' + members + "}").ask.max_tokens == limit


# --- rewriting

REWRITES = [
    # model
    ('{"model":"a"}', {"model": "b"}, '{"model":"b"}'),
    ('{ "model"\t:\n"a" }', {"model": "b"}, '{ "model"\t:\n"b" }'),
    (
        '{"x":"ü👋","model":"ä","y":"ü"}',
        {"model": "b"},
        '{"x":"ü👋","model":"b","y":"ü"}',
    ),
    ('{"mod\\u0065l":"a"}', {"model": "b"}, '{"mod\\u0065l":"b"}'),
    ('{"model":"\\u0061"}', {"model": "a"}, '{"model":"\\u0061"}'),
    ('{"model":"a"}', {"model": 'ü"'}, '{"model":"\\u00fc\\""}'),
    (
        '{"m":{"model":"a"},"model":"a"}',
        {"model": "b"},
        '{"m":{"model":"a"},"model":"b"}',
    ),
    # usage asked for
    (
        '{"model":"a","stream":true}',
        {"include_usage": True},
        '{"stream_options":{"include_usage":true},"model":"a","stream":true}',
    ),
    (
        '{"model":"a","stream":true,"stream_options":{}}',
        {"include_usage": True},
        '{"model":"a","stream":true,"stream_options":{"include_usage":true}}',
    ),
    (
        '{"model":"a","stream":true,"stream_options":null}',
        {"include_usage": True},
        '{"model":"a","stream":true,"stream_options":{"include_usage":true}}',
    ),
    (
        '{"model":"a","stream":true,"stream_options": { "include_usage" : false, "ü":1}}',
        {"include_usage": True},
        '{"model":"a","stream":true,"stream_options": { "include_usage" : true, "ü":1}}',
    ),
    (
        '{"model":"a","stream":true,"stream_options":{"include_obfuscation":false}}',
        {"include_usage": True},
        '{"model":"a","stream":true,"stream_options":{"include_usage":true,"include_obfuscation":false}}',
    ),
    # usage not asked for
    ('{"model":"a","stream":false}', {"include_usage": True}, None),
    ('{"model":"a"}', {"include_usage": True}, None),
    (
        '{"model":"a","stream":true,"stream_options":{"include_usage":true}}',
        {"include_usage": True},
        None,
    ),
    # drop
    ('{"model":"a","x":1}', {"drop": {"x"}}, '{"model":"a"}'),
    ('{"x":1, "model":"a"}', {"drop": {"x"}}, '{"model":"a"}'),
    ('{"x":1,"y":2,"model":"a","z":3}', {"drop": {"x", "y", "z"}}, '{"model":"a"}'),
    ('{"model":"a","x":1,"y":2,"z":3}', {"drop": {"x", "z"}}, '{"model":"a","y":2}'),
    ('{"model":"a","x":1,"x":2,"y":3}', {"drop": {"x"}}, '{"model":"a","y":3}'),
    ('{"model":"a"}', {"drop": {"x", "model"}}, None),
    (
        '{"model":"a","stream":true,"stream_options":{"include_usage":true}}',
        {"drop": {"stream_options"}, "include_usage": True},
        '{"model":"a","stream":true}',
    ),
    # rename
    (
        '{"model":"a","max_tokens" : 7}',
        {"rename": {"max_tokens": "max_completion_tokens"}},
        '{"model":"a","max_completion_tokens" : 7}',
    ),
    (
        '{"model":"a","max_tokens":7,"max_completion_tokens":8}',
        {"rename": {"max_tokens": "max_completion_tokens"}},
        '{"model":"a","max_completion_tokens":8}',
    ),
    ('{"model":"a","x":7}', {"rename": {"y": "z"}}, None),
    # all at once
    (
        '{"x":1,"model":"a","stream":true,"max_tokens":7,"y":"ü"}',
        {
            "model": "b",
            "include_usage": True,
            "drop": {"x", "y"},
            "rename": {"max_tokens": "max_completion_tokens"},
        },
        '{"stream_options":{"include_usage":true},"model":"b","stream":true,"max_completion_tokens":7}',
    ),
]


@each_row(("text", "changes", "expected"), REWRITES)
def test_rewrites(text, changes, expected):
    changes = {**changes, "drop": frozenset(changes.get("drop", ()))}
    found = body(text)
    if expected is None:
        assert found.rewritten(**changes) is found.raw
    else:
        assert found.rewritten(**changes).decode() == expected


@pytest.mark.parametrize("dialect", [RESPONSES, MESSAGES, EMBEDDINGS])
def test_other_dialects_have_no_stream_options(dialect):
    found = body('{"model":"a","stream":true}', dialect)
    assert found.rewritten(include_usage=True) is found.raw


json_text = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-99, 99) | json_text,
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(json_text, inner, max_size=3)
    ),
    max_leaves=6,
)
keys = st.sampled_from(["a", "b", "ü", "stream_options", "max_tokens", "temperature"])


@given(
    values=st.dictionaries(keys | json_text, json_values, max_size=6),
    at=st.integers(0, 6),
    stream=st.booleans(),
    ascii_=st.booleans(),
    indent=st.sampled_from([None, 0, 2]),
    model=st.none() | st.just("neu"),
    drop=st.frozensets(keys, max_size=3),
    include_usage=st.booleans(),
)
def test_rewriting_changes_what_it_says_and_nothing_else(
    values, at, stream, ascii_, indent, model, drop, include_usage
):
    values.pop("model", None)
    values.pop("stream", None)
    values.pop("n", None)
    if type(values.get("max_tokens")) is not int:  # a bool is one, and is refused
        values.pop("max_tokens", None)
    members = list(values.items())
    members[at:at] = [("model", "ä")]
    members[at:at] = [("stream", stream)]
    given_ = dict(members)
    raw = json.dumps(given_, ensure_ascii=ascii_, indent=indent).encode()
    found = read(CHAT, raw)
    assert isinstance(found, RequestBody)
    out = found.rewritten(model=model, drop=drop, include_usage=include_usage)
    expected = {k: v for k, v in given_.items() if k not in drop}
    if model is not None:
        expected["model"] = model
    if include_usage and stream and "stream_options" not in drop:
        before = given_.get("stream_options")
        before = before if isinstance(before, dict) else {}
        expected["stream_options"] = {**before, "include_usage": True}
    assert json.loads(out) == expected
    if expected == given_ and list(expected) == list(given_):
        assert out is raw
    # what stays, stays in its order
    kept = [k for k in json.loads(out) if k in given_ and k != "stream_options"]
    assert kept == [k for k in given_ if k in kept]


@given(st.binary(max_size=60))
def test_any_bytes(data):
    for dialect in SPECS.values():
        assert isinstance(read(dialect, data), RequestBody | RequestError)


@given(
    dialect=st.sampled_from(list(SPECS.values())),
    values=st.dictionaries(
        st.sampled_from(
            ["messages", "input", "prompt", "system", "instructions", "tools", "n"]
        ),
        st.recursive(
            st.none()
            | st.booleans()
            | st.integers()
            | st.floats()
            | st.text(max_size=4),
            lambda inner: (
                st.lists(inner, max_size=3)
                | st.dictionaries(
                    st.sampled_from(
                        ["role", "content", "type", "text", "source", "data"]
                    ),
                    inner,
                    max_size=4,
                )
            ),
            max_leaves=12,
        ),
    ),
)
def test_any_shape(dialect, values):
    raw = json.dumps({"model": "m", **values}).encode()
    found = read(dialect, raw)
    assert isinstance(found, RequestBody | RequestError)
    if isinstance(found, RequestBody):
        assert found.ask.input_estimate >= 0
        assert found.rewritten() is raw


SCHEMA = b'{"type":"object","properties":{"type":{"type":"string"},"a":{"type":["x","null"]}}}'


@pytest.mark.parametrize(
    "member",
    [
        b'"metadata":{"type":1,"type":2}',
        b'"seed":1,"seed":2',
        b'"tools":[{"type":"function","function":{"name":"f","parameters":%b}}]'
        % SCHEMA,
        b'"tools":[{"type":"function"},{"type":"bash_20250124"},{"type":"web_search"}]',
        b'"plugins":[{"id":"a"},{"id":"a"}]',
        b'"service_tier":"auto","serviceTier":"auto"',
    ],
)
def test_what_decides_nothing_may_be_given_twice(member):
    assert isinstance(read(CHAT, b'{"model":"a",%b}' % member), RequestBody)
