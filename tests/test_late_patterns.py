import re

import pytest

from llm_gateway import late_patterns
from llm_gateway.adaptation.wordings import WORDINGS
from llm_gateway.dialects.error_topics import SIGNS
from llm_gateway.late_patterns import LatePattern


@pytest.mark.parametrize("text", ["no such model x", "  No such model", "", "else"])
def test_finds_what_a_compiled_one_finds(text: str) -> None:
    late = LatePattern(r"\s*no such (\w+)", re.IGNORECASE)
    compiled = re.compile(late.pattern, late.flags)

    def spans(found: re.Match[str] | None) -> object:
        return found and (found.span(), found.groups())

    assert spans(late.search(text)) == spans(compiled.search(text))
    assert spans(late.match(text)) == spans(compiled.match(text))
    assert spans(late.match(text, 2)) == spans(compiled.match(text, 2))
    assert spans(late.fullmatch(text)) == spans(compiled.fullmatch(text))


def test_all_that_were_made_are_compiled_at_leisure() -> None:
    made = [LatePattern(f"a{n}") for n in range(3)]
    pauses: list[float] = []

    assert not any(one.is_compiled for one in made)

    late_patterns.compile_all(pauses.append)

    assert all(one.is_compiled for one in made)
    took = len(pauses)
    late_patterns.compile_all(pauses.append)
    assert len(pauses) == took >= len(made)


def test_every_word_of_the_tables_can_be_compiled() -> None:
    assert all(row.pattern.compiled for row in WORDINGS)
    assert all(sign.sentences.compiled for sign in SIGNS if sign.sentences)
