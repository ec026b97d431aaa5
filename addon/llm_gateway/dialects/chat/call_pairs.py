"""Calls and results of a chat history, in the pairs that a provider takes.

    tools:paired        calls without a result, and results without a call, go
    tools:single        parallel calls one by one, each with its result
    tools:arguments     arguments that are no JSON object are put into one

Runs before ids and members are fitted: a result is known by the id that its call came with.
"""

import json

from llm_gateway.adaptation.vocabulary import Quirks
from llm_gateway.dialects.chat.turns import (
    Message,
    Messages,
    Notes,
    calls_of,
    function_of,
    note,
    role_of,
)


def adapt_calls(messages: Messages, quirks: Quirks, notes: Notes) -> Messages:
    if quirks.value("tools", "arguments") is not None:
        messages = [_readable(m, notes) for m in messages]
    if quirks.value("tools", "paired") is not None:
        messages = _paired(messages, notes)
    if quirks.value("tools", "single") is not None:
        messages = _one_by_one(messages, quirks, notes)
    return messages


def _readable(message: object, notes: Notes) -> object:
    if not calls_of(message) or not isinstance(message, dict):
        return message
    calls = []
    changed = False
    for call in message["tool_calls"]:
        said = function_of(call).get("arguments") if isinstance(call, dict) else None
        if isinstance(said, str) and not _is_object(said):
            whole = json.dumps({"arguments": said}) if said.strip() else "{}"
            call = {**call, "function": {**function_of(call), "arguments": whole}}
            changed = True
        calls.append(call)
    if not changed:
        return message
    note(notes, "arguments", "in a JSON object")
    return {**message, "tool_calls": calls}


def _is_object(text: str) -> bool:
    try:
        return isinstance(json.loads(text), dict)
    except (ValueError, RecursionError):
        return False


def _runs(messages: Messages) -> list[tuple[object, Messages]]:
    """Each message that is no result, with the results that follow it."""
    runs: list[tuple[object, Messages]] = []
    for message in messages:
        if role_of(message) == "tool" and runs:
            runs[-1][1].append(message)
        else:
            runs.append((message, []))
    return runs


def _take(results: Messages, id: object) -> object:
    """The first result for this id, which leaves the list; None: there is none."""
    for n, result in enumerate(results):
        if result.get("tool_call_id") == id:
            return results.pop(n)
    return None


def _paired(messages: Messages, notes: Notes) -> Messages:
    """The last turn's calls may still wait for their results."""
    adapted: Messages = []
    runs = _runs(messages)
    for at, (message, results) in enumerate(runs):
        left = list(results)
        calls, answers = [], []
        waiting = not results and at + 1 == len(runs)
        for call in calls_of(message):
            answer = None if waiting else _take(left, call.get("id"))
            if answer is not None or waiting:
                calls.append(call)
            if answer is not None:
                answers.append(answer)
        if isinstance(message, dict) and len(calls) < len(calls_of(message)):
            note(notes, "tool_calls", "without those that have no result")
            message = {**message, "tool_calls": calls}
            if not calls:
                del message["tool_calls"]
                if not message.get("content"):
                    continue
        if left:
            note(notes, "tool results", "without those that have no call")
        if role_of(message) == "tool":
            note(notes, "tool results", "without those that have no call")
        else:
            adapted += [message, *answers]
    return adapted or messages


def _one_by_one(messages: Messages, quirks: Quirks, notes: Notes) -> Messages:
    wanted = quirks.value("reasoning", "wanted")
    adapted: Messages = []
    for message, results in _runs(messages):
        calls = calls_of(message)
        if len(calls) < 2 or not isinstance(message, dict):
            adapted += [message, *results]
            continue
        note(notes, "tool_calls", "one by one")
        left = list(results)
        for n, call in enumerate(calls):
            turn: Message = {**message, "tool_calls": [call]}
            if n:
                turn = {"role": "assistant", "content": "", "tool_calls": [call]}
                if wanted and wanted in message:
                    turn[wanted] = message[wanted]
            adapted.append(turn)
            if (answer := _take(left, call.get("id"))) is not None:
                adapted.append(answer)
        adapted += left
    return adapted
