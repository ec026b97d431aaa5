"""Lists and quotas, from the question to routing: real catalog, limiter, ledger; fake
providers on loopback."""

import asyncio
import gzip
import json
import zlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType, SimpleNamespace
from typing import Any

import pytest
from fakes import FakeProvider, Gate, answers
from fakes.certs import Authority
from fakes.outbound import OutboundProxy
from fakes.steps import Answer, Received
from pydantic import SecretStr

from llm_gateway.app.catalog_loader import CatalogLoader
from llm_gateway.app.config_service import ConfigService
from llm_gateway.app.provider_polls import ProviderPolls
from llm_gateway.app.state import AppState, ConfigStatus
from llm_gateway.domain import Charge, Offer
from llm_gateway.ledger.store import Store
from llm_gateway.limits.limiter import scopes_of
from llm_gateway.network.clocks import elapsed
from llm_gateway.providers.credentials import Credentials
from llm_gateway.providers.github_client import GitHub
from llm_gateway.providers.quota_routes import BY_ADDRESS
from llm_gateway.providers.registry import TYPES

NOW = 1_796_126_400.0  # 2026-12-01T12:00:00Z
CENT = Charge(1, 10, 10_000_000)


def said(value: Any, status: int = 200) -> Answer:
    return Answer(status, (answers.JSON,), (json.dumps(value).encode(),))


def listed(*names: str) -> Answer:
    return said({"data": [{"id": name} for name in names]})


@dataclass
class House:
    """A gateway without its front: what polls change, and who is asked."""

    state: AppState
    service: ConfigService
    polls: ProviderPolls

    async def look(self) -> None:
        await self.polls.refresh()

    def offer(self, model: str) -> Offer:
        return next(o for o in self.state.catalog.offers if o.model == model)

    def fits(self, model: str, need: Charge = CENT) -> bool:
        offer = self.offer(model)
        scopes = scopes_of(*offer.key, None)
        return self.state.limiter.fit(offer.limits, need, NOW, scopes=scopes) is None

    def kinds(self) -> list[str]:
        self.state.store.close()
        rows = self.state.store.rows("SELECT kind FROM events ORDER BY ts")
        return [row["kind"] for row in rows]


Open = Callable[..., House]


@pytest.fixture
def house(tmp_path: Path) -> Iterator[Open]:
    opened: list[House] = []

    def start(
        *providers: dict[str, Any],
        github: str = "http://127.0.0.1:1",
        env: Mapping[str, str] = MappingProxyType({}),
    ) -> House:
        path = tmp_path / "config.jsonc"
        path.write_text(json.dumps({"providers": providers}))
        path.chmod(0o600)
        loader = CatalogLoader(path, tmp_path, env, lambda: NOW, 0)
        _, catalog = loader.load()
        store = Store(tmp_path / "usage.db", clock=lambda: NOW)
        store.start()
        state = AppState(
            catalog=catalog,
            store=store,
            clock=lambda: NOW,
            loading=ConfigStatus(catalog.revision, NOW),
            credentials=Credentials(tmp_path, lambda: NOW, GitHub(github, github)),
            admin_token=SecretStr("t"),
        )
        service = ConfigService(loader, state)
        made = House(state, service, ProviderPolls(state, service))
        opened.append(made)
        return made

    yield start
    for made in opened:
        made.state.store.close()


def entry(fake: FakeProvider, models: Any, **more: Any) -> dict[str, Any]:
    return {
        "id": "p",
        "type": "openai-compatible",
        "baseURL": f"{fake.base_url}/v1",
        "apiKey": "K",
        "models": models,
        **more,
    }


async def test_nobody_is_asked_who_need_not_be(house: Open) -> None:
    with FakeProvider(listed("m")) as fake:
        written = [{"name": "m"}]
        many = ("openai", "groq", "mistral", "google", "anthropic", "zai", "nvidia")
        await house(
            *(entry(fake, written, id=kind, type=kind) for kind in many),
            entry(fake, written, id="off", type="openrouter", enabled=False),
            entry(fake, written, id="local", type="ollama"),
            {**entry(fake, "all", id="unset"), "apiKey": "${NOBODY_SET_THIS}"},
        ).look()
        assert fake.requests == []


async def test_an_unchanged_list_is_not_sent_again(house: Open) -> None:
    def answer(request: Received) -> Answer:
        if request.header("if-none-match") == '"1"':
            return Answer(304)
        return Answer(200, (answers.JSON, ("etag", '"1"')), (b'{"data":[{"id":"m"}]}',))

    with FakeProvider(answer) as fake:
        found = house(entry(fake, "all"))
        await found.look()
        catalog = found.state.catalog
        await found.look()
        assert len(fake.requests) == 2
        assert found.state.catalog is catalog
        assert found.offer("m").enabled


