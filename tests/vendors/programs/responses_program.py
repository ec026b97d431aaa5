"""Responses by OpenAI's SDK: output items appended to the input, as its guide shows."""

import json

import openai
from loop import ADD, MORE, SYSTEM, run

client = openai.OpenAI(max_retries=0)
TOOLS = [{"type": "function", "strict": False, **ADD}]


def talk(job, add):
    items = [{"role": "user", "content": job["text"]}]
    said = []
    for _ in range(12):
        asked = {
            "model": job["model"],
            "instructions": SYSTEM,
            "input": items,
            "tools": TOOLS,
            "store": False,
            "include": ["reasoning.encrypted_content"],
        }
        if job["stream"]:
            with client.responses.stream(**asked) as stream:
                response = stream.get_final_response()
        else:
            response = client.responses.create(**asked)
        items += response.output
        calls = [item for item in response.output if item.type == "function_call"]
        for call in calls:
            output = add(**json.loads(call.arguments))
            result = {"type": "function_call_output", "call_id": call.call_id}
            items.append(result | {"output": output})
        if not calls:
            said.append(response.output_text)
            if len(said) == 2:
                return said
            items.append({"role": "user", "content": MORE})
    raise RuntimeError("it never ends")


run(talk)
