// The table of providers and models: built once, then only what changed is touched.

import { Bars, Spark, Word } from "./bars.js";
import { clock, count, duration, el, get, latency, money, page, setAttr, setText } from "./base.js";

const WORST = ["key refused", "failing", "at limit", "cooling down", "near limit", "ready", "excluded", "disabled", "not configured"];
// Only a person can mend a refused key; then comes what can be used.
const USABLE = ["key refused", "ready", "near limit", "cooling down", "at limit", "failing", "excluded", "disabled", "not configured"];
const OFF = new Set(["excluded", "disabled", "not configured"]);
const MANY = 40; // models: above that only the groups are drawn that somebody opens
const ZEROS = new Array(30).fill(0);

const price = (n) => (n === null ? "?" : money(n));

// What one more request to this model costs: the word that a bill comes from.
export function costWord(model) {
  if (model.free) return { text: "free", paid: false };
  return { text: model.price ? `paid ${price(model.price[0])} / ${price(model.price[1])}` : "paid, price unknown", paid: true };
}

// How old the provider's own word is: its list of models, what it says is left.
function asked(at, now) {
  return [["list", "list"], ["quota", "quota"]].map(([key, word]) => (at?.[key] ? `${word} ${duration(Math.max(0, now - at[key]))} old` : ""));
}

class Figures {
  constructor(name, sparks) {
    this.cells = ["Requests", "Tokens", "Cost"].map((what) => {
      const value = el("span", { class: "figure" });
      const spark = sparks ? new Spark(`${name}, ${what.toLowerCase()}`) : null;
      return { value, spark, node: el("div", { class: "cell", "data-what": what }, value, spark && spark.node) };
    });
    this.nodes = this.cells.map((cell) => cell.node);
  }

  show(series) {
    const shown = [count(series.sums[0]), count(series.sums[1]), series.sums[2] ? money(series.sums[2]) : "$0"];
    [series.r, series.t, series.c].forEach((values, n) => {
      const { value, spark } = this.cells[n];
      setText(value, shown[n]);
      value.classList.toggle("nil", !series.sums[n]);
      if (spark) spark.show(values, `${shown[n]} in this window`);
    });
  }
}

class ModelRow {
  constructor(provider, model) {
    const name = `${provider.id} ${model.model}`;
    this.provider = provider.id;
    this.model = model.model;
    this.shares = provider.bars.length > 0;
    this.word = new Word();
    this.bars = new Bars(name, provider.bars.length ? "shares the provider's limits" : "");
    this.figures = new Figures(name, true);
    this.alias = el("span", { class: "alias" });
    this.cost = el("em", { class: "costs" });
    this.why = el("span", { class: "unlimited" });
    this.button = el("button", { type: "button", class: "name", "aria-expanded": "false", onclick: () => this.toggle() }, model.model);
    this.node = el("div", { class: "row model" },
      el("div", { class: "who" }, this.button, el("span", { class: "stand" }, this.word.node, this.cost, this.alias)),
      el("div", {}, this.bars.node, this.why), ...this.figures.nodes);
    this.detail = el("div", { class: "detail", hidden: true });
    this.nodes = [this.node, this.detail];
  }

  show(model, now) {
    this.data = model;
    const names = model.names.filter((one) => one !== model.model);
    setText(this.alias, names.length ? `as ${names.join(", ")}` : "");
    this.word.show(model.state, now);
    this.bars.show(model.bars, now);
    // A limit that has no bar here (the budget), or why nobody asks it, in words.
    const { word, reason } = model.state;
    const limited = word === "near limit" || word === "at limit";
    const hasBar = limited && !reason.startsWith("budget") && (model.bars.length > 0 || this.shares);
    setText(this.why, word !== "ready" && reason && !hasBar ? reason : model.bars.length || this.shares ? "" : "no limit set");
    const cost = costWord(model);
    setText(this.cost, cost.text);
    setAttr(this.cost, "class", cost.paid ? "costs paid" : "costs free");
    setAttr(this.cost, "title", cost.paid ? "US$ per million tokens, prompt / answer" : "one more request costs nothing");
    this.figures.show(model);
    setAttr(this.node, "data-idle", model.sums[0] ? "0" : "1");
    setAttr(this.node, "data-off", OFF.has(model.state.word) ? "1" : "0");
  }

