// The configuration as text: line numbers, problems at their lines, what is different.

import { el } from "./base.js";

export class Editor {
  constructor(parent, text, changed) {
    this.before = text;
    this.changed = changed;
    this.wrong = new Map();
    this.gutter = el("div", { class: "gutter", "aria-hidden": "true" });
    this.area = el("textarea", { class: "code", spellcheck: "false", autocomplete: "off", autocapitalize: "off", wrap: "off", "aria-label": "config.jsonc" });
    this.area.value = text;
    this.area.addEventListener("input", () => {
      this.lines();
      this.changed(this);
    });
    this.area.addEventListener("scroll", () => { this.gutter.scrollTop = this.area.scrollTop; });
    this.area.addEventListener("keydown", (event) => {
      if (event.key !== "Tab" || event.shiftKey) return;
      event.preventDefault();
      this.area.setRangeText("  ", this.area.selectionStart, this.area.selectionEnd, "end");
      this.area.dispatchEvent(new Event("input"));
    });
    parent.replaceChildren(
      el("p", { class: "soft" }, "config.jsonc as it lies on the disk, comments included. Secrets are shown as *** and a fingerprint, and stay as they are unless you write over them."),
      el("div", { class: "editor panel" }, this.gutter, this.area));
    this.lines();
  }

  get dirty() {
    return this.area.value !== this.before;
  }

  body() {
    return { text: this.area.value };
  }

  lines() {
    const count = this.area.value.split("\n").length;
    const rows = Math.min(Math.max(count + 1, 16), 44);
    this.area.rows = rows;
    this.gutter.replaceChildren(...Array.from({ length: count }, (_, n) => {
      const message = this.wrong.get(n + 1);
      return el("span", { class: message ? "wrong" : null, title: message }, String(n + 1));
    }));
    this.gutter.scrollTop = this.area.scrollTop;
  }

  concerns() {
    return true;
  }

  errors(list) {
    this.wrong = new Map(list.filter((one) => one.line).map((one) => [one.line, one.message]));
    this.lines();
  }

  go(line) {
    const lines = this.area.value.split("\n");
    const start = lines.slice(0, line - 1).reduce((sum, one) => sum + one.length + 1, 0);
    this.area.focus();
    this.area.setSelectionRange(start, start + (lines[line - 1] ?? "").length);
    this.area.scrollTop = Math.max(0, (line - 6) * parseFloat(getComputedStyle(this.area).lineHeight));
  }

  changes() {
    return difference(this.before.split("\n"), this.area.value.split("\n"));
  }

  lock(locked) {
    this.area.readOnly = locked;
  }
}

// The lines that went and came, between what both texts begin and end with.
export function difference(before, after) {
  let head = 0;
  while (head < before.length && head < after.length && before[head] === after[head]) head += 1;
  let tail = 0;
  while (tail < before.length - head && tail < after.length - head && before.at(-1 - tail) === after.at(-1 - tail)) tail += 1;
  const old = before.slice(head, before.length - tail);
  const now = after.slice(head, after.length - tail);
  if (old.length * now.length > 250000) return [...old.map((line) => ["-", line]), ...now.map((line) => ["+", line])];
  // Longest common subsequence of what is left.
  const long = Array.from({ length: old.length + 1 }, () => new Uint16Array(now.length + 1));
  for (let a = old.length - 1; a >= 0; a -= 1) {
    for (let b = now.length - 1; b >= 0; b -= 1) {
      long[a][b] = old[a] === now[b] ? long[a + 1][b + 1] + 1 : Math.max(long[a + 1][b], long[a][b + 1]);
    }
  }
  const found = [];
  let [a, b] = [0, 0];
  while (a < old.length || b < now.length) {
    if (a < old.length && b < now.length && old[a] === now[b]) [a, b] = [a + 1, b + 1];
    else if (b >= now.length || (a < old.length && long[a + 1][b] >= long[a][b + 1])) { found.push(["-", old[a]]); a += 1; } else { found.push(["+", now[b]]); b += 1; }
  }
  return found;
}
