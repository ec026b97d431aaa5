"""What a failure changes for the requests after it, and how it is forgotten again."""

from typing import Any

from fakes import Answer, FakeProvider, Received, answers

from gateway import GatewayProcess, provider

from .conftest import Serve
from .failing import error, priced

RESPONSES = "/v1/responses"
LONG = error("maximum context length is 8 tokens", "context_length_exceeded")
OOPS = error("something broke", "internal")


def served(gateway: GatewayProcess, model: str = "m", **more: Any) -> tuple[str, str]:
    """Who answered, after how many attempts."""
    status, headers, _ = gateway.chat(model, **more)
    assert status == 200
    return headers["x-gateway-provider"], headers["x-gateway-attempts"]


def state(gateway: GatewayProcess, provider: str, model: str = "m") -> str:
    _, _, route = gateway.get(f"/route?model={model}")
    found = {c["provider"]: c["state"] for c in route["candidates"]}
    return str(found[provider])


def test_switches_back_when_the_cooldown_is_over(serve: Serve) -> None:
    with FakeProvider() as one, FakeProvider() as two:
        one.then(answers.rate_limited("milliseconds"))
        gateway = serve(
            {"providers": [provider(one, "limited", free=True), provider(two, "B")]}
        )
        assert served(gateway) == ("B", "2")
        if state(gateway, "limited") == "cooling down":
            assert served(gateway) == ("B", "1")
        gateway.wait_for(
            lambda: state(gateway, "limited") == "ready", "the switch back"
        )
        assert served(gateway) == ("limited", "1")
        [event] = gateway.wait_rows("select * from events where subject = 'limited/m'")
        assert event["kind"] == "cooldown"


def test_a_new_key_enables_a_disabled_account_at_once(serve: Serve) -> None:
    with FakeProvider() as one, FakeProvider() as two:
        one.then(answers.status(401))
        entries = [
            provider(one, "revoked", "m", "n", free=True),
            provider(two, "B", "m", "n"),
        ]
        gateway = serve({"providers": entries})
        assert served(gateway) == ("B", "2")
        # All models of the account are out, not only the one that was asked for.
        assert served(gateway, "n") == ("B", "1")
        assert state(gateway, "revoked", "n") == "disabled"
        [event] = gateway.wait_rows("select * from events where subject = 'revoked'")
        assert "401" in event["message"]
        assert "account disabled" in gateway.log()
        entries[0]["apiKey"] = "sk-CANARY-new"
        gateway.write_config({"providers": entries})
        assert gateway.ask("POST", "/admin/reload", headers=gateway.admin)[0] == 200
        assert served(gateway) == ("revoked", "1")
        assert one.requests[-1].header("authorization") == "Bearer sk-CANARY-new"


def test_accounts_of_a_provider_fail_apart(serve: Serve) -> None:
    def by_key(request: Received) -> Answer:
        if request.header("authorization") == "Bearer sk-CANARY-2":
            return answers.ok()(request)
        return answers.status(402)

    with FakeProvider(by_key) as fake:
        entry = provider(fake, "A", free=True)
        del entry["apiKey"]
        entry["apiKeys"] = ["sk-CANARY-1", "sk-CANARY-2", "sk-CANARY-3"]
        gateway = serve({"routing": {"sticky": False}, "providers": [entry]})
        for _ in range(6):
            assert served(gateway)[0] == "A"
        assert len(fake.requests) <= 6 + 2
        _, _, route = gateway.get("/route?model=m")
        states = {c["account"]: c["state"] for c in route["candidates"]}
        assert states["2"] == "ready"
        assert set(states.values()) <= {"ready", "disabled"}


def test_a_longer_window_is_looked_for(serve: Serve) -> None:
    with (
        FakeProvider(answers.status(400, LONG)) as short,
        FakeProvider() as unknown,
        FakeProvider() as long,
    ):
        entries = [
            provider(
                short, "short", models=[{**priced(1, "m")[0], "contextWindow": 8}]
            ),
            provider(unknown, "unknown", models=priced(2, "m")),
            provider(long, "long", models=[{**priced(3, "m")[0], "contextWindow": 9}]),
        ]
        gateway = serve({"providers": entries})
        assert served(gateway) == ("long", "2")
        assert unknown.requests == []
        # It was the request, not the provider.
        assert state(gateway, "short") == "ready"
        [tried] = gateway.wait_rows(
            "select * from attempts where provider = 'short' and outcome = 'failed'"
        )
        assert (tried["reason"], tried["counted"]) == ("400 context_length_exceeded", 0)


def test_a_model_that_is_gone_takes_no_other_with_it(serve: Serve) -> None:
    def script(request: Received) -> Answer:
        if request.json()["model"] == "gone":
            return answers.status(404, error("The model `gone` does not exist", "x"))
        return answers.ok()(request)

    with FakeProvider(script) as one, FakeProvider() as two:
        names = ("gone", "there")
        gateway = serve(
            {
                "providers": [
                    provider(one, "A", *names, free=True),
                    provider(two, "B", *names),
                ]
            }
        )
        assert served(gateway, "gone") == ("B", "2")
        assert served(gateway, "gone") == ("B", "1")
        assert served(gateway, "there") == ("A", "1")


