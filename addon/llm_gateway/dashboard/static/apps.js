// Connect an app: what to copy, then the first request of it as it comes.

import { clock, command, el, get, latency, page } from "./base.js";

const $ = (id) => document.getElementById(id);
const base = page.gateway;
const WAITED = 600; // seconds for which the newest request is looked for

const APPS = [
  ["OpenAI SDKs and most apps", `export OPENAI_BASE_URL=${base}/v1 OPENAI_API_KEY=me`, "Python, JavaScript, LangChain, Open WebUI, n8n: wherever a base URL can be set. Any API key will do, or a client key of yours."],
  ["Claude Code", `ANTHROPIC_BASE_URL=${base} ANTHROPIC_AUTH_TOKEN=me claude`, "Speaks messages: providers that do come first, for all others it is translated."],
  ["aider", `OPENAI_API_BASE=${base}/v1 OPENAI_API_KEY=me aider --model openai/MODEL`, ""],
  ["Codex", `[model_providers.gateway]\nname = "LLM Gateway"\nbase_url = "${base}/v1"\nwire_api = "responses"`, "In ~/.codex/config.toml, with model_provider = \"gateway\"."],
  ["GitHub Copilot CLI", `COPILOT_PROVIDER_BASE_URL=${base}/v1 copilot`, ""],
  ["Any app, unchanged", "llm-gateway run --client me -- APP", "Goes through the proxy: its own key and settings stay as they are."],
  ["A whole shell", 'eval "$(llm-gateway env)"', ""],
  ["curl", `curl ${base}/v1/chat/completions -H 'content-type: application/json' -d '{"model": "MODEL", "messages": [{"role": "user", "content": "Hello!"}]}'`, ""],
];

function draw(names) {
  const model = names[0] ?? "MODEL";
  $("apps").replaceChildren(...APPS.map(([name, text, note]) => el("article", { class: "panel app-card" },
    el("h2", {}, name), command(text.replaceAll("MODEL", model)), note ? el("p", { class: "soft" }, note) : null)));
}

// What came since the page was opened.
const opened = new Date().toISOString();
async function wait() {
  if (!document.hidden) {
    try {
      const found = await get(`/requests.json?${new URLSearchParams({ from: opened, sim: "0" })}`);
      const done = found.requests.filter((one) => one.outcome !== "in_flight");
      const [first] = done.slice(-1);
      if (first) return seen(first);
      if (found.requests.length) $("seen").textContent = `A request of ${found.requests[0].client} is on its way …`;
    } catch (error) { $("seen").textContent = error.message; }
  }
  if ((Date.now() - Date.parse(opened)) / 1000 < WAITED) setTimeout(wait, 1000);
  else $("seen").textContent = "No request came in ten minutes. Reload this page to wait on; llm-gateway doctor looks for what is wrong.";
  return undefined;
}

function seen(one) {
  const ok = one.outcome === "ok" || one.outcome === "passthrough";
  $("seen").dataset.state = ok ? "ok" : "bad";
  $("seen").replaceChildren(ok ? "✓ " : "✗ ", el("b", {}, one.client), ` at ${clock(one.at, Date.now() / 1000)}: ${one.requested_model} `,
    one.outcome === "ok" ? `answered by ${one.provider} in ${latency(one.duration_ms)}. ` : `${[one.said.toLowerCase(), one.error].filter(Boolean).join(", ")}. `,
    el("a", { href: `${page.base}/requests/${encodeURIComponent(one.id)}` }, "Why there?"));
}

try {
  const live = await get("/live.json?window=1");
  const usable = (offer) => offer.word === "ready" || offer.word === "near limit";
  draw(live.names.filter((name) => name.offers.some(usable)).map((name) => name.name));
} catch { draw([]); }
wait();
