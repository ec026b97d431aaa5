"""Providers of one dialect speak different tongues: refusals teach, histories move on, errors are readable.

One gateway and one fake that plays a script per provider, told apart by the path.
"""

import contextlib
import gzip
import json
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from fakes import Answer, FakeProvider, Gate, Received, answers

from gateway import GatewayProcess, provider

from .conftest import Start
from .failing import error, priced

CHAT, MESSAGES, RESPONSES = "/v1/chat/completions", "/v1/messages", "/v1/responses"
CALL = {"id": "call_1", "type": "function", "function": {"name": "add", "arguments": "{}"}}  # fmt: skip
MANY = ("store", "metadata", "service_tier", "user", "parallel_tool_calls")
KEY = "sk-CANARY-shape"
GENERATED = {
    "candidates": [
        {
            "content": {"role": "model", "parts": [{"text": "fine"}]},
            "finishReason": "STOP",
        }
    ]
}

Refuses = Callable[[dict[str, Any]], tuple[int, object] | None]
"""Body -> (status, error body), or None: it is taken."""


def unsupported(name: str) -> tuple[int, object]:
    words = f"'messages.1' : for 'role:assistant' the following must be satisfied[('messages.1' : property '{name}' is unsupported)]"
    return 400, error(words, "invalid_request_error")


def no_such_field(name: str) -> tuple[int, object]:
    words = f'Invalid JSON payload received. Unknown name "{name}": Cannot find field.'
    found = {"code": 400, "message": words, "status": "INVALID_ARGUMENT"}
    return 400, {"error": found}


def unknown(name: str) -> tuple[int, object]:
    found = {
        "message": f"Unknown parameter: '{name}'.",
        "type": "invalid_request_error",
    }
    return 400, {"error": {**found, "param": name, "code": "unknown_parameter"}}


def refuses_members(*names: str) -> Refuses:
    def look(body: dict[str, Any]) -> tuple[int, object] | None:
        found = [n for m in body["messages"] for n in names if n in m]
        return unsupported(found[0]) if found else None

    return look


def refuses_top(*names: str, says: Callable[[str], Any] = unknown) -> Refuses:
    def look(body: dict[str, Any]) -> tuple[int, object] | None:
        found = [name for name in names if name in body]
        return says(found[0]) if found else None

    return look


def mystery(body: dict[str, Any]) -> tuple[int, object] | None:
    """What no table knows, about every history."""
    if len(body["messages"]) < 2:
        return None
    return 422, {"error": {"message": "Dialog part three is not admissible."}}


def always(status: int, body: object) -> Refuses:
    return lambda _: (status, body)


class Stage:
    """Providers at one fake, told apart by their path; a model of each one's own."""

    def __init__(self, fake: FakeProvider) -> None:
        self.fake = fake
        self.scripts: dict[str, Refuses] = {}
        self.doors: dict[str, Gate] = {}
        self.gateway: GatewayProcess

    def answer(self, request: Received) -> Answer:
        body = json.loads(request.body)
        script = self.scripts.get(request.target.split("/")[1])
        refused = script(body) if script else None
        if refused is None and request.target.endswith(":generateContent"):
            return answers.status(200, GENERATED)
        if refused is None:
            return answers.ok("fine")(request)
        status, said = refused
        if isinstance(said, str):
            return Answer(status, (answers.SSE,), (said.encode(),))
        if isinstance(said, bytes):
            coded = (("content-encoding", "gzip"),)
            return Answer(status, (answers.JSON, *coded), (gzip.compress(said),))
        id = request.target.split("/")[1]
        doors = [self.doors[id]] if id in self.doors else []
        return Answer(status, (answers.JSON,), (*doors, json.dumps(said).encode()))

    def provider(self, id: str, script: Refuses | None = None, **more: Any) -> Any:
        """Asked for as `m-ID`, or as `model` says; `price` makes it come later."""
        if script is not None:
            self.scripts[id] = script
        name, price = more.pop("model", f"m-{id}"), more.pop("price", 1)
        models = [
            {**priced(price, "up")[0], "mappedName": name, **more.pop("of_model", {})}
        ]
        entry = provider(self.fake, id, **more)
        return {**entry, "baseURL": f"{self.fake.base_url}/{id}/v1", "models": models}

    def asked(self, id: str) -> list[dict[str, Any]]:
        found = [r for r in self.fake.requests if r.target.startswith(f"/{id}/")]
        return [json.loads(r.body) for r in found]

    def serve(self, *providers: Any) -> GatewayProcess:
        self.gateway.write_config({"providers": list(providers)})
        status, _, said = self.gateway.ask(
            "POST", "/admin/reload", headers=self.gateway.admin
        )
        assert status == 200, said
        return self.gateway

    def talk(self, model: str, **turn: Any) -> tuple[int, dict[str, str], Any]:
        """A user's text, a turn with a call, its result; `turn`: further members of it."""
        return self.gateway.post(CHAT, {"model": model, "messages": history(**turn)})


def history(**turn: Any) -> list[dict[str, Any]]:
    return [
        {"role": "user", "content": "Hello!"},
        {"role": "assistant", "content": "", "tool_calls": [CALL], **turn},
        {"role": "tool", "tool_call_id": "call_1", "content": "3"},
    ]


@pytest.fixture(scope="module")
def stage(start_shared: Start) -> Iterator[Stage]:
    with contextlib.ExitStack() as stack:
        found: Stage
        fake = stack.enter_context(FakeProvider(lambda r: found.answer(r)))
        found = Stage(fake)
        found.gateway = start_shared({"providers": []})
        yield found


def attempts(gateway: GatewayProcess, headers: dict[str, str]) -> list[dict[str, Any]]:
    id = headers["x-gateway-request-id"]
    gateway.ended_one(id)
    return gateway.rows("select * from attempts where request = ? order by n", id)


def row(gateway: GatewayProcess, headers: dict[str, str]) -> dict[str, Any]:
    return gateway.ended_one(headers["x-gateway-request-id"])[0]


