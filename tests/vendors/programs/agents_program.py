"""The Agents SDK over chat completions or Responses. Knows no gateway."""

import sys

from agents import (
    Agent,
    ModelSettings,
    OpenAIChatCompletionsModel,
    OpenAIResponsesModel,
    Runner,
    function_tool,
)
from loop import MORE, SYSTEM, base, run
from openai import AsyncOpenAI

client = AsyncOpenAI(base_url=base(), api_key="x", max_retries=0)
MODELS = {"chat": OpenAIChatCompletionsModel, "responses": OpenAIResponsesModel}


async def talk(job, add):
    @function_tool(name_override="add", failure_error_function=None)
    def summed(a: int, b: int) -> str:
        """Adds."""
        return add(a, b)

    model = MODELS[sys.argv[1]](model=job["model"], openai_client=client)
    sealed = {"store": False, "response_include": ["reasoning.encrypted_content"]}
    settings = ModelSettings(**(sealed if sys.argv[1] == "responses" else {}))
    agent = Agent(
        name="adder",
        instructions=SYSTEM,
        model=model,
        tools=[summed],
        model_settings=settings,
    )
    history, said = [], []
    for text in (job["text"], MORE):
        asked = [*history, {"role": "user", "content": text}]
        if job["stream"]:
            result = Runner.run_streamed(agent, asked)
            async for _ in result.stream_events():
                pass
        else:
            result = await Runner.run(agent, asked)
        said.append(result.final_output)
        history = result.to_input_list()
    return said


run(talk)
