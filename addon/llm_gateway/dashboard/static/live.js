// The live page: asks once a second, shows, and says when it cannot.

import { alerts, kpis } from "./overview.js";
import { command, counting, duration, el, get, page, recall, remember, setAttr, setText } from "./base.js";
import { RightNow } from "./rightnow.js";
import { Rail } from "./sidebar.js";
import { since } from "./since.js";
import { tape } from "./tape.js";
import { Table } from "./rows.js";
import { signal } from "./notifications.js";

const RESTING_AFTER = 4;
const WINDOWS = [1, 5, 10, 30, 60];
const $ = (id) => document.getElementById(id);

const table = new Table($("providers"));
const rail = new Rail();
const rightNow = new RightNow($("now"));
const zone = new URLSearchParams({ tz: Intl.DateTimeFormat().resolvedOptions().timeZone || "UTC" });
const query = new URLSearchParams(location.search);
const asked = Number(query.get("window") ?? recall("window", "5"));

const state = {
  window: WINDOWS.includes(asked) ? asked : 5,
  order: recall("order", "usable"),
  freeOnly: recall("free-only", "0") === "1",
  hideSimulated: recall("hide-simulated", "0") === "1",
  showOther: recall("show-other", "0") === "1",
  filter: (query.get("filter") ?? "").toLowerCase(),
  paused: false,
  failures: 0,
  data: null,
  minute: 0, // of what is drawn
  counting: false, // is a countdown drawn
  still: 0, // answers in a row that brought nothing
  timer: 0,
  asking: null,
};

// --- asking ---------------------------------------------------------------------------

async function tick() {
  clearTimeout(state.timer);
  state.asking?.abort();
  const asking = state.asking = new AbortController();
  const timeout = setTimeout(() => asking.abort(), 8000);
  try {
    const sim = state.hideSimulated ? "&sim=0" : "";
    const other = state.showOther ? "&other=1" : "";
    const have = state.data ? `&have=${state.data.tag}` : "";
    const answer = await get(`/live.json?window=${state.window}${sim}${other}&${zone}${have}`, asking.signal);
    const recovered = state.failures > 0;
    state.failures = 0;
    const same = isSame(answer, state.data) && !recovered;
    state.still = same ? state.still + 1 : 0;
    state.data = merged(state.data, answer);
    if (!same || state.counting || Math.floor(answer.now / 60) !== state.minute) show(state.data);
    else pulse(state.data);
  } catch (error) {
    if (state.asking !== asking) return; // a newer question is on its way
    state.failures += 1;
    failed(error);
  } finally {
    clearTimeout(timeout);
  }
  if (state.asking === asking) schedule();
}

// The last answer with what this one changes in it; or the whole new one.
function merged(last, answer) {
  if (answer.since === undefined) return answer;
  const { since, changed, ...members } = answer;
  Object.assign(last, members);
  for (const [n, provider] of changed?.providers ?? []) Object.assign(last.providers[n], provider);
  for (const [n, m, model] of changed?.models ?? []) last.providers[n].models[m] = model;
  return last;
}

// Nothing but the time, and the gateway's heartbeat.
function isSame(answer, last) {
  const quiet = (gateway) => JSON.stringify({ ...gateway, heartbeat: 0 });
  return answer.since !== undefined && answer.tag === answer.since && !answer.gateway?.silent && quiet(answer.gateway) === quiet(last.gateway);
}

function schedule() {
  clearTimeout(state.timer);
  if (state.paused || document.hidden) return;
  // Where nothing moves, the gateway's heartbeat is all that is new, each two seconds.
  const resting = state.still >= RESTING_AFTER && !state.counting;
  const wait = state.failures ? Math.min(15000, 1000 * 2 ** (state.failures - 1)) : resting ? 2000 : 1000;
  state.timer = setTimeout(tick, wait);
}

document.addEventListener("visibilitychange", () => {
  if (document.hidden) clearTimeout(state.timer);
  else if (!state.paused) tick();
});

// --- showing --------------------------------------------------------------------------

