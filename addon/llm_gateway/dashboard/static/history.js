// The History page: one answer, seven panels; each with its table, CSV and SQL.

import { count, el, exact, full, get, latency, money, page, recall, remember, svg } from "./base.js";
import { lines, newSync, seriesColour, stacked, when } from "./plots.js";

const $ = (id) => document.getElementById(id);
const METRICS = {
  requests: { title: "Requests", format: count },
  tokens: { title: "Tokens", format: count },
  cost: { title: "Spent", format: money },
  saved: { title: "Saved", format: money },
};
const ZONE = Intl.DateTimeFormat().resolvedOptions().timeZone || "UTC";
const FAILURES = [{ key: "errors", name: "failed", colour: "--full", outcome: "failed" }, { key: "refused", name: "refused", colour: "--near", outcome: "refused" }];
const DAYS = ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"];
const query = new URLSearchParams(location.search);
const TITLES = { provider: "provider", model: "model", client: "app" };
const OWN = "own";
const state = {
  range: query.get("from") ? OWN : query.get("range") ?? recall("range", ""),
  from: query.get("from") ?? "",
  to: query.get("to") ?? query.get("from") ?? "",
  compare: (query.get("compare") ?? recall("compare", "0")) === "1",
  by: query.get("by") ?? recall("by", "provider"),
  hideSimulated: recall("hide-simulated", "0") === "1",
  open: new Set(),
  plots: [],
  data: null,
  asking: null,
};

// What was asked: a range that ends now, or two dates.
const asked = () => (state.range === OWN ? { from: state.from, to: state.to } : { range: state.range });

async function load() {
  if (state.range === OWN && !(state.from && state.to)) return;
  state.asking?.abort();
  const asking = state.asking = new AbortController();
  const search = new URLSearchParams({ ...asked(), by: state.by, tz: ZONE });
  if (state.hideSimulated) search.set("sim", "0");
  if (state.compare) search.set("compare", "1");
  document.body.setAttribute("aria-busy", "true");
  try {
    state.data = await get(`/history.json?${search}`, asking.signal);
    state.search = search;
    state.at = Date.now();
    $("banners").replaceChildren();
    draw();
  } catch (error) {
    if (asking.signal.aborted) return;
    $("banners").replaceChildren(el("div", { class: "banner warn" }, el("p", {}, error.message)));
  }
  document.body.removeAttribute("aria-busy");
}

const nameOf = (one) => one.key === null ? `${one.count} others` : one.key || "none (refused or passed through)";

function draw() {
  const { data } = state;
  for (const plot of state.plots) plot.destroy();
  state.plots = [];
  const series = data.series.map((one, n) => ({ ...one, colour: seriesColour(n, one.key === null) }));
  $("legend").replaceChildren(...series.map((one) => {
    const dot = el("i", { "aria-hidden": "true" });
    dot.style.background = `var(${one.colour})`;
    const asked = data.totals.find((total) => total.key === one.key);
    const sum = one.requests.reduce((a, b) => a + b, 0);
    const name = asked?.key ? el("a", { href: requestsLink({ [data.by]: one.key, ...span(data) }) }, one.key) : nameOf(one);
    return el("li", {}, dot, el("span", {}, name, " ", el("b", {}, count(sum))));
  }));
  const panels = Object.entries(METRICS).map(([metric, how]) => chartPanel(metric, how, series, data));
  panels.push(failurePanel(data), latencyPanel(data), heatPanel(data), totalsPanel(data));
  $("charts").replaceChildren(...panels.map((one) => one.node));
  const sync = newSync();
  for (const one of panels) if (one.paint) state.plots.push(one.paint(sync));
}

function panel(key, title, total, links, note = "") {
  const body = el("div", { class: "chart" });
  const table = el("div", { class: "chart-table", hidden: !state.open.has(key) });
  const toggle = el("button", { type: "button", class: "link", "aria-expanded": String(!table.hidden) }, "Table");
  const end = el("span", { class: "chart-links" }, toggle, ...links);
  const node = el("section", { class: `panel chart-panel ${key}`, "aria-label": title },
    el("header", {}, el("h2", {}, title), total ? el("b", { class: "big" }, total) : null, note ? el("span", { class: "note" }, note) : null, el("span", { class: "grow" }), end),
    body, table);
  const withTable = (build) => {
    const show = () => { if (!table.hidden && !table.firstChild) table.append(build()); };
    toggle.addEventListener("click", () => {
      table.hidden = !table.hidden;
      toggle.setAttribute("aria-expanded", String(!table.hidden));
      if (table.hidden) state.open.delete(key); else state.open.add(key);
      show();
    });
    show();
  };
  return { node, body, withTable };
}

