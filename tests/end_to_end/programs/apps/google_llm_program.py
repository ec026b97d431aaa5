"""A program of llm's with its Gemini plugin, which knows one host. Prints what it got of each
model."""

import json
import sys

import llm

FORM = {
    "type": "object",
    "properties": {"title": {"type": "string"}},
    "required": ["title"],
}


def talk(name):
    model = llm.get_model(name)
    sums = []

    def add(a: int, b: int) -> int:
        """Adds two numbers."""
        sums.append(a + b)
        return a + b

    chat = model.conversation(tools=[add])
    return {
        "plain": model.prompt("Hello", stream=False).text(),
        "streamed": "".join(model.prompt("Hello")),
        "called": "".join(chat.chain("40 + 2")),
        "parallel": "".join(chat.chain("And again, TWICE")),
        "object": json.loads(model.prompt("A title", schema=FORM).text()),
        "sums": sums,
    }


print(json.dumps({name: talk(name) for name in sys.argv[1:]}))
