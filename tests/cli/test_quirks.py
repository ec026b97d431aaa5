"""What refusals taught, listed and forgotten from the command line, with a gateway and without."""

import json
import re
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from fakes import Answer, FakeProvider, Received, answers, refused_port

from gateway import GatewayProcess, chat, provider
from llm_gateway.cli.quirks import HEAD, NONE

from .conftest import Command

REFUSAL = "property 'channel' is unsupported \x1b[31m"
TURNS = [
    {"role": "user", "content": "Hello!"},
    {"role": "assistant", "content": "Hi.", "channel": "final"},
    {"role": "user", "content": "And?"},
]


def refuses(request: Received) -> Answer:
    """What it says depends on who is asked: a member on top, or of a turn."""
    asked = request.json()
    if any("channel" in message for message in asked["messages"]):
        words = REFUSAL
    elif "store" in asked:
        words = "Unknown parameter: 'store'."
    else:
        return answers.ok("fine")(request)
    error = {"message": words, "type": "invalid_request_error"}
    return Answer(400, (answers.JSON,), (json.dumps({"error": error}).encode(),))


@pytest.fixture(scope="module")
def taught(
    tmp_path_factory: pytest.TempPathFactory, confdir: Path
) -> Iterator[GatewayProcess]:
    """A gateway that has learned of three models, two of one provider."""
    with FakeProvider(refuses) as fake:
        config = {
            "providers": [
                provider(fake, "groq", "llama-3.3-70b-versatile", "qwen", free=True),
                provider(fake, "mistral", "small", free=True),
            ]
        }
        folder = tmp_path_factory.mktemp("taught")
        with GatewayProcess(folder, config, confdir=confdir) as gateway:
            yield gateway


@pytest.fixture
def learned(
    taught: GatewayProcess, monkeypatch: pytest.MonkeyPatch, folder: Path
) -> GatewayProcess:
    """As the environment names it, with all that it can learn."""
    for model in ("llama-3.3-70b-versatile", "qwen"):
        assert taught.chat(model, messages=TURNS)[0] == 200
    assert taught.post("/v1/chat/completions", chat("small", store=True))[0] == 200
    taught.wait_rows(
        "select provider, model from quirks where uses > 0 group by 1, 2",
        lambda rows: len(rows) == 3,
    )
    monkeypatch.setenv("PORT", str(taught.port))
    monkeypatch.setenv("LLM_GATEWAY_HOME", str(taught.home))
    monkeypatch.setenv("LLM_GATEWAY_DB", str(taught.database))
    return taught


def offline(db: Path, *rows: tuple[str, str]) -> Path:
    """A ledger that no gateway writes, with a lesson for each (provider, model)."""
    with closing(sqlite3.connect(db)) as connection, connection:
        connection.execute(
            "CREATE TABLE quirks (provider, model, dialect, quirk, says, learned_at,"
            " wording, words, address, uses)"
        )
        connection.executemany(
            "INSERT INTO quirks VALUES (?, ?, 'chat', 'member:store', 'without `store`',"
            " '2026-11-28T10:00:00.000Z', 7, '', 'http://x', 1200)",
            rows,
        )
    return db


def left(db: Path) -> list[str]:
    with closing(sqlite3.connect(db)) as connection:
        sql = "SELECT provider || '/' || model FROM quirks ORDER BY 1"
        return [name for (name,) in connection.execute(sql)]


# -- the list


def test_a_table_with_what_each_refusal_taught(
    learned: GatewayProcess, command: Command
) -> None:
    code, said, wrong = command("quirks")
    assert (code, wrong) == (0, "")
    head, rule, *rows = said.splitlines()
    assert head.split() == [*HEAD[:-1], "requests", "go"]
    starts = [found.start() for found in re.finditer("-+", rule)]
    lessons = [row for row in rows if not row.startswith(" ")]
    for row in lessons:
        cells = [
            row[a:b].strip() for a, b in zip(starts, [*starts[1:], None], strict=True)
        ]
        assert row[starts[1] - 2 : starts[1]] == "  "
        assert re.fullmatch(r"\d{4}-\d\d-\d\d", cells[3])
        assert cells[4] >= "1"
        assert cells[5].startswith(("with ", "without "))
    assert [row.split()[:3] for row in lessons] == [
        ["groq", "llama-3.3-70b-versatile", "chat"],
        ["groq", "llama-3.3-70b-versatile", "chat"],
        ["groq", "qwen", "chat"],
        ["groq", "qwen", "chat"],
        ["mistral", "small", "chat"],
    ]
    refusals = [row.strip() for row in rows if row.startswith(" ")]
    assert len(refusals) == 3
    assert refusals[2] == "it had refused: Unknown parameter: 'store'."
    assert "\x1b" not in said


def test_rows_for_programs(learned: GatewayProcess, command: Command) -> None:
    code, said, _ = command("quirks", "list", "--json")
    rows = json.loads(said)
    assert (code, len(rows)) == (0, 5)
    assert {"provider", "model", "dialect", "quirk", "says", "uses"} <= set(rows[0])


def test_wide_names_and_large_numbers_stay_aligned(
    command: Command, folder: Path
) -> None:
    offline(folder / "usage.db", ("p", "a" * 70), ("much-longer", "m"))
    rows = command("quirks")[1].splitlines()
    assert {row.index("chat") for row in rows[2:]} == {rows[0].index("dialect")}
    for row in rows[2:]:
        assert row.index("1,200") + 5 == rows[0].index("used") + 4