const csv = () => el("a", { href: `${page.base}/history.csv?${state.search}` }, "CSV");
const sql = (name) => el("a", { href: state.data.sql[name] }, "SQL");

function chartPanel(metric, { title, format }, series, data) {
  const values = series.map((one) => ({ ...one, values: one[metric] }));
  const total = data.totals.reduce((sum, one) => sum + one[metric], 0);
  const unknown = metric === "cost" ? data.totals.reduce((sum, one) => sum + one.unknown, 0) : 0;
  const note = unknown ? `and ${count(unknown)} answers without a price` : "";
  const found = panel(metric, title, format(total), [csv(), sql("sums")], note);
  then(found, data, metric, total, format);
  found.withTable(() => grid(
    ["", ...series.map(nameOf), ...(data.before ? ["all, before"] : [])],
    data.times.map((at, n) => [when(at, data.step), ...values.map((one) => format(one.values[n])), ...(data.before ? [format(data.before[metric][n])] : [])])
      .filter((_, n) => values.some((one) => one.values[n]) || data.before?.[metric][n])));
  if (!total && !data.before?.sums[metric]) {
    found.body.append(el("p", { class: "empty" }, metric === "cost" ? "Nothing was spent in this time." : metric === "saved" ? "Nothing was saved in this time." : "No requests in this time."));
    return found;
  }
  return { ...found, paint: (sync) => stacked(found.body, {
    times: data.times, step: data.step, series: values, before: data.before?.[metric], format, label: nameOf, sync, pick: open(data) }) };
}

// Beside a sum, what it was in the time before, and how much more or less that is.
function then(found, data, metric, total, format) {
  const { before } = data;
  if (!before) return;
  const was = before.sums[metric];
  const change = was ? (total - was) / was : 0;
  const said = !was ? (total ? "nothing before" : "") : Math.abs(change) < 0.005 ? "as before" : `${change > 0 ? "▲" : "▼"} ${change >= 9.995 ? `${Math.round(change + 1)} times` : `${Math.round(Math.abs(change) * 100)} %`}`;
  const title = `From ${full(before.since)} until ${full(before.until)}`;
  found.node.querySelector("header .grow").before(el("span", { class: "then", title }, el("b", {}, said), was ? `, ${format(was)} in the time before` : null));
}

// Requests of one column, or of one line of the table.
function requestsLink(query) {
  const search = new URLSearchParams(Object.entries(query).filter(([, value]) => value !== "" && value !== null && value !== undefined));
  if (state.hideSimulated || query.outcome || query.unpriced) search.set("sim", "0");
  search.set("other", "1");
  return `${page.base}/requests?${search}`;
}

const iso = (at) => new Date(at * 1000).toISOString().replace(".000Z", "Z");
const endOf = (data, n) => data.times[n + 1] ?? data.until ?? data.times[n] + data.step;
const open = (data, more = {}) => (n) => { location.href = requestsLink({ from: iso(data.times[n]), to: iso(endOf(data, n)), ...more }); };
// The page's own range, as the Requests page calls it.
const span = (data) => ({ from: iso(data.times[0]), ...(data.until ? { to: iso(data.until) } : {}) });
// Of half-hour zones, what is called an hour here begins at half past.
const hourTime = new Intl.DateTimeFormat(undefined, { hour: "numeric", minute: "2-digit" });
const clockHour = (hour, minute) => hourTime.format(new Date(2026, 0, 1, hour, minute));

function failurePanel(data) {
  const values = FAILURES.map((one) => ({ ...one, values: data.failures[one.key] }));
  const sums = values.map((one) => one.values.reduce((a, b) => a + b, 0));
  const total = sums[0] + sums[1];
  const before = data.before && data.before.errors.map((failed, n) => failed + data.before.refused[n]);
  const links = [el("a", { href: requestsLink({ outcome: "unanswered", ...span(data) }) }, "Requests"), sql("sums")];
  const found = panel("failures", "Not answered", total ? exact(total) : "", links, total ? `${exact(sums[0])} failed, ${exact(sums[1])} refused` : "");
  if (before) then(found, { before: { ...data.before, sums: { bad: data.before.sums.errors + data.before.sums.refused } } }, "bad", total, exact);
  found.withTable(() => grid(["", ...FAILURES.map((one) => one.name)],
    data.times.map((at, n) => [when(at, data.step), ...values.map((one) => exact(one.values[n]))]).filter((_, n) => values.some((one) => one.values[n]))));
  if (!total) {
    found.body.append(el("p", { class: "empty" }, "Every request was answered in this time."));
    return found;
  }
  return { ...found, paint: (sync) => stacked(found.body, {
    times: data.times, step: data.step, series: values, format: count, before, label: (one) => one.name, sync, pick: open(data, { outcome: "unanswered" }) }) };
}

