"""A schema for providers that give JSON and follow none: as an instruction, native or translated."""

import pytest

from llm_gateway.translation.instructions import schema_instruction
from translation.samples import BASE, SCHEMA
from translation.test_known_faults import adapted, request

FORMAT = {
    "type": "json_schema",
    "json_schema": {"name": "a", "strict": True, "schema": SCHEMA},
}
QUIRK = "format:json_schema=json_object"


@pytest.mark.parametrize(
    ("system", "expected"),
    [
        ([], schema_instruction(SCHEMA)),
        (["Be brief."], "Be brief.\n\n" + schema_instruction(SCHEMA)),
    ],
)
def test_the_schema_becomes_an_instruction(system, expected):
    messages = [{"role": "system", "content": said} for said in system]
    messages += BASE["chat"]["messages"]
    sent = adapted("chat", {"messages": messages, "response_format": FORMAT}, QUIRK)
    assert sent["response_format"] == {"type": "json_object"}
    assert sent["messages"] == [
        {"role": "system", "content": expected},
        *BASE["chat"]["messages"],
    ]


def test_other_formats_and_providers_stay():
    plain = {**BASE["chat"], "response_format": {"type": "json_object"}}
    assert adapted("chat", plain, QUIRK) == plain
    schema = {**BASE["chat"], "response_format": FORMAT}
    assert adapted("chat", schema, "content:text") == schema


def test_messages_clients_get_the_same():
    config = {"format": {"type": "json_schema", "schema": SCHEMA}}
    made = request("chat", "messages", output_config=config)
    assert made.body["response_format"]["json_schema"]["strict"] is True
    sent = adapted("chat", made.body, QUIRK)
    assert sent["response_format"] == {"type": "json_object"}
    assert sent["messages"][0]["content"] == schema_instruction(SCHEMA)


def test_a_schema_that_is_not_strict_is_an_instruction_in_messages():
    loose = {"type": "json_schema", "json_schema": {"name": "a", "schema": SCHEMA}}
    made = request("messages", "chat", response_format=loose)
    assert made.body["system"] == schema_instruction(SCHEMA)
    assert "output_config" not in made.body
    assert (
        "structured output",
        "the schema as an instruction",
    ) in made.adaptation.approximated
