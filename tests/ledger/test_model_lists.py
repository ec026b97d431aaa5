"""Lists of models and what is retired, over a restart."""

from llm_gateway.domain import Price
from llm_gateway.ledger.model_lists import read_lists
from llm_gateway.providers.listed_models import ListedModel, ModelList

AT = 1_790_000_000.0
MODELS = (
    ListedModel("a:free", Price(source="list"), 32_768, 4_096),
    ListedModel("b", Price(input=2, output=3, cached_input=1, source="list")),
    ListedModel("e", converses=False),
)


async def test_they_are_as_they_were(tmp_path, open_store):
    lists = {("p", "1"): ModelList(MODELS, "https://x.example/v1", AT, 'W/"1"')}
    retired = {("p", "1", "gone"): (AT, "https://x.example/v1")}
    store = open_store(tmp_path / "usage.db")
    assert store.known_lists() == ({}, {})
    store.model_lists(lists, retired)
    store.close()
    again = open_store(tmp_path / "usage.db")
    assert again.known_lists() == (lists, retired)
    again.close()


def test_what_another_version_wrote_is_asked_for_again():
    good = {
        "provider": "p",
        "account": "",
        "address": "a",
        "etag": "",
        "checked_at": "2026-11-01T00:00:00.000Z",
        "models": '[{"name": "m"}]',
    }
    for bad in ('[{"n": 1}]', "{", "5", "[5]", '[{"name": "m", "price": 5}]'):
        assert read_lists([{**good, "models": bad}]) == {}
    assert read_lists([{**good, "checked_at": "soon"}]) == {}
    assert list(read_lists([good])) == [("p", "")]
