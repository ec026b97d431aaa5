// Messages by Anthropic's SDK for Node, with the loop that its readme shows.
import Anthropic from "@anthropic-ai/sdk";
import { MORE, PARAMETERS, SYSTEM, run } from "./loop.mjs";

const client = new Anthropic({ maxRetries: 0 });
const tools = [{ name: "add", description: "Adds.", input_schema: PARAMETERS }];

await run(async (job, add) => {
  const said = [];
  const messages = [{ role: "user", content: job.text }];
  for (let i = 0; i < 12; i++) {
    const asked = { model: job.model, max_tokens: 4000, system: SYSTEM, messages, tools };
    const message = job.stream
      ? await client.messages.stream(asked).finalMessage()
      : await client.messages.create(asked);
    messages.push({ role: "assistant", content: message.content });
    const results = message.content
      .filter((block) => block.type === "tool_use")
      .map((block) => ({ type: "tool_result", tool_use_id: block.id, content: add(block.input) }));
    if (!results.length) {
      said.push(message.content.map((block) => block.text ?? "").join(""));
      if (said.length === 2) return said;
    }
    messages.push({ role: "user", content: results.length ? results : MORE });
  }
  throw new Error("it never ends");
});
