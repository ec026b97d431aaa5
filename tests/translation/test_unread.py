"""Nothing is left out in silence: a member that nobody knows, wherever a request has room for
one, is told of in the decision, of every pair of dialects.
"""

import json
from copy import deepcopy

import pytest

from llm_gateway.translation.carried import CannotCarry, PartName
from llm_gateway.translation.translator import translate_request
from llm_gateway.translation.unread import LONGEST_NAME, MOST_NAMES, members, unread
from translation.samples import SAMPLES, sample
from translation.test_carried import ABOUT, CODECS, PAIRS

ODD = "hologram"
FREE = {
    # What is in these is the app's own, or goes as it came.
    *("args", "response", "parameters", "parametersJsonSchema", "schema"),
    *("input_schema", "responseSchema", "responseJsonSchema", "arguments"),
    # Told of as a whole.
    *(
        "metadata",
        "logit_bias",
        "audio",
        "web_search_options",
        "labels",
        "extra_content",
    ),
    *("reasoning_details", "annotations", "citations", "cache_control"),
    *("speechConfig", "imageConfig", "container", "prompt", "conversation"),
    *(
        "safetySettings",
        "googleSearch",
        "executableCode",
        "codeExecutionResult",
        "grammar",
    ),
}
OWN_KINDS = (
    *("function", "custom", "namespace", "tool_search", "message", "reasoning"),
    *("text", "image", "document", "tool_use", "tool_result", "thinking"),
    *("redacted_thinking", "search_result", "tool_reference", "image_url", "file"),
    *("input_text", "output_text", "input_image", "input_file", "input_audio"),
    *("function_call", "custom_tool_call", "function_call_output"),
    *("custom_tool_call_output", "tool_search_call", "tool_search_output"),
    *("additional_tools", "json_schema", "allowed_tools", "auto", "any", "tool"),
    *("enabled", "adaptive", "base64", "url", "summary_text", "json_object", "none"),
    *("refusal", "agent_message", "disabled"),
)


def objects_in(value, path=()):
    """Places of the objects that a reader looks into."""
    if isinstance(value, dict):
        kind = value.get("type")
        if kind is not None and kind not in OWN_KINDS:
            return  # a part that only this dialect knows: told of by its type
        if path:
            yield path
        for name, inner in value.items():
            is_input = name == "input" and kind == "tool_use"
            if name not in FREE and not is_input:
                yield from objects_in(inner, (*path, name))
    elif isinstance(value, list):
        for n, inner in enumerate(value):
            yield from objects_in(inner, (*path, n))


def with_odd(body, path):
    made = deepcopy(body)
    place = made
    for step in path:
        place = place[step]
    place[ODD] = "x"
    return made


@pytest.mark.parametrize(("source", "target"), PAIRS)
def test_a_member_that_nobody_knows_is_told_of_wherever_it_stands(source, target):
    silent = []
    asked = 0
    for part in SAMPLES[source]:
        body = sample(source, part)
        if isinstance(
            translate_request(CODECS[source], CODECS[target], body, ABOUT), CannotCarry
        ):
            continue
        for path in objects_in(body):
            asked += 1
            found = translate_request(
                CODECS[source], CODECS[target], with_odd(body, path), ABOUT
            )
            if isinstance(found, CannotCarry):
                continue
            told = found.adaptation.dropped + found.adaptation.approximated
            if not any(ODD in name for name, _ in told):
                silent.append((part.value, path))
    assert asked > 50
    assert not silent, f"{len(silent)} of {asked}"


@pytest.mark.parametrize("source", CODECS)
def test_what_is_known_is_not_told_of(source):
    """The samples hold nothing that is unread, but what is a part of its own."""
    for part in SAMPLES[source].keys() - {PartName.UNKNOWN_PART}:
        read = CODECS[source].read_request(sample(source, part))
        if isinstance(read, CannotCarry):
            continue
        odd = [n for n, p in read.unread if p is PartName.UNKNOWN_MEMBER]
        assert not odd, part


def test_names_are_few_and_short():
    shape = members(things=members("known"))
    many = [{f"{n:02}" + "x" * 99: 1, "known": 1} for n in range(99)]
    found = unread({"things": many, "other": {"a": 1}}, shape)
    assert len(found) == MOST_NAMES
    assert all(len(name) == LONGEST_NAME for name, _ in found)
    assert found[0][0].startswith("things[].00")


def test_what_is_empty_asks_for_nothing():
    shape = members(things=members())
    empty = [{"a": None, "b": [], "c": {}, "d": "", "e": False, "f": 0}]
    assert unread({"things": empty}, shape) == ()
    assert (
        json.dumps(unread({"things": {"a": 1}}, shape))
        == '[["things.a", "other members"]]'
    )
