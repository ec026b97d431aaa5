"""Chat completions by OpenAI's SDK, with the loop that its readme shows. Knows no gateway."""

import json
import sys

import openai
from loop import ADD, MORE, SYSTEM, run

client = openai.OpenAI(max_retries=0)
TOOLS = [{"type": "function", "function": ADD}]


def append(job, messages):
    asked = dict(model=job["model"], messages=messages, tools=TOOLS)
    if not job["stream"]:
        message = client.chat.completions.create(**asked).choices[0].message
    else:
        with client.chat.completions.stream(**asked) as stream:
            message = stream.get_final_completion().choices[0].message
    return message, message.tool_calls or [], message.content


def dump(job, messages):
    message, calls, content = append(job, messages)
    return message.model_dump(), calls, content


def by_hand(job, messages):
    text, calls = "", {}
    asked = dict(model=job["model"], messages=messages, tools=TOOLS)
    for chunk in client.chat.completions.create(**asked, stream=True):
        if not chunk.choices:
            continue
        delta = chunk.choices[0].delta
        text += delta.content or ""
        for part in delta.tool_calls or []:
            call = calls.setdefault(
                part.index,
                {
                    "id": "",
                    "type": "function",
                    "function": {"name": "", "arguments": ""},
                },
            )
            call["id"] += part.id or ""
            call["function"]["name"] += part.function.name or ""
            call["function"]["arguments"] += part.function.arguments or ""
    message = {"role": "assistant", "content": text}
    if calls:
        message["tool_calls"] = list(calls.values())
    return message, list(calls.values()), text


WAYS = {"append": append, "dump": dump, "by_hand": by_hand}


def talk(job, add):
    ask = WAYS[sys.argv[1]]
    messages = [
        {"role": "system", "content": SYSTEM},
        {"role": "user", "content": job["text"]},
    ]
    said = []
    for _ in range(12):
        message, calls, content = ask(job, messages)
        messages.append(message)
        for call in calls:
            call = call if isinstance(call, dict) else call.model_dump()
            arguments = json.loads(call["function"]["arguments"])
            result = {"role": "tool", "tool_call_id": call["id"]}
            messages.append(result | {"content": add(**arguments)})
        if not calls:
            said.append(content)
            if len(said) == 2:
                return said
            messages.append({"role": "user", "content": MORE})
    raise RuntimeError("it never ends")


run(talk)
