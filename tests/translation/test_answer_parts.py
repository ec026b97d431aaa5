"""The tables of what becomes of an answer: complete, and what clients get, row by row."""

import json
from dataclasses import replace

import pytest
from tables import each_row

from llm_gateway.translation.answer_parts import NOT_SHOWN, AnswerPart
from llm_gateway.translation.carried import Kind
from llm_gateway.translation.translator import AnswerTranslator
from translation.answer_samples import PLAIN, TEXT, events
from translation.test_answers import CODECS, CONTEXT, PLAINLY

ROWS = [
    pytest.param(
        a, b, part, context, id=f"{b}>{a}: {part.value}, stream {context.stream}"
    )
    for a in CODECS
    for b in CODECS
    if a != b
    for part in AnswerPart
    if part in CODECS[b].gives
    for context in (CONTEXT, PLAINLY)
]


def answered(client, upstream, part, context):
    translator = AnswerTranslator(CODECS[client], CODECS[upstream], context)
    if not context.stream:
        return translator, translator.plain(json.dumps(PLAIN[upstream][part]).encode())
    data = b"".join(
        b"data: " + json.dumps(each).encode() + b"\n\n"
        for each in events(upstream, part)
    )
    return translator, translator.feed(data) + translator.end()


@pytest.mark.parametrize("name", CODECS)
def test_every_part_has_a_fate_for_every_client(name):
    assert set(CODECS[name].answer_fates) == set(AnswerPart)
    assert set(PLAIN[name]) == CODECS[name].gives


@each_row("client, upstream, part, context", ROWS)
def test_row(client, upstream, part, context):
    """What the table says of a part is what becomes of an answer with it."""
    fate = CODECS[client].answer_fates[part]
    translator, out = answered(client, upstream, part, context)
    assert translator.failed_with is None
    if part is not AnswerPart.REFUSAL:
        assert TEXT in out.decode()
    texts = {
        Kind.DROPPED: [why for _, why in translator.dropped],
        Kind.APPROXIMATED: [how for _, how in translator.approximated],
    }
    if fate.kind in texts:
        assert fate.text in texts[fate.kind]
    else:
        told = dict((*translator.dropped, *translator.approximated))
        assert f"{part.value} in the answer" not in told
        _, plain = answered(client, upstream, AnswerPart.TEXT, context)
        assert part is AnswerPart.TEXT or out != plain


@each_row(
    "client, upstream, part",
    [
        (a, b, part)
        for a in CODECS
        for b in CODECS
        if a != b
        for part in (AnswerPart.THOUGHT, AnswerPart.STATE)
    ],
)
def test_thoughts_that_nobody_asked_for_are_told_of(client, upstream, part):
    hidden = replace(CONTEXT, shows_thoughts=False, keeps_state=False)
    translator, out = answered(client, upstream, part, hidden)
    assert b"Hm." not in out
    told = dict(translator.dropped)
    assert told["thoughts in the answer"] == NOT_SHOWN
    assert (part is AnswerPart.STATE) == ("opaque state in the answer" in told)


def test_an_answer_like_others_tells_of_nothing():
    for client in CODECS:
        for upstream in CODECS:
            if client != upstream:
                for context in (CONTEXT, PLAINLY):
                    found, _ = answered(client, upstream, AnswerPart.TEXT, context)
                    assert found.dropped == found.approximated == ()


def test_names_of_unknown_parts_are_few_and_short():
    message = {f"odd{n}\n" + "x" * 99: 1 for n in range(99)}
    choice = {"index": 0, "message": {"content": TEXT, **message}}
    body = json.dumps({"choices": [choice]}).encode()
    translator = AnswerTranslator(CODECS["messages"], CODECS["chat"], PLAINLY)
    translator.plain(body)
    assert len(translator.dropped) == 16
    assert all(len(part) < 60 and part.isprintable() for part, _ in translator.dropped)
