"""The example of every type can be loaded and served, and the page says what it says."""

from pathlib import Path

import pytest

from llm_gateway.config.load import parse_config
from llm_gateway.limits.headers import PARSERS
from llm_gateway.providers import KNOWN_HOSTS, TYPES, catalog, docs

NOW = 1_763_000_000.0
HERE = Path(__file__).parent
TEXT = (HERE / "all-types.jsonc").read_text()
PAGE = (HERE.parents[1] / "docs" / "providers.md").read_text()


class EverythingSet(dict[str, str]):
    def __missing__(self, name: str) -> str:
        return "/token" if name.endswith("_FILE") else f"value-of-{name}"

    def get(self, name: str, default: object = None) -> str:  # type: ignore[override]
        return self[name]

    def __contains__(self, name: object) -> bool:
        return True


def test_every_type_is_there_and_can_be_used() -> None:
    loaded = parse_config(TEXT, EverythingSet(), "all-types.jsonc")
    assert loaded.warnings == ()
    found = catalog.build(
        loaded.config,
        loaded.revision,
        price=lambda *_: None,
        window=lambda *_: None,
        now=NOW,
        signed_in={"copilot"},
    )
    assert {offer.type for offer in found.offers} == set(TYPES)
    assert [o.disabled_reason for o in found.offers if not o.enabled] == []


def test_without_keys_every_other_provider_is_skipped() -> None:
    loaded = parse_config(TEXT, {}, "all-types.jsonc")
    found = catalog.build(
        loaded.config,
        loaded.revision,
        price=lambda *_: None,
        window=lambda *_: None,
        now=NOW,
    )
    assert {offer.provider for offer in found.offers if offer.enabled} == {
        "custom",
        "ollama",
        "lmstudio",
        "vllm",
        "simulator",
    }
    reasons = {o.provider: o.disabled_reason for o in found.offers if not o.enabled}
    assert reasons["groq-free"] == "not configured: GROQ_API_KEY is not set"
    assert reasons["cloudflare-free"] == (
        "not configured: CLOUDFLARE_ACCOUNT_ID and CLOUDFLARE_API_TOKEN are not set"
    )


@pytest.mark.parametrize(
    "part",
    [
        docs.providers_table(),
        docs.notes_list(),
        docs.free_tiers_table(),
        ", ".join(f"`{host}`" for host in sorted(KNOWN_HOSTS)),
        TEXT,
    ],
    ids=["providers", "notes", "free tiers", "hosts", "example"],
)
def test_the_page_is_up_to_date(part: str) -> None:
    assert part in PAGE, "run: make docs"


def test_every_announcement_has_a_reader() -> None:
    assert {row.limit_headers for row in TYPES.values()} <= set(PARSERS)
