// What every page uses: elements, numbers, times, requests. Texts become text nodes,
// always: names come from clients and providers.

export const page = document.body.dataset;

export function el(tag, props = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(props)) {
    if (value === null || value === undefined || value === false) continue;
    if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
    else if (name === "class") node.className = value;
    else node.setAttribute(name, value === true ? "" : value);
  }
  node.append(...children.filter((child) => child !== null && child !== undefined));
  return node;
}

export function svg(tag, props = {}, ...children) {
  const node = document.createElementNS("http://www.w3.org/2000/svg", tag);
  for (const [name, value] of Object.entries(props)) node.setAttribute(name, value);
  node.append(...children);
  return node;
}

export function setText(node, text) {
  if (node.textContent !== text) node.textContent = text;
}

export function setAttr(node, name, value) {
  if (node.getAttribute(name) !== value) node.setAttribute(name, value);
}

const CONTROLS = "a[href], button, input, select, textarea, summary, [tabindex='0']";
const called = (node) => [node.tagName, node.parentElement?.closest("article[aria-label]")?.getAttribute("aria-label"),
  node.getAttribute("aria-label") ?? node.dataset.name ?? node.labels?.[0]?.textContent ?? node.getAttribute("href") ?? node.textContent].join("|");

// `draw` makes the contents of `parent` anew; the keyboard stays at the control it was at,
// or at the one that came into its place.
export function keepFocus(parent, draw) {
  const active = document.activeElement;
  if (active === parent || !parent.contains(active)) return draw();
  const controls = () => [...parent.querySelectorAll(CONTROLS)].filter((node) => !node.disabled && node.checkVisibility());
  const before = controls();
  const at = before.indexOf(active);
  const name = called(active);
  const nth = before.slice(0, Math.max(at, 0)).filter((node) => called(node) === name).length;
  const result = draw();
  if (parent.contains(document.activeElement)) return result;
  const after = controls();
  (after.filter((node) => called(node) === name)[nth] ?? after[Math.min(Math.max(at, 0), after.length - 1)])?.focus({ preventScroll: true });
  return result;
}

const whole = new Intl.NumberFormat("en-US");

export function count(n) {
  if (n < 10000) return whole.format(Math.round(n));
  const [size, letter] = n < 1e6 ? [1e3, "k"] : n < 1e9 ? [1e6, "M"] : [1e9, "G"];
  const shown = n / size;
  return (shown < 100 ? shown.toFixed(1).replace(/\.0$/, "") : Math.round(shown)) + letter;
}

export function short(n) {
  return n < 1000 ? String(n) : n < 10000 ? `${(n / 1000).toFixed(1)}k` : count(n);
}

export function exact(n) {
  return whole.format(n);
}

export function money(n) {
  if (n === null || n === undefined) return "unknown";
  if (n === 0) return "$0";
  const size = Math.abs(n);
  if (size >= 1000) return "$" + whole.format(Math.round(n));
  if (size >= 0.995) return "$" + n.toFixed(2);
  if (size < 1e-6) return "<$0.000001";
  // Two significant digits, three from ten cents on; cents never lose their second digit.
  const digits = size >= 0.1 ? 3 : 1 - Math.floor(Math.log10(size));
  return "$" + n.toFixed(digits).replace(/(\.\d\d+?)0+$/, "$1");
}

export function amount(metric, n) {
  return metric === "cost" ? money(n) : count(n);
}

// Whether anything was shown that is another text in a second.
export const counting = { down: false };

export function duration(seconds) {
  const s = Math.max(0, Math.round(seconds));
  if (s < 600) counting.down = true;
  if (s < 60) return `${s} s`;
  if (s < 3600) return s < 600 ? `${Math.floor(s / 60)} m ${s % 60} s` : `${Math.round(s / 60)} m`;
  if (s < 86400) return `${Math.floor(s / 3600)} h ${Math.floor((s % 3600) / 60)} m`;
  return `${Math.floor(s / 86400)} d ${Math.floor((s % 86400) / 3600)} h`;
}

export function latency(ms) {
  if (ms === null || ms === undefined) return "";
  return ms < 1000 ? `${ms} ms` : ms < 60000 ? `${(ms / 1000).toFixed(1)} s` : duration(ms / 1000);
}

const clockTime = new Intl.DateTimeFormat(undefined, { hour: "2-digit", minute: "2-digit" });
const dayTime = new Intl.DateTimeFormat(undefined, {
  weekday: "short", hour: "2-digit", minute: "2-digit",
});
const fullTime = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "medium" });

export function clock(at, now) {
  return (Math.abs(at - now) < 43200 ? clockTime : dayTime).format(new Date(at * 1000));
}

export function full(at) {
  return fullTime.format(new Date(at * 1000));
}

export class Failure extends Error {
  constructor(message, status, answer) {
    super(message);
    this.status = status;
    this.answer = answer;
  }
}

async function answer(response) {
  let found = null;
  try { found = await response.json(); } catch { /* not JSON: the status speaks */ }
  if (response.ok) return found;
  const message = found?.error?.message ?? found?.errors?.[0]?.message
    ?? (typeof found?.error === "string" ? found.error : null);
  throw new Failure(message ?? `The dashboard answered ${response.status}`, response.status, found);
}

export async function get(path, signal) {
  return answer(await fetch(page.base + path, { cache: "no-store", signal }));
}

export async function post(path, body) {
  return answer(await fetch(page.base + path, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify(body ?? {}),
  }));
}

export function remember(key, value) {
  try { localStorage.setItem("gw-" + key, value); } catch { /* private mode */ }
}

export function recall(key, otherwise) {
  try { return localStorage.getItem("gw-" + key) ?? otherwise; } catch { return otherwise; }
}

export function copyButton(text, label = "Copy") {
  const button = el("button", { type: "button", class: "small" }, label);
  button.addEventListener("click", async () => {
    try {
      await navigator.clipboard.writeText(text);
      button.textContent = "Copied";
    } catch {
      button.textContent = "Select and copy";
    }
    setTimeout(() => { button.textContent = label; }, 1500);
  });
  return button;
}

export function command(text) {
  // Ours are found once the virtual environment is active: what is copied works as it is.
  const first = page.activation && /^(mitmdump|llm-gateway)\b/.test(text) ? page.activation : "";
  return el("div", { class: "command", title: first ? `Copied with “${first}” before it` : null },
    el("code", {}, text), copyButton(first ? `${first} && ${text}` : text));
}

const briefTime = new Intl.DateTimeFormat(undefined, { day: "numeric", month: "short", hour: "2-digit", minute: "2-digit", second: "2-digit" });
const clockSeconds = new Intl.DateTimeFormat(undefined, { hour: "2-digit", minute: "2-digit", second: "2-digit" });

// Today as a time, other days with their date.
export function brief(at) {
  const date = new Date(at * 1000);
  return (date.toDateString() === new Date().toDateString() ? clockSeconds : briefTime).format(date);
}

// On a phone the row of pages is wider than the screen: where one is, is in sight.
const here = document.querySelector(".top nav [aria-current]");
if (here) here.parentElement.scrollLeft = here.offsetLeft - here.parentElement.offsetLeft - (here.parentElement.clientWidth - here.offsetWidth) / 2;

for (const node of document.querySelectorAll("[data-command]")) node.replaceWith(command(node.textContent));

for (const node of document.querySelectorAll("time[data-at]")) {
  const at = Number(node.dataset.at);
  node.textContent = node.dataset.brief ? brief(at) : full(at);
  if (node.dataset.brief) node.title = full(at);
}
