"""Models from a provider's own list: offered, followed while the gateway runs; and what is
left of an account, asked of it.

One gateway for all of it, before a fake OpenRouter whose list and quota change.
"""

import gzip
import json
import sqlite3
import threading
import time
from contextlib import closing
from dataclasses import dataclass, field, replace
from typing import Any

import pytest
from fakes import FakeProvider, Gate, answers
from fakes.steps import Answer, Received

from gateway import GatewayProcess
from llm_gateway.dashboard.live import snapshot
from llm_gateway.dashboard.recent_requests import RecentRequests

FREE = {"prompt": "0", "completion": "0", "request": "0", "image": "0"}
PAID = {"prompt": "0.000002", "completion": "0.000004", "request": "0", "image": "0"}
DEARER = {**PAID, "completion": "0.000008"}


def entry(name: str, pricing: dict[str, str], **more: Any) -> dict[str, Any]:
    return {
        "id": name,
        "pricing": pricing,
        "context_length": 65_536,
        "top_provider": {"context_length": 32_768, "max_completion_tokens": 4_096},
        "architecture": {"output_modalities": ["text"]},
        **more,
    }


def said(status: int, value: Any) -> Answer:
    return Answer(status, (answers.JSON,), (json.dumps(value).encode(),))


@dataclass
class OpenRouter:
    """What the fake says when it is asked."""

    models: list[dict[str, Any]]
    key: dict[str, Any] = field(default_factory=dict)
    list_status: int = 200
    list_held: Gate | None = None
    list_coding: str = ""
    held: Gate | None = None
    refusal: Answer | None = None
    targets: list[str] = field(default_factory=list)

    def __call__(self, request: Received) -> Answer:
        self.targets.append(request.target)
        if request.target == "/api/v1/models":
            answer = said(self.list_status, {"data": self.models})
            if self.list_coding:
                headers = (*answer.headers, ("content-encoding", self.list_coding))
                answer = replace(
                    answer, headers=headers, body=(gzip.compress(answer.body[0]),)
                )
            if self.list_held is not None:
                answer = replace(answer, body=(self.list_held, *answer.body))
            return answer
        if request.target == "/api/v1/key":
            return said(200, {"data": self.key})
        if self.refusal is not None:
            return self.refusal
        answer = answers.ok()(request)
        if self.held is None:
            return answer
        return Answer(answer.status, answer.headers, (self.held, *answer.body))


def usual() -> list[dict[str, Any]]:
    return [
        entry("a/one:free", FREE),
        entry("a/one", PAID),
        entry("b/two:free", FREE),
        entry("c/guard:free", FREE),
        entry("d/embed", FREE, architecture={"output_modalities": ["embeddings"]}),
        entry("openrouter/auto", {"prompt": "-1", "completion": "-1"}),
    ]


@pytest.fixture(scope="module")
def fresh() -> OpenRouter:
    return OpenRouter(usual())


@pytest.fixture(scope="module")
def fake(fresh: OpenRouter):
    with FakeProvider(fresh) as fake:
        yield fake


def config(fake: FakeProvider, **more: Any) -> dict[str, Any]:
    return {
        "providers": [
            {
                "id": "or",
                "type": "openrouter",
                "baseURL": f"{fake.base_url}/api/v1",
                "apiKey": "sk-CANARY-or",
                "models": ["free", "a/*"],
                "exclude": ["*guard*"],
                **more,
            }
        ]
    }


def refreshed(gateway: GatewayProcess) -> list[dict[str, Any]]:
    """One poll of everything."""
    status, _, answer = gateway.post("/admin/models/refresh", {}, gateway.admin)
    assert status == 200
    return answer["polls"]


def names(gateway: GatewayProcess) -> list[str]:
    return [m["id"] for m in gateway.get("/v1/models")[2]["data"]]


def candidates(gateway: GatewayProcess, model: str) -> list[dict[str, Any]]:
    return gateway.get(f"/route?model={model}")[2]["candidates"]