@pytest.mark.parametrize("tables", ["", "CREATE TABLE requests (id)"])
def test_nothing_was_learned(command: Command, folder: Path, tables: str) -> None:
    if tables:
        with closing(sqlite3.connect(folder / "usage.db")) as connection:
            connection.execute(tables)
    else:
        offline(folder / "usage.db")
    assert command("quirks") == (0, f"{NONE}\n", "")
    assert command("quirks", "--json") == (0, "[]\n", "")
    code, said, wrong = command("quirks", "forget", "groq")
    assert (code, said) == (1, "")
    assert wrong == "llm-gateway: nothing was learned of groq, nor of anybody else\n"


@pytest.mark.parametrize("asked", [[], ["forget", "groq"]])
def test_no_ledger(command: Command, folder: Path, asked: list[str]) -> None:
    code, said, wrong = command("quirks", *asked)
    assert (code, said) == (1, "")
    assert "usage.db does not exist" in wrong
    assert "--db FILE" in wrong
    assert not (folder / "usage.db").exists()
    (folder / "usage.db").write_text("no ledger, but a text of some length" * 40)
    code, said, wrong = command("quirks", *asked)
    assert (code, said) == (1, "")
    assert "usage.db is not a ledger" in wrong


@pytest.mark.parametrize(
    "asked", [["forget"], ["list", "groq"], ["groq"], ["forget", "a", "b", "c"]]
)
def test_arguments_that_are_none(command: Command, asked: list[str]) -> None:
    code, said, wrong = command("quirks", *asked)
    assert (code, said) == (2, "")
    assert "forget" in wrong or "unrecognized" in wrong


# -- forgetting

UNKNOWN = [
    (["gorq"], 'nothing was learned of gorq; did you mean "groq"?'),
    (["nobody"], "nothing was learned of nobody, only of groq, mistral"),
    (["groq", "qwne"], 'nothing was learned of groq/qwne; did you mean "qwen"?'),
    (["mistral", "zzzzzzzz"], "nothing was learned of mistral/zzzzzzzz, only of small"),
    (["mistrall", "small"], 'nothing was learned of mistrall/small; did you mean "mistral"?'),
    (["a\x1b[31m"], "nothing was learned of a?[31m, only of groq, mistral"),
]  # fmt: skip


@pytest.mark.parametrize(("names", "said"), UNKNOWN)
def test_an_unknown_name(
    learned: GatewayProcess, command: Command, names: list[str], said: str
) -> None:
    asked = command("quirks", "forget", *names)
    assert asked == (1, "", f"llm-gateway: {said}\n")


@pytest.mark.parametrize(("names", "said"), UNKNOWN)
def test_an_unknown_name_where_no_gateway_runs(
    command: Command, folder: Path, names: list[str], said: str
) -> None:
    offline(folder / "usage.db", ("groq", "qwen"), ("mistral", "small"))
    asked = command("quirks", "forget", *names)
    assert asked == (1, "", f"llm-gateway: {said}\n")


def test_a_running_gateway_forgets_at_once(
    learned: GatewayProcess, command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert command("quirks", "forget", "groq", "qwen") == (
        0,
        "2 forgotten of groq/qwen.\n",
        "",
    )
    # its file need not be in reach
    monkeypatch.setenv("LLM_GATEWAY_DB", "elsewhere.db")
    assert command("quirks", "forget", "groq") == (0, "2 forgotten of groq.\n", "")
    code, _, wrong = command("quirks", "forget", "groq")
    assert (code, wrong.split(",")[0]) == (
        1,
        "llm-gateway: nothing was learned of groq",
    )
    _, headers, _ = learned.chat("qwen", messages=TURNS)
    assert headers["x-gateway-attempts"] == "2"


def test_a_gateway_that_listens_elsewhere(
    learned: GatewayProcess,
    command: Command,
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with refused_port() as port:
        asked = command("quirks", "forget", "groq", "--port", str(port))
    assert (asked[0], asked[1]) == (1, "")
    assert "listens elsewhere: --port PORT" in asked[2]
    monkeypatch.setenv("LLM_GATEWAY_HOME", str(folder / "another"))
    code, _, wrong = command("quirks", "forget", "groq")
    assert (code, "token" in wrong) == (1, True)


@pytest.mark.parametrize(
    ("names", "said", "rest"),
    [
        (["groq"], "2 forgotten of groq.", ["mistral/small"]),
        (["groq", "qwen"], "1 forgotten of groq/qwen.", ["groq/llama", "mistral/small"]),
    ],
)  # fmt: skip
def test_the_file_is_written_where_no_gateway_runs(
    command: Command, folder: Path, names: list[str], said: str, rest: list[str]
) -> None:
    db = offline(folder / "l.db", ("groq", "qwen"), ("groq", "llama"), ("mistral", "small"))  # fmt: skip
    asked = command("quirks", "forget", *names, "--db", str(db))
    assert asked == (0, f"{said}\n", "")
    assert left(db) == rest


# -- the doctor


def test_the_doctor_names_them(learned: GatewayProcess, command: Command) -> None:
    _, said, _ = command("doctor", "--offline", "--db", str(learned.database))
    rows = [line.split(maxsplit=2) for line in said.splitlines()]
    assert [row[2] for row in rows if row[:2] == ["note", "quirks"]] == [
        "groq: requests go with the core members of messages only; without "
        "messages[].channel (llm-gateway quirks)",
        "mistral: requests go without `store` (llm-gateway quirks)",
    ]
    assert "\x1b" not in said