CODINGS = {
    "gzip": gzip.compress,
    "deflate": zlib.compress,
    "x-none": lambda text: text,
}


@pytest.mark.parametrize("coding", CODINGS)
async def test_a_list_that_came_compressed_unasked(house: Open, coding: str) -> None:
    text = json.dumps({"data": [{"id": "m"}]}).encode()
    headers = (answers.JSON, ("content-encoding", coding))
    with FakeProvider(Answer(200, headers, (CODINGS[coding](text),))) as fake:
        found = house(entry(fake, "all"))
        await found.look()
        [asked] = found.polls.as_json()
        if coding == "x-none":
            assert "coding" in asked["list"]["error"]
        else:
            assert found.state.catalog.model_names() == ("m",)


async def test_a_bomb_is_no_list(house: Open) -> None:
    headers = (answers.JSON, ("content-encoding", "gzip"))
    bomb = gzip.compress(b" " * (20 << 20), 1)
    with FakeProvider(Answer(200, headers, (bomb,))) as fake:
        found = house(entry(fake, "all"))
        await found.look()
        [asked] = found.polls.as_json()
        assert asked["list"]["error"] == "sends an answer of more than 8 MiB"


async def test_what_cannot_be_taken_in_is_said_and_asked_again_soon(
    house: Open, caplog: pytest.LogCaptureFixture
) -> None:
    """Whatever the reason is: nobody foresaw it."""
    with FakeProvider(listed("m")) as fake:
        found = house(entry(fake, "all"))
        known: Any = SimpleNamespace(at=NOW, models=())
        found.service.loader.lists = {("p", ""): known}
        await found.look()
        await asyncio.sleep(0)
        [asked] = found.polls.as_json()
        assert "could not be taken in" in asked["list"]["error"]
        poll = found.polls.lists.polls["p", ""]
        assert poll.next_at - elapsed() < 40
    assert "its list was not taken in" in caplog.text


async def test_a_model_that_is_not_there_is_retired_until_listed_again(
    house: Open,
) -> None:
    with FakeProvider(listed("m", "n")) as fake:
        found = house(entry(fake, ["*", {"name": "own"}]))
        await found.look()
        for name in ("m", "own"):
            found.polls.not_found(found.offer(name), NOW - 1)
            assert found.offer(name).enabled
            found.polls.not_found(found.offer(name), NOW + 1)
            await found.look()
            assert not found.offer(name).enabled
        assert found.state.catalog.model_names() == ("n",)
        # It stays so for as long as the list has it.
        await found.look()
        assert not found.offer("m").enabled
        fake.default = listed("n")
        await found.look()
        fake.default = listed("m", "n", "own")
        await found.look()
        assert found.offer("m").enabled
        assert found.offer("own").enabled
        kinds = found.kinds()
    assert kinds.count("model.retired") == 2
    assert kinds.count("model.back") == 2


async def test_nothing_is_retired_that_no_list_could_bring_back(house: Open) -> None:
    with FakeProvider(listed("m")) as fake:
        found = house(entry(fake, [{"name": "m"}]))
        for _ in range(3):
            found.polls.not_found(found.offer("m"), NOW + 1)
        await found.look()
        assert found.offer("m").enabled


async def test_another_key_is_asked_anew_and_another_address_has_no_list(
    house: Open, tmp_path: Path
) -> None:
    with FakeProvider(listed("m")) as fake, FakeProvider(listed("x")) as other:
        found = house(entry(fake, "all"))
        await found.look()
        config = tmp_path / "config.jsonc"
        for changed in ({"apiKey": "L"}, {"baseURL": f"{other.base_url}/v1"}):
            one = {**entry(fake, "all"), **changed}
            config.write_text(json.dumps({"providers": [one]}))
            await found.service.reload()
            if "baseURL" in changed:
                assert found.state.catalog.offers == ()
            assert found.polls.lists.due(float("inf")) == [("p", "")]
            await found.look()
        assert [o.model for o in found.state.catalog.offers] == ["x"]
        sent = [r.header("authorization") for r in fake.requests]
        assert sent == ["Bearer K", "Bearer L"]


QUOTAS = {
    "deepseek": (
        "/user/balance",
        {
            "is_available": True,
            "balance_infos": [{"currency": "USD", "total_balance": "5"}],
        },
        {"is_available": False, "balance_infos": []},
    ),
    "moonshot": (
        "/v1/users/me/balance",
        {"data": {"available_balance": 4.5}},
        {"data": {"available_balance": 0.001}},
    ),
    "openrouter": (
        "/api/v1/key",
        {"data": {"limit_remaining": 3}},
        {"data": {"limit_remaining": 0}},
    ),
}


