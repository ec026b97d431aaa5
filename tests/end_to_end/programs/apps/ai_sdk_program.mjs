// A program of the AI SDK that knows nothing of a gateway. Prints what it got.
import { openai } from "@ai-sdk/openai";
import { generateObject, generateText, jsonSchema, stepCountIs, streamText, tool } from "ai";

const sums = [];
const add = tool({
  description: "Adds two numbers.",
  inputSchema: jsonSchema({
    type: "object",
    properties: { a: { type: "number" }, b: { type: "number" } },
    required: ["a", "b"],
    additionalProperties: false,
  }),
  execute: async ({ a, b }) => (sums.push(a + b), a + b),
});
const model = openai("gpt-5");
const ask = { model, tools: { add }, stopWhen: stepCountIs(3) };

const plain = await generateText({ ...ask, prompt: "40 + 2" });
const stream = streamText({
  ...ask,
  prompt: "40 + 2, TWICE",
  providerOptions: { openai: { reasoningSummary: "auto" } },
});
let streamed = "";
for await (const piece of stream.textStream) streamed += piece;
const thought = (await stream.steps).map((step) => step.reasoningText ?? "").join("|");
const messages = [
  { role: "user", content: "40 + 2" },
  ...plain.response.messages,
  { role: "user", content: "And again" },
];
const again = await generateText({ ...ask, messages });
const schema = jsonSchema({
  type: "object",
  properties: { title: { type: "string" } },
  required: ["title"],
  additionalProperties: false,
});
const { object } = await generateObject({ model, schema, prompt: "A title" });
console.log(JSON.stringify({ plain: plain.text, streamed, thought, again: again.text, sums, object }));
