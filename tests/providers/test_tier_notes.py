"""What is said of the free tiers that a configuration rests on."""

import json
from typing import Any

import pytest

from llm_gateway.config.load import parse_config
from llm_gateway.providers.catalog import Catalog, build
from llm_gateway.providers.listed_models import ListedModel, ModelList
from llm_gateway.providers.outbound_request import address_of
from llm_gateway.providers.published import FreePreset, Published, overlaid
from llm_gateway.providers.registry import packaged, types_with
from llm_gateway.providers.tier_notes import notes

ENDED = FreePreset(("groq/compound*",), {}, "2099-01-01", "s", id="groq/groq/compound", provider="groq", status="ended", note="card needed")  # fmt: skip
LATER = types_with(
    overlaid(packaged(), Published("2099-01-01", (ENDED,))), "2099-01-01"
)


def provider(id: str, type_: str, *models: str, **more: Any) -> dict[str, Any]:
    named = [{"name": model} for model in models]
    return {"id": id, "type": type_, "apiKey": "k", "models": named, **more}


def built(*providers: dict[str, Any], **known: Any) -> Catalog:
    config = parse_config(json.dumps({"providers": providers}), {}).config
    return build(config, "r", now=0, price=lambda *_: None, **known)


def said(catalog: Catalog) -> list[tuple[str, str]]:
    return [(note.provider, note.text) for note in notes(catalog)]


LITE = "gemini-3.5-flash-lite"


def keys(*names: str) -> dict[str, Any]:
    return {"apiKeys": [*names]}


@pytest.mark.parametrize(
    ("providers", "who", "count", "by"),
    [
        ([provider("g", "google", LITE, tier="free", **keys("a", "b"))], "g", 2, "project"),
        ([provider("g", "google", LITE, tier="free"), provider("h", "google", LITE, tier="free", apiKey="b")], "g, h", 2, "project"),
        ([provider("g", "google", LITE, tier="free", **keys("a", "b")), provider("h", "google", LITE, free=True)], "g, h", 3, "project"),
        ([provider("q", "groq", "groq/compound", tier="free", **keys("a", "b"))], "q", 2, "organization"),
        ([provider("o", "openrouter", "a/b:free", tier="free", **keys("a", "b"))], "o", 2, "account"),
    ],
)  # fmt: skip
def test_several_keys_that_may_be_one_account(
    providers: list[dict[str, Any]], who: str, count: int, by: str
) -> None:
    for entry in providers:
        if "apiKeys" in entry:
            del entry["apiKey"]
    ((found, text),) = said(built(*providers))
    assert found == who
    assert text.startswith(f"{count} keys are counted as accounts of their own, but ")
    assert f"counts by {by}: keys of one {by} share its limits (as of 2026-" in text


@pytest.mark.parametrize(
    "providers",
    [
        [provider("g", "google", LITE, tier="free")],
        [
            provider("g", "google", LITE, tier="free"),
            provider("paid", "google", LITE, apiKey="b"),
        ],
        [
            provider("g", "google", LITE, tier="free"),
            provider("off", "google", LITE, tier="free", enabled=False),
        ],
        [
            provider("g", "google", LITE, tier="free"),
            provider("q", "groq", "groq/compound", tier="free"),
        ],
        [
            provider("z", "zai", "glm-4.7-flash", tier="free"),
            provider("y", "zai", "glm-4.7-flash", tier="free", apiKey="b"),
        ],
        [provider("paid", "google", "gemini-2.5-pro")],
        [provider("paid", "cerebras", "gpt-oss-120b")],
        [provider("m", "mistral", "mistral-small-latest", free=True)],
        [provider("m", "mistral", "mistral-small-latest")],
    ],
    ids=[
        "one-key",
        "free-and-paid",
        "one-off",
        "two-companies",
        "nobody-says-how",
        "paid",
        "paid-where-ended",
        "own-word-for-it",
        "not-free",
    ],
)
def test_nothing_is_said_without_a_reason(providers: list[dict[str, Any]]) -> None:
    assert said(built(*providers)) == []


@pytest.mark.parametrize(
    ("entry", "text"),
    [
        (provider("p", "mistral", "mistral-small-latest", "magistral", tier="free"), "the free tier of * is uncertain: the price page has $10 of credits a month instead (as of 2026-09-02)"),
        (provider("p", "sambanova", "gpt-oss-120b", tier="free"), "the free tier of * is uncertain: new accounts are refused with 402"),
        (provider("p", "google", "gemini-3.8-flash", LITE, tier="free"), "numbers taken from 3.5-flash"),
    ],
)  # fmt: skip
def test_a_tier_of_which_sources_disagree(entry: dict[str, Any], text: str) -> None:
    ((who, found),) = said(built(entry))
    assert who == "p"
    assert text in found
    assert not notes(built(entry))[0].is_warning


def test_what_is_taken_from_a_list_counts_too() -> None:
    entry = {"id": "p", "type": "mistral", "apiKey": "k", "models": "free"}
    models = tuple(ListedModel(name) for name in ("mistral-small", "magistral"))
    address = address_of(built(entry).upstreams["p", ""].origin)
    lists = {("p", ""): ModelList(models, address, 0.0)}
    catalog = built(entry, lists=lists)
    assert [o.model for o in catalog.offers] == ["mistral-small", "magistral"]
    assert len(said(catalog)) == 1
    assert said(built(entry)) == []


@pytest.mark.parametrize(
    ("entry", "text"),
    [
        (provider("p", "groq", "groq/compound", tier="free"), "groq/compound is left out: its free tier ended: card needed (as of 2099-01-01)"),
        (provider("p", "groq", "groq/compound", free=True), "groq/compound* is counted as free, as configured, but that free tier ended: card needed (as of 2099-01-01)"),
        (provider("p", "cerebras", "gpt-oss-120b", free=True), "* is counted as free, as configured, but that free tier ended: no lasting free tier since 2026-08-17"),
        (provider("p", "google", "gemini-2.5-pro", free=True), "ended: paid only since 2026-04"),
    ],
)  # fmt: skip
def test_a_tier_that_ended_and_is_used(entry: dict[str, Any], text: str) -> None:
    (found,) = notes(built(entry, types=LATER))
    assert text in found.text
    assert found.is_warning
