"""A request goes in, the best provider answers, a row stands in SQLite."""

import json

from fakes import FakeProvider, answers

from gateway import GatewayProcess, chat, provider

from .conftest import Start

PRICED = {"pricing": {"inputCostPerMillionTokens": 1, "outputCostPerMillionTokens": 2}}


def priced(name: str, **more: object) -> dict[str, object]:
    return {"name": name, **PRICED, **more}


def test_plain_answer_comes_through_and_is_written_down(start: Start) -> None:
    with FakeProvider(answers.ok("hello")) as fake:
        gateway = start({"providers": [provider(fake, "a", free=True)]})
        status, headers, body = gateway.chat("m", {"authorization": "Bearer sk-USER"})
        assert status == 200
        assert body["choices"][0]["message"]["content"] == "hello"
        assert headers["x-gateway-provider"] == "a"
        assert headers["x-gateway-model"] == "m"
        assert headers["x-gateway-attempts"] == "1"
        [row] = gateway.ended(1)
        assert row["id"] == headers["x-gateway-request-id"]
        assert (row["provider"], row["model"], row["status"]) == ("a", "m", 200)
        assert (row["outcome"], row["usage_source"]) == ("ok", "reported")
        assert row["cost_usd"] == 0
        [attempt] = gateway.rows("select * from attempts")
        assert (attempt["request"], attempt["outcome"]) == (row["id"], "ok")


def test_keys_stay_where_they_belong(start: Start) -> None:
    with FakeProvider(answers.status(401)) as one, FakeProvider() as two:
        gateway = start(
            {"providers": [provider(one, "a", free=True), provider(two, "b")]}
        )
        for _ in range(2):
            status, _, _ = gateway.chat("m", {"authorization": "Bearer sk-CANARY-USER"})
            assert status == 200
        assert b"sk-CANARY-a" in one.bytes_in()
        assert b"sk-CANARY-b" in two.bytes_in()
        for fake, foreign in ((one, b"CANARY-b"), (two, b"CANARY-a")):
            assert foreign not in fake.bytes_in()
            assert b"CANARY-USER" not in fake.bytes_in()
        assert "CANARY" not in gateway.log()


def test_body_is_untouched_but_for_the_model(start: Start) -> None:
    body = b'{ "model":"asked" , "messages":[{"role":"user","content":"\\u00e9\xf0\x9f\x8e\x89"}],"x_unknown":{"a":[1,2.50]}}'
    with FakeProvider() as fake:
        config = {
            "providers": [
                provider(
                    fake, "a", models=[{"name": "real/model", "mappedName": "asked"}]
                )
            ]
        }
        gateway = start(config)
        gateway.post("/v1/chat/completions", body)
        assert fake.requests[0].body == body.replace(b'"asked"', b'"real/model"')
        assert fake.requests[0].target == "/v1/chat/completions"
        assert fake.requests[0].header("accept-encoding") == "identity"


def test_free_goes_first_and_the_cheapest_comes_next(start: Start) -> None:
    with FakeProvider() as free, FakeProvider() as cheap, FakeProvider() as dear:
        config = {
            "providers": [
                provider(
                    dear,
                    "dear",
                    models=[
                        {
                            "name": "m",
                            "pricing": {
                                "inputCostPerMillionTokens": 9,
                                "outputCostPerMillionTokens": 9,
                            },
                        }
                    ],
                ),
                provider(cheap, "cheap", models=[priced("m")]),
                provider(free, "free", free=True, limits={"requestsPerMinute": 2}),
            ]
        }
        gateway = start(config)
        served = [gateway.chat()[1]["x-gateway-provider"] for _ in range(4)]
        assert served == ["free", "free", "cheap", "cheap"]
        _, _, route = gateway.get("/route?model=m")
        assert route["chosen"]["provider"] == "cheap"
        verdicts = {c["provider"]: c["verdict"] for c in route["candidates"]}
        assert verdicts == {"cheap": "taken", "dear": "ready", "free": "skipped"}
        reasons = {c["provider"]: c["reason"] for c in route["candidates"]}
        assert "requests/minute 2 of 2" in reasons["free"]


def test_stream_passes_and_our_usage_chunk_is_taken_out(start: Start) -> None:
    with FakeProvider(answers.stream(["one", "two"])) as fake:
        gateway = start({"providers": [provider(fake, "a", models=[priced("m")])]})
        status, headers, body = gateway.chat(stream=True)
        assert status == 200
        assert headers["content-type"].startswith("text/event-stream")
        assert body.endswith(b"data: [DONE]\n\n")
        assert fake.requests[0].json()["stream_options"] == {"include_usage": True}
        assert b'"choices":[]' not in body.replace(b" ", b"")
        [row] = gateway.ended(1)
        assert (row["outcome"], row["usage_source"], row["streamed"]) == (
            "ok",
            "reported",
            1,
        )
        assert row["cost_usd"] > 0


def test_free_only_never_pays(start: Start) -> None:
    with FakeProvider(answers.status(529)) as free, FakeProvider() as paid:
        config = {
            "routing": {"policy": "free-only"},
            "providers": [
                provider(free, "free", free=True),
                provider(paid, "paid", models=[priced("m")]),
            ],
        }
        gateway = start(config)
        assert gateway.chat()[0] >= 429
        assert paid.requests == []


