"""A program of Google's SDK that knows nothing of a gateway. Prints what it got of each model."""

import json
import sys

from google import genai
from google.genai import types


def talk(client, model):
    """A question, a stream, a tool, two calls at once, an answer in a form."""
    ask, stream = client.models.generate_content, client.models.generate_content_stream
    sums = []

    def add(a: int, b: int) -> int:
        """Adds two numbers."""
        sums.append(a + b)
        return a + b

    said = {
        "plain": ask(model=model, contents="Hello").text,
        "streamed": "".join(
            chunk.text or "" for chunk in stream(model=model, contents="Hello")
        ),
    }
    chat = client.chats.create(model=model, config={"tools": [add]})
    said["called"] = chat.send_message("40 + 2").text
    said["again"] = chat.send_message("And again, TWICE").text
    said["parallel"] = by_hand(stream, model)
    schema = {
        "type": "object",
        "properties": {"title": {"type": "string"}},
        "required": ["title"],
        "additionalProperties": False,
    }
    config = {
        "response_mime_type": "application/json",
        "response_json_schema": schema,
    }
    shaped = ask(model=model, contents="A title", config=config)
    said["object"] = json.loads(shaped.text)
    said["sums"] = sums
    return said


def by_hand(stream, model):
    """Two calls in a stream, and their results without ids, as older SDKs send them."""
    numbers = types.Schema(
        type="OBJECT",
        properties={"a": {"type": "INTEGER"}, "b": {"type": "INTEGER"}},
    )
    tool = types.FunctionDeclaration(name="add", parameters=numbers)
    config = {"tools": [types.Tool(function_declarations=[tool])]}
    contents = [types.UserContent("40 + 2, TWICE")]
    while True:
        parts = []
        for chunk in stream(model=model, contents=contents, config=config):
            parts += chunk.candidates[0].content.parts or []
        calls = [p.function_call for p in parts if p.function_call]
        if not calls:
            return "".join(p.text for p in parts if p.text and not p.thought)
        contents.append(types.ModelContent(parts))
        contents.append(
            types.UserContent(
                [
                    types.Part.from_function_response(
                        name=c.name, response={"result": c.args["a"] + c.args["b"]}
                    )
                    for c in calls
                ]
            )
        )


if __name__ == "__main__":
    print(json.dumps({name: talk(genai.Client(), name) for name in sys.argv[1:]}))
