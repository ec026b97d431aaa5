"""What all programs do: jobs from stdin, a line of JSON about each to stdout."""

import asyncio
import inspect
import json
import os
import sys

MORE = "Thank you!"
SYSTEM = "You add."
PARAMETERS = {
    "type": "object",
    "properties": {"a": {"type": "integer"}, "b": {"type": "integer"}},
    "required": ["a", "b"],
}
ADD = {"name": "add", "description": "Adds.", "parameters": PARAMETERS}


def run(talk):
    """talk(job, add) -> the texts of both answers; may be a coroutine function."""
    if inspect.iscoroutinefunction(talk):
        asyncio.run(_all(talk))
        return
    for job in json.load(sys.stdin):
        ran = []
        try:
            said = talk(job, _adder(ran))
            _tell(job, ran, said=said)
        except Exception as error:
            _tell(job, ran, error=repr(error)[:600])


async def _all(talk):
    for job in json.load(sys.stdin):
        ran = []
        try:
            _tell(job, ran, said=await talk(job, _adder(ran)))
        except Exception as error:
            _tell(job, ran, error=repr(error)[:600])


def _adder(ran):
    def add(a, b):
        ran.append([a, b])
        return str(a + b)

    return add


def _tell(job, ran, **more):
    print(json.dumps({"number": job["number"], "ran": ran, **more}), flush=True)


def base(path="/v1"):
    return os.environ["GATEWAY_URL"] + path
