"""A program of pydantic-ai's with its Google class. Prints what it got of each model."""

import asyncio
import json
import os
import sys

from pydantic import BaseModel
from pydantic_ai import Agent, NativeOutput
from pydantic_ai.models.google import GoogleModel
from pydantic_ai.providers.google import GoogleProvider


class Named(BaseModel):
    title: str


async def talk(name):
    url = os.environ.get("GOOGLE_GEMINI_BASE_URL")
    provider = GoogleProvider(api_key=os.environ["GEMINI_API_KEY"], base_url=url)
    model = GoogleModel(name, provider=provider)
    sums = []
    plain, adder = Agent(model, retries=0), Agent(model, retries=0)

    @adder.tool_plain
    def add(a: int, b: int) -> int:
        """Adds two numbers."""
        sums.append(a + b)
        return a + b

    called = await adder.run("40 + 2")
    history = called.all_messages()
    parallel = await adder.run(
        "And again, TWICE", message_history=history, event_stream_handler=seen
    )
    async with plain.run_stream("Hello") as streaming:
        streamed = await streaming.get_output()
    shaped = Agent(model, output_type=NativeOutput(Named), retries=0)
    return {
        "plain": (await plain.run("Hello")).output,
        "streamed": streamed,
        "called": called.output,
        "parallel": parallel.output,
        "object": (await shaped.run("A title")).output.model_dump(),
        "sums": sums,
    }


async def seen(context, events):
    """With a handler, every answer is streamed."""
    async for _ in events:
        pass


async def main():
    print(json.dumps({name: await talk(name) for name in sys.argv[1:]}))


asyncio.run(main())