  async toggle() {
    const open = this.detail.hidden;
    this.detail.hidden = !open;
    this.button.setAttribute("aria-expanded", String(open));
    if (!open) return;
    this.detail.replaceChildren(el("p", { class: "soft" }, "Loading …"));
    const query = new URLSearchParams({ provider: this.provider, model: this.model });
    try {
      this.detail.replaceChildren(...details(await get(`/offer.json?${query}`), this.data, query));
    } catch (error) {
      this.detail.replaceChildren(el("p", { class: "soft" }, error.message));
    }
  }
}

function details(found, model, query) {
  const link = (id, text) => el("a", { href: `${page.base}/requests/${encodeURIComponent(id)}` }, text);
  const now = Date.now() / 1000;
  const parts = [];
  if (model.state.reason) parts.push(el("p", {}, el("b", {}, model.state.word), `: ${model.state.reason}`));
  const requests = found.requests.map((row) => el("li", {},
    link(row.id, clock(row.at, now)), el("span", {}, row.client), el("span", { "data-outcome": row.outcome }, row.outcome),
    el("span", { class: "num" }, `${count(row.total_tokens)} tokens`), el("span", { class: "num" }, latency(row.duration_ms))));
  parts.push(el("div", {}, el("h3", {}, "Last requests"),
    requests.length ? el("ul", { class: "lines" }, ...requests) : el("p", { class: "soft" }, "None of the last 5,000 went here.")));
  const failures = found.failures.map((row) => el("li", {},
    link(row.request, clock(row.at, now)), el("span", {}, row.reason || String(row.status))));
  if (failures.length) parts.push(el("div", {}, el("h3", {}, "Last failures"), el("ul", { class: "lines" }, ...failures)));
  parts.push(el("p", {}, el("a", { href: `${page.base}/requests?${query}` }, "All its requests")));
  return parts;
}

class ProviderGroup {
  constructor(provider) {
    this.id = provider.id;
    this.word = new Word();
    this.bars = new Bars(provider.id, "");
    this.figures = new Figures(provider.id, false);
    this.tags = el("span", { class: "tags" });
    this.why = el("span", { class: "unlimited" });
    this.opened = false; // by hand
    this.wanted = false; // by the filter
    this.fold = el("button", { type: "button", class: "link fold", hidden: true, onclick: () => { this.opened = !this.opened; this.draw(); } });
    this.head = el("div", { class: "row provider" },
      el("div", { class: "who" }, el("h2", {}, provider.id), this.tags, this.word.node, this.fold),
      el("div", {}, this.bars.node, this.why), ...this.figures.nodes);
    this.list = el("div", { class: "models" });
    this.node = el("section", { class: "group", "aria-label": provider.id }, this.head, this.list);
    this.rows = new Map();
  }

  show(provider, now, order, many) {
    this.data = provider;
    this.draw = () => this.rowsOf(provider, now, order, many);
    const tags = [provider.type !== provider.id ? provider.type : "", provider.free ? "free" : provider.bars.concat(...provider.models.map((m) => m.bars)).some((bar) => bar.source === "preset") ? "free tier" : "",
      provider.flat ? `flat $${provider.flat}/month` : "", provider.accounts > 1 ? `${provider.accounts} accounts` : "",
      provider.way_out ? `by way of ${provider.way_out}` : "", ...asked(provider.asked, now)];
    setText(this.tags, tags.filter(Boolean).join(" · "));
    this.word.show(provider.state, now);
    this.bars.show(provider.bars, now);
    const sums = [0, 1, 2].map((n) => provider.models.reduce((sum, model) => sum + model.sums[n], 0));
    this.figures.show({ sums, r: [], t: [], c: [] });
    const off = OFF.has(provider.state.word) && !provider.state.returns;
    setAttr(this.node, "data-off", off ? "1" : "0");
    this.head.classList.toggle("alone", !off && !provider.bars.length);
    setAttr(this.node, "data-models", String(provider.models.length));
    // What is off has no numbers: its reason stands where the limits would.
    setText(this.why, off ? provider.state.reason.replace(/^not configured: /, "") : "");
    this.off = off;
    this.draw();
  }

