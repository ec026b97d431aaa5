"""Text that is passed without being read: the client gets the same as if it were."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llm_gateway.translation.answer_events import Ended, Started, TextDelta
from llm_gateway.translation.text_shape import text_shape
from llm_gateway.translation.translator import AnswerTranslator
from translation.test_answers import CODECS, CONTEXT, PAIRS

WORDS = st.text(max_size=6) | st.sampled_from(["content", '"', "\\", "\n", "m", "id"])


@pytest.mark.parametrize(("client", "upstream"), PAIRS)
@given(words=st.lists(WORDS, max_size=12), ascii=st.booleans())
def test_what_is_not_read_is_passed_as_if_it_were(client, upstream, words, ascii):
    writer = CODECS[upstream].answer_writer(CONTEXT)
    chunks = [writer.write(Started("id", "m"))]
    for word in words:
        chunk = writer.write(TextDelta(word))
        if not ascii and chunk:
            head, _, data = chunk.rpartition(b"data: ")
            data = json.dumps(json.loads(data), ensure_ascii=False).encode(
                errors="replace"
            )
            chunk = head + b"data: " + data + b"\n\n"
        chunks.append(chunk)
    chunks.append(writer.write(Ended("stop")))
    read = AnswerTranslator(CODECS[client], CODECS[upstream], CONTEXT)
    read._more_text = None
    passed = AnswerTranslator(CODECS[client], CODECS[upstream], CONTEXT)
    for chunk in chunks:
        assert values(passed.feed(chunk)) == values(read.feed(chunk))
    assert passed.end() == read.end()


def values(out):
    lines = [line[6:] for line in out.split(b"\n") if line.startswith(b"data: ")]
    return [json.loads(line) if line[:1] == b"{" else line for line in lines]


EVENT = b'data: {"model":"m","choices":[{"delta":{"content":"one"}}]%s}\n\n'


@pytest.mark.parametrize(
    ("chunk", "text"),
    [
        (EVENT.replace(b"one", b"two") % b"", b"two"),
        (EVENT.replace(b"one", "zwölf".encode()) % b"", "zwölf".encode()),
        (EVENT.replace(b"one", b"") % b"", None),
        (EVENT.replace(b"one", b'a\\"b') % b"", None),
        (EVENT.replace(b"one", b"a\\nb") % b"", None),
        (EVENT.replace(b"one", b"a\tb") % b"", None),
        (EVENT.replace(b"one", b"\xff") % b"", None),
        (EVENT % b',"usage":{"prompt_tokens":1}', None),
        (EVENT % b"" + EVENT % b"", None),
        (EVENT.replace(b'"content"', b'"refusal"') % b"", None),
        (b"data: [DONE]\n\n", None),
    ],
)
def test_the_text_of_an_event_of_the_same_shape(chunk, text):
    shape = text_shape(EVENT % b"", "one")
    assert shape is not None
    assert shape.text_in(chunk) == text


@pytest.mark.parametrize("said", ["m", "x", "one more", ""])
def test_a_string_elsewhere_is_no_text(said):
    assert text_shape(EVENT % b"", said) is None