function show(data) {
  const started = performance.now();
  state.minute = Math.floor(data.now / 60);
  counting.down = false;
  const full = data.providers.length > 0;
  $("blank").hidden = full;
  for (const id of ["kpis", "tools", "columns"]) $(id).hidden = !full;
  if (!full) blank(data.gateway ? noProviders() : notStarted());
  banners(data);
  if (full) {
    kpis(data);
    alerts(data);
    table.show(data, state.order);
    applyFilter();
    rightNow.show(data);
    rail.show(data);
    tape(data);
  }
  if (!full) $("now").hidden = true;
  signal(data);
  pulse(data);
  state.counting = counting.down;
  performance.measure("gw-tick", { start: started });
}

function pulse(data) {
  const node = $("pulse");
  const gateway = data.gateway;
  let [word, text] = ["live", "live"];
  if (state.paused) [word, text] = ["paused", "paused"];
  else if (!gateway) [word, text] = ["silent", "no gateway yet"];
  else if (gateway.silent) [word, text] = ["silent", `gateway silent ${duration(data.now - gateway.heartbeat)}`];
  else if (gateway.degraded.length) [word, text] = ["degraded", "degraded"];
  setAttr(node, "data-state", word);
  setText(node.lastElementChild, text);
  document.body.classList.toggle("stale", word === "silent");
  // One blink for each answer that brings anything, or a heartbeat until the page rests: an
  // endless pulse would cost more than the page.
  const beat = `${data.tag} ${gateway?.heartbeat}`;
  if (word === "live" && beat !== state.blinked) {
    state.blinked = beat;
    // Set and taken back: an animation of a quarter of a second draws sixteen frames.
    const { style } = node.firstElementChild;
    const still = state.still >= RESTING_AFTER || matchMedia("(prefers-reduced-motion: reduce)").matches;
    if (!still) {
      style.opacity = "0.35";
      setTimeout(() => { style.opacity = ""; }, 200);
    }
  }
  if (gateway) setText($("foot-state"), `base URL ${page.gateway}/v1 · policy ${gateway.policy ?? "?"} · configuration ${(gateway.revision ?? "?").slice(0, 8)}`);
}

function failed(error) {
  setAttr($("pulse"), "data-state", "lost");
  if (error.status === 503 && error.answer?.state) {
    setText($("pulse").lastElementChild, "waiting");
    if (!state.data) {
      blank([el("h2", {}, "Waiting for the gateway"), el("p", {}, error.message),
        el("p", {}, "Start it in the folder of the repository; this page notices by itself:"), command(page.start)]);
      return;
    }
  } else setText($("pulse").lastElementChild, "reconnecting");
  document.body.classList.add("stale");
  bannerList([["warn", error.status ? error.message : "The dashboard does not answer. These are the last numbers that it gave; it is asked again all the time.", null]]);
}

function blank(nodes) {
  const node = $("blank");
  node.hidden = false;
  node.className = "blank";
  const shape = nodes.map((one) => one.textContent).join();
  if (node.dataset.shape === shape) return;
  node.dataset.shape = shape;
  node.replaceChildren(...nodes);
}

function notStarted() {
  return [el("h2", {}, "No gateway has written here yet"),
    el("p", {}, "Start it in the folder of the repository; this page notices by itself:"), command(page.start)];
}

function noProviders() {
  return [el("h2", {}, "No providers yet"),
    el("p", {}, "A key that costs nothing is a good start: Groq, Google AI Studio, OpenRouter and others give one."),
    el("a", { class: "button primary", href: `${page.base}/config` }, "Add a provider"),
    el("p", { class: "soft" }, "Or write it into config.jsonc, which is read as soon as it is saved:"),
    el("pre", {}, '{\n  "providers": [{\n    "id": "groq",\n    "type": "groq",\n    "apiKey": "${GROQ_API_KEY}",\n    "tier": "free",\n    "models": "free"\n  }]\n}')];
}

let shownBanners = "";
function bannerList(list) {
  const shape = JSON.stringify(list);
  if (shape === shownBanners) return;
  shownBanners = shape;
  $("banners").replaceChildren(...list.map(([kind, text, run]) =>
    el("div", { class: `banner ${kind}` }, el("p", {}, text), run ? command(run) : null)));
}