# -- resends


def test_a_resend_is_a_row_and_counts(stage: Stage) -> None:
    limits = {"of_model": {"limits": {"requestsPerDay": 4}}}
    gateway = stage.serve(stage.provider("rows", refuses_members("channel"), **limits))
    status, headers, _ = stage.talk("m-rows", channel="analysis", refusal=None)
    assert (status, headers["x-gateway-attempts"]) == (200, "2")
    assert "channel" in headers["x-gateway-adapted"]
    first, second = attempts(gateway, headers)
    assert (first["outcome"], first["status"], first["counted"]) == ("repaired", 400, 1)
    assert first["reason"].startswith("message:")
    assert (first["tokens"], first["cost_nano"]) == (0, 0)
    assert second["outcome"] == "ok"
    found = row(gateway, headers)
    assert found["adapted"] == headers["x-gateway-adapted"]
    # from the first byte on, without a refusal, and without the name where it is not sent
    status, headers, _ = stage.talk("m-rows", channel="analysis")
    assert (status, headers["x-gateway-attempts"]) == (200, "1")
    status, headers, _ = gateway.chat("m-rows")
    assert (status, headers.get("x-gateway-adapted")) == (200, None)
    assert len(stage.asked("rows")) == 4
    assert gateway.chat("m-rows")[0] == 429


def test_no_resend_passes_a_limit(stage: Stage) -> None:
    limits = {"of_model": {"limits": {"requestsPerDay": 1}}}
    first = stage.provider("tight", refuses_members("channel"), model="m-t", **limits)
    gateway = stage.serve(first, stage.provider("tight-2", model="m-t", price=5))
    status, headers, _ = stage.talk("m-t", channel="analysis")
    assert (status, headers["x-gateway-provider"]) == (200, "tight-2")
    assert len(stage.asked("tight")) == 1
    assert [a["outcome"] for a in attempts(gateway, headers)] == ["repaired", "ok"]


FOUR = {
    "chat": MANY[:4],
    "messages": ("metadata", "service_tier", "container", "mcp_servers"),
    "responses": ("metadata", "service_tier", "user", "truncation"),
    "generateContent": ("safetySettings", "labels", "toolConfig", "store"),
}


@pytest.mark.parametrize("dialect", FOUR)
def test_three_resends_at_most_and_what_the_last_refusal_taught_is_kept(
    stage: Stage, dialect: str
) -> None:
    id, names = f"four-{dialect}", FOUR[dialect]
    says = no_such_field if dialect == "generateContent" else unknown
    script = refuses_top(*names, says=says)
    gateway = stage.serve(stage.provider(id, script, dialects=EVERY))
    asked = dict.fromkeys(names, "x")
    status, headers, said = ask(gateway, dialect, f"m-{id}", **asked)
    outcomes = [a["outcome"] for a in attempts(gateway, headers)]
    assert (status, outcomes) == (400, ["repaired"] * 3 + ["failed"])
    assert "Unknown " in said["error"]["message"]
    status, headers, _ = ask(gateway, dialect, f"m-{id}", **asked)
    assert (status, headers["x-gateway-attempts"]) == (200, "1")
    assert not set(asked) & set(stage.asked(id)[-1])


def test_ever_new_words_are_bounded(stage: Stage) -> None:
    words = iter(range(10_000))

    def script(body: dict[str, Any]) -> tuple[int, object]:
        return 400, error(f"'x{next(words)}' is unsupported", "")

    gateway = stage.serve(stage.provider("words", script))
    for _ in range(3):
        at = len(stage.asked("words"))
        status, _, said = stage.talk("m-words", channel="a")
        assert (status, "is unsupported" in said["error"]["message"]) == (400, True)
        assert len(stage.asked("words")) - at <= 4
    assert len(gateway.rows("select * from quirks where provider = 'words'")) <= 64


def test_whoever_was_on_the_way_meanwhile_is_sent_again_too(stage: Stage) -> None:
    door = stage.doors["crowd"] = Gate()
    gateway = stage.serve(stage.provider("crowd", refuses_members("channel")))
    with ThreadPoolExecutor(6) as pool:
        asked = [pool.submit(stage.talk, "m-crowd", channel="a") for _ in range(6)]
        gateway.wait_for(lambda: door.arrived == 6, "six refusals")
        door.open()
    assert [one.result()[0] for one in asked] == [200] * 6
    assert len(stage.asked("crowd")) == 12


def test_two_apps_that_are_taught_at_once_are_told_as_one_lesson(stage: Stage) -> None:
    door = stage.doors["pair"] = Gate()
    gateway = stage.serve(stage.provider("pair", refuses_members("channel")))
    body = {"model": "m-pair", "messages": history(channel="a")}
    apps = [{"user-agent": f"app-{n}/1"} for n in range(2)]
    with ThreadPoolExecutor(2) as pool:
        asked = [pool.submit(gateway.post, CHAT, body, app) for app in apps]
        gateway.wait_for(lambda: door.arrived == 2, "two refusals")
        door.open()
    assert [one.result()[0] for one in asked] == [200] * 2
    assert len(stage.asked("pair")) == 4
    quirks = "select quirk from quirks where provider = 'pair'"
    gateway.wait_rows(quirks, lambda rows: len(rows) == 2)
    events = "select * from events where subject = 'pair/up'"
    gateway.wait_rows(events, lambda rows: len(rows) == 1)


