// What stands above the table: the figures, and what a person should know at once.

import { Spark } from "./bars.js";
import { clock, count, duration, el, keepFocus, money, page, recall, setAttr, setText } from "./base.js";

const ZONE = Intl.DateTimeFormat().resolvedOptions().timeZone || "UTC";
const $ = (id) => document.getElementById(id);
const ALERTS = 3;

const cards = new Map();

// A figure; where there is something to look at behind it, the card is a link.
function card(key, label, { spark = false, href = "", go = "" } = {}) {
  let one = cards.get(key);
  if (!one) {
    one = {
      go: el("span", { class: "go", "aria-hidden": "true" }), value: el("span", { class: "big" }), note: el("span", { class: "note" }),
      extra: el("span", { class: "extra" }), spark: spark ? new Spark(label, 26) : null, scale: spark ? el("span", { class: "note scale" }) : null,
    };
    const inside = [el("span", { class: "label" }, label), one.go, one.value, one.note, one.extra, one.spark && one.spark.node, one.scale];
    one.node = href
      ? el("a", { class: "kpi", "data-key": key }, ...inside)
      : el("div", { class: "kpi", "data-key": key }, ...inside);
    cards.set(key, one);
    $("kpis").append(one.node);
  }
  if (href) setAttr(one.node, "href", href);
  setText(one.go, go);
  return one;
}

// The rows behind a figure: those of the same time, of all kinds of traffic.
const behind = (query, { simulated = recall("hide-simulated", "0") !== "1" } = {}) =>
  `${page.base}/requests?${new URLSearchParams({ ...query, other: "1", ...(simulated ? {} : { sim: "0" }) })}`;
const today = { range: "today", tz: ZONE };

function fill(one, value, note, level = "") {
  setText(one.value, value);
  setText(one.note, note);
  setAttr(one.node, "data-level", level);
}

const WINDOWS = { minute: "in any minute", hour: "in any hour", day: "in any 24 hours", month: "this month (UTC)" };
const BRIEF = { minute: "a minute", hour: "an hour", day: "in 24 h", month: "a month" };
const ORDER = ["day", "month", "hour", "minute"];

// One thin bar for each window of the budget: what counts against it, not what a day is.
function budgetBars(node, bars) {
  const shape = JSON.stringify(bars.map((bar) => [bar.window, bar.used, bar.reserved, bar.limit]));
  if (node.dataset.shape === shape) return;
  node.dataset.shape = shape;
  node.replaceChildren(...bars.map((bar) => {
    const used = el("i", { class: "used" });
    used.style.width = `${Math.min(100, bar.limit > 0 ? ((bar.used + bar.reserved) / bar.limit) * 100 : 100).toFixed(1)}%`;
    const said = `${money(bar.used)} of ${money(bar.limit)} budget ${WINDOWS[bar.window]}`;
    return el("span", { class: "thin limit", "data-level": bar.level, title: said + (bar.reserved ? `, ${money(bar.reserved)} reserved` : "") },
      el("span", { class: "track", "aria-hidden": "true" }, used), el("span", { class: "said" }, `${money(bar.used)} of ${money(bar.limit)} budget ${BRIEF[bar.window]}`));
  }));
}

const hasPaid = (data) => data.providers.some((one) => one.models.some((model) => !model.free));

function spent(data) {
  const { month, budget, gateway } = data;
  const bars = budget.filter((bar) => bar.metric === "cost").sort((a, b) => ORDER.indexOf(a.window) - ORDER.indexOf(b.window));
  const notes = [`${money(month.cost ?? 0)} this month`];
  if (!bars.length && gateway?.budget_set === false && gateway.policy !== "free-only" && hasPaid(data)) notes[0] = "no budget: paid use is unlimited";
  if (data.today.unknown) notes.push(`${count(data.today.unknown)} without a price`);
  if (data.today.passed) notes.push(`${count(data.today.passed)} passed through`);
  const one = card("spent", "Spent today", { href: behind({ paid: "1", ...today }, { simulated: false }), go: data.today.cost ? "for what ›" : "" });
  const worst = bars.find((bar) => bar.level !== "ok");
  fill(one, money(data.today.cost ?? 0), notes.join(" · "), worst?.level ?? "");
  budgetBars(one.extra, bars);
}

function ready(data) {
  const one = card("ready", "Ready now");
  const [can, all] = data.ready;
  if (data.gateway?.silent) {
    fill(one, "–", data.gateway.heartbeat ? `the gateway is down since ${clock(data.gateway.heartbeat, data.now)}` : "the gateway is down", "full");
    return;
  }
  const excluded = data.providers.flatMap((provider) => provider.models).filter((model) => model.state.word === "excluded").length;
  fill(one, `${can} of ${all}`, excluded ? `models can answer, ${excluded} excluded` : "models can answer", can === 0 && all ? "full" : "");
}

