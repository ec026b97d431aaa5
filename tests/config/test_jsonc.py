"""The tree of spans: where values stand, what is no JSON5, and how paths are shown."""

from decimal import Decimal
from typing import Any

import json5
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tables import each_row

from llm_gateway.config.jsonc import (
    Node,
    SyntaxProblem,
    comments,
    parse,
    position,
    show,
    without_extras,
)
from llm_gateway.config.load import _joined, read_data
from llm_gateway.config.problems import ConfigError
from llm_gateway.packaged_files import example_config

TEXT = """\
// head
{
  "a": [1, {b: 'two'}, ],  /* a "comment" */
  'c d': "x // no comment",
  e: true, // tail
}
"""


def tree_of(text: str) -> Node:
    tree = parse(text)
    assert isinstance(tree, Node), tree
    return tree


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("a",), "[1, {b: 'two'}, ]"),
        (("a", 0), "1"),
        (("a", 1, "b"), "'two'"),
        (("c d",), '"x // no comment"'),
        (("e",), "true"),
    ],
)
def test_spans(path: tuple[str | int, ...], value: str) -> None:
    node = tree_of(TEXT).at(path)
    assert node is not None
    assert TEXT[node.start : node.end] == value


@pytest.mark.parametrize("path", [("x",), ("a", 2), ("a", -1), ("a", "b"), ("e", "f")])
def test_paths_that_lead_nowhere(path: tuple[str | int, ...]) -> None:
    assert tree_of(TEXT).at(path) is None


def test_comments_are_found_outside_of_texts_only() -> None:
    found = [TEXT[start:end] for start, end in comments(TEXT, tree_of(TEXT))]
    assert found == ["// head", '/* a "comment" */', "// tail"]


def test_a_key_with_slashes_is_no_comment() -> None:
    text = '{"http://x": 1, // yes\n}'
    found = [text[start:end] for start, end in comments(text, tree_of(text))]
    assert found == ["// yes"]


@each_row(
    ("text", "line", "column", "message"),
    [
        ("", 1, 1, "nothing but comments"),
        ("// only\n", 1, 1, "nothing but comments"),
        ("{\n  /* open", 2, 3, "this comment does not end"),
        ('{"a" 1}', 1, 6, "found '1'; write : after a key"),
        ('{"a": 1 "b": 2}', 1, 9, "found '\"'; write , or } before it"),
        ("[1 2]", 1, 4, "write , or ] before it"),
        ('{"a": 1,, }', 1, 9, "found ',' where a key or } should stand"),
        ('{"a": }', 1, 7, "found '}' where a value should stand"),
        ('{"a":', 1, 6, "the text ends where a value should stand"),
        ('{"a": 1', 1, 1, "this { is not closed"),
        ("[[1]", 1, 1, "this [ is not closed"),
        ('{"a": 1} x', 1, 10, "after the end"),
        ('{"a": infoo}', 1, 7, "write texts in quotes"),
        ('{"a": NaN}', 1, 7, "'NaN' is not a value"),
        ('{"a": -Infinity}', 1, 7, "found '-'"),
        ('{"a": 01}', 1, 7, "found '0'"),
        ('{"a": "x\ny"}', 1, 7, "does not end on its line"),
        ("{\r\n'a': 'x", 2, 6, "does not end on its line"),
        (r'{"a": "\u12"}', 1, 7, "a \\ too many"),
        (r'{"a": "C:\users"}', 1, 7, "a \\ too many"),
        ("[" * 40, 1, 33, "more than 32 levels deep"),
        ("1" * 65, 1, 1, "more than 64 characters"),
        (" " * (2**20 + 1), 1, 1, "longer than"),
    ],
)
def test_no_json5(text: str, line: int, column: int, message: str) -> None:
    problem = parse(text)
    assert isinstance(problem, SyntaxProblem)
    assert message in problem.message
    assert position(text, problem.offset) == (line, column)


@pytest.mark.parametrize(
    ("text", "offset", "place"),
    [
        ("a\nb", 2, (2, 1)),
        ("a\r\nb", 3, (2, 1)),
        ("a\rb", 2, (2, 1)),
        ("äö\nü!", 4, (2, 2)),
        ("", 0, (1, 1)),
    ],
)
def test_positions(text: str, offset: int, place: tuple[int, int]) -> None:
    assert position(text, offset) == place


