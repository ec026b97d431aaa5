// Providers as cards with forms for the common edits: on or off, free, limits, prices.
// The draft is the whole configuration as an object; the gateway keeps the comments.

import { copilotLogin } from "./tools.js";
import { addProvider, general, keys, modelTools, ofList, removeModel, testButton, written } from "./forms.js";
import { el, keepFocus } from "./base.js";

const KEYS = ["requests", "tokens", "cost"].flatMap((metric) =>
  ["Minute", "Hour", "Day", "Month"].map((window) => `${metric}Per${window}`));
const PRICES = [["inputCostPerMillionTokens", "in"], ["outputCostPerMillionTokens", "out"]];
const NEW_SECRET = "a new secret";
const said = (key) => key.replace(/Per/, " / ").toLowerCase().replace("cost", "$");

// A number when it is one; else the text itself, so that the gateway can say what is wrong.
function typed(text) {
  const trimmed = text.trim();
  return trimmed !== "" && Number.isFinite(Number(trimmed)) ? Number(trimmed) : trimmed;
}

function shown(path) {
  return path.reduce((text, step) => (typeof step === "number" ? `${text}[${step}]` : text ? `${text}.${step}` : step), "");
}

export class Cards {
  constructor(parent, config, changed, starters = [], made = null) {
    this.starters = starters;
    this.made = made; // {name, key} of the app that was added last: its key is shown once
    this.parent = parent;
    this.before = config;
    this.draft = structuredClone(config);
    this.changed = changed;
    this.inputs = new Map();
    // What runs, and what refusals taught, is no part of the file: it stays as the server drew it.
    this.learned = new Map([...parent.querySelectorAll("[data-learned]")].map((node) => [node.dataset.learned, node]));
    this.running = new Map([...parent.querySelectorAll("[data-running]")].map((node) => [node.dataset.running, node]));
    this.draw();
  }

  get dirty() {
    return JSON.stringify(this.draft) !== JSON.stringify(this.before);
  }

  body() {
    return { config: this.draft };
  }

  // The draft was saved. False where it holds a new key, which has to be masked.
  saved() {
    if (this.changes().some(([, text]) => text.includes(NEW_SECRET))) return false;
    this.before = structuredClone(this.draft);
    return true;
  }

  // The gateway's configuration is what is drawn (no key is left that it masks): true.
  settle(config) {
    if (JSON.stringify(config) !== JSON.stringify(this.draft)) return false;
    this.before = config;
    return true;
  }

  draw() {
    this.inputs.clear();
    const providers = this.draft.providers ?? [];
    this.adding ??= addProvider(this, this.starters);
    keepFocus(this.parent, () => this.parent.replaceChildren(this.adding, general(this), ...(providers.length ? providers.map((one, n) => this.card(one, ["providers", n])) : [
      el("p", { class: "empty" }, "No provider yet: paste a key above.")])));
  }

  touched() {
    this.changed(this);
  }

  card(provider, path) {
    const on = provider.enabled !== false;
    const tags = [provider.type !== provider.id ? provider.type : "", provider.flatRate ? `flat $${provider.flatRate.costPerMonth ?? "?"}/month` : "",
      provider.apiKeys?.length > 1 ? `${provider.apiKeys.length} accounts` : ""].filter(Boolean).join(" · ");
    return el("article", { class: "provider-card panel", "data-off": on ? "0" : "1", "aria-label": provider.id },
      el("header", {}, el("h2", {}, provider.id), el("span", { class: "tags" }, tags),
        el("span", { class: "grow" }), this.notUsed(provider),
        provider.type === "copilot" ? copilotLogin(provider.id) : null,
        provider.tier === "free" ? el("em", { class: "free", title: "The provider's published free limits hold" }, "free tier") : this.toggle("free", provider, "free", false),
        this.toggle("enabled", provider, "enabled", true)),
      keys(this, provider),
      el("div", { class: "scope" }, el("span", { class: "soft" }, "All its models together"), this.limits(provider, path)),
      ofList(this, provider),
      ...written(provider).map(([model, n]) => el("div", { class: "scope" },
        el("span", { class: "model-name" }, el("b", {}, model.name), model.mappedName && model.mappedName !== model.name ? el("span", { class: "alias" }, `as ${model.mappedName}`) : null,
          model.aliases?.length ? el("span", { class: "alias" }, `also ${model.aliases.join(", ")}`) : null,
          el("span", { class: "model-tools" }, testButton(provider, model, () => this.dirty), removeModel(this, provider, model))),
        el("div", {}, this.limits(model, [...path, "models", n]), this.prices(model, provider, [...path, "models", n])))),
      modelTools(this, provider),
      this.asItRuns(provider),
      this.learned.get(provider.id) ?? null);
  }

  // Why the gateway does not use it, where it says so.
  notUsed(provider) {
    const why = this.running.get(provider.id)?.dataset.reason;
    return why && why !== "disabled" ? el("span", { class: "soft" }, why) : null;
  }

  // Address, models, limits and prices in force: with what presets, lists and tiers add.
  asItRuns(provider) {
    const node = this.running.get(provider.id);
    if (!node) return null;
    const box = node.closest("details") ?? el("details", { class: "as-it-runs" }, el("summary", {}, "As it runs: address, models, limits and prices in force"), node);
    return box;
  }