export function kpis(data) {
  const { month, total } = data;
  const since = { from: new Date(data.start * 1000).toISOString() };
  const span = data.window === 1 ? "last minute" : `last ${data.window} min`;
  const days = data.unbilled_days;
  fill(card("saved", "Saved today", { href: `${page.base}/receipt`, go: "receipt ›" }), data.today.saved === null ? "$0" : money(data.today.saved),
    `${month.saved === null ? "$0" : money(month.saved)} this month${days ? ` · $0.00 billed for ${days === 1 ? "1 day" : `${days} days`}` : ""}`, "good");
  spent(data);
  ready(data);
  for (const [key, label, values, sum] of [
    ["requests", "Requests", total.r, total.sum.requests], ["tokens", "Tokens", total.t, total.sum.tokens]]) {
    const one = card(key, label, { spark: true, href: behind(since) });
    fill(one, count(sum), key === "requests" && total.sum.in_flight ? `${span}, ${total.sum.in_flight} on their way` : span);
    setAttr(one.node, "title", `since ${clock(data.start, data.now)}`);
    one.spark.show(values, `${count(sum)}, ${span}`);
    setText(one.scale, Math.max(...values) ? `most ${count(Math.max(...values))} in ${data.step < 60 ? `${data.step} s` : `${data.step / 60} min`}` : "");
  }
  const bad = total.sum.errors + total.sum.refused;
  const rate = total.sum.ended ? bad / total.sum.ended : 0;
  // Where nothing failed just now, what failed today is one click away.
  const earlier = data.today.errors + data.today.refused;
  const when = bad || !earlier ? since : today;
  fill(card("errors", "Not answered", { href: behind({ outcome: "unanswered", ...when }, { simulated: false }), go: bad || earlier ? "which ›" : "" }), bad ? `${(rate * 100).toFixed(rate < 0.1 ? 1 : 0)} %` : "0 %",
    [bad ? `${total.sum.errors} failed, ${total.sum.refused} refused` : span, earlier > bad ? `${count(earlier)} today` : ""].filter(Boolean).join(" · "), rate >= 0.2 ? "full" : rate >= 0.05 ? "near" : "");
}

let shownAlerts = "";
let allAlerts = false;
const openAlerts = new Set(); // subjects of which all is shown
export function alerts(data) {
  const list = allAlerts ? data.alerts : data.alerts.slice(0, ALERTS);
  const node = $("alerts");
  node.hidden = !list.length;
  const lines = list.map((alert) => [alert.kind, alert.subject, alertText(alert, data.now), (alert.others ?? []).map((one) => [one.kind, one.subject, alertText(one, data.now), link(one)]), link(alert)]);
  const hidden = data.alerts.length - list.length;
  const shape = JSON.stringify([lines, hidden, [...openAlerts]]);
  if (shape === shownAlerts) return;
  shownAlerts = shape;
  keepFocus(node, () => {
  node.replaceChildren(...lines.map(([kind, subject, text, more, href]) => el("p", { "data-kind": kind },
    el("i", { "aria-hidden": "true" }), href ? el("a", { href }, el("b", {}, subject)) : el("b", {}, subject), el("span", {}, text),
    more.length ? moreThere(subject, more, data) : null)).flatMap((line, n) => [line, ...(openAlerts.has(lines[n][1]) ? lines[n][3].map(moreLine) : [])]));
  if (hidden > 0 || allAlerts) {
    node.append(el("button", { type: "button", class: "link", onclick: () => {
      allAlerts = !allAlerts;
      shownAlerts = "";
      alerts(data);
    } }, allAlerts ? "Fewer" : `${hidden} more`));
  }
  });
}

function moreThere(subject, more, data) {
  const open = openAlerts.has(subject);
  return el("button", { type: "button", class: "link", "aria-expanded": String(open), "aria-label": `${open ? "Less" : "More"} of ${subject}`, onclick: () => {
    if (open) openAlerts.delete(subject);
    else openAlerts.add(subject);
    alerts(data);
  } }, open ? "less" : `and ${more.length} more there`);
}

const moreLine = ([kind, subject, text, href]) => el("p", { class: "more-there", "data-kind": kind },
  el("i", { "aria-hidden": "true" }), href ? el("a", { href }, el("b", {}, subject)) : el("b", {}, subject), el("span", {}, text));

// Where a person can do or see something about it.
function link(alert) {
  if (alert.kind === "key refused" || alert.kind === "gateway") return `${page.base}/config`;
  if (alert.subject === "Budget") return behind({ paid: "1", ...today }, { simulated: true });
  const [provider, ...model] = alert.subject.split(" / ");
  const query = new URLSearchParams({ provider });
  if (model.length) query.set("model", model.join(" / "));
  return `${page.base}/requests?${query}`;
}

function alertText(alert, now) {
  if (alert.text !== undefined) {
    const back = alert.returns && alert.returns > now ? `, ${alert.kind === "key refused" ? "tried again" : "back"} in ${duration(alert.returns - now)}` : "";
    if (alert.kind === "key refused") return `key refused (${alert.text}): replace it in Providers & config${back}`;
    return `${[alert.word, alert.text].filter(Boolean).join(", ")}${back}`;
  }
  const parts = [`${Math.round(alert.ratio * 100)} % of ${alert.limit.replace(/^budget/, "the budget")} used`];
  if (alert.empty) parts.push(`at this pace empty at ${clock(alert.empty, now)}`);
  if (alert.resets && alert.resets > now) parts.push(`resets ${alert.resets - now < 3600 ? `in ${duration(alert.resets - now)}` : `at ${clock(alert.resets, now)}`}`);
  return parts.join(", ");
}
