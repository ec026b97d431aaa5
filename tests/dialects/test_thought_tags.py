"""`<think>` in front of a text: thoughts where the row says so, text for everybody else."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llm_gateway.adaptation.vocabulary import Quirks
from llm_gateway.dialects.chat.answer_reader import ChatAnswerReader
from llm_gateway.dialects.chat.codecs import CODECS as CHAT
from llm_gateway.dialects.chat.thought_tags import ThoughtTag
from llm_gateway.dialects.messages.codecs import CODECS as MESSAGES
from llm_gateway.domain import Dialect
from llm_gateway.providers.quirk_rows import quirks_of
from llm_gateway.translation.answer_events import TextDelta, ThoughtDelta
from llm_gateway.translation.codec import AnswerContext, Target
from llm_gateway.translation.translator import TranslatedRequest, translate_request

WHOLE = [
    ("<think>Hm.</think>\n\nTwo.", "Hm.", "Two."),
    ("\n<think>\nHm.\n</think>Two.", "\nHm.\n", "Two."),
    ("<think></think>Two.", "", "Two."),
    ("<think>a < b </thin b</think>Two <think>three</think>", "a < b </thin b", "Two <think>three</think>"),
    ("<think>cut off </thi", "cut off </thi", ""),
    ("<thinking>Hm.</thinking>", "", "<thinking>Hm.</thinking>"),
    ("Two. <think>Hm.</think>", "", "Two. <think>Hm.</think>"),
    ("<thi", "", "<thi"),
    ("  ", "", "  "),
    ("Two.", "", "Two."),
]  # fmt: skip


def read(pieces: list[str]) -> tuple[str, str]:
    tag = ThoughtTag("think")
    found = [one for piece in pieces for one in tag.feed(piece)] + tag.finish()
    assert all(one.text for one in found)
    return tuple(
        "".join(one.text for one in found if one.kind == kind)
        for kind in ("thought", "text")
    )  # type: ignore[return-value]


@pytest.mark.parametrize(("said", "thought", "text"), WHOLE)
def test_wherever_it_is_cut(said: str, thought: str, text: str) -> None:
    for size in (1, 2, 5, len(said)):
        pieces = [said[at : at + size] for at in range(0, len(said), size)]
        assert read(pieces) == (thought, text)


@given(st.lists(st.sampled_from(["<think>", "</think>", "<", "a", "\n", "</", "k>"])))
def test_no_character_is_said_twice_or_changed(pieces: list[str]) -> None:
    assert read(pieces) == read(["".join(pieces)])
    thought, text = read(pieces)
    whole = "".join(pieces)
    assert thought in whole
    assert text in whole


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("tag", ["think", ""])
def test_an_answer_is_read_as_the_row_says(tag: str, stream: bool) -> None:
    reader = ChatAnswerReader(AnswerContext(thought_tag=tag))
    said = "<think>Hm.</think>Two."
    if stream:
        events = []
        for at in range(0, len(said), 4):
            delta = {"choices": [{"delta": {"content": said[at : at + 4]}}]}
            events += reader.event("", json.dumps(delta).encode())
        events += reader.event("", b"[DONE]")
    else:
        message = {"role": "assistant", "content": said}
        events = reader.plain({"choices": [{"message": message}]})
    thoughts = "".join(e.text for e in events if isinstance(e, ThoughtDelta))
    text = "".join(e.text for e in events if isinstance(e, TextDelta))
    assert (thoughts, text) == (("Hm.", "Two.") if tag else ("", said))


def test_the_rows_that_say_so() -> None:
    def tag(type_: str, model: str) -> str | None:
        return quirks_of(type_, Dialect("chat"), model, "x").value("reasoning", "tag")

    assert tag("minimax", "minimax-m2") == "think"
    assert tag("vllm", "deepseek-ai/deepseek-r1") == "think"
    assert tag("lmstudio", "qwen3-8b") is None
    assert tag("openai", "gpt-5") is None


@pytest.mark.parametrize("quirks", ["reasoning:tag=think", ""])
def test_a_translation_knows_it(quirks: str) -> None:
    body = {
        "model": "m",
        "max_tokens": 9,
        "messages": [{"role": "user", "content": "x"}],
    }
    target = Target(quirks=Quirks.parse(*quirks.split()))
    made = translate_request(MESSAGES, CHAT, body, target)
    assert isinstance(made, TranslatedRequest)
    assert made.context.thought_tag == ("think" if quirks else "")
