"""LangChain's agent over every dialect. Knows no gateway."""

import sys

from langchain.agents import create_agent
from langchain_core.tools import StructuredTool
from loop import MORE, SYSTEM, base, run


def model_of(job):
    if sys.argv[1] == "messages":
        from langchain_anthropic import ChatAnthropic

        return ChatAnthropic(
            model=job["model"],
            base_url=base(""),
            api_key="x",
            max_retries=0,
            max_tokens=999,
        )
    if sys.argv[1] == "google":
        from langchain_google_genai import ChatGoogleGenerativeAI

        return ChatGoogleGenerativeAI(
            model=job["model"], base_url=base(""), api_key="x", max_retries=0
        )
    from langchain_openai import ChatOpenAI

    responses = sys.argv[1] == "responses"
    return ChatOpenAI(
        model=job["model"],
        base_url=base(),
        api_key="x",
        max_retries=0,
        streaming=job["stream"],
        use_responses_api=responses,
        store=False if responses else None,
        include=["reasoning.encrypted_content"] if responses else None,
    )


def talk(job, add):
    def summed(a: int, b: int) -> str:
        """Adds."""
        return add(a, b)

    tool = StructuredTool.from_function(summed, name="add", description="Adds.")
    agent = create_agent(model_of(job), tools=[tool], system_prompt=SYSTEM)
    messages, said = [], []
    for text in (job["text"], MORE):
        asked = {"messages": [*messages, {"role": "user", "content": text}]}
        if job["stream"]:
            for state in agent.stream(asked, stream_mode="values"):
                messages = state["messages"]
        else:
            messages = agent.invoke(asked)["messages"]
        said.append(_text(messages[-1].content))
    return said


def _text(content):
    if isinstance(content, str):
        return content
    return "".join(
        part if isinstance(part, str) else part.get("text", "") for part in content
    )


run(talk)
