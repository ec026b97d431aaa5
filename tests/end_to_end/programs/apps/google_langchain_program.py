"""A program of LangChain's with its Google class. Prints what it got of each model."""

import json
import sys

from langchain.agents import create_agent
from langchain_core.tools import StructuredTool
from langchain_google_genai import ChatGoogleGenerativeAI
from pydantic import BaseModel


class Named(BaseModel):
    title: str


def talk(name):
    model = ChatGoogleGenerativeAI(model=name, max_retries=0)
    sums = []

    def add(a: int, b: int) -> int:
        """Adds two numbers."""
        sums.append(a + b)
        return a + b

    agent = create_agent(model, tools=[StructuredTool.from_function(add)])
    called = agent.invoke({"messages": [{"role": "user", "content": "40 + 2"}]})
    again = {"role": "user", "content": "And again, TWICE"}
    for state in agent.stream(
        {"messages": [*called["messages"], again]}, stream_mode="values"
    ):
        parallel = state["messages"][-1]
    return {
        "plain": model.invoke("Hello").text,
        "streamed": "".join(chunk.text for chunk in model.stream("Hello")),
        "called": called["messages"][-1].text,
        "parallel": parallel.text,
        "object": model.with_structured_output(Named, method="json_schema")
        .invoke("A title")
        .model_dump(),
        "sums": sums,
    }


print(json.dumps({name: talk(name) for name in sys.argv[1:]}))