@pytest.mark.parametrize(
    ("path", "shown"),
    [
        (("providers", 0, "limits", "requestsPerDay"), "providers[0].limits.requestsPerDay"),
        (("providers", 0, "headers", "X-Title"), 'providers[0].headers["X-Title"]'),
        (("a b", 'c"\\'), '["a b"]["c\\"\\\\"]'),
        (("$schema",), "$schema"),
        ((), "(the whole file)"),
    ],
)  # fmt: skip
def test_paths_as_people_write_them(path: tuple[str | int, ...], shown: str) -> None:
    assert show(path) == shown


def said(node: Node, text: str) -> Any:
    """What a tree says, by its own reading of texts and structure."""
    match node.kind:
        case "object":
            return {member.key: said(member.node, text) for member in node.members}
        case "array":
            return [said(item, text) for item in node.items]
        case "string":
            return node.string
        case _:
            return read_data(text[node.start : node.end], "")


SCALARS = (
    st.none()
    | st.booleans()
    | st.integers(-(10**15), 10**15)
    | st.text(max_size=12)
    | st.sampled_from(["//", "/*", "*/", '"', "'", "\\", "\u2028", "😀", ","])
)
DATA = st.recursive(
    SCALARS,
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.text(max_size=6), inner, max_size=4)
    ),
    max_leaves=12,
)
GAPS = st.sampled_from(["", " ", "\n", "\t", "// c\n", "/* c */", "/**/", "\r\n", "\ufeff"])  # fmt: skip


@st.composite
def texts(draw: st.DrawFn) -> tuple[Any, str]:
    """Data, and a JSON5 text that says it with gaps and trailing commas anywhere."""
    data = draw(DATA)
    return data, written(draw, data)


def written(draw: st.DrawFn, value: Any) -> str:
    def gap() -> str:
        return str(draw(GAPS))

    def comma() -> str:
        return "," if draw(st.booleans()) else ""

    match value:
        case dict() if value:
            inside = ",".join(
                f"{gap()}{json5.dumps(key, quote_keys=True)}{gap()}:{gap()}{written(draw, item)}{gap()}"
                for key, item in value.items()
            )
            return "{" + inside + comma() + gap() + "}"
        case list() if value:
            inside = ",".join(f"{gap()}{written(draw, item)}{gap()}" for item in value)
            return "[" + inside + comma() + gap() + "]"
        case dict() | list():
            return f"{json5.dumps(value)[0]}{gap()}{json5.dumps(value)[-1]}"
        case _:
            return json5.dumps(value)


@given(texts())
def test_the_tree_agrees_with_json5(sample: tuple[Any, str]) -> None:
    data, text = sample
    tree = tree_of(text)
    assert said(tree, text) == data == read_data(text, "")
    for path, node in tree.walk():
        assert tree.at(path) == node
        value = data
        for step in path:
            value = value[step]
        assert read_data(text[node.start : node.end], "") == value


@given(st.text(alphabet="{}[],:\"'\\/*\n a1-.eux0", max_size=40))
def test_no_text_raises_and_json5_reads_what_we_accept(text: str) -> None:
    tree = parse(text)
    if isinstance(tree, SyntaxProblem):
        assert 0 <= tree.offset <= len(text)
        return
    try:
        read = read_data(text, "")
    except ConfigError:  # e.g. "\01"
        return
    assert said(tree, text) == read
    assert repr(read) == repr(by_json5(text))


def by_json5(text: str) -> Any:
    return _joined(json5.loads(text, parse_float=Decimal))


@given(texts())
def test_json_with_comments_is_read_as_json5_reads_it(sample: tuple[Any, str]) -> None:
    """Types and the order of keys included."""
    _, text = sample
    assert repr(read_data(text, "")) == repr(by_json5(text))


@pytest.mark.parametrize(
    ("text", "plain"),
    [
        ('{"a": [1, 2,],} // c', '{"a": [1, 2 ] }     '),
        ('[ /* a, b */ "x,]" , ]', "[" + 12 * " " + '"x,]"   ]'),
        ('{"//": "/* , */", }', '{"//": "/* , */"  }'),
        ("[[], {}, [{},],]", "[[], {}, [{} ] ]"),
    ],
)
def test_comments_and_trailing_commas_become_spaces(text: str, plain: str) -> None:
    assert without_extras(text, tree_of(text)) == plain


def test_json5_is_asked_only_for_what_is_no_json(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """It takes seconds for what many providers and models make."""

    def never(*_: object, **__: object) -> None:
        raise AssertionError("json5 was asked")

    monkeypatch.setattr("llm_gateway.config.load.json5.loads", never)
    assert read_data(example_config(), "")["providers"]
    for text in ("{a: 1}", "['x']", "[0x10]", "[.5]", "['a\\\nb']"):
        with pytest.raises(AssertionError, match="json5 was asked"):
            read_data(text, "")
