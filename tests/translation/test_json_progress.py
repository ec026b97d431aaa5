"""Progress of JSON in pieces: agrees with the JSON parser, wherever the text is cut."""

import json

import pytest
from examples import examples
from hypothesis import given
from hypothesis import strategies as st

from llm_gateway.translation.json_progress import JsonProgress

VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=12,
)


def fed(text, cuts=(), **options):
    progress = JsonProgress(**options)
    at, belongs = 0, 0
    for cut in [*sorted(cuts), len(text)]:
        belongs += progress.feed(text[at:cut])
        at = cut
    return progress, belongs


@examples(30)
@given(st.dictionaries(st.text(), VALUES), st.booleans(), st.lists(st.integers(0, 400)))
def test_whole_objects_are_whole_and_nothing_before_is(value, ascii, cuts):
    text = json.dumps(value, ensure_ascii=ascii)
    progress, belongs = fed(text, [min(cut, len(text)) for cut in cuts])
    assert progress.is_whole
    assert not progress.is_broken
    assert belongs == len(text)
    by_character = JsonProgress()
    for character in text[:-1]:
        by_character.feed(character)
        assert not by_character.is_whole
        assert not by_character.is_broken


@given(VALUES)
def test_other_values_are_whole_where_they_may_stand(value):
    text = json.dumps(value)
    progress, _ = fed(text + " ", objects_only=False)
    assert progress.is_whole
    if not isinstance(value, dict):
        assert fed(text)[0].is_broken


@given(st.text(alphabet='{}[]",:\\ut1e-+. \n0fan'), st.lists(st.integers(0, 60)))
def test_it_agrees_with_the_parser(text, cuts):
    progress, belongs = fed(text, [min(c, len(text)) for c in cuts], objects_only=False)
    try:
        json.loads(text[:belongs] + " ")
        parses = True
    except ValueError:
        parses = False
    if progress.is_whole and not progress.is_broken:
        assert parses
    if parses:
        assert not progress.is_broken


@pytest.mark.parametrize(
    ("text", "belongs"),
    [
        ('{"a":1}{"a":1}', 7),
        ('{"a":1} x', 8),
        ("{}}", 2),
    ],
)
def test_what_follows_does_not_belong_to_it(text, belongs):
    progress, found = fed(text)
    assert (progress.is_whole, progress.is_broken, found) == (True, False, belongs)


@pytest.mark.parametrize(
    "text",
    [
        "[1]", '"a"', "1", "nonsense", '{"a" 1}', '{"a":1,}', "{1:2}", '{"a":{"a":1}1}',
        '{"a":tru,', '{"a":"\n"}', '{"a":"\\x"}', '{"a":"\\u12g4"}', "{,}", '{"a":01,',
        '{"a":' + "[" * 2_000,
    ],
)  # fmt: skip
def test_what_cannot_become_an_object_is_broken(text):
    assert fed(text)[0].is_broken