def test_what_is_forgotten_while_it_is_tried_stays_forgotten(stage: Stage) -> None:
    door = stage.doors["amnesia"] = Gate()

    def look(body: dict[str, Any]) -> tuple[int, object]:
        message = {"role": "assistant", "content": "fine"}
        choice = {"index": 0, "finish_reason": "stop", "message": message}
        return refuses_members("channel")(body) or (200, {"choices": [choice]})

    gateway = stage.serve(stage.provider("amnesia", look))
    with ThreadPoolExecutor(1) as pool:
        asked = pool.submit(stage.talk, "m-amnesia", channel="a")
        door.release()  # the refusal
        gateway.wait_for(lambda: door.arrived == 2, "the resend")
        gateway.post("/admin/quirks/forget", {"provider": "amnesia"}, gateway.admin)
        door.open()
    assert asked.result()[0] == 200
    assert gateway.rows("select * from quirks where provider = 'amnesia'") == []
    _, headers, _ = stage.talk("m-amnesia", channel="a")
    assert headers["x-gateway-attempts"] == "2"


@pytest.mark.parametrize("name", ["model", "messages", "tools"])
def test_what_every_request_needs_is_never_taken_away(stage: Stage, name: str) -> None:
    gateway = stage.serve(stage.provider(f"need-{name}", always(*unknown(name))))
    status, headers, _ = gateway.chat(f"m-need-{name}", tools=[])
    assert (status, headers["x-gateway-attempts"]) == (400, "1")
    sql = "select * from quirks where provider = ?"
    assert gateway.rows(sql, f"need-{name}") == []


def test_the_decision_says_what_was_changed(stage: Stage) -> None:
    gateway = stage.serve(stage.provider("told", refuses_members("channel")))
    for _ in range(2):
        _, headers, _ = stage.talk("m-told", channel="SECRET-CONTENT")
        id = row(gateway, headers)["id"]
        text = gateway.rows("select candidates from decisions where request = ?", id)[
            0
        ]["candidates"]
        [candidate] = json.loads(text)
        found = candidate["adaptation"]
        assert found["pair"] is None
        assert [sorted(one) for one in found["dropped"]] == [["part", "why"]] * len(
            found["dropped"]
        )
        assert any(
            "channel" in one["part"] or one["part"] == "messages"
            for one in found["dropped"]
        )
        assert "SECRET-CONTENT" not in text
    _, headers, _ = gateway.chat("m-told")
    id = row(gateway, headers)["id"]
    [text] = gateway.rows("select candidates from decisions where request = ?", id)
    assert json.loads(text["candidates"])[0]["adaptation"] is None


def test_without_quirks_no_byte_changes(stage: Stage) -> None:
    stage.serve(stage.provider("bytes"))
    body = b'{ "model" : "up",\n"messages":[{"role":"user","content":"\\u00e9 \xc3\xa9", "x" : 1.0e2}] ,"temperature":0.70}'
    assert stage.gateway.post(CHAT, body.replace(b"up", b"m-bytes"))[0] == 200
    [request] = [r for r in stage.fake.requests if r.target.startswith("/bytes/")]
    assert request.body == body


# -- what is learned is kept


def test_the_ledger_the_log_and_the_events_say_it_once(stage: Stage) -> None:
    script = refuses_members("channel")
    gateway = stage.serve(stage.provider("said", script))
    for _ in range(3):
        assert stage.talk("m-said", channel="a")[0] == 200
    found = gateway.wait_rows(
        "select * from quirks where provider = 'said' order by quirk desc",
        lambda rows: bool(rows) and all(row["uses"] == 3 for row in rows),
    )
    assert {(q["model"], q["dialect"]) for q in found} == {("up", "chat")}
    assert {q["quirk"] for q in found} == {"message:channel", "message:*"}
    assert all("is unsupported" in q["words"] for q in found)
    events = gateway.rows(
        "select * from events where kind = 'quirk' and subject = 'said/up'"
    )
    assert len(events) == 1
    line = f"said/up: from now on {', '.join(q['says'] for q in found)} (it refused: "
    assert line in gateway.log()


def test_what_one_request_is_taught_is_said_refusal_by_refusal(stage: Stage) -> None:
    gateway = stage.serve(stage.provider("lines", refuses_top("store", "user", "seed")))
    status, headers, _ = gateway.chat("m-lines", store=True, user="u", seed=1)
    assert (status, headers["x-gateway-attempts"]) == (200, "4")
    sql = "select message from events where subject = 'lines/up' order by id"
    found = gateway.wait_rows(sql, lambda rows: len(rows) == 3)
    said = [row["message"] for row in found]
    assert said == [
        f"from now on without `{name}` (it refused: Unknown parameter: '{name}'.)"
        for name in ("store", "user", "seed")
    ]
    assert all(f"lines/up: {message}" in gateway.log() for message in said)


def test_forgotten_by_hand_or_when_the_address_changes(stage: Stage) -> None:
    def refusals() -> int:
        at = len(stage.asked("moved"))
        assert stage.talk("m-moved", channel="a")[0] == 200
        return len(stage.asked("moved")) - at - 1

    entry = stage.provider("moved", refuses_members("channel"))
    gateway = stage.serve(entry)
    assert [refusals(), refusals()] == [1, 0]
    path = "/admin/quirks/forget"
    assert gateway.post(path, {"provider": "moved"})[0] == 401
    assert gateway.post(path, {"model": "up"}, gateway.admin)[0] == 400
    _, _, said = gateway.post(path, {"provider": "moved", "model": "x"}, gateway.admin)
    assert said == {"forgotten": 0}
    _, _, said = gateway.post(path, {"provider": "moved"}, gateway.admin)
    assert said["forgotten"] > 0
    assert [refusals(), refusals()] == [1, 0]
    stage.serve({**entry, "apiKey": "sk-CANARY-another"})
    assert refusals() == 0
    stage.serve({**entry, "dialects": ["messages"]})
    stage.serve({**entry, "dialects": ["chat", "messages"]})
    assert refusals() == 0
    stage.serve(stage.provider("another"))  # it is gone, and comes back
    stage.serve(entry)
    assert refusals() == 0
    stage.serve({**entry, "baseURL": f"{entry['baseURL']}/"[:-3] + "elsewhere/v1"})
    assert refusals() == 1


# -- refused histories