  toggle(label, owner, key, otherwise) {
    const input = el("input", { type: "checkbox" });
    input.checked = owner[key] ?? otherwise;
    input.addEventListener("change", () => {
      if (input.checked === otherwise && !(key in owner)) return;
      owner[key] = input.checked;
      this.redrawKeeping(input);
    });
    return el("label", { class: "check" }, input, el("span", {}, label));
  }

  redrawKeeping() {
    this.draw();
    this.touched();
  }

  limits(owner, path) {
    const limits = owner.limits ?? {};
    const missing = KEYS.filter((key) => !(key in limits));
    const add = el("select", { class: "add", "aria-label": "Add a limit" }, el("option", { value: "" }, "+ limit"),
      ...missing.map((key) => el("option", { value: key }, said(key))));
    add.addEventListener("change", () => {
      if (!add.value) return;
      owner.limits = { ...owner.limits, [add.value]: "" };
      const where = shown([...path, "limits", add.value]);
      this.draw();
      this.inputs.get(where)?.focus();
    });
    return el("div", { class: "form-limits" }, ...Object.keys(limits).map((key) => {
      const remove = el("button", { type: "button", class: "quiet", "aria-label": `Remove the limit ${said(key)}`, onclick: () => {
        delete owner.limits[key];
        if (!Object.keys(owner.limits).length) delete owner.limits;
        this.redrawKeeping();
      } }, "×");
      return el("label", { class: "number" }, el("span", {}, said(key)), this.input(limits, key, [...path, "limits", key]), remove);
    }), add);
  }

  prices(model, provider, path) {
    const pricing = model.pricing ?? {};
    const costless = provider.free || provider.flatRate || provider.tier;
    return el("div", { class: "form-limits" }, ...PRICES.map(([key, label]) => el("label", { class: "number" },
      el("span", {}, `${costless ? "list " : ""}$ per M tokens ${label}`),
      this.input(pricing, key, [...path, "pricing", key], () => { model.pricing = pricing; }, () => {
        if (!Object.keys(pricing).length) delete model.pricing;
      }))));
  }

  input(owner, key, path, used = () => {}, emptied = () => {}) {
    const input = el("input", { type: "text", inputmode: "decimal", autocomplete: "off", placeholder: "–", value: owner[key] ?? "" });
    const where = shown(path);
    input.addEventListener("input", () => {
      if (input.value.trim() === "") {
        delete owner[key];
        emptied();
      } else {
        owner[key] = typed(input.value);
        used();
      }
      this.touched();
    });
    this.inputs.set(where, input);
    return input;
  }

  errors(list) {
    const wrong = new Map(list.filter((one) => one.path).map((one) => [one.path, one.message]));
    for (const [where, input] of this.inputs) {
      const message = wrong.get(where);
      if (message) input.setAttribute("aria-invalid", "true");
      else input.removeAttribute("aria-invalid");
      input.title = message ?? "";
    }
  }

  changes() {
    const found = [];
    const name = (path) => {
      const provider = this.draft.providers?.[path[1]] ?? {};
      const parts = path[0] === "providers" ? [provider.id] : [path[0]];
      if (path[2] === "models") parts.push(provider.models?.[path[3]]?.name ?? provider.models?.[path[3]]);
      const last = typeof path.at(-1) === "number" ? `${path.at(-2)}[${path.at(-1)}]` : path.at(-1);
      return [...parts.filter(Boolean), last].join(" ");
    };
    const secret = (path) => path.some((step) => ["apiKey", "apiKeys", "key", "oauthToken", "accessToken", "headers"].includes(step));
    const said = (value, path) => (value === undefined ? "not set" : secret(path) && !/^(\*\*\*|\$\{)/.test(String(value)) ? NEW_SECRET : String(value));
    const walk = (a, b, path) => {
      if (JSON.stringify(a) === JSON.stringify(b)) return;
      const both = [a, b].every((one) => one !== null && typeof one === "object");
      if (both) for (const key of new Set([...Object.keys(a), ...Object.keys(b)])) walk(a[key], b[key], [...path, Array.isArray(b) ? Number(key) : key]);
      else if (b !== null && typeof b === "object") for (const key of Object.keys(b)) walk(undefined, b[key], [...path, Array.isArray(b) ? Number(key) : key]);
      else if (a !== null && typeof a === "object") for (const key of Object.keys(a)) walk(a[key], undefined, [...path, Array.isArray(a) ? Number(key) : key]);
      else found.push(["change", `${name(path)}: ${said(a, path)} → ${said(b, path)}`]);
    };
    walk(this.before, this.draft, []);
    return found;
  }

  // Is what the gateway says of this path about something that was changed?
  concerns(path) {
    const [, section, n] = /^(\w*)(?:\[(\d+)\])?/.exec(path);
    const of = (config) => JSON.stringify(n === undefined ? config[section] : config[section]?.[n]);
    return of(this.before) !== of(this.draft);
  }

  lock(locked) {
    this.parent.inert = locked;
  }
}