def events(gateway: GatewayProcess, kind: str) -> list[tuple[str, str]]:
    rows = gateway.rows("select * from events where kind = ? order by ts", kind)
    return [(row["subject"], row["message"]) for row in rows]


@pytest.fixture(scope="module")
def gateway(start_shared, fake) -> GatewayProcess:
    gateway = start_shared(config(fake))
    gateway.wait_for(lambda: bool(names(gateway)), "the list was read")
    return gateway


@pytest.fixture
def router(fresh, gateway) -> OpenRouter:
    """As at the beginning, and asked."""
    fresh.models, fresh.list_status, fresh.refusal = usual(), 200, None
    fresh.key = {}
    refreshed(gateway)
    return fresh


def test_what_is_meant_of_the_list_is_offered(gateway, router):
    assert names(gateway) == ["a/one:free", "a/one", "b/two:free"]
    [free], [paid] = candidates(gateway, "b/two:free"), candidates(gateway, "a/one")
    assert (free["free"], paid["free"]) == (True, False)
    status, headers, _ = gateway.chat("a/one:free")
    assert status == 200
    assert headers["x-gateway-model"] == "a/one:free"
    assert float(headers["x-gateway-cost"]) == 0
    row = gateway.wait_rows("select * from models where model = 'a/one'")[0]
    tiers = gateway.get("/admin/models", gateway.admin)[2]["free_tiers"]
    assert tiers["openrouter"][0].startswith("50 requests/day, 20 requests/minute")
    assert row["context_window"] == 32_768
    assert (row["input_usd_per_million"], row["price_source"]) == (2.0, "list")


def test_a_change_of_the_list_is_followed_within_one_poll(gateway, router):
    text = gateway.config_path.read_text()
    revision = gateway.get("/health")[2]["config"]
    router.held = Gate()
    in_flight: list[int] = []
    asking = threading.Thread(
        target=lambda: in_flight.append(gateway.chat("b/two:free")[0])
    )
    asking.start()
    router.held.wait_arrived()
    router.models = [
        entry("a/one:free", FREE),
        entry("a/one", DEARER),
        entry("e/three:free", FREE),
        *router.models[3:],
    ]
    refreshed(gateway)
    assert names(gateway) == ["a/one:free", "a/one", "e/three:free"]
    assert gateway.get("/route?model=b/two:free")[0] == 404
    assert [c["model"] for c in candidates(gateway, "e/three:free")] == ["e/three:free"]
    router.held.open()
    asking.join()
    router.held = None
    assert in_flight == [200]
    assert gateway.chat("e/three:free")[0] == 200
    gateway.wait_rows("select * from events where kind = 'model.price'")
    new = ("or/e/three:free", "is listed and offered at nothing")
    assert new in events(gateway, "model.new")
    gone = ("or/b/two:free", "is not listed any more")
    assert gone in events(gateway, "model.gone")
    subject, message = events(gateway, "model.price")[-1]
    assert subject == "or/a/one"
    assert (
        message
        == "costs $2 and $8 per million tokens, it was $2 and $4 per million tokens"
    )
    prices = gateway.wait_rows("select * from models where model = 'a/one'")
    assert prices[0]["output_usd_per_million"] == 8.0
    assert gateway.config_path.read_text() == text
    assert gateway.get("/health")[2]["config"] == revision


def test_a_request_is_booked_at_the_price_that_it_was_sent_at(gateway, router):
    router.held = Gate()
    costs: list[str] = []

    def ask() -> None:
        costs.append(gateway.chat("a/one")[1]["x-gateway-cost"])

    asking = threading.Thread(target=ask)
    asking.start()
    router.held.wait_arrived()
    router.models = [entry("a/one", DEARER)]
    refreshed(gateway)
    router.held.open()
    asking.join()
    router.held = None
    ask()
    # 7 tokens in, 3 out.
    assert [float(cost) for cost in costs] == [0.000_026, 0.000_038]