def test_a_refused_history_moves_on_once_and_nobody_is_blamed(stage: Stage) -> None:
    second = stage.provider("taker", model="m-h", price=5)
    gateway = stage.serve(stage.provider("refuser", mystery, model="m-h"), second)
    for _ in range(6):  # five strikes in a row would open a circuit
        status, headers, _ = stage.talk("m-h")
        assert (status, headers["x-gateway-provider"]) == (200, "taker")
    assert stage.asked("taker") == stage.asked("refuser")
    status, headers, _ = gateway.chat("m-h")
    assert (status, headers["x-gateway-provider"]) == (200, "refuser")


@pytest.mark.parametrize(
    ("name", "second", "third_asked"),
    [
        ("both refuse", mystery, False),
        ("the second is down", always(503, error("busy", "busy")), True),
    ],
)
def test_the_first_refusal_goes_back_or_a_third_is_asked(
    stage: Stage, name: str, second: Refuses, third_asked: bool
) -> None:
    slug = name.replace(" ", "-")
    first = always(400, error("Conversation 0x1F7 is stuck.", "E77"))
    gateway = stage.serve(
        stage.provider(f"1-{slug}", first, model=slug),
        stage.provider(f"2-{slug}", second, model=slug, price=5),
        stage.provider(f"3-{slug}", model=slug, price=9),
    )
    status, headers, said = stage.talk(slug)
    assert len(stage.asked(f"3-{slug}")) == third_asked
    if third_asked:
        assert (status, headers["x-gateway-provider"]) == (200, f"3-{slug}")
        return
    assert (status, said["error"]["code"]) == (400, "E77")
    assert headers["x-gateway-provider"] == f"1-{slug}"
    assert row(gateway, headers)["provider"] == f"1-{slug}"


def test_the_same_maker_is_not_asked_again(stage: Stage) -> None:
    first = stage.provider("maker", mystery, model="m-k")
    twin = {**first, "id": "twin", "models": [{**first["models"][0], "name": "up2"}]}
    stage.serve(first, twin, stage.provider("other-maker", model="m-k", price=5))
    status, headers, _ = stage.talk("m-k")
    assert (status, headers["x-gateway-provider"]) == (200, "other-maker")
    assert len(stage.asked("maker")) == 1


@pytest.mark.parametrize(
    ("words", "param"),
    [
        ("Invalid value for 'temperature': expected a number.", "temperature"),
        ("temperature must be between 0 and 2", None),
        ("Invalid schema for function 'add': x", "tools[0].function.parameters"),
    ],
)
def test_a_mistake_of_the_clients_own_goes_back_at_once(
    stage: Stage, words: str, param: str | None
) -> None:
    said = {
        "error": {"message": words, "type": "invalid_request_error", "param": param}
    }
    first = stage.provider("own", always(400, said), model="m-own")
    gateway = stage.serve(first, stage.provider("behind", model="m-own", price=5))
    body = {"model": "m-own", "messages": history(), "temperature": 9, "tools": [{}]}
    status, headers, found = gateway.post(CHAT, body)
    assert (status, found) == (400, said)
    assert headers["x-gateway-attempts"] == "1"
    assert stage.asked("behind") == []


ONLY_ONE = "Unsupported value: 'temperature' does not support 0.2 with this model. Only the default (1) value is supported."


@pytest.mark.parametrize("about", ["temperature", "top_p"])
def test_a_lesson_that_the_next_refusal_is_about_is_taken_back(
    stage: Stage, about: str
) -> None:
    def look(body: dict[str, Any]) -> tuple[int, object]:
        if body["temperature"] != 1:
            return 400, error(ONLY_ONE, "unsupported_value")
        said = {"message": f"Invalid value for '{about}'.", "param": about}
        return 400, {"error": {**said, "type": "invalid_request_error"}}

    id = f"again-{about}"
    gateway = stage.serve(stage.provider(id, look))
    status, headers, said = stage.gateway.post(
        CHAT,
        {"model": f"m-{id}", "messages": history(), "temperature": 0.2, "top_p": 1},
    )
    assert (status, said["error"]["param"]) == (400, about)
    assert headers["x-gateway-attempts"] == "2"
    gateway.ended_one(headers["x-gateway-request-id"])
    wanted = [] if about == "temperature" else [{"quirk": "sampling:temperature=1"}]
    sql = "select quirk from quirks where provider = ?"
    gateway.wait_rows(sql, lambda rows: rows == wanted, id)


QUOTED = (
    "This model does not support tools",
    "Property 'stream_options' is unsupported",
    "It supports at most 16 completion tokens",
    "JSON mode cannot be combined with tool calling",
    "That model does not support image input",
    "Only supported in v1/responses",
    "A maximum number of 1 tools",
    "Unsupported parameter: 'seed'",
    # shorter than what stands in any prompt
    "unknown field: seed",
    "at most 1 tools",
    "'seed' is unsupported",
)


@pytest.mark.parametrize("words", QUOTED)
def test_the_clients_own_words_in_a_refusal_teach_nothing(
    stage: Stage, words: str
) -> None:
    def look(body: dict[str, Any]) -> tuple[int, object] | None:
        given = body.get("user", "")
        said = f"Invalid value for 'user', got {given}"
        return (400, error(said, "invalid_request_error")) if given else None

    gateway = stage.serve(stage.provider("quotes", look))
    tool = {"type": "function", "function": {"name": "add", "parameters": {}}}
    url = {"type": "image_url", "image_url": {"url": "data:image/png;base64,AA=="}}
    body = {
        "model": "m-quotes",
        "messages": [{"role": "user", "content": [url]}],
        "tools": [tool, tool],
        "max_tokens": 50,
        "seed": 1,
        "response_format": {"type": "json_object"},
    }
    before = len(stage.asked("quotes"))
    status, headers, found = gateway.post(CHAT, {**body, "user": words})
    assert (status, headers["x-gateway-attempts"]) == (400, "1")
    assert words in found["error"]["message"]
    status, headers, _ = gateway.post(CHAT, body)
    assert (status, headers.get("x-gateway-adapted")) == (200, None)
    assert len(stage.asked("quotes")) == before + 2
    assert stage.asked("quotes")[-1] == {**body, "model": "up"}


