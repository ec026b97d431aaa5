// A program of Google's SDK for Node that knows nothing of a gateway. Prints what it got of
// each model.
import { GoogleGenAI, Type } from "@google/genai";

const client = new GoogleGenAI({ apiKey: process.env.GEMINI_API_KEY });
const numbers = {
  type: Type.OBJECT,
  properties: { a: { type: Type.INTEGER }, b: { type: Type.INTEGER } },
  required: ["a", "b"],
};
const tools = [{ functionDeclarations: [{ name: "add", description: "Adds.", parameters: numbers }] }];

// The SDK's chat, streamed: one question, the calls that come, and their results.
async function called(model, question, sums) {
  const chat = client.chats.create({ model, config: { tools } });
  let message = question;
  for (;;) {
    let text = "";
    const calls = [];
    for await (const chunk of await chat.sendMessageStream({ message })) {
      text += chunk.text ?? "";
      calls.push(...(chunk.functionCalls ?? []));
    }
    if (!calls.length) return text;
    message = calls.map(({ id, name, args }) => {
      sums.push(args.a + args.b);
      return { functionResponse: { id, name, response: { output: args.a + args.b } } };
    });
  }
}

async function talk(model) {
  const sums = [];
  const plain = await client.models.generateContent({ model, contents: "Hello" });
  let streamed = "";
  for await (const chunk of await client.models.generateContentStream({ model, contents: "Hello" }))
    streamed += chunk.text ?? "";
  const form = {
    type: "object",
    properties: { title: { type: "string" } },
    required: ["title"],
    additionalProperties: false,
  };
  const shaped = await client.models.generateContent({
    model,
    contents: "A title",
    config: { responseMimeType: "application/json", responseJsonSchema: form },
  });
  return {
    plain: plain.text,
    streamed,
    called: await called(model, "40 + 2", sums),
    parallel: await called(model, "40 + 2, TWICE", sums),
    object: JSON.parse(shaped.text),
    sums,
  };
}

const said = {};
for (const model of process.argv.slice(2)) said[model] = await talk(model);
console.log(JSON.stringify(said));
