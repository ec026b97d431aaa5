"""A provider that speaks chat alone and works as an agent's model does: it calls a tool of the
app's, and says what came of it.

What lives here: `work`, a script for a `FakeProvider`. It thinks first, always. A request
without tools that it knows gets text; `TWICE` in the user's words makes it two calls at once.
"""

import json
from typing import Any

from fakes import Answer, Received
from fakes.answers import DONE, JSON, SSE, event

COMMAND = "echo changed > a.txt; echo RAN"
SECOND = "echo changed > b.txt; echo RAN"
ARGUMENTS = {
    "functions__exec": {
        "input": f'text(await tools.exec_command({{cmd: "{COMMAND}"}}));\n'
    },
    "exec_command": {"cmd": COMMAND},
    "Bash": {"command": COMMAND, "description": "Changes a file"},
    "bash": {"command": COMMAND, "description": "Changes a file"},
    "run_commands": {"commands": [COMMAND]},
    "add": {"a": 40, "b": 2},
}
"""Tool of an app, as it comes here -> what it is called with. The first is Codex' own."""
SUMMED_UP = "What came before"
"""In a user's words: it is done, else an app that is short of context would never end."""
AGAIN = {"exec_command": {"cmd": SECOND}, "add": {"a": 1, "b": 1}}

Value = dict[str, Any]


def work(request: Received) -> Answer:
    asked = request.json()
    if not request.target.endswith("/chat/completions"):
        return Answer(status=404, headers=(JSON,), body=(b'{"error":{}}',))
    messages = [m for m in asked["messages"] if m["role"] != "system"]
    words = [json.dumps(m["content"]) for m in messages if m["role"] == "user"]
    offered = [tool["function"]["name"] for tool in asked.get("tools", ())]
    tool = next((name for name in ARGUMENTS if name in offered), None)
    calls = []
    summed_up = any(SUMMED_UP in each for each in words)
    may_call = asked.get("tool_choice") != "none" and not summed_up
    if tool is not None and may_call and messages[-1]["role"] == "user":
        calls.append((tool, ARGUMENTS[tool]))
        if tool in AGAIN and "TWICE" in words[-1]:
            calls.append((tool, AGAIN[tool]))
    text = "A title"
    if messages[-1]["role"] == "tool":
        text = f"Done: {messages[-1]['content']}"
    elif summed_up:
        text = "Done: with what came before"
    elif "response_format" in asked:
        text = '{"title": "A title"}'
    return answer(asked, request.number, text, calls)


def answer(
    asked: Value, number: int, text: str, calls: list[tuple[str, Value]]
) -> Answer:
    made = [
        {
            "id": f"call_{number}_{n}",
            "type": "function",
            "function": {"name": name, "arguments": json.dumps(given)},
        }
        for n, (name, given) in enumerate(calls)
    ]
    end = "tool_calls" if made else "stop"
    usage = {"prompt_tokens": 1200, "completion_tokens": 40, "total_tokens": 1240}
    head = {"id": f"chatcmpl-{number}", "created": 1, "model": "free-model"}
    if not asked.get("stream"):
        message: Value = {"role": "assistant", "content": None if made else text}
        message["reasoning_content"] = "Let me think."
        if made:
            message["tool_calls"] = made
        choice = {"index": 0, "message": message, "finish_reason": end}
        body = {
            **head,
            "object": "chat.completion",
            "choices": [choice],
            "usage": usage,
        }
        return Answer(headers=(JSON,), body=(json.dumps(body).encode(),))
    deltas: list[Value] = [
        {"role": "assistant", "content": ""},
        {"reasoning_content": "Let me "},
        {"reasoning_content": "think."},
    ]
    for n, call in enumerate(made):
        whole = call["function"]["arguments"]
        begun = {"name": call["function"]["name"], "arguments": ""}
        deltas.append({"tool_calls": [{**call, "index": n, "function": begun}]})
        deltas += [
            {"tool_calls": [{"index": n, "function": {"arguments": whole[i : i + 7]}}]}
            for i in range(0, len(whole), 7)
        ]
    if not made:
        deltas += [{"content": f"{word} "} for word in text.split(" ")]
    head["object"] = "chat.completion.chunk"
    chunks = [{**head, "choices": [{"index": 0, "delta": d}]} for d in deltas]
    last = {"index": 0, "delta": {}, "finish_reason": end}
    chunks.append({**head, "choices": [last]})
    chunks.append({**head, "choices": [], "usage": usage})
    return Answer(headers=(SSE,), body=(*map(event, chunks), DONE), framing="chunked")