def test_a_conversation_about_a_refusal_is_mended_as_any_other(stage: Stage) -> None:
    gateway = stage.serve(stage.provider("topic", refuses_members("channel")))
    words = "What is: property 'channel' is unsupported?"
    turn = [{"role": "user", "content": words}, *history(channel="analysis")[1:]]
    status, headers, _ = gateway.post(CHAT, {"model": "m-topic", "messages": turn})
    assert (status, headers["x-gateway-adapted"]) == (200, "channel")


def test_without_a_history_a_refusal_goes_back_at_once(stage: Stage) -> None:
    first = stage.provider("plain", always(400, error("No.", "E1")), model="m-p")
    gateway = stage.serve(first, stage.provider("behind-p", model="m-p", price=5))
    assert gateway.chat("m-p")[0] == 400
    assert stage.asked("behind-p") == []


# -- the same in every dialect

EVERY = ["chat", "messages", "responses", "generateContent"]
PARTS = [
    {"role": "user", "parts": [{"text": "Hello!"}]},
    {"role": "model", "parts": [{"functionCall": {"name": "add", "args": {}}}]},
    {"role": "user", "parts": [{"functionResponse": {"name": "add", "response": {}}}]},
]


def ask(
    gateway: GatewayProcess, dialect: str, model: str, **more: Any
) -> tuple[int, dict[str, str], Any]:
    """A conversation with a call and its result, in this dialect; `more`: members on top."""
    path, turns = {
        "chat": (CHAT, {"messages": history()}),
        "messages": (MESSAGES, {"messages": BLOCKS, "max_tokens": 9}),
        "responses": (RESPONSES, {"input": ITEMS}),
        "generateContent": (f"/v1beta/models/{model}:generateContent", {}),
    }[dialect]
    if dialect == "generateContent":
        return gateway.post(path, {"contents": PARTS, **more})
    return gateway.post(path, {"model": model, **turns, **more})


OWN: list[tuple[str, str, dict[str, Any]]] = [
    *((d, "{}: Extra inputs are not permitted", {"colour": 1}) for d in EVERY[:3]),
    *((d, "Unknown parameter: '{}'.", {"colour": 1}) for d in EVERY[:3]),
    *((d, "{}: Input should be less than or equal to 1", {"temperature": 9}) for d in EVERY[:3]),
    *((d, "'{}' does not support 9. Only the default (1) value is supported.", {"temperature": 9}) for d in EVERY[:3]),
    *((d, "Invalid type for '{}': expected an array.", {"tools": "add"}) for d in EVERY[:3]),
    ("messages", "{}.0: Input tag 'funktion' does not match any of the expected tags: 'custom'", {"tools": [{"type": "funktion", "name": "a", "input_schema": {"type": "object"}}]}),
    ("responses", "Invalid value: 'funktion'. ({}[0].type)", {"tools": [{"type": "funktion", "name": "a", "parameters": {"type": "object"}}]}),
    ("generateContent", 'Invalid JSON payload received. Unknown name "{}": Cannot find field.', {"colour": 1}),
    ("generateContent", "Invalid value at 'generation_config.temperature' (TYPE_FLOAT), \"hot\"", {"generationConfig": {"temperature": "hot"}}),
    ("generateContent", "Unable to submit request because it has a temperature value of 9 but the supported range is from 0 to 2.", {"generationConfig": {"temperature": 9}}),
    ("generateContent", "Invalid value at '{}' (type.googleapis.com/Tool), \"add\"", {"tools": "add"}),
]  # fmt: skip


@pytest.mark.parametrize(("dialect", "words", "wrong"), OWN)
def test_the_clients_own_mistake_comes_back_once(
    stage: Stage, dialect: str, words: str, wrong: dict[str, Any]
) -> None:
    [name] = wrong
    words = words.format(name)
    said = (400, error(words, "invalid_request_error"))

    def look(body: dict[str, Any]) -> tuple[int, object] | None:
        return said if body.get(name) == wrong[name] else None

    id, spoken = f"own-{dialect}", {"dialects": EVERY}
    stage.scripts[id] = look
    gateway = stage.serve(
        stage.provider(id, model=id, **spoken),
        stage.provider(f"{id}-2", model=id, price=5, **spoken),
    )
    before = len(stage.asked(id))
    for _ in range(5):  # as many strikes in a row would open a circuit
        status, headers, found = ask(gateway, dialect, id, **wrong)
        assert (status, headers["x-gateway-attempts"]) == (400, "1")
        assert headers["x-gateway-provider"] == id
        assert words in found["error"]["message"]
    assert len(stage.asked(id)) == before + 5
    assert stage.asked(f"{id}-2") == []
    assert gateway.rows("select * from quirks where provider = ?", id) == []
    events = "select * from events where subject like ? || '%'"
    assert gateway.rows(events, id) == []
    status, headers, _ = ask(gateway, dialect, id)
    assert (status, headers["x-gateway-provider"]) == (200, id)


@pytest.mark.parametrize("dialect", EVERY)
def test_a_provider_with_ever_new_words_is_bounded(stage: Stage, dialect: str) -> None:
    """Its words name what every request needs, and members of all kinds."""
    needed = ["model", "messages", "tools", "input", "contents"]
    names = iter([*needed, *(f"x{n}" for n in range(10_000))])
    unsafe = "<img src=x onerror=alert(1)> \x1b[31m\n\u202e"
    seen: list[dict[str, Any]] = []

    def script(body: dict[str, Any]) -> tuple[int, object]:
        seen.append(body)
        name = next(names)
        return 400, error(f"Unknown parameter: '{name}'. {unsafe}", "")

    id = f"new-{dialect}"
    gateway = stage.serve(stage.provider(id, script, dialects=EVERY))
    more = {f"x{n}": n for n in range(60)}
    for _ in range(30):
        at = len(seen)
        status, headers, found = ask(gateway, dialect, f"m-{id}", **more)
        assert status == 400
        assert unsafe.split(" ")[0] in found["error"]["message"]
        assert 1 <= len(seen) - at <= 4
        assert headers["x-gateway-attempts"] == str(len(seen) - at)
    first = seen[0]
    assert all(body.keys() == first.keys() for body in seen)
    learned = gateway.rows("select * from quirks where provider = ?", id)
    assert len(learned) <= 64
    log = gateway.log()
    assert "\x1b" not in log
    assert "\u202e" not in log


