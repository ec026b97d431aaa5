// What stands above the table: the figures, and what a person should know at once.

import { Spark } from "./bars.js";
import { amount, clock, count, duration, el, money, setAttr, setText } from "./base.js";

const $ = (id) => document.getElementById(id);
const ALERTS = 3;

const cards = new Map();

function card(key, label, spark = false) {
  let one = cards.get(key);
  if (!one) {
    one = { value: el("span", { class: "big" }), note: el("span", { class: "note" }), spark: spark ? new Spark(label, 26) : null };
    one.node = el("div", { class: "kpi", "data-key": key }, el("span", { class: "label" }, label), one.value, one.note, one.spark && one.spark.node);
    cards.set(key, one);
    $("kpis").append(one.node);
  }
  return one;
}

function fill(key, label, value, note, level = "") {
  const one = card(key, label);
  setText(one.value, value);
  setText(one.note, note);
  setAttr(one.node, "data-level", level);
}

export function kpis(data) {
  const { today, month, total, ready, budget, gateway } = data;
  const span = data.window === 1 ? "last minute" : `last ${data.window} min`;
  fill("saved", "Saved today", today.saved === null ? "$0" : money(today.saved),
    `${month.saved === null ? "$0" : money(month.saved)} this month`, "good");
  const daily = budget.find((bar) => bar.window === "day") ?? budget[0];
  const unknown = today.unknown ? ` · ${count(today.unknown)} unpriced` : "";
  let note = "";
  if (daily?.window === "day") note = `of ${money(daily.limit)} budget`;
  else if (daily) note = `${amount("cost", daily.used)} of ${money(daily.limit)} budget per ${daily.window}`;
  else if (gateway?.budget_set === false && gateway.policy !== "free-only"
    && data.providers.some((one) => one.models.some((model) => !model.free))) note = "no budget: paid use is unlimited";
  else note = `${money(month.cost ?? 0)} this month`;
  fill("spent", "Spent today", money(today.cost ?? 0), note + unknown, daily ? daily.level : "");
  fill("ready", "Ready now", `${ready[0]} of ${ready[1]}`, "models can answer", ready[0] === 0 && ready[1] ? "full" : "");
  for (const [key, label, values, sum] of [
    ["requests", "Requests", total.r, total.sum.requests], ["tokens", "Tokens", total.t, total.sum.tokens]]) {
    const one = card(key, label, true);
    setText(one.value, count(sum));
    setText(one.note, key === "requests" && total.sum.in_flight ? `${span}, ${total.sum.in_flight} on their way` : span);
    one.spark.show(values, `${count(sum)}, ${span}`);
  }
  const bad = total.sum.errors + total.sum.refused;
  const rate = total.sum.requests ? bad / total.sum.requests : 0;
  fill("errors", "Not answered", bad ? `${(rate * 100).toFixed(rate < 0.1 ? 1 : 0)} %` : "0 %",
    bad ? `${total.sum.errors} failed, ${total.sum.refused} refused` : span, rate >= 0.2 ? "full" : rate >= 0.05 ? "near" : "");
}

let shownAlerts = "";
let allAlerts = false;
export function alerts(data) {
  const list = allAlerts ? data.alerts : data.alerts.slice(0, ALERTS);
  const node = $("alerts");
  node.hidden = !list.length;
  const lines = list.map((alert) => [alert.kind, alert.subject, alertText(alert, data.now), alert.more ?? 0]);
  const hidden = data.alerts.length - list.length;
  const shape = JSON.stringify([lines, hidden]);
  if (shape === shownAlerts) return;
  shownAlerts = shape;
  node.replaceChildren(...lines.map(([kind, subject, text, more]) => el("p", { "data-kind": kind },
    el("i", { "aria-hidden": "true" }), el("b", {}, subject), el("span", {}, text),
    more ? el("span", { class: "soft" }, `and ${more} more there`) : null)));
  if (hidden > 0 || allAlerts) {
    node.append(el("button", { type: "button", class: "link", onclick: () => {
      allAlerts = !allAlerts;
      shownAlerts = "";
      alerts(data);
    } }, allAlerts ? "Fewer" : `${hidden} more`));
  }
}

function alertText(alert, now) {
  if (alert.text !== undefined) {
    const back = alert.returns && alert.returns > now ? `, back in ${duration(alert.returns - now)}` : "";
    return `${alert.word ? `${alert.word}${alert.text ? `, ${alert.text}` : ""}` : alert.text}${back}`;
  }
  const parts = [`${Math.round(alert.ratio * 100)} % of ${alert.metric} per ${alert.window} used`];
  if (alert.empty) parts.push(`at this pace empty at ${clock(alert.empty, now)}`);
  if (alert.resets && alert.resets > now) parts.push(`resets ${alert.resets - now < 3600 ? `in ${duration(alert.resets - now)}` : `at ${clock(alert.resets, now)}`}`);
  return parts.join(", ");
}