@pytest.mark.parametrize("kind", QUOTAS)
async def test_routing_follows_what_is_left(house: Open, kind: str) -> None:
    target, enough, nothing = QUOTAS[kind]
    with FakeProvider(said(enough)) as fake:
        found = house(entry(fake, [{"name": "m"}], type=kind))
        await found.look()
        assert [r.target for r in fake.requests] == [target]
        assert fake.requests[0].header("authorization") == "Bearer K"
        assert found.fits("m")
        fake.default = said(nothing)
        await found.look()
        assert not found.fits("m")
        [status] = [
            s
            for s in found.state.limiter.status(
                (), NOW, scopes=scopes_of("p", "", "m", None)
            )
            if s.source == "quota"
        ]
        assert status.observed_at == NOW
        # What costs nothing goes on; so does all when there is money again.
        assert found.fits("m", Charge(1, 10, 0))
        fake.default = said(enough)
        await found.look()
        assert found.fits("m")


def used(share: float) -> Answer:
    return said({"limits": {"monthly": {"usage": share}}})


def plan(percentage: int) -> Answer:
    limit = {"type": "TOKENS_LIMIT", "unit": 3, "percentage": percentage}
    return said({"data": {"limits": [limit]}})


def coding(remaining: str) -> Answer:
    return said({"usage": {"limit": "100", "remaining": remaining}})


ADDRESSES = {
    # baseURL, type, what is asked, enough, nothing
    "ollama.com": ("/v1", "ollama", "/api/usage", used(0.25), used(1.0)),
    "ai-gateway.vercel.sh": (
        *("/v1", "openai-compatible", "/v1/credits"),
        *(said({"balance": "9.5"}), said({"balance": "0.00"})),
    ),
    "api.siliconflow.com": (
        *("/v1", "openai-compatible", "/v1/user/info"),
        said({"data": {"totalBalance": "3"}}),
        said({"data": {"totalBalance": "-1"}}),
    ),
    "api.novita.ai": (
        *("/openai/v1", "custom", "/openapi/v1/billing/balance/detail"),
        *(said({"availableBalance": "10000"}), said({"availableBalance": "3"})),
    ),
    "api.venice.ai": (
        *("/api/v1", "openai-compatible", "/api/v1/billing/balance"),
        *(said({"canConsume": True}), said({"canConsume": False})),
    ),
    "api.z.ai": (
        *("/api/coding/paas/v4", "zai", "/api/monitor/usage/quota/limit"),
        *(plan(20), plan(100)),
    ),
    "api.kimi.com": (
        *("/coding/v1", "openai-compatible", "/coding/v1/usages"),
        *(coding("7"), coding("0")),
    ),
}


@pytest.mark.parametrize("host", ADDRESSES)
async def test_routing_follows_what_an_address_says_is_left(
    house: Open, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, host: str
) -> None:
    base, type_, target, enough, nothing = ADDRESSES[host]
    authority = Authority(tmp_path)
    monkeypatch.setenv("SSL_CERT_FILE", str(authority.ca))
    there = FakeProvider(enough, tls=authority.server_context(host))
    one = {
        "id": "p",
        "type": type_,
        "baseURL": f"https://{host}{base}",
        "apiKey": "K",
        "models": [{"name": "m"}],
    }
    with there, OutboundProxy("http", {host: there.port}) as proxy:
        found = house(one, env={"HTTPS_PROXY": proxy.url})
        await found.look()
        [sent] = there.requests
        assert (sent.target, sent.header("authorization")) == (target, "Bearer K")
        assert found.fits("m")
        there.default = nothing
        await found.look()
        assert not found.fits("m")
        for bad in (said({}, 401), said({}), answers.garbage(), said([1])):
            there.default = bad
            await found.look()
            assert found.offer("m").enabled
        there.default = enough
        await found.look()
        assert found.fits("m")


LIFTED = {
    # type, model, what says that nothing is left, what says nothing of it any more
    "a key's own limit was taken off": (
        *("openrouter", "m", {"data": {"limit_remaining": 0}}),
        {"data": {"limit_remaining": None}},
    ),
    "free requests are not limited any more": (
        *("openrouter", "m:free"),
        {"data": {"free_model_daily_requests": {"limit": 50, "remaining": 0}}},
        {"data": {"limit_remaining": None}},
    ),
    "yuan were paid in": (
        *("deepseek", "m", {"is_available": False}),
        {"is_available": True, "balance_infos": [{"currency": "CNY"}]},
    ),
}