# -- calls that are written as text

AS_TEXT = 'Let me see.\n<tool_call>\n{"name": "add", "arguments": {}}\n</tool_call>'
DSML = '<｜DSML｜function_calls>\n<｜DSML｜invoke name="exec">'
TOOL = {"type": "function", "function": {"name": "add", "parameters": {}}}


def writes_calls(body: dict[str, Any]) -> tuple[int, object] | None:
    if not body.get("tools"):
        return None
    text = AS_TEXT.partition("\n")[2] if body.get("stream") else AS_TEXT
    if not body.get("stream"):
        message = {"role": "assistant", "content": text}
        choice = {"index": 0, "finish_reason": "stop", "message": message}
        usage = {"prompt_tokens": 9, "completion_tokens": 9, "total_tokens": 18}
        return 200, {"choices": [choice], "usage": usage}
    events = []
    for at in range(0, len(text), 5):
        delta = {"content": text[at : at + 5]}
        events.append({"choices": [{"index": 0, "delta": delta}]})
    return 200, "".join(f"data: {json.dumps(event)}\n\n" for event in events)


@pytest.mark.parametrize("stream", [False, True])
def test_a_call_as_text_is_a_failed_attempt_without_a_strike(
    stage: Stage, stream: bool
) -> None:
    id = f"texts-{stream}".lower()
    second = stage.provider(f"{id}-2", model=id, price=5)
    first = stage.provider(id, writes_calls, model=id, dialects=["chat"])
    gateway = stage.serve(first, second)

    def talk(opening: str) -> str:
        messages = [{"role": "user", "content": opening}, *history()[1:]]
        body = {"model": id, "messages": messages, "tools": [TOOL], "stream": stream}
        status, headers, raw = gateway.ask(
            "POST",
            CHAT,
            json.dumps(body).encode(),
            {"content-type": "application/json"},
        )
        assert (status, b"tool_call" in raw) == (200, False)
        found = attempts(gateway, headers)
        if len(found) > 1:
            first = found[0]
            assert (first["outcome"], first["reason"]) == ("failed", "call as text")
            assert first["counted"] == 1
        return headers["x-gateway-provider"] + f" {len(found)}"

    # for its conversation at once, for all of them once it was so in two
    found = [talk(opening) for opening in ("one", "one", "two", "three")]
    assert found == [f"{id}-2 2", f"{id}-2 1", f"{id}-2 2", f"{id}-2 1"]
    sql = "select quirk from quirks where provider = ?"
    assert gateway.wait_rows(sql, bool, id) == [{"quirk": "endpoint:tools"}]
    events = "select distinct kind from events where subject like ? || '%'"
    assert gateway.rows(events, id) == [{"kind": "quirk"}]
    status, headers, _ = gateway.chat(id)
    assert (status, headers["x-gateway-provider"]) == (200, id)


def test_who_made_real_calls_loses_a_conversation_alone(stage: Stage) -> None:
    slips = iter([False, True, True, True, False])

    def look(body: dict[str, Any]) -> tuple[int, object] | None:
        if next(slips):
            return writes_calls(body)
        message = {"role": "assistant", "content": None, "tool_calls": [CALL]}
        choice = {"index": 0, "finish_reason": "tool_calls", "message": message}
        return 200, {"choices": [choice]}

    second = stage.provider("slips-2", model="m-s", price=5)
    first = stage.provider("slips", look, model="m-s", dialects=["chat"])
    gateway = stage.serve(first, second)
    served = []
    for n in range(5):
        asked = [{"role": "user", "content": f"Hello {n}!"}]
        body = {"model": "m-s", "messages": asked, "tools": [TOOL]}
        status, headers, _ = gateway.post(CHAT, body)
        served.append((status, headers["x-gateway-provider"]))
    names = ["slips", "slips-2", "slips-2", "slips-2", "slips"]
    assert served == [(200, name) for name in names]
    assert gateway.rows("select * from quirks where provider = 'slips'") == []


def test_forms_that_vanish_are_functions_from_then_on(stage: Stage) -> None:
    """Codex's tools at a server that ignores what it does not know."""

    def look(body: dict[str, Any]) -> tuple[int, object] | None:
        if all(tool["type"] == "function" for tool in body["tools"]):
            return None
        text = {"type": "output_text", "text": DSML}
        item = {"type": "message", "role": "assistant", "content": [text]}
        return 200, {"object": "response", "status": "completed", "output": [item]}

    entry = stage.provider("vanish", look, dialects=["responses"], type="openai")
    gateway = stage.serve(entry)
    custom = {"type": "custom", "name": "exec"}
    body = {"model": "m-vanish", "input": "Hello!", "tools": [custom]}
    for outcomes in (["repaired", "ok"], ["ok"]):
        status, headers, _ = gateway.post(RESPONSES, body)
        assert status == 200
        found = [one["outcome"] for one in attempts(gateway, headers)]
        assert found == outcomes
    sql = "select quirk from quirks where provider = 'vanish' order by quirk"
    assert gateway.wait_rows(sql, bool) == [
        {"quirk": "tool_type:additional_tools=lifted"},
        {"quirk": "tool_type:custom=function"},
        {"quirk": "tool_type:namespace=flat"},
    ]


# -- refusals inside an answer that calls itself good