HALF_FREE = {
    "one side alone": {"prompt": "0", "completion": None},
    "pictures cost": {**FREE, "image": "0.01"},
    "sound costs": {**FREE, "audio": "0.01"},
    "too little to be told": {"prompt": "1e-16", "completion": "0"},
    "it depends": {"prompt": "-1", "completion": "-1"},
    "beyond reckoning": {"prompt": "0", "completion": "1e999999"},
}


def test_what_is_not_wholly_free_is_not_offered_as_free(gateway, router):
    router.models = [
        *usual(),
        *(entry(f"x/{number}", pricing) for number, pricing in enumerate(HALF_FREE.values())),
        entry("y/compressed:free", FREE),
    ]  # fmt: skip
    router.list_coding = "gzip"
    refreshed(gateway)
    router.list_coding = ""
    assert names(gateway) == ["a/one:free", "a/one", "b/two:free", "y/compressed:free"]


def page(gateway: GatewayProcess) -> dict[str, Any]:
    """The numbers of the live page, as it has them once a second."""

    def ask(sql: str, values: Any) -> list[sqlite3.Row]:
        connection = sqlite3.connect(f"file:{gateway.database}?mode=ro", uri=True)
        connection.row_factory = sqlite3.Row
        with closing(connection):
            return connection.execute(sql, values).fetchall()

    return snapshot(ask, RecentRequests(), minutes=5, simulated=False, now=time.time())


def shown(gateway: GatewayProcess) -> dict[str, Any]:
    """Models of the only provider on it."""
    found = page(gateway)
    return {model["model"]: model for model in found["providers"][0]["models"]}


def test_a_reload_in_the_midst_of_a_poll(gateway, fake, router):
    """The list that comes then counts for the configuration that holds then; the answer that
    was on its way ends under the one that it began under; the page follows both."""
    text = gateway.config_path.read_text()
    revision = gateway.get("/health")[2]["config"]["revision"]
    router.models = [
        entry("a/one:free", FREE),
        entry("a/one", DEARER),
        entry("e/three:free", FREE),
        entry("f/four:free", FREE),
    ]
    router.list_held, router.held = Gate(), Gate()
    done: list[Any] = []
    threads = [
        threading.Thread(target=lambda: done.append(gateway.chat("b/two:free")[0])),
        threading.Thread(target=lambda: done.append(refreshed(gateway))),
    ]
    for thread in threads:
        thread.start()
    router.held.wait_arrived()
    router.list_held.wait_arrived()
    gateway.write_config(config(fake, exclude=["f/*", "a/one", "*guard*"]))
    gateway.wait_for(
        lambda: gateway.get("/health")[2]["config"]["revision"] != revision, "reload"
    )
    assert names(gateway) == ["a/one:free", "b/two:free"]  # of the list before
    router.list_held.open()
    threads[1].join()
    router.held.open()
    threads[0].join()
    router.list_held = router.held = None
    assert done[0][0]["list"]["error"] == ""
    assert done[1] == 200
    assert names(gateway) == ["a/one:free", "e/three:free"]
    gateway.wait_for(
        lambda: [*shown(gateway)] == ["a/one:free", "e/three:free"], "the page"
    )
    told = {(one["kind"], one["subject"]) for one in page(gateway)["changes"]}
    assert {("new", "or/e/three:free"), ("gone", "or/b/two:free")} <= told
    gateway.write_config(text)
    gateway.wait_for(
        lambda: gateway.get("/health")[2]["config"]["revision"] == revision, "reload"
    )
    assert "f/four:free" in names(gateway)
    gateway.wait_for(lambda: "f/four:free" in shown(gateway), "the page")
    assert shown(gateway)["a/one"]["price"] == [2.0, 8.0]


@pytest.mark.parametrize("models", [[], [{"id": ""}], {"a": 1}, "no list"])
def test_a_list_that_is_none_changes_nothing(gateway, router, models):
    before, kept = names(gateway), router.models
    router.models = models
    found = refreshed(gateway)[0]["list"]
    router.models = kept
    assert names(gateway) == before
    assert found["error"]


