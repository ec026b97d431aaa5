// Since you were last here: what happened while nobody looked, in one line.

import { count, duration, el, get, money, page, recall, remember } from "./base.js";

const AWAY = 1800; // seconds after which a visit is a new one
const FURTHEST = 7 * 86400;

export async function since() {
  const now = Date.now() / 1000;
  const last = Number(recall("seen", "0"));
  const here = () => { if (!document.hidden) remember("seen", String(Math.floor(Date.now() / 1000))); };
  here();
  setInterval(here, 60000);
  addEventListener("pagehide", here);
  if (!last || now - last < AWAY || now - last > FURTHEST) return;
  const from = new Date(last * 1000).toISOString();
  let found;
  try { found = await get(`/since.json?${new URLSearchParams({ from })}`); } catch { return; }
  if (!found.requests) return;
  const bad = found.errors + found.refused;
  const link = (query, text) => el("a", { href: `${page.base}/requests?${new URLSearchParams({ from, sim: "0", other: "1", ...query })}` }, text);
  const node = document.getElementById("since");
  const parts = [el("b", {}, `Since you were last here, ${duration(now - last)}: `), link({}, `${count(found.requests)} requests`), ", ",
    bad ? link({ outcome: "unanswered" }, `${count(found.errors)} failed, ${count(found.refused)} refused`) : "all answered", ", ",
    found.cost ? link({ paid: "1" }, `${money(found.cost)} billed`) : "$0.00 billed", `, ${money(found.saved ?? 0)} saved. `];
  node.replaceChildren(...parts, el("button", { type: "button", class: "link", onclick: () => { node.hidden = true; } }, "Dismiss"));
  node.hidden = false;
}