UNKNOWN = "Unknown parameter: '{}'."
INSIDE: dict[str, Callable[[str], object]] = {
    "a code": lambda words: {"error": {"code": 400, "message": words}},
    "a type": lambda words: {"error": {"message": words, "type": "invalid_request_error"}, "choices": []},
    "MiniMax's": lambda words: {"base_resp": {"status_code": 2013, "status_msg": words}, "choices": None},
    "an aggregator's": lambda words: {"error": {"code": 400, "message": "Provider returned error", "metadata": {"raw": json.dumps(error(words, "unknown"))}}},
    "an event": lambda words: f"data: {json.dumps({'error': {'code': 400, 'message': words}})}\n\n",
}  # fmt: skip


@pytest.mark.parametrize("form", INSIDE)
def test_a_refusal_inside_a_200_teaches_or_is_told_as_if_it_were_one(
    stage: Stage, form: str
) -> None:
    id = f"in-200-{list(INSIDE).index(form)}"

    def look(body: dict[str, Any]) -> tuple[int, object] | None:
        wrong = {"metadata", "colour"} & body.keys()
        return (200, INSIDE[form](UNKNOWN.format(*sorted(wrong)))) if wrong else None

    gateway = stage.serve(stage.provider(id, look))
    asked = {"stream": True} if form == "an event" else {}
    for outcomes in (["repaired", "ok"], ["ok"]):
        status, headers, _ = gateway.chat(f"m-{id}", metadata={"a": "b"}, **asked)
        found = attempts(gateway, headers)
        assert (status, [one["outcome"] for one in found]) == (200, outcomes)
        assert {one["status"] for one in found} == {200}
    for _ in range(6):  # five strikes in a row would open a circuit
        status, headers, said = gateway.chat(f"m-{id}", colour=1, **asked)
        if isinstance(said, bytes | str):
            said = json.loads(said)
        assert (status, said["error"]["message"]) == (400, UNKNOWN.format("colour"))
        assert headers["content-type"].startswith("application/json")
        [one] = attempts(gateway, headers)
        assert one["reason"].endswith(" inside a 200")
    assert gateway.chat(f"m-{id}", **asked)[0] == 200
    assert gateway.rows("select * from events where subject like ? || '%'", id) == (
        gateway.rows("select * from events where kind = 'quirk' and subject like ? || '%'", id)
    )  # fmt: skip


@pytest.mark.parametrize(
    "said",
    [
        {"error": {"code": 500, "message": UNKNOWN.format("metadata")}},
        {"error": {"message": "no", "type": "server_error"}},
        {"error": {"type": "invalid_request_error", "code": "tool_use_failed"}},
        {"error": {"code": 400, "type": "x", "message": "Invalid API key."}},
        {"error": {"code": 400, "message": "Provider returned error"}},
    ],
)
def test_other_failures_inside_a_200_move_on(stage: Stage, said: object) -> None:
    id = f"in-200-{len(json.dumps(said))}"
    second = stage.provider(f"{id}-2", model=id, price=5)
    gateway = stage.serve(stage.provider(id, always(200, said), model=id), second)
    status, headers, _ = gateway.chat(id, metadata={"a": "b"})
    assert (status, headers["x-gateway-provider"]) == (200, f"{id}-2")
    assert "metadata" in stage.asked(f"{id}-2")[0]


# -- errors in the dialect's own shape

WORDS = 'Input should be a number, "hot" is none'
SHAPES: dict[str, tuple[int, object]] = {
    "mistral": (422, {"object": "error", "message": {"detail": [{"type": "float_parsing", "loc": ["body", "temperature"], "msg": WORDS}]}, "type": "invalid_request_error", "param": None, "code": None}),
    "gemini": (400, [{"error": {"code": 400, "message": WORDS, "status": "INVALID_ARGUMENT"}}]),
    "cloudflare": (400, {"errors": [{"message": WORDS, "code": 5006}], "success": False, "result": {}}),
    "nim": (400, {"type": "urn:x:bad-request", "title": "Bad Request", "status": 400, "detail": WORDS}),
    "on top": (422, {"message": WORDS, "type": "invalid_request_error", "param": "temperature", "code": "wrong"}),
    "fastapi": (422, {"detail": [{"loc": ["body", "temperature"], "msg": WORDS, "type": "x"}]}),
    "openrouter": (400, {"error": {"code": 400, "message": "Provider returned error", "metadata": {"raw": json.dumps({"error": {"message": WORDS}})}}}),
    "text": (400, {"error": WORDS}),
}  # fmt: skip


@pytest.mark.parametrize("path", [CHAT, MESSAGES])
@pytest.mark.parametrize("name", SHAPES)
def test_errors_have_the_dialects_shape(stage: Stage, name: str, path: str) -> None:
    status, body = SHAPES[name]
    id = f"{name.replace(' ', '-')}-{len(path)}"
    spoken = {"dialects": ["chat", "messages"]}
    gateway = stage.serve(stage.provider(id, always(status, body), **spoken))
    asked = {"model": f"m-{id}", "messages": [{"role": "user", "content": "x"}], "max_tokens": 9, "temperature": "hot"}  # fmt: skip
    got, headers, said = gateway.post(path, asked)
    assert got == status
    assert WORDS in said["error"]["message"]
    assert isinstance(said["error"]["type"], str)
    assert said.get("type") == ("error" if path == MESSAGES else None)
    if path == CHAT:
        assert all(isinstance(said["error"][k], str | None) for k in ("param", "code"))
    assert headers["x-gateway-provider"] == id
    assert headers["content-type"].startswith("application/json")
    found = row(gateway, headers)
    assert (found["provider"], found["outcome"]) == (id, "error")
    assert f"-> {id}/up: error {status}" in gateway.log()