function latencyPanel(data) {
  const found = panel("latency", "Latency", "", [sql("latency")], "");
  const lat = data.latency;
  if (!lat || lat.p50.every((value) => value === null)) {
    found.body.append(el("p", { class: "empty" }, lat ? "No answered requests in this time." : "Too many requests to look at in the time allowed; choose a shorter range."));
    found.withTable(() => el("p", { class: "soft" }, "Nothing to show."));
    return found;
  }
  const series = [
    { name: "first byte, median", colour: "--c3", values: lat.first },
    { name: "whole answer, median", colour: "--c1", values: lat.p50 },
    { name: "whole answer, 95 of 100", colour: "--c6", values: lat.p95 },
  ];
  found.body.before(el("ul", { class: "legend inline" }, ...series.map((one) => {
    const dot = el("i", { "aria-hidden": "true" });
    dot.style.background = `var(${one.colour})`;
    return el("li", {}, dot, one.name);
  })));
  if (lat.every > 1) found.body.append(el("p", { class: "note" }, `Every ${lat.every}th request was looked at.`));
  found.withTable(() => grid(["", ...series.map((one) => one.name)],
    data.times.map((at, n) => [when(at, data.step), ...series.map((one) => latency(one.values[n]))]).filter((row) => row[1] || row[2])));
  return { ...found, paint: (sync) => lines(found.body, {
    times: data.times, step: data.step, series, format: latency, sync }) };
}

function heatPanel(data) {
  const sums = DAYS.map(() => new Array(24).fill(0));
  for (const [at, requests] of data.heat.hours) {
    const local = new Date(at * 1000);
    sums[(local.getDay() + 6) % 7][local.getHours()] += requests;
  }
  const most = Math.max(1, ...sums.flat());
  const minute = data.heat.hours.length ? new Date(data.heat.hours.at(-1)[0] * 1000).getMinutes() : 0;
  const found = panel("heat", "When", "", [sql("heat")], `requests by hour and weekday, last ${data.heat.days} days`);
  const cells = sums.flatMap((hours, day) => hours.map((n, hour) => {
    const cell = svg("rect", { x: hour * 20 + 34, y: day * 17, width: 18, height: 15, rx: 2.5, class: n ? "hot" : "cold" });
    if (n) cell.setAttribute("fill-opacity", (0.14 + 0.86 * Math.sqrt(n / most)).toFixed(2));
    cell.append(svg("title", {}));
    cell.firstChild.textContent = `${DAYS[day]} ${clockHour(hour, minute)} – ${exact(n)} requests`;
    return cell;
  }));
  const text = (x, y, said) => { const node = svg("text", { x, y }); node.textContent = said; return node; };
  found.body.append(svg("svg", { viewBox: "0 0 516 136", class: "heatmap", role: "img", "aria-label": "Requests by hour and weekday" },
    ...cells, ...DAYS.map((day, n) => text(0, n * 17 + 11.5, day)), ...[0, 6, 12, 18].map((hour) => text(hour * 20 + 34, 131, clockHour(hour, minute)))));
  found.withTable(() => grid(["", ...Array.from({ length: 24 }, (_, hour) => minute ? clockHour(hour, minute) : String(hour))],
    sums.map((hours, day) => [DAYS[day], ...hours.map(String)])));
  return found;
}

function totalsPanel(data) {
  const found = panel("totals", `By ${TITLES[data.by]}`, "", [csv(), sql("sums")]);
  found.node.querySelector("button").remove();
  const sum = (name) => data.totals.reduce((all, one) => all + one[name], 0);
  const who = (one) => (one.key === "total" && one.all ? {} : one.key ? { [data.by]: one.key } : null);
  const link = (one, text, more = {}) => {
    const query = who(one);
    return query && text !== "0" ? el("a", { href: requestsLink({ ...query, ...span(data), ...more }) }, text) : text;
  };
  const row = (one) => [one.all ? "total" : one.key ? link(one, one.key) : "none (refused or passed through)", link(one, exact(one.requests)),
    link(one, exact(one.errors), { outcome: "failed" }), one.key || data.by === "client" ? link(one, exact(one.refused), { outcome: "refused" }) : el("a", { href: requestsLink({ outcome: "refused", ...span(data) }) }, exact(one.refused)),
    exact(one.passed), exact(one.prompt), exact(one.completion),
    one.unknown ? el("span", {}, money(one.cost), " + ", link(one, `${count(one.unknown)} unpriced`, { unpriced: "1" })) : one.cost ? link(one, money(one.cost), { paid: "1" }) : money(one.cost), money(one.saved)];
  const rows = data.totals.map(row);
  const all = Object.fromEntries(["requests", "errors", "refused", "passed", "prompt", "completion", "cost", "saved", "unknown"].map((name) => [name, sum(name)]));
  if (rows.length > 1) rows.push(row({ key: "total", all: true, ...all }));
  found.body.append(rows.length ? grid([TITLES[data.by], "Requests", "Failed", "Refused", "Passed through", "Prompt tokens", "Answer tokens", "Spent", "Saved"], rows, rows.length > 1)
    : el("p", { class: "empty" }, "No requests in this time."));
  return found;
}

