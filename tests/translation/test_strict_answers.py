"""Translated answers of all pairs, plain and streamed, are what the vendors' types and documents
say, and nothing beside it."""

import pytest
from examples import examples
from hypothesis import given

from llm_gateway.translation.translator import AnswerTranslator
from translation.answers import answers
from translation.strict_types import PLAIN, STREAM
from translation.test_answers import CODECS, CONTEXT, PLAINLY, written

PAIRS = [(a, b) for a in PLAIN for b in CODECS if a != b]


@pytest.mark.process  # an SDK asks for the platform
@pytest.mark.parametrize(("client", "upstream"), PAIRS)
@examples(40)
@given(events=answers)
def test_an_answer_is_of_the_vendors_types(client, upstream, events):
    for asked in (CONTEXT, PLAINLY):
        for given_ in (CONTEXT, PLAINLY):
            data = written(upstream, events, given_)
            translator = AnswerTranslator(CODECS[client], CODECS[upstream], asked)
            if given_.stream:
                out = translator.feed(data) + translator.end()
            else:
                out = translator.plain(data)
            assert translator.failed_with is None
            (STREAM if asked.stream else PLAIN)[client](out)
