"""What looks like a key, and known secrets in every spelling."""

import base64
import json
import time
from collections.abc import Callable
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tables import each_row

from llm_gateway.secret_patterns import (
    HIDDEN,
    KEY_LIKE,
    KEY_OR_BEARER,
    PREFIXES,
    SecretMask,
    looks_like_a_key,
)

KEY = "sk-proj-CAN/ARY+one=0123456789"
MASK = SecretMask([KEY, "other-secret-0123", "short"])


def escaped(text: str) -> str:
    return "".join(f"\\u{ord(c):04x}" for c in text)


def basic(user: str) -> Callable[[str], str]:
    return lambda key: base64.b64encode(f"{user}:{key}".encode()).decode()


SPELLINGS: dict[str, Callable[[str], str]] = {
    "as it is": lambda key: key,
    "JSON": lambda key: json.dumps(key)[1:-1],
    "JSON with \\/": lambda key: json.dumps(key)[1:-1].replace("/", "\\/"),
    "JSON, one letter escaped": lambda key: key.replace("k", "\\u006b", 1),
    "JSON, capital digits": lambda key: key.replace("k", "\\u006B", 1),
    "JSON, all escaped": escaped,
    "JSON in JSON": lambda key: key.replace("/", "\\\\/").replace("+", "\\\\u002b"),
    "JSON in JSON, all escaped": lambda key: escaped(key).replace("\\", "\\\\"),
    "a script": lambda key: "".join(f"\\x{ord(c):02x}" for c in key),
    "a newer script": lambda key: "".join(f"\\u{{{ord(c):x}}}" for c in key),
    "a URL": lambda key: quote(key, safe=""),
    "a URL, small digits": lambda key: quote(key, safe="").lower().replace("can", "CAN").replace("ary", "ARY"),
    "a URL, all escaped": lambda key: "".join(f"%{ord(c):02X}" for c in key),
    "a URL in a URL": lambda key: quote(quote(key, safe=""), safe=""),
    "a URL in JSON": lambda key: escaped(quote(key, safe="")),
    "HTML": lambda key: "".join(f"&#{ord(c)};" for c in key),
    "HTML, hexadecimal": lambda key: "".join(f"&#x{ord(c):X};" for c in key),
    "base64": lambda key: base64.b64encode(key.encode()).decode(),
    "base64 for URLs": lambda key: base64.urlsafe_b64encode(key.encode()).decode(),
    "base64 behind one letter": basic(""),
    "base64 behind two": basic("a"),
    "base64 behind three": basic("ab"),
    "base64 in a URL": lambda key: quote(basic("ab")(key), safe=""),
    "base64 in JSON": lambda key: basic("x")(key).replace("/", "\\/"),
    "hex": lambda key: key.encode().hex(),
    "hex, capital": lambda key: key.encode().hex().upper(),
}  # fmt: skip


@each_row("name", SPELLINGS)
@each_row("around", ['{"error": "bad key %s!"}', "%s", "<%s> and <%s>"])
def test_every_spelling(name: str, around: str) -> None:
    spelled = SPELLINGS[name](KEY)
    text = around.replace("%s", spelled)
    assert MASK.text(text) == around.replace("%s", HIDDEN)
    assert MASK.data(text.encode()) == around.replace("%s", HIDDEN).encode()


@each_row("name", SPELLINGS)
def test_every_spelling_in_a_head(name: str) -> None:
    fields = [
        (b"content-type", b"application/json"),
        (b"x-request-id", f"req-{SPELLINGS[name](KEY)}, second".encode()),
        (b"cf-ray", b"9f2c7a4e8d1b-FRA"),
    ]
    masked = MASK.fields(fields)
    assert masked[0] == fields[0]
    assert masked[1][1].decode() in ("req-***, second", "***, second")
    assert masked[2] == fields[2]


def test_a_head_without_secrets_is_the_same_object() -> None:
    long = (b"x-request-id", b"6f1d4a1e-3c53-4f0d-8f54-2b7b7c3a9d11" * 3)
    odd = (b"x", b"\\u0041 100% \xff\x80" * 9)
    for mask in (MASK, SecretMask([]), SecretMask(["short"])):
        fields = [(b"content-type", b"application/json"), long]
        assert mask.fields(fields) is fields
        assert mask.fields([*fields, odd]) == [*fields, odd]
        assert mask.fields([]) == []


UNTOUCHED = (
    "",
    "nothing here",
    '{"error": {"message": "Invalid API key: sk-...789"}}',
    "100% of \\u00e9 &amp; &#233; c:\\users\\x %zz \\u12",
    "short",
    "sk-proj-CAN/ARY+one=012345678",
    "caf\xe9 \U0001f511",
)


@pytest.mark.parametrize("text", UNTOUCHED)
def test_what_is_no_secret_stays(text: str) -> None:
    assert MASK.text(text) == text
    assert MASK.data(text.encode()) == text.encode()


def test_bytes_that_are_no_text_stay() -> None:
    noise = bytes(range(256))
    assert MASK.data(noise) == noise
    assert MASK.data(noise + KEY.encode() + noise) == noise + b"***" + noise


def test_a_secret_that_begins_with_another() -> None:
    mask = SecretMask(["abcdef", "abcdef-and-more"])
    assert mask.text("abcdef-and-more, abcdef") == "***, ***"
    assert mask.literal("abcdef-and-more, abcdef") == "***, ***"


def test_json_stays_json() -> None:
    for spell in SPELLINGS.values():
        body = {"a": f"x {spell(KEY)} y", "n": 1, "b": ["\u00e9\n\\", KEY]}
        for text in (json.dumps(body), json.dumps(body, ensure_ascii=False)):
            found = json.loads(MASK.text(text))
            assert found == {"a": "x *** y", "n": 1, "b": ["\u00e9\n\\", "***"]}


PARTS = st.one_of(
    st.sampled_from([spell(KEY) for spell in SPELLINGS.values()]),
    st.text(max_size=8),
    st.sampled_from(["\\", "%", "&#", "\\u00", "%2", "\n", '"', "="]),
)


@given(st.lists(PARTS, max_size=6))
def test_masking_is_done_once_and_for_all(parts: list[str]) -> None:
    text = MASK.text("\n".join(parts))
    assert KEY not in text
    assert quote(KEY, safe="") not in text
    assert base64.b64encode(KEY.encode()).decode() not in text
    assert MASK.text(text) == text


@given(st.binary(max_size=200))
def test_never_fails(data: bytes) -> None:
    assert MASK.data(data) == data or KEY[:8].encode() in data


@pytest.mark.parametrize(
    "text",
    [
        "%41" * 100_000,
        "\\u0041" * 50_000,
        "\\" * 300_000,
        "A" * 300_000,
        "&#65;" * 60_000,
    ],
)
def test_time(text: str) -> None:
    mask = SecretMask([KEY, *(f"sk-{n:040}" for n in range(30))])
    before = time.process_time()
    assert mask.text(text) == text
    assert time.process_time() - before < 5


@each_row("prefix", PREFIXES)
def test_prefixes(prefix: str) -> None:
    key = prefix + (
        "0123456789ABCDEF" if prefix == "AKIA" else "0123456789abcdefABCDEF"
    )
    if prefix == "eyJ":
        key = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0In0.c2lnbmF0dXJl"
    assert KEY_LIKE.search(f"x {key}")
    assert KEY_OR_BEARER.sub(HIDDEN, f"({key})") == "(***)"
    assert looks_like_a_key(key)
    assert not KEY_LIKE.search(prefix + "short")