  // The models' rows; of many models only where somebody looks: 600 rows take a second.
  rowsOf(provider, now, order, many) {
    const folded = many && !this.opened && !this.wanted;
    this.list.hidden = this.off || folded;
    this.fold.hidden = !many || this.off;
    setAttr(this.fold, "aria-expanded", String(!folded));
    const ready = provider.models.filter((model) => model.state.word === "ready" || model.state.word === "near limit").length;
    setText(this.fold, folded ? `${ready} of ${provider.models.length} models ready` : "Fold");
    if (folded || this.off) {
      if (this.rows.size) {
        this.rows.clear();
        this.list.replaceChildren();
      }
      return;
    }
    for (const model of provider.models) {
      let row = this.rows.get(model.model);
      if (!row) this.rows.set(model.model, row = new ModelRow(provider, model));
      row.show(model, now);
    }
    const known = new Set(provider.models.map((model) => model.model));
    for (const [name, row] of this.rows) {
      if (known.has(name)) continue;
      for (const node of row.nodes) node.remove();
      this.rows.delete(name);
    }
    const sorted = order(provider.models);
    arrange(this.list, sorted.flatMap((model) => this.rows.get(model.model).nodes));
  }

  filter(text, freeOnly) {
    const fitting = new Set(this.data.models.filter((model) => {
      const hay = [this.id, model.model, ...model.names, model.state.word, model.free ? "free" : "paid"].join(" ").toLowerCase();
      return (!text || hay.includes(text)) && (!freeOnly || model.free);
    }).map((model) => model.model));
    const seen = fitting.size;
    const wanted = Boolean(text) && seen > 0;
    if (wanted !== this.wanted) {
      this.wanted = wanted;
      this.draw();
    }
    for (const row of this.rows.values()) {
      row.node.hidden = !fitting.has(row.model);
      if (row.node.hidden) row.detail.hidden = true;
    }
    this.node.hidden = seen === 0 && Boolean(text || freeOnly);
    return !this.node.hidden;
  }
}

function arrange(parent, nodes) {
  let at = parent.firstChild;
  for (const node of nodes) {
    if (node === at) at = at.nextSibling;
    else parent.insertBefore(node, at);
  }
}

const tightest = (bars) => Math.max(0, ...bars.map((bar) => (bar.limit > 0 ? (bar.used + bar.reserved) / bar.limit : 1)));

function rank(model, words) {
  // In steps of a twentieth, or neighbours would change places every second.
  return words.indexOf(model.state.word) * 100 - Math.min(40, Math.floor(tightest(model.bars) * 20)) * (words === WORST ? 1 : -1);
}

const ORDERS = {
  usable: (a, b) => a.rank - b.rank,
  worst: (a, b) => a.rank - b.rank,
  name: () => 0,
  traffic: (a, b) => b.sums[0] - a.sums[0],
};

export class Table {
  constructor(parent) {
    this.parent = parent;
    this.groups = new Map();
  }

  show(data, order) {
    const now = data.now;
    for (const provider of data.providers) {
      for (const model of provider.models) {
        for (const key of ["r", "t", "c"]) model[key] ??= ZEROS;
        model.sums = [model.r, model.t, model.c].map((values) => values.reduce((a, b) => a + b, 0));
        model.rank = rank(model, order === "worst" ? WORST : USABLE);
      }
      // The first of its models in use says where a provider stands.
      const used = provider.models.filter((m) => !OFF.has(m.state.word)).map((m) => m.rank);
      provider.rank = used.length ? Math.min(...used) : 900;
      provider.sums = [provider.models.reduce((sum, model) => sum + model.sums[0], 0)];
    }
    // Nothing moves away under a hand that is about to click.
    const still = this.parent.matches(":hover") || this.parent.contains(document.activeElement);
    const by = (list) => (still ? list : [...list].sort((a, b) => ORDERS[order](a, b) || (a.id ?? a.model).localeCompare(b.id ?? b.model)));
    const many = data.providers.reduce((sum, provider) => sum + provider.models.length, 0) > MANY;
    for (const provider of data.providers) {
      let group = this.groups.get(provider.id);
      if (!group) {
        this.groups.set(provider.id, group = new ProviderGroup(provider));
        this.parent.append(group.node);
      }
      group.show(provider, now, still ? (models) => this.kept(group, models) : by, many);
    }
    const known = new Set(data.providers.map((provider) => provider.id));
    for (const [id, group] of this.groups) {
      if (known.has(id)) continue;
      group.node.remove();
      this.groups.delete(id);
    }
    if (!still) arrange(this.parent, by(data.providers).map((provider) => this.groups.get(provider.id).node));
  }

  // The order in which the rows stand now; new ones at the end.
  kept(group, models) {
    const place = new Map([...group.list.children].map((node, n) => [node, n]));
    const of = (model) => place.get(group.rows.get(model.model).node) ?? 1e6;
    return [...models].sort((a, b) => of(a) - of(b));
  }

  filter(text, freeOnly) {
    let seen = 0;
    for (const group of this.groups.values()) seen += group.filter(text, freeOnly);
    return seen;
  }
}
