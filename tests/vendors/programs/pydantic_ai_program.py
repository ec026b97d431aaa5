"""pydantic-ai's agent over every dialect. Knows no gateway."""

import sys

from loop import MORE, SYSTEM, base, run
from pydantic_ai import Agent


def model_of(job):
    if sys.argv[1] == "messages":
        from pydantic_ai.models.anthropic import AnthropicModel
        from pydantic_ai.providers.anthropic import AnthropicProvider

        provider = AnthropicProvider(api_key="x", base_url=base(""))
        return AnthropicModel(job["model"], provider=provider)
    if sys.argv[1] == "google":
        from pydantic_ai.models.google import GoogleModel
        from pydantic_ai.providers.google import GoogleProvider

        provider = GoogleProvider(api_key="x", base_url=base(""))
        return GoogleModel(job["model"], provider=provider)
    from pydantic_ai.models.openai import OpenAIChatModel, OpenAIResponsesModel
    from pydantic_ai.providers.openai import OpenAIProvider

    provider = OpenAIProvider(base_url=base(), api_key="x")
    if sys.argv[1] == "responses":
        return OpenAIResponsesModel(job["model"], provider=provider)
    return OpenAIChatModel(job["model"], provider=provider)


async def seen(context, events):
    """With a handler, every answer is streamed."""
    async for _ in events:
        pass


async def talk(job, add):
    agent = Agent(model_of(job), system_prompt=SYSTEM, retries=0)

    @agent.tool_plain(name="add")
    def summed(a: int, b: int) -> str:
        """Adds."""
        return add(a, b)

    history, said = [], []
    for text in (job["text"], MORE):
        handler = seen if job["stream"] else None
        result = await agent.run(
            text, message_history=history, event_stream_handler=handler
        )
        said.append(result.output)
        history = result.all_messages()
    return said


run(talk)