def test_header_tightens_the_policy_of_one_request(start: Start) -> None:
    with FakeProvider() as paid:
        gateway = start({"providers": [provider(paid, "paid", models=[priced("m")])]})
        assert gateway.chat(headers={"x-gateway-policy": "free-only"})[0] == 429
        assert gateway.chat(headers={"x-gateway-policy": "any"})[0] == 200


def test_unknown_model_is_a_404_and_a_row(start: Start) -> None:
    with FakeProvider() as fake:
        gateway = start({"providers": [provider(fake, "a")]})
        status, _, body = gateway.chat("nothing-like-it")
        assert (status, body["error"]["code"]) == (404, "model_not_found")
        [row] = gateway.ended(1)
        assert (row["outcome"], row["status"], row["provider"]) == (
            "refused",
            404,
            None,
        )


def bad_bodies() -> list[tuple[bytes, int]]:
    return [
        (b"", 400),
        (b"not json", 400),
        (b"[1]", 400),
        (b'{"messages":[]}', 400),
        (b'{"model":5,"messages":[]}', 400),
        (b'{"model":"m","messages":[' + b"[" * 100_000, 400),
        (json.dumps(chat()).encode("utf-16"), 400),
    ]


def test_bad_bodies_get_an_error_in_the_clients_dialect(start: Start) -> None:
    with FakeProvider() as fake:
        gateway = start({"providers": [provider(fake, "a")]})
        for body, expected in bad_bodies():
            status, _, found = gateway.post("/v1/chat/completions", body)
            assert status == expected, body[:60]
            assert found["error"]["type"] == "invalid_request_error"
            status, _, found = gateway.post("/v1/messages", body)
            assert status == expected, body[:60]
            assert found["type"] == "error"
        broken = {"content-encoding": "gzip"}
        assert gateway.post("/v1/chat/completions", b"no gzip", broken)[0] == 400
        assert gateway.get("/nowhere")[0] == 401  # who knows no route needs the token
        assert gateway.chat()[0] == 200
        assert len(fake.requests) == 1


def test_everything_exhausted_is_a_429_with_reasons(start: Start) -> None:
    with FakeProvider() as fake:
        limited = provider(fake, "a", free=True, limits={"requestsPerMinute": 1})
        gateway = start({"providers": [limited]})
        assert gateway.chat()[0] == 200
        status, headers, body = gateway.chat()
        assert status == 429
        assert 1 <= int(headers["retry-after"]) <= 61
        assert "requests/minute 1 of 1" in body["error"]["message"]
        assert len(fake.requests) == 1


def test_usage_current_and_models(start: Start) -> None:
    with FakeProvider() as fake:
        limited = provider(
            fake, "a", "x/y:free", free=True, limits={"requestsPerMinute": 4}
        )
        gateway = start({"providers": [limited]})
        gateway.chat("x/y:free")
        _, _, found = gateway.get("/usage/current")
        [entry] = found["providers"]
        [model] = entry["models"]
        assert (entry["id"], model["name"]) == ("a", "x/y:free")
        assert len(model["limits"]) == 9
        minute = model["limits"]["requestsPerMinute"]
        assert (minute["consumed"], minute["limit"], minute["percentage"]) == (1, 4, 25)
        assert minute["unit"] == "requests"
        assert 0 < minute["msBeforeNext"] <= 60_000
        assert model["limits"]["costPerDay"]["limit"] == -1
        _, _, models = gateway.get("/v1/models")
        assert [m["id"] for m in models["data"]] == ["x/y:free"]


def test_counters_survive_a_restart(start: Start, tmp_path) -> None:
    with FakeProvider() as fake:
        config = {
            "providers": [provider(fake, "a", free=True, limits={"requestsPerDay": 3})]
        }
        gateway = start(config)
        assert [gateway.chat()[0] for _ in range(2)] == [200, 200]
        gateway.ended(2)
        gateway.process.kill()
        gateway.process.wait()
        again = GatewayProcess(gateway.folder, None, confdir=gateway.confdir)
        with again:
            assert [again.chat()[0] for _ in range(2)] == [200, 429]
        assert len(fake.requests) == 3


def test_simulated_usage_counts_and_is_marked(start: Start) -> None:
    with FakeProvider() as fake:
        gateway = start(
            {"providers": [provider(fake, "a", limits={"tokensPerDay": 1000})]}
        )
        status, _, found = gateway.post(
            "/usage/simulate", {"providerId": "a", "tokens": 400, "cost": 0.5}
        )
        assert (status, found["model"], found["tokens"]) == (200, "m", 400)
        _, _, usage = gateway.get("/usage/current")
        assert (
            usage["providers"][0]["models"][0]["limits"]["tokensPerDay"]["consumed"]
            == 400
        )
        assert gateway.post("/usage/simulate", {"providerId": "zz"})[0] == 400
        [row] = gateway.rows("select * from requests")
        assert (row["simulated"], row["total_tokens"], row["cost_usd"]) == (1, 400, 0.5)
        _, _, history = gateway.get("/usage/historical?minutes=5")
        assert history[-1]["totalTokens"] == 400
