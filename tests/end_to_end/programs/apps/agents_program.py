"""A program of OpenAI's Agents SDK that knows nothing of a gateway. Prints what it got."""

import asyncio
import json

from agents import Agent, Runner, function_tool, set_tracing_disabled

set_tracing_disabled(True)
sums = []


@function_tool
def add(a: int, b: int) -> int:
    """Adds two numbers."""
    sums.append(a + b)
    return a + b


agent = Agent(name="Adder", instructions="Add.", model="gpt-5", tools=[add])


async def main():
    plain = (await Runner.run(agent, "40 + 2")).final_output
    streamed = Runner.run_streamed(agent, "40 + 2, TWICE")
    async for _ in streamed.stream_events():
        pass
    history = [*streamed.to_input_list(), {"role": "user", "content": "And again"}]
    again = (await Runner.run(agent, history)).final_output
    turns = [plain, streamed.final_output, again]
    print(json.dumps({"turns": turns, "sums": sums}))


asyncio.run(main())
