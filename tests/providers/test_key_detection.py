"""Keys in the environment: whose they are, what is written for them, what they give."""

import json

import pytest
from tables import each_row

from llm_gateway.providers.key_detection import allowance, entry, found_keys, odd_keys
from llm_gateway.providers.registry import TYPES

ROWS = TYPES.values()


def test_a_variable_belongs_to_one_provider():
    names = [name for row in ROWS for name in row.key_variables]
    assert len(names) == len(set(names))


@pytest.mark.parametrize(
    ("env", "variable", "others"),
    [
        ({"GEMINI_API_KEY": "a"}, "GEMINI_API_KEY", ()),
        ({"GOOGLE_API_KEY": "a"}, "GOOGLE_API_KEY", ()),
        ({"GOOGLE_API_KEY": "a", "GEMINI_API_KEY": ""}, "GOOGLE_API_KEY", ()),
        ({"GOOGLE_API_KEY": "a", "GEMINI_API_KEY": "a"}, "GEMINI_API_KEY", ()),
        (
            {"GOOGLE_API_KEY": "b", "GEMINI_API_KEY": "a"},
            "GEMINI_API_KEY",
            ("GOOGLE_API_KEY",),
        ),
    ],
)
def test_one_provider_one_variable(env, variable, others):
    (found,) = found_keys(env, ROWS)
    assert (found.row.type, found.variable, found.others) == (
        "google",
        variable,
        others,
    )


@each_row("row", ROWS, ids=lambda row: row.type)
def test_what_is_written_costs_nothing_unless_it_is_switched_on(row):
    for found in found_keys(dict.fromkeys(row.key_variables, "k"), [row]):
        written = entry(found)
        free = written.get("enabled", True)
        assert free == bool(row.free_presets or row.lists_prices)
        assert written["models"] == ("free" if free else written["models"])
        assert written.get("tier") == ("free" if row.free_presets and free else None)
        assert '"k"' not in json.dumps(written)


@pytest.mark.parametrize(
    ("value", "used", "said"),
    [
        ("sk-1", True, ""),
        ("  sk-1\n", True, ""),
        ("", False, ""),
        ("   ", False, ""),
        ("ab\ncd", False, "holds no key"),
        ("ключ", False, "holds no key"),
        ("\x00", False, "holds no key"),
        ('"sk-1"', True, "leave the quotes out"),
        ("Bearer sk-1", True, "write the key alone"),
        ("<your key>", True, "angle brackets"),
    ],
)
def test_a_value_that_is_no_key_is_said_and_written_nowhere(
    value: str, used: bool, said: str
) -> None:
    """What is written would be refused as a whole for one of them."""
    env = {"GROQ_API_KEY": value}
    assert bool(found_keys(env, ROWS)) is used
    lines = list(odd_keys(env, ROWS))
    assert [said in line and line.startswith("GROQ_API_KEY") for line in lines] == (
        [True] if said else []
    )
    assert not any(value.strip(' "<>') in line for line in lines)


def test_free_ones_come_first():
    env = {"OPENAI_API_KEY": "k", "GROQ_API_KEY": "k"}
    assert [one.row.type for one in found_keys(env, ROWS)] == ["groq", "openai"]


@each_row("row", ROWS, ids=lambda row: row.type)
def test_every_tier_of_a_row_is_said_most_a_day_first(row):
    lines = allowance(row)
    for preset in row.free_presets:
        assert any(all(name in line for name in preset.models) for line in lines)
    days = [int(x.split(" requests/day")[0].replace(",", "")) for x in lines if " requests/day" in x]  # fmt: skip
    assert days == sorted(days, reverse=True)
    assert all(("uncertain" in line) <= any(p.uncertain for p in row.free_presets) for line in lines)  # fmt: skip
