"""Messages by Anthropic's SDK, with the loop that its readme shows. Knows no gateway."""

import sys

import anthropic
from loop import MORE, PARAMETERS, SYSTEM, run

client = anthropic.Anthropic(max_retries=0)
TOOLS = [{"name": "add", "description": "Adds.", "input_schema": PARAMETERS}]
THINKING = {
    "none": {},
    "enabled": {"thinking": {"type": "enabled", "budget_tokens": 1024}},
    "adaptive": {"thinking": {"type": "adaptive"}},
}


def talk(job, add):
    messages = [{"role": "user", "content": job["text"]}]
    said = []
    for _ in range(12):
        asked = {
            "model": job["model"],
            "max_tokens": 4000,
            "system": SYSTEM,
            "messages": messages,
            "tools": TOOLS,
            **THINKING[sys.argv[1]],
        }
        if job["stream"]:
            with client.messages.stream(**asked) as stream:
                message = stream.get_final_message()
        else:
            message = client.messages.create(**asked)
        messages.append({"role": "assistant", "content": message.content})
        results = [
            {"type": "tool_result", "tool_use_id": b.id, "content": add(**b.input)}
            for b in message.content
            if b.type == "tool_use"
        ]
        if not results:
            said.append("".join(b.text for b in message.content if b.type == "text"))
            if len(said) == 2:
                return said
            results = MORE
        messages.append({"role": "user", "content": results})
    raise RuntimeError("it never ends")


run(talk)