def test_a_list_that_is_refused_changes_nothing(gateway, router):
    before = names(gateway)
    for status in (401, 404, 429, 500):
        router.list_status = status
        assert str(status) in refreshed(gateway)[0]["list"]["error"]
        assert names(gateway) == before
    router.list_status = 200
    assert refreshed(gateway)[0]["list"]["error"] == ""


def test_what_is_left_is_asked_and_wins_over_the_preset(gateway, router):
    router.key = {"free_model_daily_requests": {"limit": 1000, "remaining": 7}}
    refreshed(gateway)
    sql = "select * from limit_state where metric = 'requests' and window = 'day'"
    row = gateway.wait_rows(sql, lambda r: bool(r) and r[0]["source"] == "quota")[0]
    assert (row["scope"], row["model"]) == ("tier", ":free")
    assert row["observed_at"]
    router.key = {"free_model_daily_requests": {"limit": 1000, "remaining": 0}}
    refreshed(gateway)
    [found] = candidates(gateway, "a/one:free")
    assert found["verdict"] == "skipped"
    assert "(quota)" in found["reason"]
    assert gateway.chat("a/one:free")[0] == 429
    # Credits were bought: another allowance, and the day goes on.
    router.key = {"free_model_daily_requests": {"limit": 2000, "remaining": 900}}
    refreshed(gateway)
    assert gateway.chat("a/one:free")[0] == 200


@pytest.mark.parametrize(
    "key",
    [
        {"free_model_daily_requests": {"limit": 1000, "remaining": -1}},
        {"free_model_daily_requests": {"limit": 10**15, "remaining": 0}},
        {"free_model_daily_requests": {"limit": "50", "remaining": "0"}},
        {"free_model_daily_requests": {"limit": True, "remaining": False}},
        {"free_model_daily_requests": [0]},
        {"limit_remaining": "NaN"},
        {},
    ],
)
def test_a_quota_that_lies_harms_nothing(gateway, router, key):
    kept, router.key = router.key, key
    refreshed(gateway)
    router.key = kept
    assert candidates(gateway, "a/one:free")[0]["verdict"] != "skipped"


def test_a_429_makes_it_ask_again(gateway, router):
    router.refusal = said(429, {"error": {"message": "slow down", "code": 429}})
    router.models = [*usual(), entry("z/limited:free", FREE)]
    refreshed(gateway)
    asked = router.targets.count("/api/v1/key")
    assert gateway.chat("z/limited:free")[0] == 429
    gateway.wait_for(
        lambda: router.targets.count("/api/v1/key") > asked, "the quota was asked for"
    )


def test_a_hot_reload_keeps_the_list(gateway, fake, router):
    text = gateway.config_path.read_text()
    revision = gateway.get("/health")[2]["config"]["revision"]
    asked = router.targets.count("/api/v1/models")
    gateway.write_config(config(fake, exclude=["b/*", "*guard*"]))
    gateway.wait_for(
        lambda: gateway.get("/health")[2]["config"]["revision"] != revision, "reload"
    )
    assert names(gateway) == ["a/one:free", "a/one"]
    gateway.write_config(text)
    gateway.wait_for(
        lambda: gateway.get("/health")[2]["config"]["revision"] == revision, "reload"
    )
    assert names(gateway) == ["a/one:free", "a/one", "b/two:free"]
    assert router.targets.count("/api/v1/models") == asked


def test_the_key_went_to_the_provider_alone(gateway, fake, router):
    asked = [r for r in fake.requests if r.target in ("/api/v1/models", "/api/v1/key")]
    assert {r.header("authorization") for r in asked} == {"Bearer sk-CANARY-or"}
    assert "sk-CANARY" not in gateway.log()
    [kept] = gateway.wait_rows("select * from model_lists")
    assert "b/two" in kept["models"]
    assert "sk-CANARY" not in str(kept)
