"""Which paths ask for the list of models, and its pages in Anthropic's form."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llm_gateway.admin.model_lists import BadPage, anthropic_page, listed_model

NAMES = [f"m{n}" for n in range(7)]


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("/v1/models", ""),
        ("/models", ""),
        ("/openai/v1/models", ""),
        ("/v1beta/openai/models", ""),
        ("/v1/models/m", "m"),
        ("/models/m", "m"),
        ("/v1/models/meta/llama:free", "meta/llama:free"),
        ("/v1/models/a%2Fb%20c", "a/b c"),
        ("/v1/models/a/models/b", "a/models/b"),
        ("/v1/models/models", "models"),
        # Whose form it has is another question.
        ("/v1beta/models", ""),
        ("/v1beta/models/gemini-2.5-flash", "gemini-2.5-flash"),
        ("/v1internal/models", None),
        ("/v1/modelsx", None),
        ("/v1/xmodels", None),
        ("/health", None),
        ("/", None),
    ],
)
def test_paths(path: str, name: str | None) -> None:
    assert listed_model(path) == name


def ids(page: dict[str, object]) -> list[str]:
    data = page["data"]
    assert isinstance(data, list)
    return [entry["id"] for entry in data]


@pytest.mark.parametrize(
    ("query", "expected", "more"),
    [
        ({}, NAMES, False),
        ({"limit": "1000"}, NAMES, False),
        ({"limit": "2"}, ["m0", "m1"], True),
        ({"limit": "2", "after_id": "m1"}, ["m2", "m3"], True),
        ({"limit": "5", "after_id": "m1"}, NAMES[2:], False),
        ({"after_id": "m6"}, [], False),
        ({"after_id": "gone"}, [], False),
        ({"limit": "2", "before_id": "m4"}, ["m2", "m3"], True),
        ({"limit": "4", "before_id": "m4"}, NAMES[:4], False),
        ({"before_id": "gone"}, [], False),
    ],
)
def test_pages(query: dict[str, str], expected: list[str], more: bool) -> None:
    page = anthropic_page(NAMES, query)
    assert ids(page) == expected
    assert page["has_more"] is more
    assert page["first_id"] == (expected[0] if expected else None)
    assert page["last_id"] == (expected[-1] if expected else None)


@pytest.mark.parametrize("limit", ["0", "1001", "-1", "x", "", "1.5", "9" * 50])
def test_a_bad_limit(limit: str) -> None:
    with pytest.raises(BadPage, match="limit: write a whole number"):
        anthropic_page(NAMES, {"limit": limit})


@given(st.lists(st.text(min_size=1), unique=True, max_size=30), st.integers(1, 12))
def test_page_by_page_everything_comes_once(names: list[str], limit: int) -> None:
    found: list[str] = []
    query = {"limit": str(limit)}
    for _ in range(len(names) + 1):
        page = anthropic_page(names, query)
        found += ids(page)
        if not page["has_more"]:
            break
        query["after_id"] = str(page["last_id"])
    assert found == names
