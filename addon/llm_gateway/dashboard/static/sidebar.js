// Beside the table: the last requests with their routes, members of the cluster, limits of
// clients.

import { Bars } from "./bars.js";
import { clock, count, counting, duration, el, exact, latency, money, page, short } from "./base.js";

const DIFFERENT = 5; // lines of limits that members allow differently

const SAID = {
  ok: "ok", error: "error", refused: "refused", cancelled: "cancelled", truncated: "cut off",
  passthrough: "passed", in_flight: "on its way", lost: "lost",
};

function hop(name, word, kind) {
  return el("span", { class: "hop", "data-kind": kind, title: word || name }, name,
    word ? el("em", {}, word) : null);
}

function route(entry) {
  const hops = [el("span", { class: "hop asked" }, entry.asked)];
  for (const one of entry.skipped) hops.push(hop(one.provider, one.word, "skipped"));
  if (entry.skipped_more) hops.push(hop(`+${entry.skipped_more}`, "", "skipped"));
  for (const one of entry.failed) hops.push(hop(one.provider, one.word, "failed"));
  const end = entry.provider ?? entry.host;
  const last = entry.failed.at(-1);
  if (end && !(entry.outcome === "error" && last?.provider === end)) hops.push(hop(end, "", entry.outcome));
  return el("span", { class: "route" }, ...hops);
}

// In steps of ten seconds: twelve lines that are drawn anew each second cost more than all else.
function ago(age) {
  if (age >= 3600) return "";
  return age < 10 ? "now" : age < 60 ? `${Math.floor(age / 10) * 10} s` : `${Math.floor(age / 60)} m`;
}

function line(entry, now) {
  const worth = [entry.client];
  if (entry.outcome !== "ok") worth.unshift(SAID[entry.outcome] ?? entry.outcome);
  if (entry.ms !== null) worth.push(latency(entry.ms));
  if (entry.tokens) worth.push(`${short(entry.tokens)} tokens`);
  if (entry.saved) worth.push(`saved ${money(entry.saved)}`);
  else if (entry.cost) worth.push(money(entry.cost));
  if (entry.error && entry.outcome !== "ok") worth.push(entry.error);
  if (entry.translated) worth.push(entry.translated.replace(">", " → "));
  const age = now - entry.at;
  return el("li", { "data-outcome": entry.outcome },
    el("a", { href: `${page.base}/requests/${encodeURIComponent(entry.id)}`, title: "Why did it go there?" },
      el("i", { class: "dot", "aria-hidden": "true" }),
      route(entry),
      el("time", { class: "when" }, ago(age) || clock(entry.at, now)),
      el("span", { class: "worth" }, worth.join(" · "), entry.simulated ? el("span", { class: "sim" }, "simulated") : null)));
}

function memberLine(one, now) {
  const worth = [];
  if (one.state === "silent") worth.push(`silent for ${duration(now - one.heard)}`);
  else {
    worth.push(one.state === "up" ? `${count(one.in_flight)} open` : one.state);
    if (Math.abs(one.clock_ms) >= 1000) worth.push(`clock ${(-one.clock_ms / 1000).toFixed(1)} s off`);
  }
  return el("li", { "data-state": one.state, title: one.version ? `version ${one.version}` : null },
    el("i", { class: "dot", "aria-hidden": "true" }),
    el("span", { class: "name" }, one.member, one.own ? el("em", {}, "this one") : null),
    el("span", { class: "where" }, one.where),
    el("span", { class: "worth" }, worth.join(" · ")));
}

function difference(one) {
  const unit = one.limit.startsWith("cost") ? money : exact;
  const said = Object.entries(one.amounts).map(([who, most]) => `${who} ${most === null ? "none" : unit(most)}`);
  return el("li", { class: "note" }, `${one.limit}: ${said.join(", ")}`);
}

export class Rail {
  constructor() {
    this.ticker = document.getElementById("ticker");
    this.clients = document.getElementById("clients");
    this.members = document.getElementById("members");
    this.lines = new Map();
    this.limits = new Map();
  }

  show(data) {
    this.showApps(data);
    this.showTicker(data);
    this.showMembers(data);
    this.showClients(data);
    this.showChanges(data);
  }

