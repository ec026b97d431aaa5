"""The packaged catalogue: what it says and why; and what its reader says of a wrong one."""

import json
from typing import Any

import pytest
from tables import each_row

from llm_gateway.config.load import parse_config
from llm_gateway.domain import NANO, Offer, Price, Window
from llm_gateway.providers.catalog import CatalogError, build
from llm_gateway.providers.catalog_file import CatalogFileError, dump, parse
from llm_gateway.providers.docs import other_tiers_table
from llm_gateway.providers.free_tiers import describe, ended_tier_of, free_tier_of
from llm_gateway.providers.published import FreePreset, Published, overlaid
from llm_gateway.providers.registry import TYPES, packaged, types_with

BEFORE, AFTER = "2026-11-30", "2026-12-01"
LITE = "15 requests/minute, 500 requests/day"
FLASH = "5 requests/minute, 20 requests/day"


@pytest.mark.parametrize(
    ("provider", "model", "today", "says", "is_certain", "why"),
    [
        ("sambanova", "DeepSeek-V3.1", BEFORE, "20 requests/minute, 20 requests/day, 200000 tokens/day", False, "new accounts are refused with 402"),
        ("google", "gemini-3.5-flash-lite", BEFORE, LITE, True, "the glob of 3.5-flash no longer takes it"),
        ("google", "gemini-3.8-flash", BEFORE, FLASH, False, "numbers of its sister"),
        ("google", "gemini-4-hydrogen", BEFORE, "no numbers", False, "the only free one of Gemini 4"),
        ("google", "gemini-2.5-pro", BEFORE, "ended", False, "paid only since 2026-04"),
        ("google", "gemini-2.5-flash", BEFORE, f"{FLASH}, 250000 tokens/minute", True, "its own numbers, still"),
        ("google", "gemini-2.5-flash", AFTER, LITE, False, "served by 3.5-flash-lite"),
        ("mistral", "mistral-small-latest", BEFORE, "60 requests/minute, 500000 tokens/minute, 1000000000 tokens/month", False, "console against price page"),
        ("groq", "qwen/qwen3.8-27b", BEFORE, "30 requests/minute, 1000 requests/day, 8000 tokens/minute, 200000 tokens/day", False, "the fifth chat model"),
        ("groq", "llama-3.3-70b-versatile", BEFORE, "ended", True, "retired 2026-08-16"),
        ("zai", "glm-4.5-flash", BEFORE, "no numbers", False, "discontinued against $0"),
        ("zai", "glm-4.7-flash", BEFORE, "no numbers", True, "not in dispute"),
        ("nvidia", "meta/llama-3.3-70b-instruct", BEFORE, "40 requests/minute", True, "of the account"),
        ("openrouter", "a/b:free", BEFORE, "20 requests/minute, 50 requests/day", True, "unchanged"),
        ("cohere", "command-a-03-2025", BEFORE, "20 requests/minute, 1000 requests/month", True, "unchanged"),
        ("cloudflare", "@cf/meta/llama-3.1-8b-instruct", BEFORE, "no numbers", True, "neurons"),
        ("cerebras", "gpt-oss-120b", BEFORE, "ended", True, "ended 2026-08-17"),
    ],
)  # fmt: skip
def test_what_it_says_now(
    provider: str, model: str, today: str, says: str, is_certain: bool, why: str
) -> None:
    row = types_with(packaged(), today)[provider]
    found = free_tier_of(row, model)
    if says == "ended":
        assert found is None
        found = ended_tier_of(row, model)
    assert found is not None, why
    assert says in ("ended", describe(found.limits)), why
    assert (found.uncertain == "") is is_certain, why


