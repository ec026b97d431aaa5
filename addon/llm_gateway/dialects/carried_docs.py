"""Tables of docs/translation.md: for each pair of dialects, what becomes of every part."""

from itertools import permutations

from llm_gateway.dialects import SPECS
from llm_gateway.translation.carried import Fate, Kind, PartName
from llm_gateway.translation.codec import Codecs


def pair_tables() -> str:
    """Markdown, a section for each pair."""
    known = [spec.codecs for spec in SPECS.values() if spec.codecs is not None]
    return "\n".join(_table(a, b) for a, b in permutations(known, 2))


def _table(source: Codecs, target: Codecs) -> str:
    parts = [part for part in PartName if part in source.says]
    carried = [p.value for p in parts if target.fates[p].kind is Kind.CARRIED]
    lines = [
        f"### A {source.dialect} client, a {target.dialect} provider",
        "",
        f"Carried: {', '.join(carried)}.",
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
    return "\n".join([*lines, ""])


def _said(fate: Fate) -> str:
    said = f"{fate.kind.value}: {fate.text}" if fate.text else fate.kind.value
    return f"{said}, unless the provider takes {fate.unless}" if fate.unless else said