function grid(head, rows, sum = false) {
  const cells = (kind, row) => row.map((text, n) => el(kind, { class: n ? "num" : null, scope: kind === "th" ? "col" : null }, text));
  return el("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": "Table" }, el("table", { class: "plain" },
    el("thead", {}, el("tr", {}, ...cells("th", head))),
    el("tbody", {}, ...rows.map((row, n) => el("tr", { class: sum && n === rows.length - 1 ? "sum" : null }, ...cells("td", row))))));
}

// Where the page stands is in its address, and remembered but for dates.
function place() {
  const url = new URL(location.href);
  for (const key of ["range", "from", "to", "compare"]) url.searchParams.delete(key);
  const more = { ...asked(), by: state.by, ...(state.compare ? { compare: "1" } : {}) };
  for (const [key, value] of Object.entries(more)) if (value) url.searchParams.set(key, value);
  history.replaceState(null, "", url);
}

function choose(group, key, value) {
  state[key] = value;
  if (value !== OWN) remember(key, value);
  check(group, value);
  dates();
  place();
  load();
}

function check(group, value) {
  for (const input of $(group).querySelectorAll("input")) input.checked = input.value === value;
}

const day = (at) => `${at.getFullYear()}-${String(at.getMonth() + 1).padStart(2, "0")}-${String(at.getDate()).padStart(2, "0")}`;

// The fields of an own range; they begin with the last seven days.
function dates() {
  const own = state.range === OWN;
  $("own").hidden = !own;
  if (!own) return;
  state.to ||= day(new Date());
  state.from ||= day(new Date(Date.now() - 6 * 86400e3));
  for (const key of ["from", "to"]) {
    $(key).value = state[key];
    $(key).max = day(new Date());
  }
}

for (const key of ["from", "to"]) {
  $(key).addEventListener("change", (event) => {
    if (!event.target.value) return;
    state[key] = event.target.value;
    // One day before the other: both are that day.
    if (state.from > state.to) state[key === "from" ? "to" : "from"] = state[key];
    dates();
    place();
    load();
  });
}

const known = [...$("ranges").querySelectorAll("input")].map((input) => input.value);
const first = !known.includes(state.range);
if (first) state.range = "7d";
if (!["provider", "model", "client"].includes(state.by)) state.by = "provider";
check("ranges", state.range);
check("bys", state.by);
dates();
$("ranges").addEventListener("change", (event) => choose("ranges", "range", event.target.value));
$("bys").addEventListener("change", (event) => choose("bys", "by", event.target.value));
$("compare").checked = state.compare;
$("compare").addEventListener("change", (event) => {
  state.compare = event.target.checked;
  remember("compare", state.compare ? "1" : "0");
  place();
  load();
});
$("sim").checked = state.hideSimulated;
$("sim").addEventListener("change", (event) => {
  state.hideSimulated = event.target.checked;
  remember("hide-simulated", state.hideSimulated ? "1" : "0");
  load();
});
document.addEventListener("gw-theme", () => state.data && draw());
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => state.data && draw());
let resizing = 0;
addEventListener("resize", () => {
  clearTimeout(resizing);
  resizing = setTimeout(() => state.data && draw(), 150);
});
// Who comes back to the page, or leaves it open, sees what is new; nobody loses their place.
const AFRESH = 60e3;
function afresh() {
  if (document.hidden || Date.now() - (state.at ?? 0) < AFRESH || $("charts").contains(document.activeElement)) return;
  load();
}
document.addEventListener("visibilitychange", afresh);
setInterval(afresh, AFRESH);

await load();
// On the first day seven days are six empty ones: a day is shown until something is chosen.
if (first && state.data?.times.length && state.data.series.every((one) => one.requests.slice(0, -24).every((n) => !n))) {
  state.range = "24h";
  check("ranges", state.range);
  load();
}
