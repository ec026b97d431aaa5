"""generateContent by Google's SDK: contents kept by hand, or its chats. Knows no gateway."""

import sys

from google import genai
from google.genai import types
from loop import ADD, MORE, SYSTEM, base, run

client = genai.Client(api_key="x", http_options={"base_url": base("")})


def config(tools):
    return types.GenerateContentConfig(system_instruction=SYSTEM, tools=tools)


def by_hand(job, add):
    contents = [types.UserContent(job["text"])]
    tools = [types.Tool(function_declarations=[ADD])]
    said = []
    for _ in range(12):
        asked = {"model": job["model"], "contents": contents, "config": config(tools)}
        parts = []
        if job["stream"]:
            for chunk in client.models.generate_content_stream(**asked):
                if chunk.candidates and chunk.candidates[0].content:
                    parts += chunk.candidates[0].content.parts or []
        else:
            parts = client.models.generate_content(**asked).candidates[0].content.parts
        contents.append(types.ModelContent(parts))
        calls = [p.function_call for p in parts if p.function_call]
        if calls:
            contents.append(types.UserContent([answered(call, add) for call in calls]))
            continue
        said.append("".join(p.text for p in parts if p.text and not p.thought))
        if len(said) == 2:
            return said
        contents.append(types.UserContent(MORE))
    raise RuntimeError("it never ends")


def answered(call, add):
    response = {"result": add(**call.args)}
    return types.Part(
        function_response=types.FunctionResponse(
            id=call.id, name=call.name, response=response
        )
    )


def in_a_chat(job, add):
    """The SDK calls the function itself."""

    def summed(a: int, b: int) -> str:
        """Adds."""
        return add(a, b)

    summed.__name__ = "add"
    chat = client.chats.create(model=job["model"], config=config([summed]))
    said = []
    for text in (job["text"], MORE):
        if job["stream"]:
            for _ in chat.send_message_stream(text):
                pass
            said.append(last_text(chat.get_history()))
        else:
            said.append(chat.send_message(text).text)
    return said


def last_text(history):
    """Each event of a stream is a content of its own there."""
    said = []
    while history[-1].role == "model" and not any(
        p.function_call for p in history[-1].parts
    ):
        said[:0] = [p.text for p in history.pop().parts if p.text and not p.thought]
    return "".join(said)


run(in_a_chat if sys.argv[1] == "chat" else by_hand)
