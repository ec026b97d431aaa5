// The AI SDK over every dialect, with its own tool loop.
import { createAnthropic } from "@ai-sdk/anthropic";
import { createOpenAI } from "@ai-sdk/openai";
import { createOpenAICompatible } from "@ai-sdk/openai-compatible";
import * as ai from "ai";
import { z } from "zod";
import { MORE, SYSTEM, URL, WAY, run } from "./loop.mjs";

const baseURL = `${URL}/v1`;
const apiKey = "x";
// Installed where apps of Google's are tried.
const google = async () => (await import("@ai-sdk/google")).createGoogleGenerativeAI;
const MODELS = {
  chat: (name) => createOpenAI({ baseURL, apiKey }).chat(name),
  compatible: (name) => createOpenAICompatible({ name: "some", baseURL, apiKey })(name),
  responses: (name) => createOpenAI({ baseURL, apiKey }).responses(name),
  messages: (name) => createAnthropic({ baseURL, apiKey })(name),
  google: async (name) => (await google())({ baseURL: `${URL}/v1beta`, apiKey })(name),
};

const SEALED = { store: false, include: ["reasoning.encrypted_content"] };

await run(async (job, add) => {
  const tools = {
    add: ai.tool({
      description: "Adds.",
      inputSchema: z.object({ a: z.number().int(), b: z.number().int() }),
      execute: async (input) => add(input),
    }),
  };
  const said = [];
  let messages = [{ role: "user", content: job.text }];
  for (let i = 0; i < 2; i++) {
    let error;
    const asked = {
      model: await MODELS[WAY](job.model),
      system: SYSTEM,
      messages,
      tools,
      maxRetries: 0,
      stopWhen: ai.stepCountIs(12),
      ...(WAY === "responses" ? { providerOptions: { openai: SEALED } } : {}),
      onError: ({ error: e }) => (error = e),
    };
    const result = job.stream ? ai.streamText(asked) : await ai.generateText(asked);
    if (job.stream) await result.consumeStream();
    if (error) throw error;
    const response = await result.response;
    said.push(await result.text);
    messages = [...messages, ...response.messages, { role: "user", content: MORE }];
  }
  return said;
});
