"""A changed config written into the old text."""

import copy
import json
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llm_gateway.config.jsonc import Node, parse
from llm_gateway.config.load import read_data
from llm_gateway.config.merge import merged

OLD = """\
// head
{
  "providers": [
    // provider a
    {"id": "a", "limits": {"requestsPerDay": 5 /* five */}, "models": []}, // tail a
    // provider b
    {
      "id": "b",
      "free": true, // yes
      // its models
      "models": [{"name": "m"}, {"name": "n"}]
    }
  ],
  "budget": {},
}
"""


def changed(change: Callable[[Any], object]) -> str:
    data = read_data(OLD, "")
    change(data)
    result = merged(OLD, data)
    assert read_data(result, "") == data
    return result


@pytest.mark.parametrize(
    ("change", "before", "after"),
    [
        # a value
        (
            lambda c: c["providers"][0]["limits"].update(requestsPerDay=7),
            "5 /* five */",
            "7 /* five */",
        ),
        # a new key on one line, and in an empty object
        (
            lambda c: c["providers"][0]["limits"].update(costPerDay=0.5),
            "5 /* five */}",
            '5, /* five */ "costPerDay": 0.5}',
        ),
        (lambda c: c["budget"].update(costPerDay=1), "{}", '{"costPerDay": 1}'),
        # a new key on a line of its own, after a trailing comma and after none
        (
            lambda c: c.update(logLevel="warn"),
            '  "budget": {},\n',
            '  "budget": {},\n  "logLevel": "warn",\n',
        ),
        (
            lambda c: c["providers"][1].update(enabled=False),
            '{"name": "n"}]\n',
            '{"name": "n"}],\n      "enabled": false\n',
        ),
        # a key goes with its line, an entry with its comment at the end of the line
        (lambda c: c["providers"][1].pop("free"), '      "free": true, // yes\n', ""),
        (
            lambda c: c["providers"].pop(0),
            '    {"id": "a", "limits": {"requestsPerDay": 5 /* five */}, "models": []}, // tail a\n',
            "",
        ),
        (
            lambda c: c["providers"][1]["models"].pop(0),
            '[{"name": "m"}, {"name": "n"}]',
            '[{"name": "n"}]',
        ),
        # one goes, another comes
        (
            lambda c: (c["providers"][1]["models"].pop(), c["providers"][1]["models"].append({"name": "z"})),
            '[{"name": "m"}, {"name": "n"}]',
            '[{"name": "m"}, {\n        "name": "z"\n      }]',
        ),
        # another kind of value
        (lambda c: c.update(budget=None), '"budget": {}', '"budget": null'),
    ],
)  # fmt: skip
def test_only_what_changed_changes(
    change: Callable[[Any], object], before: str, after: str
) -> None:
    assert before in OLD
    assert changed(change) == OLD.replace(before, after)


def test_another_order_rewrites_that_list_only() -> None:
    result = changed(lambda c: c["providers"].reverse())
    assert result.startswith('// head\n{\n  "providers": [\n    {\n      "id": "b",')
    assert result.endswith('  "budget": {},\n}\n')
    assert "// provider a" not in result


def test_no_json5_before_means_fresh_text() -> None:
    assert merged("{", {"a": 1}) == '{\n  "a": 1\n}\n'


NAMES = st.sampled_from(["a", "b", "c", "d"])
VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-5, 5)
    | st.floats(0, 1)
    | st.text("ab/*\"'\n", max_size=4),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(NAMES, inner, max_size=3)
        | st.lists(st.fixed_dictionaries({"id": NAMES}), max_size=3)
        | st.lists(st.fixed_dictionaries({"id": NAMES, "x": inner}), max_size=3)
    ),
    max_leaves=8,
)
OBJECTS = st.dictionaries(NAMES, VALUES, max_size=4)
LAYOUTS: list[Callable[[Any], str]] = [
    json.dumps,
    lambda data: json.dumps(data, indent=2),
    lambda data: json.dumps(data, indent=2).replace(",\n", ", // c\n"),
    lambda data: json.dumps(data, indent="\t").replace("\n", "\r\n"),
    lambda data: json.dumps(data).replace("}", " /* c */ }"),
]


@given(OBJECTS, OBJECTS, st.sampled_from(LAYOUTS))
def test_the_result_says_the_new_data(
    old: dict[str, Any], new: dict[str, Any], layout: Callable[[Any], str]
) -> None:
    text = layout(old)
    if not isinstance(parse(text), Node):  # a layout that tore a text apart
        return
    before = copy.deepcopy(new)
    result = merged(text, new)
    assert json.loads(json.dumps(read_data(result, ""), default=float)) == before
    assert new == before
    assert merged(text, read_data(text, "")) == text
