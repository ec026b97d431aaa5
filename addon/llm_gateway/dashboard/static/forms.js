// Forms for what is more than a number: a provider with its key, models, policy and
// budget, clients. Each changes the draft of the cards; the gateway checks and writes it.

import { copyButton, el, page, post } from "./base.js";

const field = (label, input, hint = null) => el("label", { class: "stacked" }, el("span", { class: "soft" }, label), input, hint);
const text = (props = {}) => el("input", { type: "text", autocomplete: "off", spellcheck: "false", ...props });

// Whose key is it? The longest beginning that fits.
export function whose(key, starters) {
  let found = null;
  let long = 0;
  for (const one of starters) {
    for (const start of one.begins) if (key.startsWith(start) && start.length > long) [found, long] = [one, start.length];
  }
  return found;
}

function freeId(wanted, providers) {
  const taken = new Set(providers.map((one) => one.id));
  let id = wanted;
  for (let n = 2; taken.has(id); n += 1) id = `${wanted}-${n}`;
  return id;
}

const TOLD = "Paste a key: its beginning says whose it is.";
const OF_ITS_OWN = { free: "every model that is free there, as its own list has them", all: "every chat model that its own list has" };

export function addProvider(cards, starters) {
  const box = el("details", { class: "panel add-provider", open: !cards.draft.providers?.length }, el("summary", {}, "+ Add a provider"));
  const key = el("input", { type: "password", autocomplete: "off", placeholder: "Paste the API key", "aria-describedby": "key-says" });
  const says = el("p", { id: "key-says", class: "soft", role: "status" }, TOLD);
  const option = (one) => el("option", { value: one.type }, one.title);
  const kind = el("select", {}, el("optgroup", { label: "By a key" }, ...starters.filter((one) => one.key === "needed").map(option)),
    el("optgroup", { label: "Others" }, ...starters.filter((one) => one.key !== "needed").map(option)));
  const id = text();
  const address = el("input", { type: "url", autocomplete: "off", spellcheck: "false", size: "30", placeholder: "https://…/v1" });
  const models = text({ size: "46" });
  const tier = el("input", { type: "checkbox" });
  const listed = el("input", { type: "checkbox" });
  const tierSays = el("span");
  const listSays = el("span");
  const note = el("p", { class: "soft" });
  const gives = el("ul", { class: "soft gives" });
  const where = el("a", { target: "_blank", rel: "noopener noreferrer" });
  const fields = { key: field("API key", key), address: field("Address", address), tier: el("label", { class: "check" }, tier, tierSays),
    list: el("label", { class: "check" }, listed, listSays), got: el("p", {}, where, el("span", { class: "soft" }, "  Without a key here it is taken from the environment.")) };
  let own = false; // the name was typed, not proposed
  const starter = () => starters.find((one) => one.type === kind.value);
  const list = (one) => (one.free_tier ? "free" : one.address !== null ? "all" : "");
  const propose = () => {
    const one = starter();
    if (!own) id.value = freeId(one.address === "" ? "other" : one.type, cards.draft.providers ?? []);
    models.value = one.models.join(", ");
    models.placeholder = one.models.length ? "" : "name, name";
    fields.key.hidden = says.hidden = one.key === "none";
    fields.address.hidden = one.address === null;
    address.value = one.address ?? "";
    address.required = one.address !== null;
    listed.checked = Boolean(list(one));
    fields.list.hidden = !list(one);
    listSays.textContent = OF_ITS_OWN[list(one)] ?? "";
    models.disabled = listed.checked;
    models.required = !listed.checked;
    tier.checked = one.free_tier;
    fields.tier.hidden = !one.free_tier && one.address !== "";
    tierSays.textContent = one.free_tier ? "this key is on the free tier: its published limits hold" : "its answers cost nothing";
    gives.replaceChildren(...one.gives.map((line) => el("li", {}, line)));
    fields.got.hidden = !one.keys;
    where.href = one.keys;
    where.textContent = `get a ${one.free_tier ? "free " : ""}key of ${one.title} ↗`;
    note.textContent = `${one.free_tier || one.key !== "needed" ? "" : "No lasting free tier: answers cost money. "}${one.note}`;
  };
  key.addEventListener("input", () => {
    const found = whose(key.value.trim(), starters);
    if (found && kind.value !== found.type) {
      kind.value = found.type;
      propose();
    }
    says.textContent = !key.value.trim() ? TOLD : found ? `That is a key of ${found.title}.` : "Its beginning does not say whose it is: choose the provider.";
  });
  kind.addEventListener("change", propose);
  listed.addEventListener("change", () => {
    models.disabled = listed.checked;
    models.required = !listed.checked;
  });
  id.addEventListener("input", () => { own = id.value !== ""; });
  const form = el("form", { onsubmit: (event) => {
    event.preventDefault();
    const one = starter();
    const typed = key.value.trim();
    const provider = { id: id.value.trim(), type: one.type };
    if (address.value.trim() !== (one.address ?? "")) provider.baseURL = address.value.trim();
    if (one.key !== "none" && (typed || one.env)) provider.apiKey = typed || `\${${one.env}}`;
    if (tier.checked) Object.assign(provider, one.free_tier ? { tier: "free" } : { free: true });
    Object.assign(provider, structuredClone(one.more));
    provider.models = listed.checked ? list(one) : models.value.split(",").map((name) => name.trim()).filter(Boolean).map((name) => ({ name }));
    cards.draft.providers = [...(cards.draft.providers ?? []), provider];
    key.value = "";
    says.textContent = TOLD;
    own = false;
    box.open = false;
    propose();
    cards.redrawKeeping();
    const made = document.querySelector(`article[aria-label="${CSS.escape(provider.id)}"]`);
    made?.scrollIntoView({ block: "center" });
    made?.querySelector("input, button")?.focus({ preventScroll: true });
  } },
  el("div", { class: "fields" }, fields.key, field("Provider", kind), field("Name here", id), fields.address), says,
  el("div", { class: "fields" }, fields.list, field("or models, with commas between", models), fields.tier),
  note, gives, fields.got,
  el("button", { class: "primary" }, "Add"));
  box.append(form);
  propose();
  return box;
}

