"""`${NAME}`: what it becomes, and when a text may be shown as it is."""

import pytest

from llm_gateway.config.environment import Expanded, expand, is_reference

ENV = {"KEY": "sk-1", "EMPTY": "", "HOST": "h"}


@pytest.mark.parametrize(
    ("text", "expanded"),
    [
        ("plain $KEY {KEY}", Expanded("plain $KEY {KEY}")),
        ("${KEY}", Expanded("sk-1", ("KEY",))),
        ("a${KEY}b${HOST}", Expanded("ask-1bh", ("KEY", "HOST"))),
        ("${KEY:-x}", Expanded("sk-1", ("KEY",))),
        ("${NOPE:-8001}", Expanded("8001", ("NOPE",))),
        ("${NOPE:-}", Expanded("", ("NOPE",))),
        ("${EMPTY:-x}", Expanded("x", ("EMPTY",))),
        ("${NOPE}", Expanded("${NOPE}", ("NOPE",), ("NOPE",))),
        ("${EMPTY}", Expanded("${EMPTY}", ("EMPTY",), ("EMPTY",))),
        ("$${KEY}", Expanded("${KEY}")),
        ("${KEY", Expanded("${KEY", malformed=True)),
        ("${}", Expanded("${}", malformed=True)),
        ("${1A}", Expanded("${1A}", malformed=True)),
        ("${KEY:x}", Expanded("${KEY:x}", malformed=True)),
        ("${A:-${KEY}}", Expanded("${A:-sk-1}", ("KEY",), malformed=True)),
    ],
)
def test_expand(text: str, expanded: Expanded) -> None:
    assert expand(text, ENV) == expanded


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("${KEY}", True),
        ("${KEY:-}", True),
        ("${A}${B}", True),
        ("Bearer ${KEY}", True),
        ("${KEY:-sk-secret}", False),
        ("sk-${KEY}", False),
        ("Bearer sk-secret", False),
        ("$${KEY}", False),
        ("", False),
    ],
)
def test_what_may_be_shown(text: str, shown: bool) -> None:
    assert is_reference(text) is shown