def test_of_gemini_4_one_alone_is_free() -> None:
    row = TYPES["google"]
    for model in ("gemini-4-argon", "gemini-4-carbon", "gemini-4-neon", "gemini-4"):
        assert free_tier_of(row, model) is None
    fact = offer("google", "gemini-4-hydrogen")
    assert (fact.context_window, fact.max_output) == (1_048_576, 65_536)
    assert fact.price == Price(NANO * 3 // 2, NANO * 15 // 2, NANO * 75 // 1000, source="catalog")  # fmt: skip


@pytest.mark.parametrize(
    ("who", "status"),
    [
        ("github-models", "ended"),
        ("llama-api", "ended"),
        ("gemini-cli", "ended"),
        ("qwen-cli", "ended"),
        *((who, "candidate") for who in ("ollama-cloud", "ovhcloud", "requesty")),
        *((who, "candidate") for who in ("opencode-zen", "nara", "modelscope")),
        *(
            (who, "candidate")
            for who in ("siliconflow", "pollinations", "aion", "sea-lion")
        ),
    ],
)
def test_who_is_named_and_fills_in_nothing(who: str, status: str) -> None:
    assert {t.status for t in packaged().free_tiers if t.provider == who} == {status}
    assert who not in TYPES


def test_terms_are_told() -> None:
    terms = {t.provider: t.terms for t in packaged().free_tiers if t.terms}
    assert "professional or business" in terms["google"]
    assert "no personal use" in terms["cohere"]
    assert "Evaluation only" in terms["nvidia"]
    fact = TYPES["google"].counted_by
    assert fact is not None
    assert fact.counted_by == "project"


def test_it_can_be_written_and_read_again() -> None:
    assert parse(dump(packaged())) == packaged()


ENTRY = {
    "id": "a/b",
    "provider": "a",
    "models": ["b"],
    "limits": {"requestsPerDay": 2},
    "hard_stop": True,
    "trains_on_prompts": "no",
    "as_of": "2026-01-02",
    "source": "its page",
}


def written(**changes: Any) -> str:
    entry = {k: v for k, v in (ENTRY | changes).items() if v is not ...}
    return json.dumps({"format": 1, "as_of": "2026-01-02", "free_tiers": [entry]})


@each_row(
    ("text", "said"),
    [
        ("{", "x.json: line 1, column 2: is no JSON"),
        ("[]", 'x.json: is no object; write {"format": 1, …}'),
        ('{"format": 2}', "x.json: format: 2 is not 1; it is for a newer gateway"),
        ('{"format": 1, "as_of": "soon"}', 'as_of: "soon" is no date; write YYYY-MM-DD'),
        ('{"format": 1, "as_of": "2026-01-01", "as_of": ""}', "stands twice"),
        ('{"format": 1, "as_of": "2026-01-01", "model": []}', 'did you mean "models"?'),
        (written(as_of="2026-13-01"), "free_tiers[0] (a/b).as_of: "),
        (written(as_of="2026-02-01"), "a/b: is of 2026-02-01, the catalogue of 2026-01-02"),
        (written(source=...), '"source" is missing; write it'),
        (written(hard_stop=...), '"hard_stop" is missing; write it'),
        (written(hard_stop="maybe"), '.hard_stop: "maybe" is neither true nor false'),
        (written(limits={"requestPerDay": 1}), 'did you mean "requestsPerDay"?'),
        (written(limits={"requestsPerDay": 0}), "is no count; write a whole number from 1"),
        (written(limits={"requestsPerDay": True}), "is no count"),
        (written(limits={"requestsPerDay": 1.5}), "is no count"),
        (written(per="modell"), 'did you mean "model"?'),
        (written(models=[]), "is no list of 1 to 200 names"),
        (written(note="\x1b[31m"), "has control characters"),
        (written(note="x" * 700), "is too long"),
        (written(baseURL="https://evil.example"), 'has the unknown key "baseURL"'),
    ],
)  # fmt: skip
def test_mistakes_are_named(text: str, said: str) -> None:
    with pytest.raises(CatalogFileError) as found:
        parse(text, "x.json")
    assert said in str(found.value)


def test_the_younger_entry_wins_one_by_one() -> None:
    def tier(name: str, as_of: str, note: str) -> FreePreset:
        return FreePreset((name,), {}, as_of, "s", id=name, provider="a", note=note)

    old = Published("2026-02-01", (tier("a", "2026-01-01", "old"), tier("b", "2026-02-01", "old")))  # fmt: skip
    new = Published("2026-03-01", (tier("b", "2026-01-15", "new"), tier("a", "2026-03-01", "new"), tier("c", "2026-01-01", "new")))  # fmt: skip
    found = overlaid(old, new)
    assert [(t.id, t.note) for t in found.free_tiers] == [("a", "new"), ("b", "old"), ("c", "new")]  # fmt: skip
    assert found.as_of == "2026-03-01"


@pytest.mark.parametrize(
    ("now", "per_day"), [(1_796_000_000, 20), (1_796_100_000, 500)]
)
def test_what_holds_from_a_day_on_holds_from_that_day_on(
    now: float, per_day: int
) -> None:
    """2026-11-30 and 2026-12-01, UTC."""
    limits = offer("google", "gemini-2.5-flash", now=now, tier="free").limits
    assert [n.amount for n in limits if n.window is Window.DAY] == [per_day]


def test_facts_of_models_win_over_the_public_list() -> None:
    facts = """{"format": 1, "as_of": "2026-01-02", "models": [{"id": "m", "provider": "groq",
      "models": ["new*"], "as_of": "2026-01-02", "source": "s", "context_window": 9,
      "max_output": 5, "pricing": {"inputCostPerMillionTokens": 0.5}}]}"""
    types = types_with(parse(facts), BEFORE)
    found = offer("groq", "maker/new-1", types=types, window=lambda *_: 7)
    assert (found.context_window, found.max_output) == (9, 5)
    assert found.price == Price(input=NANO // 2, source="catalog")
    assert offer("groq", "old", types=types, window=lambda *_: 7).context_window == 7


def offer(
    type_: str, model: str, now: float = 0, tier: Any = None, **known: Any
) -> Offer:
    provider = {"id": "p", "type": type_, "apiKey": "k", "models": [{"name": model}]}
    provider |= {"tier": tier} if tier else {}
    config = parse_config(json.dumps({"providers": [provider]}), {}).config
    return build(config, "r", now=now, price=lambda *_: None, **known).offers[0]


def with_tier(status: str, as_of: str, *, since: str = "") -> Published:
    """What is packaged, and one entry for a model of Groq's over it."""
    tier = FreePreset(("fresh-*",), {}, as_of, "s", id="groq/fresh", provider="groq", status=status, note="over", since=since)  # type: ignore[arg-type]  # fmt: skip
    return overlaid(packaged(), Published("2099-01-01", (tier,)))


@pytest.mark.parametrize(
    ("model", "found", "said"),
    [
        ("fresh-1", with_tier("free", "2099-01-01"), ""),
        ("fresh-1", with_tier("ended", "2099-01-01"), "its free tier ended: over (as of 2099-01-01); move the model"),
        ("fresh-1", with_tier("ended", "2026-01-01", since="2098-12-01"), "its free tier ended: over"),
        ("groq/compound", Published("2099-01-01"), "it is on the free tier no longer; move the model"),
    ],
)  # fmt: skip
def test_a_tier_that_ends_later_leaves_the_model_out(
    model: str, found: Published, said: str
) -> None:
    """A configuration that was right is no mistake now: all else of it serves on."""
    seen = offer("groq", model, types=types_with(found, "2099-01-01"), tier="free")
    assert (seen.enabled, seen.free) == ((True, True) if not said else (False, False))
    assert seen.disabled_reason.startswith(said)
    assert bool(seen.disabled_reason) == bool(said)


@pytest.mark.parametrize(
    "found", [with_tier("ended", "2026-01-01"), with_tier("candidate", "2099-01-01")]
)
def test_what_was_never_free_is_a_mistake(found: Published) -> None:
    with pytest.raises(CatalogError, match="is not known to be on the free tier"):
        offer("groq", "fresh-1", types=types_with(found, "2099-01-01"), tier="free")


def test_a_list_may_be_taken_from_where_the_free_tier_is_over() -> None:
    nothing = types_with(Published("2099-01-01"), "2099-01-01")
    provider = {"id": "p", "type": "groq", "apiKey": "k", "models": "free"}
    config = parse_config(json.dumps({"providers": [provider]}), {}).config
    assert build(config, "r", now=0, types=nothing).offers == ()


@pytest.mark.parametrize("entry", [t for t in packaged().free_tiers if t.status != "free"])  # fmt: skip
def test_what_fills_in_nothing_is_said_in_the_docs(entry: FreePreset) -> None:
    assert any(
        f"`{entry.provider}`" in line and entry.source in line and entry.as_of in line
        for line in other_tiers_table().splitlines()
    )