  // Who uses most: each app's share of today's tokens, or of its requests where none has any.
  showApps(data) {
    const list = data.apps ?? [];
    document.getElementById("apps-panel").hidden = !list.length;
    const unit = list.some((one) => one.tokens) ? "tokens" : "requests";
    const whole = Math.max(1, data.today[unit]);
    const shape = JSON.stringify([list, whole]);
    if (shape === this.appsShape) return;
    this.appsShape = shape;
    const tz = Intl.DateTimeFormat().resolvedOptions().timeZone || "UTC";
    document.getElementById("apps").replaceChildren(...list.map((one) => {
      const share = one[unit] / whole;
      const used = el("i", { class: "used" });
      used.style.width = `${(share * 100).toFixed(1)}%`;
      const query = new URLSearchParams({ client: one.name, range: "today", tz, sim: "0", other: "1" });
      return el("li", {}, el("a", { href: `${page.base}/requests?${query}`, title: `${exact(one.tokens)} tokens, ${exact(one.requests)} requests, ${money(one.cost ?? 0)}` },
        el("b", {}, one.name), el("span", { class: "soft" }, `${Math.round(share * 100)} % · ${count(one[unit])} ${one[unit] === 1 ? unit.slice(0, -1) : unit}${one.cost ? ` · ${money(one.cost)}` : ""}`),
        el("span", { class: "track", "aria-hidden": "true" }, used)));
    }));
  }

  // What providers' own lists say since they were read again.
  showChanges(data) {
    const found = data.changes ?? [];
    document.getElementById("changes-panel").hidden = !found.length;
    const shape = JSON.stringify(found) + Math.floor(data.now / 60);
    if (shape === this.changes) return;
    this.changes = shape;
    document.getElementById("changes").replaceChildren(...found.map((one) => el("li", { "data-kind": one.kind },
      el("b", {}, one.subject), ` ${one.message} `, el("time", { class: "soft" }, clock(one.at, data.now)))));
  }

  showMembers(data) {
    const cluster = data.cluster;
    document.getElementById("members-panel").hidden = !cluster;
    if (!cluster) return;
    const lines = cluster.members.map((one) => memberLine(one, data.now));
    if (cluster.absent.length) lines.push(el("li", { class: "note" }, `Not heard of since the counters began anew: ${cluster.absent.join(", ")}`));
    if (cluster.differences.length) lines.push(el("li", { class: "note head" }, "They allow different amounts"), ...cluster.differences.slice(0, DIFFERENT).map(difference));
    const more = cluster.differences.length - DIFFERENT;
    if (more > 0) lines.push(el("li", { class: "note" }, `and ${more} more: llm-gateway cluster`));
    const shape = lines.map((one) => `${one.dataset.state} ${one.textContent}`).join();
    if (this.members.dataset.shape === shape) return;
    this.members.dataset.shape = shape;
    this.members.replaceChildren(...lines);
  }

  showTicker(data) {
    const lines = new Map();
    for (const entry of data.ticker) {
      // Rebuilt only when something about it changed: its outcome, or how long ago.
      const age = data.now - entry.at;
      if (age < 60) counting.down = true;
      const key = `${entry.outcome} ${entry.skipped.length} ${entry.outcome === "in_flight" ? Math.round(age) : ago(age)}`;
      const known = this.lines.get(entry.id);
      lines.set(entry.id, known?.key === key ? known : { key, node: line(entry, data.now) });
    }
    const busy = this.ticker.contains(document.activeElement);
    this.lines = lines;
    if (busy) return;
    const nodes = [...lines.values()].map((one) => one.node);
    if (!nodes.length || nodes.length !== this.ticker.children.length || nodes.some((node, n) => node !== this.ticker.children[n])) {
      this.ticker.replaceChildren(...(nodes.length ? nodes : [el("li", { class: "none soft" }, "None yet.")]));
    }
  }

  showClients(data) {
    document.getElementById("clients-panel").hidden = !data.clients.length;
    const seen = new Set();
    for (const client of data.clients) {
      seen.add(client.name);
      let one = this.limits.get(client.name);
      if (!one) {
        const bars = new Bars(client.name, "");
        one = { bars, node: el("div", { class: "client-limits" }, el("h3", {}, el("a", { href: `${page.base}/requests?${new URLSearchParams({ client: client.name })}` }, client.name)), bars.node) };
        this.limits.set(client.name, one);
        this.clients.append(one.node);
      }
      one.bars.show(client.bars, data.now);
    }
    for (const [name, one] of this.limits) {
      if (seen.has(name)) continue;
      one.node.remove();
      this.limits.delete(name);
    }
  }
}
