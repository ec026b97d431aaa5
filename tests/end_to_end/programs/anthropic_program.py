"""A program that uses Anthropic's SDK and knows nothing of a gateway. Prints what it got."""

import asyncio
import json

import anthropic

MESSAGES = [{"role": "user", "content": "Hi"}]
ASK = {"model": "claude-haiku-4-5", "max_tokens": 64, "messages": MESSAGES}
SCHEMA = {"type": "object", "properties": {"city": {"type": "string"}}}
TOOLS = {"tools": [{"name": "weather", "input_schema": SCHEMA}]}

found = {}
client = anthropic.Anthropic(max_retries=0)

raw = client.messages.with_raw_response.create(**ASK)
found["served by"] = raw.headers["x-gateway-provider"]
answer = raw.parse()
found["plain"] = answer.content[0].text
found["usage"] = [answer.usage.input_tokens, answer.usage.output_tokens]

block = client.messages.create(**ASK, **TOOLS).content[0]
found["tool"] = [block.name, block.input]

with client.messages.stream(**ASK) as stream:
    pieces = list(stream.text_stream)
    whole = stream.get_final_message()
found["stream"] = [pieces, whole.usage.output_tokens]

with client.messages.stream(**ASK, **TOOLS) as stream:
    whole = stream.get_final_message()
found["tool streamed"] = [whole.content[0].name, whole.content[0].input]
found["stop reason"] = whole.stop_reason

beta = client.beta.messages.create(**ASK, betas=["context-1m-2025-08-07"])
found["beta"] = beta.content[0].text
try:
    count = client.messages.count_tokens(model=ASK["model"], messages=MESSAGES)
    found["count"] = count.input_tokens
except anthropic.InternalServerError as e:
    found["count"] = e.body["error"]["type"]

try:
    client.messages.create(**{**ASK, "model": "spent"})
except anthropic.RateLimitError as e:
    found["spent"] = e.body["error"]["type"]


async def concurrently():
    async with anthropic.AsyncAnthropic(max_retries=0) as client:

        async def plain():
            return (await client.messages.create(**ASK)).content[0].text

        async def streamed():
            async with client.messages.stream(**ASK) as stream:
                return await stream.get_final_text()

        return await asyncio.gather(plain(), streamed(), plain(), streamed())


found["async"] = asyncio.run(concurrently())
client.close()
print(json.dumps(found))
