"""Tables of docs/translation.md: for each pair of dialects, what becomes of every part."""

from itertools import permutations

from llm_gateway.dialects import SPECS
from llm_gateway.translation.answer_parts import AnswerPart, shown_part
from llm_gateway.translation.carried import Fate, Kind, PartName
from llm_gateway.translation.codec import Codecs


def pair_tables() -> str:
    """Markdown, a section for each pair."""
    known = [spec.codecs for spec in SPECS.values() if spec.codecs is not None]
    return "\n".join(_table(a, b) for a, b in permutations(known, 2))


def _table(source: Codecs, target: Codecs) -> str:
    parts = [part for part in PartName if part in source.says]
    back = [
        p.value
        for p in AnswerPart
        if p in target.gives and source.answer_fates[p].kind is Kind.CARRIED
    ]
    carried = [p.value for p in parts if target.fates[p].kind is Kind.CARRIED]
    lines = [
        f"### A {source.dialect} client, a {target.dialect} provider",
        "",
        f"Carried: {', '.join(carried)}. Of the answer: {', '.join(back)}.",
        "",
        "| part | what becomes of it |",
        "| --- | --- |",
    ]
    for kind in (Kind.APPROXIMATED, Kind.DROPPED, Kind.NEEDED):
        lines += [
            f"| {part.value} | {_said(target.fates[part])} |"
            for part in parts
            if target.fates[part].kind is kind
        ]
    lines += [
        f"| {shown_part(part)} | {_said(source.answer_fates[part])} |"
        for part in AnswerPart
        if part in target.gives and source.answer_fates[part].kind is not Kind.CARRIED
    ]
    return "\n".join([*lines, ""])


def _said(fate: Fate) -> str:
    said = f"{fate.kind.value}: {fate.text}" if fate.text else fate.kind.value
    return f"{said}, unless the provider takes {fate.unless}" if fate.unless else said
