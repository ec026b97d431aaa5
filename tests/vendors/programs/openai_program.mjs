// Chat completions by OpenAI's SDK for Node: its messages pushed, or its own runner.
import OpenAI from "openai";
import { ADD, MORE, SYSTEM, WAY, run } from "./loop.mjs";

const client = new OpenAI({ maxRetries: 0 });
const tools = [{ type: "function", function: ADD }];

async function pushed(job, add) {
  const said = [];
  const messages = [
    { role: "system", content: SYSTEM },
    { role: "user", content: job.text },
  ];
  for (let i = 0; i < 12; i++) {
    const asked = { model: job.model, messages, tools };
    const answer = job.stream
      ? await client.chat.completions.stream(asked).finalChatCompletion()
      : await client.chat.completions.create(asked);
    const message = answer.choices[0].message;
    messages.push(message);
    for (const call of message.tool_calls ?? []) {
      const content = add(JSON.parse(call.function.arguments));
      messages.push({ role: "tool", tool_call_id: call.id, content });
    }
    if (!message.tool_calls?.length) {
      said.push(message.content);
      if (said.length === 2) return said;
      messages.push({ role: "user", content: MORE });
    }
  }
  throw new Error("it never ends");
}

async function runTools(job, add) {
  const said = [];
  let messages = [
    { role: "system", content: SYSTEM },
    { role: "user", content: job.text },
  ];
  const own = { ...ADD, function: add, parse: JSON.parse };
  for (let i = 0; i < 2; i++) {
    const runner = client.chat.completions.runTools({
      model: job.model,
      messages,
      tools: [{ type: "function", function: own }],
      ...(job.stream ? { stream: true } : {}),
    });
    said.push(await runner.finalContent());
    messages = [...runner.messages, { role: "user", content: MORE }];
  }
  return said;
}

await run(WAY === "runTools" ? runTools : pushed);
