// The refill tape: 24 hours ahead, a lane for each limit, in the reader's time.

import { clock, el, setAttr, svg } from "./base.js";

const DAY = 86400;
const WIDE = 240;
const HIGH = 12;

const x = (at, now) => Math.max(0, Math.min(WIDE, ((at - now) / DAY) * WIDE)).toFixed(1);

function lane(one, now) {
  const full = x(one.resets, now);
  const parts = [svg("rect", { class: "ground", x: 0, y: 4, width: WIDE, height: 4, rx: 2 }),
    svg("rect", { class: "left", "data-level": one.level, x: 0, y: 3, width: one.empty ? x(one.empty, now) : full, height: 6, rx: 2 })];
  if (one.empty) parts.push(svg("rect", { class: "gone", x: x(one.empty, now), y: 3, width: Math.max(0, full - x(one.empty, now)).toFixed(1), height: 6 }));
  parts.push(svg("path", { class: "refill", d: `M${full} 0v${HIGH}` }));
  const said = `${one.of ? `${one.provider} / ${one.of}` : one.provider}, ${one.limit}: ${Math.round(one.ratio * 100)} % used`
    + `${one.empty ? `, at this pace empty at ${clock(one.empty, now)}` : one.level === "full" ? ", empty" : ""}, full again at ${clock(one.resets, now)}`;
  return el("li", { title: said },
    el("span", { class: "lane-name" }, el("b", {}, one.provider), one.of ? ` ${one.of}` : ""),
    el("span", { class: "soft" }, clock(one.resets, now)),
    svg("svg", { viewBox: `0 0 ${WIDE} ${HIGH}`, preserveAspectRatio: "none", role: "img", "aria-label": said }, ...parts));
}

let shown = "";
export function tape(data) {
  document.getElementById("tape-panel").hidden = !data.refills.length;
  // The soonest first; it moves by the minute.
  const list = [...data.refills].sort((a, b) => a.resets - b.resets || b.ratio - a.ratio).slice(0, 12);
  const shape = JSON.stringify([list.map((one) => ({ ...one, empty: one.empty && Math.round(one.empty / 60) })), Math.floor(data.now / 60)]);
  if (shape === shown) return;
  shown = shape;
  const node = document.getElementById("tape");
  const hours = [0, 6, 12, 18].map((ahead) => el("span", {}, ahead ? clock(data.now + ahead * 3600, data.now) : "now"));
  node.replaceChildren(el("ol", {}, ...list.map((one) => lane(one, data.now))), el("p", { class: "tape-hours soft", "aria-hidden": "true" }, ...hours));
  setAttr(node, "data-lanes", String(list.length));
}
