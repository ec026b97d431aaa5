"""The tables of what is carried: complete, and what the writers do, row by row."""

import json

import pytest
from tables import each_row

from llm_gateway.dialects import SPECS
from llm_gateway.translation.carried import CannotCarry, Kind, PartName
from llm_gateway.translation.codec import Target
from llm_gateway.translation.translator import pair_name, translate_request
from translation.samples import MAKER, SAMPLES, SIGNATURE, sample

CODECS = {name: spec.codecs for name, spec in SPECS.items() if spec.codecs is not None}
PAIRS = [(a, b) for a in CODECS for b in CODECS if a != b]
ROWS = [
    pytest.param(a, b, part, id=f"{a}>{b}: {part.value}")
    for a, b in PAIRS
    for part in PartName
    if part in CODECS[a].says
]
ABOUT = Target("sent-model", MAKER)


def translated(source, target, body, about=ABOUT):
    return translate_request(CODECS[source], CODECS[target], body, about)


@pytest.mark.parametrize("name", CODECS)
def test_every_part_has_a_fate_in_every_dialect(name):
    assert set(CODECS[name].fates) == set(PartName)


@pytest.mark.parametrize("name", CODECS)
def test_there_is_a_sample_of_every_part_that_a_dialect_can_hold(name):
    assert set(SAMPLES[name]) == CODECS[name].says


@each_row(("source", "target", "part"), ROWS)
def test_row(source, target, part):
    """What the table says of a part is what becomes of a request with it."""
    fate = CODECS[target].fates[part]
    found = translated(source, target, sample(source, part))
    if fate.kind is Kind.NEEDED:
        assert isinstance(found, CannotCarry), found
        assert found.why == fate.text
        if fate.unless:
            about = Target(
                "sent-model", MAKER, takes=frozenset({fate.unless, "documents"})
            )
            assert not isinstance(
                translated(source, target, sample(source, part), about), CannotCarry
            )
        return
    assert not isinstance(found, CannotCarry), found
    adaptation = found.adaptation
    dropped = [why for _, why in adaptation.dropped]
    approximated = [how for _, how in adaptation.approximated]
    if fate.kind is Kind.DROPPED:
        assert fate.text in dropped
    elif fate.kind is Kind.APPROXIMATED:
        assert fate.text in approximated
    else:
        # The rest of the sample may be approximated; the part itself is not named.
        assert part.value not in dict(adaptation.dropped)
        assert part.value not in dict(adaptation.approximated)
        plain = translated(source, target, sample(source, PartName.TEXT))
        assert part is PartName.TEXT or found.body != plain.body
        if part is PartName.OWN_STATE:
            assert SIGNATURE in json.dumps(found.body)
    assert adaptation.pair == pair_name(CODECS[source], CODECS[target])
    json.dumps(found.body)


def plainly(values):
    """What a dialect has to say though it is the default is as if it was not said."""
    said = repr(values).replace("detail='auto'", "detail=''")
    return said.replace("strict=False", "strict=None")


@pytest.mark.parametrize(("source", "target"), PAIRS)
def test_what_is_carried_comes_back(source, target):
    """There and back again: the neutral form of both is the same in what is carried there."""
    for part in SAMPLES[source]:
        here, there = CODECS[source].fates[part], CODECS[target].fates[part]
        if not here.kind is there.kind is Kind.CARRIED:
            continue
        if part is PartName.OWN_STATE:
            continue  # on the way to its maker it is not marked any more
        body = sample(source, part)
        first = CODECS[source].read_request(body)
        found = translated(source, target, body)
        assert not isinstance(found, CannotCarry)
        if found.adaptation.dropped or found.adaptation.approximated:
            continue
        back = CODECS[target].read_request(found.body)
        assert plainly(back.turns) == plainly(first.turns), part
        assert plainly(back.tools) == plainly(first.tools), part
        if part in (PartName.MAX_TOKENS, PartName.TEMPERATURE, PartName.TOP_P):
            name = part.value
            assert getattr(back.settings, name) == getattr(first.settings, name)
