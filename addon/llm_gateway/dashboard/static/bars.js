// The small parts of a row: sparkline, bar, word.

import { amount, clock, duration, el, exact, setAttr, setText, svg } from "./base.js";

const SLOTS = 30;
const WIDE = 3; // of one column in a sparkline, gap included
const HIGH = 22;
const SHORT = { minute: "min", hour: "hour", day: "day", month: "month" };

export function sparkPath(values, high = HIGH) {
  let most = 0;
  for (const value of values) if (value > most) most = value;
  if (!most) return "";
  let path = "";
  for (let n = 0; n < values.length; n += 1) {
    if (!values[n]) continue;
    const tall = Math.max(1, Math.round((values[n] / most) * high));
    path += `M${n * WIDE} ${high}v-${tall}h${WIDE - 1}v${tall}z`;
  }
  return path;
}

export class Spark {
  constructor(label, high = HIGH) {
    this.label = label;
    this.high = high;
    this.path = svg("path", {});
    this.node = svg("svg", {
      class: "spark", viewBox: `0 0 ${SLOTS * WIDE} ${high}`, role: "img", "aria-label": label,
      preserveAspectRatio: "none",
    }, svg("path", { class: "floor", d: `M0 ${high - 0.5}H${SLOTS * WIDE}` }), this.path);
  }

  show(values, said) {
    const path = sparkPath(values, this.high);
    setAttr(this.path, "d", path);
    setAttr(this.node, "data-nil", path ? "0" : "1");
    setAttr(this.node, "aria-label", `${this.label}: ${said}`);
  }
}

export class Bar {
  constructor(bar, name) {
    this.name = name;
    this.tier = bar.tier ? `, all ${bar.tier} models` : "";
    this.key = `${bar.metric} ${bar.window}${this.tier}`;
    this.used = el("i", { class: "used" });
    this.reserved = el("i", { class: "reserved" });
    this.track = el("span", { class: "track", role: "progressbar", "aria-valuemin": "0" }, this.used, this.reserved);
    this.value = el("span", { class: "value" });
    this.reset = el("span", { class: "reset" });
    this.node = el("div", { class: "limit" },
      el("span", { class: "what" }, `${bar.metric}/${SHORT[bar.window]}`, bar.tier ? el("em", {}, ` ${bar.tier}`) : null), this.track, this.value, this.reset);
  }

  show(bar, now) {
    const share = bar.limit > 0 ? bar.used / bar.limit : 1;
    const set = bar.limit > 0 ? bar.reserved / bar.limit : 0;
    const wide = `${Math.min(100, share * 100).toFixed(1)}%`;
    if (this.used.style.width !== wide) this.used.style.width = wide;
    const more = `${Math.max(0, Math.min(100 - share * 100, set * 100)).toFixed(1)}%`;
    if (this.reserved.style.width !== more) this.reserved.style.width = more;
    setAttr(this.node, "data-level", bar.level);
    setText(this.value, `${amount(bar.metric, bar.used)} of ${amount(bar.metric, bar.limit)}`);
    const left = bar.resets === null ? null : bar.resets - now;
    setText(this.reset, left !== null && left > 0 && bar.used + bar.reserved > 0 ? duration(left) : "");
    const unit = bar.metric === "cost" ? "US$" : bar.metric;
    const text = `${exact(bar.used)} of ${exact(bar.limit)} ${unit} per ${bar.window}${this.tier}`
      + (bar.reserved ? `, ${exact(bar.reserved)} reserved` : "")
      + (left !== null && left > 0 ? `, resets ${clock(bar.resets, now)}` : "");
    setAttr(this.track, "aria-label", `${this.name} ${this.key}`);
    setAttr(this.track, "aria-valuemax", String(bar.limit));
    setAttr(this.track, "aria-valuenow", String(Math.min(bar.used, bar.limit)));
    setAttr(this.track, "aria-valuetext", text);
    const origin = bar.source === "config" ? "" : ` · says ${bar.source}${bar.as_of ? `, as of ${bar.as_of}` : ""}`;
    const accounts = bar.accounts > 1 ? ` · ${bar.accounts} accounts together` : "";
    setAttr(this.node, "title", `${text} (${Math.round(share * 100)} %)${origin}${accounts}`);
  }
}

export class Bars {
  constructor(name, otherwise) {
    this.name = name;
    this.otherwise = otherwise;
    this.node = el("div", { class: "limits" });
    this.bars = [];
    this.shape = null;
  }

  show(bars, now) {
    const shape = bars.map((bar) => `${bar.metric} ${bar.window} ${bar.tier ?? ""}`).join();
    if (shape !== this.shape) {
      this.shape = shape;
      this.bars = bars.map((bar) => new Bar(bar, this.name));
      this.node.replaceChildren(...this.bars.map((bar) => bar.node));
      if (!bars.length && this.otherwise) this.node.append(el("span", { class: "unlimited" }, this.otherwise));
    }
    this.bars.forEach((bar, n) => bar.show(bars[n], now));
  }
}

export class Word {
  constructor() {
    this.text = el("b");
    this.more = el("span", { class: "more" });
    this.node = el("span", { class: "word" }, el("i", { "aria-hidden": "true" }), this.text, this.more);
  }

  show(state, now) {
    setAttr(this.node, "data-word", state.word);
    setAttr(this.node, "data-hot", state.hot ? "1" : "0");
    setText(this.text, state.word);
    const left = state.returns === null ? 0 : state.returns - now;
    const waits = ["cooling down", "failing", "at limit", "disabled", "key refused"].includes(state.word);
    setText(this.more, waits && left > 0 ? duration(left) : "");
    setAttr(this.node, "title", state.reason || state.word);
  }
}
