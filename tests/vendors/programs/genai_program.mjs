// generateContent by Google's SDK for Node, contents kept by hand.
import { GoogleGenAI } from "@google/genai";
import { ADD, MORE, SYSTEM, URL, run } from "./loop.mjs";

const client = new GoogleGenAI({ apiKey: "x", httpOptions: { baseUrl: URL } });
const config = {
  systemInstruction: SYSTEM,
  tools: [{ functionDeclarations: [{ ...ADD, parameters: undefined, parametersJsonSchema: ADD.parameters }] }],
};

async function partsOf(asked, stream) {
  if (!stream) return (await client.models.generateContent(asked)).candidates[0].content.parts;
  const parts = [];
  for await (const chunk of await client.models.generateContentStream(asked))
    parts.push(...(chunk.candidates?.[0]?.content?.parts ?? []));
  return parts;
}

await run(async (job, add) => {
  const contents = [{ role: "user", parts: [{ text: job.text }] }];
  const said = [];
  for (let i = 0; i < 12; i++) {
    const parts = await partsOf({ model: job.model, contents, config }, job.stream);
    contents.push({ role: "model", parts });
    const calls = parts.filter((p) => p.functionCall).map((p) => p.functionCall);
    if (calls.length) {
      const results = calls.map((call) => ({
        functionResponse: { id: call.id, name: call.name, response: { result: add(call.args) } },
      }));
      contents.push({ role: "user", parts: results });
      continue;
    }
    said.push(parts.filter((p) => p.text && !p.thought).map((p) => p.text).join(""));
    if (said.length === 2) return said;
    contents.push({ role: "user", parts: [{ text: MORE }] });
  }
  throw new Error("it never ends");
});