// Keys of a provider: replaced, added (one more account), removed. What is there stays masked.
export function keys(cards, provider) {
  if (provider.type === "copilot" || provider.type === "simulator") return null;
  const many = Array.isArray(provider.apiKeys);
  const list = many ? provider.apiKeys : provider.apiKey === undefined ? [] : [provider.apiKey];
  const put = (found) => {
    delete provider.apiKey;
    delete provider.apiKeys;
    if (found.length === 1) [provider.apiKey] = found;
    else if (found.length) provider.apiKeys = found;
  };
  // Typed keys go into the draft at once; nothing is drawn anew under the hand that types.
  const typed = new Map();
  const entry = (label, n) => {
    const input = el("input", { type: "password", autocomplete: "off", placeholder: label, "aria-label": label });
    input.addEventListener("input", () => {
      if (input.value.trim()) typed.set(n, input.value.trim());
      else typed.delete(n);
      put([...list.map((one, m) => typed.get(m) ?? one), ...(typed.has(-1) ? [typed.get(-1)] : [])]);
      cards.touched();
    });
    return input;
  };
  const shown = (key) => (/^(\$\{|\*\*\*)/.test(key) ? key : "new key");
  return el("div", { class: "scope" }, el("span", { class: "soft" }, list.length > 1 ? `${list.length} keys, an account each. Keys of one account share its limits: give one of them.` : "Key"),
    el("div", { class: "form-limits" },
      ...list.map((key, n) => el("span", { class: "number" }, el("span", {}, shown(String(key))), entry("Replace", n),
        el("button", { type: "button", class: "quiet", "aria-label": `Remove key ${n + 1} of ${provider.id}`, onclick: () => {
          put(list.filter((_, m) => m !== n));
          cards.redrawKeeping();
        } }, "×"))),
      el("span", { class: "number" }, entry(list.length ? "Add another account's key" : "Paste a key", -1))));
}

export function modelTools(cards, provider) {
  const name = text({ placeholder: "name of another model", "aria-label": `Another model of ${provider.id}` });
  const add = () => {
    if (!name.value.trim()) return;
    provider.models = [].concat(provider.models ?? [], { name: name.value.trim() });
    cards.redrawKeeping();
  };
  name.addEventListener("keydown", (event) => { if (event.key === "Enter") { event.preventDefault(); add(); } });
  return el("div", { class: "scope" }, el("span", { class: "soft" }, "More"), el("div", { class: "form-limits" }, name,
    el("button", { type: "button", class: "small", onclick: add }, "Add model"), el("span", { class: "grow" }),
    el("button", { type: "button", class: "small danger", onclick: () => {
      cards.draft.providers = cards.draft.providers.filter((one) => one !== provider);
      cards.redrawKeeping();
    } }, "Remove provider")));
}

// The models that are written out, each with its place in `models`.
export function written(provider) {
  return [].concat(provider.models ?? []).map((model, n) => [model, n]).filter(([model]) => typeof model === "object");
}

// What is taken from the provider's own list: "free", "all", names with *.
export function ofList(cards, provider) {
  const words = [].concat(provider.models ?? []).filter((one) => typeof one === "string");
  if (!words.length) return null;
  const exclude = [].concat(provider.exclude ?? []);
  return el("div", { class: "scope" }, el("span", { class: "soft" }, "Of its own list"), el("div", { class: "form-limits" },
    ...words.map((word) => el("span", { class: "number" }, el("span", {}, word === "free" ? "every free model" : word === "all" ? "every chat model" : word),
      el("button", { type: "button", class: "quiet", "aria-label": `Take no longer ${word} of ${provider.id}`, onclick: () => {
        provider.models = [].concat(provider.models).filter((one) => one !== word);
        cards.redrawKeeping();
      } }, "×"))),
    exclude.length ? el("span", { class: "soft" }, `but not ${exclude.join(", ")}`) : null,
    testButton(provider, null, () => cards.dirty)));
}

export function removeModel(cards, provider, model) {
  return el("button", { type: "button", class: "quiet", "aria-label": `Remove the model ${model.name}`, title: "Remove this model", onclick: () => {
    provider.models = provider.models.filter((one) => one !== model);
    cards.redrawKeeping();
  } }, "×");
}

// One small question through the gateway, to this model alone, or to one of its list: does the
// key work, how fast?
export function testButton(provider, model, dirty) {
  const said = el("span", { class: "soft", role: "status" });
  const button = el("button", { type: "button", class: "small", title: `One small question to ${model ? "this model" : "a model of it"}, through the gateway` }, "Test");
  button.addEventListener("click", async () => {
    if (dirty()) {
      said.textContent = "Save first.";
      return;
    }
    button.disabled = true;
    said.textContent = "asking …";
    try {
      const found = await post("/test", { provider: provider.id, ...(model ? { model: model.name } : { any: true }) });
      said.dataset.ok = found.ok ? "1" : "0";
      said.textContent = found.ok ? `✓ ${model ? "" : `${found.model} `}answered in ${found.ms} ms` : `✗ ${found.message}`;
    } catch (error) {
      said.dataset.ok = "0";
      said.textContent = error.message;
    }
    button.disabled = false;
  });
  return el("span", { class: "test" }, button, said);
}

const POLICIES = [["free-first", "free first: what costs nothing before what does"],
  ["free-only", "free only: nothing that costs, ever"], ["any", "any: cost plays no part in the order"]];

// Policy, budget and clients: what holds for everything.
export function general(cards) {
  const { draft } = cards;
  const policy = el("select", { "aria-label": "Policy" }, ...POLICIES.map(([value, said]) => el("option", { value }, said)));
  policy.value = draft.routing?.policy ?? "free-first";
  policy.addEventListener("change", () => {
    draft.routing = { ...draft.routing, policy: policy.value };
    cards.touched();
  });
  const budget = draft.budget ?? {};
  const money = (key, label) => el("label", { class: "number" }, el("span", {}, label),
    cards.input(budget, key, ["budget", key], () => { draft.budget = budget; }, () => { if (!Object.keys(budget).length) delete draft.budget; }));
  const name = text({ placeholder: "cursor", "aria-label": "Name of a new app", size: "12" });
  const made = el("span", { role: "status" });
  const clients = draft.clients ?? [];
  const add = () => {
    const wanted = name.value.trim();
    if (!wanted) return;
    const bytes = crypto.getRandomValues(new Uint8Array(18));
    const key = `gw-${[...bytes].map((byte) => byte.toString(16).padStart(2, "0")).join("")}`;
    draft.clients = [...clients, { name: wanted, key }];
    cards.redrawKeeping();
    cards.made = { name: wanted, key };
    cards.draw();
  };
  name.addEventListener("keydown", (event) => { if (event.key === "Enter") { event.preventDefault(); add(); } });
  if (cards.made) made.append(`Key of ${cards.made.name}, shown once: `, el("code", {}, cards.made.key), " ", copyButton(cards.made.key));
  return el("article", { class: "provider-card panel", "aria-label": "Policy, budget, apps" },
    el("header", {}, el("h2", {}, "Policy, budget, apps")),
    el("div", { class: "scope" }, el("span", { class: "soft" }, "Policy"), policy),
    el("div", { class: "scope" }, el("span", { class: "soft" }, "Budget, all paid use"), el("div", { class: "form-limits" },
      money("costPerDay", "$ / 24 hours"), money("costPerMonth", "$ / month"), money("costPerHour", "$ / hour"), money("costPerMinute", "$ / minute"))),
    el("div", { class: "scope" }, el("span", { class: "soft" }, "Apps with a key"), el("div", { class: "form-limits" },
      ...clients.map((client) => el("span", { class: "number" }, el("a", { href: `${page.base}/requests?${new URLSearchParams({ client: client.name })}` }, client.name),
        el("button", { type: "button", class: "quiet", "aria-label": `Remove ${client.name}`, onclick: () => {
          draft.clients = clients.filter((one) => one !== client);
          if (!draft.clients.length) delete draft.clients;
          cards.redrawKeeping();
        } }, "×"))), name, el("button", { type: "button", class: "small", onclick: add }, "Add app"), made)));
}
