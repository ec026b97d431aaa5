"""Warnings that are given once, then counted."""

from llm_gateway.app.notices import FORGOTTEN_AFTER, MAX_NOTICES, Notices
from llm_gateway.providers.hosts import PRIVATE_HOSTS


class Told:
    def __init__(self) -> None:
        self.now = 1000.0
        self.said: list[tuple[str, str, str]] = []
        self.notices = Notices(lambda *words: self.said.append(words), lambda: self.now)


def test_one_line_for_each_app_and_model_and_then_a_count() -> None:
    told = Told()
    for _ in range(3):
        told.notices.own_key(
            "codex", "gpt-5", "api.openai.com", "OpenAI's /v1/responses"
        )
        told.now += 1
    told.notices.own_key("codex", "gpt-6", "api.openai.com", "OpenAI's /v1/responses")
    told.notices.own_key("claude", "gpt-5", "api.openai.com", "OpenAI's /v1/responses")
    assert [(kind, app) for kind, app, _ in told.said] == [
        ("own key", "codex"),
        ("own key", "codex"),
        ("own key", "claude"),
    ]
    assert (
        "asks for gpt-5, which is offered here, but not for OpenAI's /v1/responses"
        in told.said[0][2]
    )
    shown = {(n["subject"], n["count"]) for n in told.notices.as_json()}
    assert ("codex", 3) in shown
    assert told.notices.as_json()[-1]["last_at"] == 1002.0


def test_trust_is_told_once_per_app_and_host() -> None:
    told = Told()
    for host in ("api.openai.com", "api.openai.com", "api.anthropic.com"):
        told.notices.untrusting("bun", host, sure=False)
    assert len(told.said) == 2
    assert "probably does not trust" in told.said[0][2]
    assert "llm-gateway run -- APP" in told.said[0][2]
    told.notices.untrusting("curl", "api.openai.com", sure=True)
    assert told.said[-1][2].startswith("does not trust")


def test_private_hosts_have_a_name() -> None:
    told = Told()
    for host in PRIVATE_HOSTS:
        told.notices.private_host("codex", host)
        assert PRIVATE_HOSTS[host] in told.said[-1][2]


def test_clients_cannot_fill_the_memory_or_the_log() -> None:
    told = Told()
    for n in range(MAX_NOTICES + 50):
        told.notices.own_key(f"app{n}", "m", "h", "e")
    assert len(told.said) == len(told.notices.as_json()) == MAX_NOTICES
    told.now += FORGOTTEN_AFTER
    told.notices.own_key("a new one", "m", "h", "e")
    assert len(told.notices.as_json()) == MAX_NOTICES
    assert told.said[-1][1] == "a new one"


def test_names_of_clients_stay_on_their_line() -> None:
    told = Told()
    told.notices.own_key("app", "m\nFAKE LINE" + "x" * 500, "h\r", "e")
    assert told.said[0][2].isprintable()
    assert len(told.said[0][2]) < 400
