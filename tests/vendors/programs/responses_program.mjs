// Responses by OpenAI's SDK for Node: output items pushed to the input, as its guide shows.
import OpenAI from "openai";
import { ADD, MORE, SYSTEM, run } from "./loop.mjs";

const client = new OpenAI({ maxRetries: 0 });
const tools = [{ type: "function", strict: false, ...ADD }];

await run(async (job, add) => {
  const said = [];
  const input = [{ role: "user", content: job.text }];
  for (let i = 0; i < 12; i++) {
    const include = ["reasoning.encrypted_content"];
    const asked = { model: job.model, instructions: SYSTEM, input, tools, store: false, include };
    const response = job.stream
      ? await client.responses.stream(asked).finalResponse()
      : await client.responses.create(asked);
    input.push(...response.output);
    const calls = response.output.filter((item) => item.type === "function_call");
    for (const call of calls) {
      const output = add(JSON.parse(call.arguments));
      input.push({ type: "function_call_output", call_id: call.call_id, output });
    }
    if (!calls.length) {
      said.push(response.output_text);
      if (said.length === 2) return said;
      input.push({ role: "user", content: MORE });
    }
  }
  throw new Error("it never ends");
});
