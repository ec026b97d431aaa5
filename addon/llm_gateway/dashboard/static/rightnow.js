// Right now: for each name that apps ask for, who would answer, in the router's order.

import { clock, duration, el, get, keepFocus, page } from "./base.js";

const FIRST = 12; // chips before "more"
const usable = (offer) => offer.word === "ready" || offer.word === "near limit";
const off = (offer) => ["disabled", "excluded", "not configured"].includes(offer.word);

function back(offers, now) {
  const times = offers.map((offer) => offer.returns).filter((at) => at && at > now);
  return times.length ? Math.min(...times) : null;
}

// The better one: free, and away for now, where a paid one answers meanwhile.
function better(name, now) {
  const first = name.offers.find(usable);
  if (!first || first.free) return null;
  const away = name.offers.filter((offer) => offer.free && !usable(offer) && offer.returns && offer.returns > now);
  return away.length ? away.reduce((a, b) => (a.returns <= b.returns ? a : b)) : null;
}

const rank = (name) => (name.offers.some(usable) ? 0 : name.offers.every(off) ? 2 : 1);

export class RightNow {
  constructor(node) {
    this.node = node;
    this.shape = "";
    this.all = false;
    this.open = null;
    node.addEventListener("keydown", (event) => {
      if (event.key !== "Escape" || this.open === null) return;
      const chip = node.querySelector(`button[data-name="${CSS.escape(this.open)}"]`);
      chip?.focus();
      this.again({ open: null });
    });
  }

  show(data) {
    const names = [...data.names].sort((a, b) => rank(a) - rank(b));
    const down = Boolean(data.gateway?.silent);
    // Countdowns move once a minute: a strip that changes every second is not read.
    const shape = JSON.stringify([names, this.all, this.open, down, Math.floor(data.now / 60)]);
    if (shape === this.shape) return;
    this.shape = shape;
    this.data = data;
    this.node.hidden = !names.length;
    const list = this.all ? names : names.slice(0, FIRST);
    const chips = list.map((name) => this.chip(name, data.now, down));
    const rest = names.length - list.length;
    if (rest > 0 || this.all) {
      chips.push(el("li", {}, el("button", { type: "button", class: "link", onclick: () => this.again({ all: !this.all }) }, this.all ? "Fewer" : `${rest} more`)));
    }
    const opened = names.find((name) => name.name === this.open);
    keepFocus(this.node, () => this.node.replaceChildren(el("h2", {}, "Right now"), el("ul", {}, ...chips), opened ? this.details(opened, data.now) : ""));
  }

  again(change) {
    Object.assign(this, change);
    this.shape = "";
    this.show(this.data);
  }

  chip(name, now, down) {
    const can = name.offers.filter(usable);
    const [first, second] = can;
    const level = down ? "off" : first ? (first.word === "near limit" ? "near" : first.free ? "ok" : "paid") : rank(name) === 2 ? "off" : "full";
    const parts = [el("b", {}, name.name)];
    if (down) parts.push(el("span", {}, "gateway is down"));
    else if (first) {
      parts.push(el("span", {}, "→ ", first.provider), el("em", { class: first.free ? "free" : "paid" }, first.free ? "free" : "paid"));
      if (second) parts.push(el("span", { class: "soft" }, `then ${second.provider}`));
      const away = better(name, now);
      if (away) parts.push(el("span", { class: "soft" }, `${away.provider} back ${clock(away.returns, now)}`));
    } else {
      // A key that was refused does not come back by itself.
      const at = back(name.offers.filter((offer) => offer.word !== "key refused"), now);
      parts.push(el("span", {}, at ? `back ${clock(at, now)}` : name.offers[0]?.word ?? "nobody"));
    }
    return el("li", {}, el("button", {
      type: "button", class: "chip-now", "data-level": level, "data-name": name.name, "aria-expanded": String(this.open === name.name),
      title: name.aliases.length ? `also ${name.aliases.join(", ")}` : null,
      onclick: () => this.again({ open: this.open === name.name ? null : name.name }),
    }, el("i", { "aria-hidden": "true" }), ...parts));
  }

  details(name, now) {
    const next = el("span", { class: "next", role: "status" });
    const rows = name.offers.map((offer) => el("li", {},
      el("a", { href: `${page.base}/requests?${new URLSearchParams({ provider: offer.provider, model: offer.model })}` }, `${offer.provider} / ${offer.model}`),
      el("em", { class: offer.free ? "free" : "paid" }, offer.free ? "free" : "paid"),
      el("span", { class: "word", "data-word": offer.word, "data-hot": "0" }, el("i", { "aria-hidden": "true" }), el("b", {}, offer.word)),
      offer.returns && offer.returns > now ? el("span", { class: "soft" }, `back in ${duration(offer.returns - now)}`) : null));
    return el("div", { class: "now-detail" },
      el("p", {}, el("b", {}, name.name), name.aliases.length ? el("span", { class: "soft" }, ` also asked for as ${name.aliases.join(", ")}`) : null),
      el("ol", {}, ...rows),
      el("p", {}, el("button", { type: "button", class: "link", onclick: () => explain(name.name, next) }, "who is next?"), " ",
        el("a", { href: `${page.base}/requests?${new URLSearchParams({ asked: name.name })}` }, "its requests"), " ", next));
  }
}

// Who would be next is the gateway's word, so it is asked for, not guessed.
async function explain(name, into) {
  into.textContent = "asking the gateway …";
  try {
    const found = await get(`/route.json?${new URLSearchParams({ model: name })}`);
    const taken = found.candidates.find((one) => one.verdict === "taken") ?? found.candidates.find((one) => one.verdict === "ready");
    into.replaceChildren(...(taken
      ? [el("b", {}, `${taken.provider} / ${taken.model}`), `: ${taken.reason}`]
      : [`nobody now: ${found.candidates.map((one) => `${one.provider} ${one.reason}`).join("; ")}`]));
  } catch (error) {
    into.textContent = error.message;
  }
}