function banners(data) {
  const list = [];
  const { gateway } = data;
  if (!gateway && data.providers.length) list.push(["warn", "No gateway has written here yet. Start it with", page.start]);
  else if (gateway?.silent) {
    const minutes = Math.floor((data.now - gateway.heartbeat) / 60);
    const silent = minutes < 1 ? "some seconds" : minutes === 1 ? "a minute" : minutes < 60 ? `${minutes} minutes` : duration(minutes * 60);
    list.push(["warn", `The gateway has been silent for ${silent}. The numbers are as it left them. Start it with`, page.start]);
  }
  if (!data.any && data.providers.length && gateway && !gateway.silent) {
    const port = gateway.port ?? 8080;
    const name = data.names.find((one) => one.offers.some((offer) => offer.word === "ready"))?.name ?? data.names[0]?.name ?? "MODEL";
    const body = JSON.stringify({ model: name, messages: [{ role: "user", content: "Hello" }] });
    list.push(["info", "Ready, and nothing has been asked yet. Send the first request:",
      `curl http://127.0.0.1:${port}/v1/chat/completions -H 'content-type: application/json' -d '${body.replaceAll("'", "'\\''")}'`]);
  }
  bannerList(list);
}

// --- controls -------------------------------------------------------------------------

function applyFilter() {
  $("nothing").hidden = table.filter(state.filter, state.freeOnly) > 0;
}

function setWindow(minutes) {
  state.window = minutes;
  remember("window", String(minutes));
  const url = new URL(location.href);
  url.searchParams.set("window", minutes);
  history.replaceState(null, "", url);
  for (const input of $("windows").querySelectorAll("input")) input.checked = Number(input.value) === minutes;
  tick();
}

function setPaused(paused) {
  state.paused = paused;
  $("pause").setAttribute("aria-pressed", String(paused));
  $("pause").textContent = paused ? "Resume" : "Pause";
  if (paused) {
    clearTimeout(state.timer);
    if (state.data) pulse(state.data);
  } else tick();
}

$("windows").addEventListener("change", (event) => setWindow(Number(event.target.value)));
$("order").addEventListener("change", (event) => {
  state.order = event.target.value;
  remember("order", state.order);
  if (state.data) show(state.data);
});
$("filter").addEventListener("input", (event) => {
  state.filter = event.target.value.trim().toLowerCase();
  applyFilter();
});
$("clear").addEventListener("click", () => {
  $("filter").value = state.filter = "";
  $("free").checked = state.freeOnly = false;
  remember("free-only", "0");
  applyFilter();
});
$("sim").addEventListener("change", (event) => {
  state.hideSimulated = event.target.checked;
  remember("hide-simulated", state.hideSimulated ? "1" : "0");
  tick();
});
$("other").addEventListener("change", (event) => {
  state.showOther = event.target.checked;
  remember("show-other", state.showOther ? "1" : "0");
  tick();
});
$("free").addEventListener("change", (event) => {
  state.freeOnly = event.target.checked;
  remember("free-only", state.freeOnly ? "1" : "0");
  applyFilter();
});
$("pause").addEventListener("click", () => setPaused(!state.paused));

document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  const typing = event.target.matches("input:not([type=radio]):not([type=checkbox]), select, textarea");
  if (typing) {
    if (event.key === "Escape" && event.target === $("filter")) {
      $("clear").click();
      $("filter").blur();
    }
    return;
  }
  const window = WINDOWS["12345".indexOf(event.key)];
  if ("12345".includes(event.key) && window) setWindow(window);
  else if (event.key === "/") { event.preventDefault(); $("filter").focus(); }
  else if (event.key === "p") setPaused(!state.paused);
});

$("order").value = state.order in { usable: 1, worst: 1, name: 1, traffic: 1 } ? state.order : (state.order = "usable");
$("sim").checked = state.hideSimulated;
$("other").checked = state.showOther;
$("filter").value = state.filter;
$("free").checked = state.freeOnly;
for (const input of $("windows").querySelectorAll("input")) input.checked = Number(input.value) === state.window;
tick();
since();