@pytest.mark.parametrize(
    "body",
    [
        {"error": {"message": f"bad {KEY}", "type": "x"}},
        {"message": {"detail": [{"loc": ["body"], "msg": f"bad {KEY}"}]}},
        json.dumps({"message": f"bad {KEY}"}).replace("-", "\\u002d").encode(),
    ],
)
def test_keys_are_masked_in_any_shape(stage: Stage, body: object) -> None:
    gateway = stage.serve(stage.provider("shape", always(400, body)))
    status, _, said = gateway.chat("m-shape")
    assert (status, said["error"]["message"].split()[-1]) == (400, "***")


# -- who cannot take it at all


def test_a_model_that_is_not_for_this_request_is_skipped_with_the_reason(
    stage: Stage,
) -> None:
    words = "Function tools with reasoning_effort are not supported for gpt-5.4 in /v1/chat/completions. Please use /v1/responses instead."

    def script(body: dict[str, Any]) -> tuple[int, object] | None:
        both = "tools" in body and "reasoning_effort" in body
        return (400, error(words, "unsupported")) if both else None

    tool = {"type": "function", "function": {"name": "add", "parameters": {}}}
    gateway = stage.serve(stage.provider("there", script, dialects=["chat"]))
    asked = {"tools": [tool], "reasoning_effort": "low"}
    status, _, said = gateway.chat("m-there", **asked)
    assert (status, said["error"]["message"]) == (400, words), said
    status, _, said = gateway.chat("m-there", **asked)
    assert (status, said["error"]["code"]) == (400, "unsupported_request")
    assert "there/up: cannot take it: " in said["error"]["message"]
    assert len(stage.asked("there")) == 1
    assert gateway.chat("m-there", tools=[tool])[0] == 200


# -- a restart


def test_a_restart_keeps_what_was_learned(stage: Stage) -> None:
    gateway = stage.serve(stage.provider("kept", refuses_members("channel")))
    assert stage.talk("m-kept", channel="a")[0] == 200
    gateway.stop()
    gateway.start()
    status, headers, _ = stage.talk("m-kept", channel="a")
    assert (status, headers["x-gateway-attempts"]) == (200, "1")
    assert len(stage.asked("kept")) == 3


# -- statuses that speak of a key or a broken server, about a body

ITEM_ID = "input item ID does not belong to this connection"
NOT_AN_OBJECT = "'ClaudeContentBlockToolResult' object has no attribute 'id'"
ITEMS = [
    {"role": "user", "content": "Hello!"},
    {"type": "function_call", "id": "odd_1", "call_id": "call_1", "name": "add", "arguments": "{}"},
    {"type": "function_call_output", "call_id": "call_1", "output": "3"},
]  # fmt: skip
BLOCKS = [
    {"role": "user", "content": "Hello!"},
    {"role": "assistant", "content": [{"type": "tool_use", "id": "t_1", "name": "add", "input": []}]},
    {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "t_1", "content": "3"}]},
]  # fmt: skip
Body = dict[str, Any]
FAULTS: dict[str, tuple[int, object, str, Body, Callable[[Body], bool], str]] = {
    f"{status} about an item's id, {shape}": (
        status,
        body,
        RESPONSES,
        {"input": ITEMS},
        lambda body: any("id" in item for item in body["input"]),
        "id:item=out",
    )
    for status in (400, 401)
    for shape, body in (
        ("an error", {"error": {"message": ITEM_ID, "code": "invalid_request_body"}}),
        ("a message", {"message": ITEM_ID}),
        ("a text", {"error": ITEM_ID}),
    )
} | {
    "500 with Python's words": (
        500,
        {"type": "error", "error": {"type": "api_error", "message": NOT_AN_OBJECT}},
        MESSAGES,
        {"messages": BLOCKS, "max_tokens": 9},
        lambda body: isinstance(body["messages"][1]["content"][0]["input"], list),
        "call:input=object",
    )
}


@pytest.mark.parametrize("name", FAULTS)
def test_a_status_of_another_fault_teaches_and_nobody_is_blamed(
    stage: Stage, name: str
) -> None:
    status, said, path, body, refused, quirk = FAULTS[name]
    id = f"fault-{list(FAULTS).index(name)}"
    stage.scripts[id] = lambda body: (status, said) if refused(body) else None
    dialects = ["chat", "messages", "responses"]
    gateway = stage.serve(stage.provider(id, dialects=dialects))
    asked = {"model": f"m-{id}", **body}
    for outcomes in (["repaired", "ok"], ["ok"]):
        got, headers, _ = gateway.post(path, asked)
        assert got == 200
        found = attempts(gateway, headers)
        assert [one["outcome"] for one in found] == outcomes
    sql = "select quirk from quirks where provider = ?"
    assert gateway.wait_rows(sql, bool, id) == [{"quirk": quirk}]
    events = "select kind from events where subject like ? || '%'"
    assert gateway.rows(events, id) == [{"kind": "quirk"}]


@pytest.mark.parametrize(
    ("status", "words"),
    [
        (401, ITEM_ID),
        (500, NOT_AN_OBJECT),
        (500, "'>' not supported between instances of 'int' and 'NoneType'"),
        (500, "Jinja Exception: Conversation roles must alternate"),
    ],
)
def test_where_nothing_helps_another_is_asked_and_nobody_is_blamed(
    stage: Stage, status: int, words: str
) -> None:
    id = f"broken-{status}-{len(words)}"
    dialects = ["chat", "messages", "responses"]
    script = always(status, {"error": {"message": words}})
    first = stage.provider(id, script, model=id, dialects=dialects)
    second = stage.provider(f"{id}-2", model=id, price=5, dialects=dialects)
    gateway = stage.serve(first, second)
    for n in range(6):  # five strikes in a row would open a circuit
        asked = {"model": id, "input": [*ITEMS, {"role": "user", "content": str(n)}]}
        got, headers, _ = gateway.post(RESPONSES, asked)
        assert (got, headers["x-gateway-provider"]) == (200, f"{id}-2")
        assert len(stage.asked(id)) > n
    events = "select kind from events where subject like ? || '%' and kind <> 'quirk'"
    assert gateway.rows(events, id) == []