@pytest.mark.parametrize("row", LIFTED)
@pytest.mark.parametrize("by", ["another answer", "another key"])
async def test_what_is_told_no_longer_holds_no_longer(
    house: Open, tmp_path: Path, row: str, by: str
) -> None:
    kind, model, nothing, silent = LIFTED[row]
    need = Charge(1, 10, 0) if model.endswith(":free") else CENT
    with FakeProvider(said(nothing)) as fake:
        one = entry(fake, [{"name": model}], type=kind)
        found = house(one)
        await found.look()
        assert not found.fits(model, need)
        if by == "another key":
            fake.default = said({}, 503)
            text = json.dumps({"providers": [{**one, "apiKey": "L"}]})
            (tmp_path / "config.jsonc").write_text(text)
            await found.service.reload()
        else:
            fake.default = said(silent)
            await found.look()
        assert found.fits(model, need)


def test_every_address_is_shown_here() -> None:
    assert {h for route in BY_ADDRESS for h in route.hosts[:1]} < ADDRESSES.keys()


def test_every_row_with_a_quota_route_is_shown_here() -> None:
    routes = {row.type for row in TYPES.values() if row.quota is not None}
    assert routes == {*QUOTAS, "copilot", "ollama"}


async def test_copilots_quota_is_githubs(house: Open) -> None:
    def answer(left: int) -> Answer:
        one = {"entitlement": 300, "remaining": left, "unlimited": False}
        return said(
            {
                "quota_reset_date": "2027-01-01",
                "quota_snapshots": {"premium_interactions": one, "chat": one},
            }
        )

    with FakeProvider(answer(7)) as github:
        found = house(
            {
                "id": "p",
                "type": "copilot",
                "oauthToken": "OAUTH",
                "flatRate": {"costPerMonth": 10},
                "models": [{"name": "m"}],
            },
            github=github.base_url,
        )
        await found.look()
        [sent] = github.requests
        assert sent.target == "/copilot_internal/user"
        assert sent.header("authorization") == "token OAUTH"
        assert found.fits("m")
        github.default = answer(0)
        await found.look()
        assert not found.fits("m")


MORE = 10**6


@pytest.mark.parametrize(
    "says", [{"limit": MORE, "remaining": MORE}, {"limit": 50, "remaining": MORE}]
)
async def test_more_than_the_free_tier_is_not_more_than_was_set(
    house: Open, says: dict[str, int]
) -> None:
    """It may take the place of a preset; a limit of the configuration's own holds."""
    answer = said({"data": {"free_model_daily_requests": says}})
    with FakeProvider(answer) as fake:
        models = [{"name": "m:free"}]
        more = {"type": "openrouter", "tier": "free", "limits": {"requestsPerDay": 2}}
        found = house(entry(fake, models, **more))
        await found.look()
        offer = found.offer("m:free")
        scopes = scopes_of(*offer.key, None)
        assert found.fits("m:free")
        for id in ("1", "2"):
            found.state.limiter.reserve(offer.limits, CENT, NOW, id=id, scopes=scopes)
        assert not found.fits("m:free")


async def test_a_quota_that_hangs_holds_nobody_up(house: Open) -> None:
    gate = Gate()
    slow = Answer(200, (answers.JSON,), (gate, b"{}"))
    with FakeProvider(slow) as fake, FakeProvider(listed("x")) as other:
        late = entry(fake, [{"name": "m:free"}], type="openrouter", tier="free")
        found = house(late, {**entry(other, "all"), "id": "q"})
        looking = asyncio.ensure_future(found.look())
        await asyncio.to_thread(gate.wait_arrived)
        while "x" not in [offer.model for offer in found.state.catalog.offers]:
            await asyncio.sleep(0.01)
        assert found.fits("m:free")
        assert not looking.done()
        gate.open()
        await looking
        assert found.fits("m:free")


BAD = {
    "busy": said({"error": "x"}, 503),
    "refused": said({}, 401),
    "no JSON": answers.garbage(),
    "closes": answers.close(),
    "another shape": said({"balance": 0}),
    "negative": said(
        {"data": {"free_model_daily_requests": {"limit": 9, "remaining": -1}}}
    ),
    "another unit": said({"data": {"limit_remaining": "0 %"}}),
}


@pytest.mark.parametrize("bad", BAD)
async def test_a_quota_that_fails_or_lies_harms_nothing(house: Open, bad: str) -> None:
    with FakeProvider(BAD[bad]) as fake:
        found = house(entry(fake, [{"name": "m:free"}], type="openrouter", tier="free"))
        await found.look()
        assert found.fits("m:free")
        [asked] = found.polls.as_json()
        assert bool(asked["quota"]["error"]) is (
            bad not in ("negative", "another unit")
        )
