// A program that uses the SDKs for Node and knows nothing of a gateway. Prints what it got.
import Anthropic from "@anthropic-ai/sdk";
import OpenAI from "openai";

const found = {};
const messages = [{ role: "user", content: "Hi" }];
const parameters = { type: "object", properties: { city: { type: "string" } } };
const tools = [{ type: "function", function: { name: "weather", parameters } }];

const openai = new OpenAI({ maxRetries: 0 });
const ask = { model: "gpt-4o-mini", messages };
const chat = openai.chat.completions;
found.plain = (await chat.create(ask)).choices[0].message.content;
found.stream = [];
for await (const chunk of await chat.create({ ...ask, stream: true })) {
  const text = chunk.choices[0]?.delta?.content;
  if (text) found.stream.push(text);
}
const call = (await chat.create({ ...ask, tools })).choices[0].message.tool_calls[0];
found.tool = [call.function.name, call.function.arguments];
const whole = await chat.stream({ ...ask, tools }).finalChatCompletion();
found.toolStreamed = whole.choices[0].message.tool_calls[0].function.arguments;
const input = { model: "gpt-4o-mini", input: "Hi" };
found.response = (await openai.responses.create(input)).output_text;
found.responseStreamed = (await openai.responses.stream(input).finalResponse()).output_text;
const embedded = await openai.embeddings.create({ ...input, model: "text-embedding-3-small" });
found.embedding = embedded.data[0].embedding;

const anthropic = new Anthropic({ maxRetries: 0 });
const message = { model: "claude-haiku-4-5", max_tokens: 64, messages };
found.claude = (await anthropic.messages.create(message)).content[0].text;
found.claudeStreamed = await anthropic.messages.stream(message).finalText();
console.log(JSON.stringify(found));