def test_a_dialect_that_is_not_spoken_is_not_asked_for_again(serve: Serve) -> None:
    def script(request: Received) -> Answer:
        if request.target.endswith("/responses"):
            return answers.status(404, error("Invalid URL (POST /v1/responses)", ""))
        return answers.ok()(request)

    with FakeProvider(script) as one, FakeProvider() as two:
        gateway = serve(
            {"providers": [provider(one, "A", free=True), provider(two, "B")]}
        )
        # Translated it costs nothing there, which beats B.
        for tries in ("2", "1"):
            sent = {"model": "m", "input": "Hello!"}
            status, headers, _ = gateway.post(RESPONSES, sent)
            found = (headers["x-gateway-provider"], headers["x-gateway-attempts"])
            assert (status, *found) == (200, "A", tries)
            assert headers["x-gateway-translated"] == "responses>chat"
        never = {"x-gateway-translate": "never"}
        _, headers, _ = gateway.post(RESPONSES, sent, never)
        assert headers["x-gateway-provider"] == "B"
        assert served(gateway) == ("A", "1")


def test_five_strikes_open_the_circuit(serve: Serve) -> None:
    with FakeProvider(answers.status(500, OOPS)) as one, FakeProvider() as two:
        gateway = serve(
            {
                "providers": [
                    provider(one, "struck", "m", "n", free=True),
                    provider(two, "B"),
                ]
            }
        )
        tries = [served(gateway)[1] for _ in range(7)]
        assert tries == ["2"] * 5 + ["1"] * 2
        assert state(gateway, "struck") == "failing"
        # The model that nobody else has was not struck.
        assert gateway.chat("n")[0] == 500
        [event] = gateway.wait_rows("select * from events where subject = 'struck/m'")
        assert event["message"].startswith(
            "failing (500 internal), tried again in 30 s"
        )


def test_a_member_that_is_not_known_is_left_out_from_then_on(serve: Serve) -> None:
    def strict(request: Received) -> Answer:
        if "stream_options" in request.json():
            return answers.status(400, error("Unknown parameter: stream_options", "x"))
        return answers.stream(["Hello"])(request)

    with FakeProvider(strict) as one, FakeProvider() as two:
        gateway = serve(
            {"providers": [provider(one, "A", free=True), provider(two, "B")]}
        )
        assert served(gateway, stream=True) == ("A", "2")
        assert served(gateway, stream=True) == ("A", "1")
        assert two.requests == []
        assert state(gateway, "A") == "ready"


def test_redirects_are_not_followed(serve: Serve) -> None:
    with FakeProvider() as canary, FakeProvider() as one, FakeProvider() as two:
        place = [("location", f"{canary.base_url}/v1/chat/completions")]
        one.default = answers.status(307, b"", place)
        gateway = serve(
            {"providers": [provider(one, "A", free=True), provider(two, "B")]}
        )
        assert served(gateway) == ("B", "2")
        assert canary.journal == []


def test_the_deadline_ends_the_search(serve: Serve) -> None:
    with FakeProvider(answers.silence()) as silent, FakeProvider() as other:
        entries = [provider(silent, "late", free=True), provider(silent, "B")]
        routing = {"deadlineSeconds": 1}
        gateway = serve({"routing": routing, "providers": entries})
        status, headers, said = gateway.chat()
        assert (status, headers["x-gateway-attempts"]) == (504, "2")
        assert "deadline" in said["error"]["message"]
        # Nobody gets more than half of the time while another could answer.
        entries[1] = provider(other, "B")
        gateway.write_config({"routing": routing, "providers": entries})
        assert gateway.ask("POST", "/admin/reload", headers=gateway.admin)[0] == 200
        assert served(gateway) == ("B", "2")
        tried = gateway.wait_rows(
            "select * from attempts where provider = 'late' and outcome <> 'in_flight'"
        )
        assert {(one["reason"], one["counted"]) for one in tried} == {("deadline", 1)}


def test_an_idle_connection_that_was_closed_is_no_strike(serve: Serve) -> None:
    with FakeProvider() as fake:
        fake.default = Answer(
            headers=(answers.JSON,),
            body=(answers.chat_body("hi"),),
            then_close=True,
        )
        gateway = serve({"providers": [provider(fake, "idle", free=True)]})
        for _ in range(8):
            assert served(gateway) == ("idle", "1")
        assert gateway.rows("select * from events where subject like 'idle%'") == []


def test_who_was_never_asked_is_not_dear_for_that(serve: Serve) -> None:
    """Answers of the one teach what the other would cost."""
    with FakeProvider() as one, FakeProvider() as two:
        one.then(*[answers.status(400, LONG)] * 10)
        models = [{**entry, "contextWindow": 8} for entry in priced(1, "m")]
        dear = [{**entry, "contextWindow": 9} for entry in priced(10, "m")]
        gateway = serve(
            {
                "providers": [
                    provider(one, "cheap", models=models),
                    provider(two, "dear", models=dear),
                ]
            }
        )
        assert [served(gateway) for _ in range(10)] == [("dear", "2")] * 10
        assert served(gateway) == ("cheap", "1")
