// A program of the AI SDK with its Google provider. Prints what it got of each model.
import { createGoogleGenerativeAI } from "@ai-sdk/google";
import * as ai from "ai";
import { z } from "zod";

globalThis.AI_SDK_LOG_WARNINGS = false;
const url = process.env.GOOGLE_GEMINI_BASE_URL;
const google = createGoogleGenerativeAI({
  apiKey: process.env.GEMINI_API_KEY,
  ...(url ? { baseURL: `${url}/v1beta` } : {}),
});

async function talk(name) {
  const model = google(name);
  const sums = [];
  const tools = {
    add: ai.tool({
      description: "Adds.",
      inputSchema: z.object({ a: z.number().int(), b: z.number().int() }),
      execute: async ({ a, b }) => {
        sums.push(a + b);
        return a + b;
      },
    }),
  };
  const asked = { model, maxRetries: 0 };
  const more = { ...asked, tools, stopWhen: ai.stepCountIs(4) };
  const streamed = ai.streamText({ ...asked, prompt: "Hello" });
  const called = await ai.generateText({ ...more, prompt: "40 + 2" });
  const history = [{ role: "user", content: "40 + 2" }, ...(await called.response).messages];
  const parallel = ai.streamText({
    ...more,
    messages: [...history, { role: "user", content: "And again, TWICE" }],
  });
  const shaped = await ai.generateObject({
    ...asked,
    schema: z.object({ title: z.string() }),
    prompt: "A title",
  });
  return {
    plain: (await ai.generateText({ ...asked, prompt: "Hello" })).text,
    streamed: await streamed.text,
    called: called.text,
    parallel: await parallel.text,
    object: shaped.object,
    sums,
  };
}

const said = {};
for (const name of process.argv.slice(2)) said[name] = await talk(name);
console.log(JSON.stringify(said));
