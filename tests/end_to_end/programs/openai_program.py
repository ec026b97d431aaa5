"""A program that uses OpenAI's SDK and knows nothing of a gateway. Prints what it got."""

import asyncio
import json

import openai

MODEL = "gpt-4o-mini"
ASK = {"model": MODEL, "messages": [{"role": "user", "content": "Hi"}]}
PARAMETERS = {"type": "object", "properties": {"city": {"type": "string"}}}
WEATHER = {"name": "weather", "parameters": PARAMETERS}
TOOLS = {"tools": [{"type": "function", "function": WEATHER}]}
FLAT_TOOLS = {"tools": [{"type": "function", "strict": False, **WEATHER}]}

found = {}
client = openai.OpenAI(max_retries=0)

raw = client.chat.completions.with_raw_response.create(**ASK)
found["served by"] = raw.headers["x-gateway-provider"]
answer = raw.parse()
found["plain"] = answer.choices[0].message.content
found["model"] = answer.model
found["usage"] = answer.usage.total_tokens

chunks = list(client.chat.completions.create(**ASK, stream=True))
found["stream"] = [
    c.choices[0].delta.content for c in chunks if c.choices[0].delta.content
]
found["usage unasked"] = [c.usage for c in chunks if c.usage]
options = {"include_usage": True}
chunks = list(
    client.chat.completions.create(**ASK, stream=True, stream_options=options)
)
found["usage asked"] = [c.usage.total_tokens for c in chunks if c.usage]

call = client.chat.completions.create(**ASK, **TOOLS).choices[0].message.tool_calls[0]
found["tool"] = [call.function.name, call.function.arguments]
pieces = [
    chunk.choices[0].delta.tool_calls[0].function
    for chunk in client.chat.completions.create(**ASK, **TOOLS, stream=True)
    if chunk.choices and chunk.choices[0].delta.tool_calls
]
found["tool streamed"] = [pieces[0].name, "".join(p.arguments for p in pieces)]

raw_embedding = client.embeddings.with_raw_response.create(
    model="text-embedding-3-small", input="Hi"
)
found["embedding"] = raw_embedding.parse().data[0].embedding
found["completion"] = (
    client.completions.create(model=MODEL, prompt="Hi").choices[0].text
)
found["completion streamed"] = [
    chunk.choices[0].text
    for chunk in client.completions.create(model=MODEL, prompt="Hi", stream=True)
    if chunk.choices
]

response = client.responses.create(model=MODEL, input="Hi")
found["response"] = [response.output_text, response.usage.total_tokens]
item = client.responses.create(model=MODEL, input="Hi", **FLAT_TOOLS).output[0]
found["response tool"] = [item.name, item.arguments]
with client.responses.stream(model=MODEL, input="Hi") as stream:
    deltas = [e.delta for e in stream if e.type == "response.output_text.delta"]
    whole = stream.get_final_response()
found["response streamed"] = [deltas, whole.output_text, whole.usage.total_tokens]
with client.responses.stream(model=MODEL, input="Hi", **FLAT_TOOLS) as stream:
    item = stream.get_final_response().output[0]
found["response tool streamed"] = [item.name, item.arguments]

try:
    found["models"] = sorted(model.id for model in client.models.list())[:2]
except openai.InternalServerError as e:
    found["models"] = e.code

try:
    client.chat.completions.create(**{**ASK, "model": "spent"})
except openai.RateLimitError as e:
    found["spent"] = e.code


async def concurrently():
    async with openai.AsyncOpenAI(max_retries=0) as client:

        async def plain():
            answer = await client.chat.completions.create(**ASK)
            return answer.choices[0].message.content

        async def streamed():
            pieces = await client.chat.completions.create(**ASK, stream=True)
            return "".join([c.choices[0].delta.content or "" async for c in pieces])

        return await asyncio.gather(plain(), streamed(), plain(), streamed())


found["async"] = asyncio.run(concurrently())
client.close()
print(json.dumps(found))
