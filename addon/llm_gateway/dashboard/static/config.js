// The config page: what the gateway serves, and changing it. The gateway validates and
// writes; this page keeps a draft and shows what the gateway says to it.

import { Cards } from "./cards.js";
import { Editor } from "./editor.js";
import { clock, command, el, get, page, post } from "./base.js";
import { simulateForm } from "./tools.js";
import { Versions } from "./versions.js";

const $ = (id) => document.getElementById(id);
const admin = page.admin === "1";
const POLL = 3000;

let loaded = null; // {text, hash, config} as the gateway has it
let starters = null; // providers that can be added with a key alone
let cards = null;
let editor = null;
const versions = admin ? new Versions($("versions"), async (revision) => {
  source = null;
  await load(true);
  pending({ kind: "saved" });
  await active(revision);
}) : null;

// --- the gateway ----------------------------------------------------------------------

async function status() {
  const found = await get("/status.json");
  const node = $("status");
  const { health, down } = found;
  const config = health?.config;
  node.dataset.state = down ? "down" : config?.error ? "refused" : "up";
  const since = config?.loaded_at ? moment(config.loaded_at) : null;
  node.lastElementChild.replaceChildren(...(down
    ? [down.replace(/ Start it with:.*$/, "")]
    : [`Gateway ${health.version} at ${page.gateway}, `, el("b", {}, `configuration ${String(config?.revision ?? "?").slice(0, 8)}`),
      since ? ` active since ${clock(since, Date.now() / 1000)}` : ""]));
  const banner = [];
  if (down) banner.push(el("div", { class: "banner warn" }, el("p", {}, "What is shown is the configuration that last ran. To change it, start the gateway:"), command(page.start)));
  if (config?.error) banner.push(el("div", { class: "banner bad" }, el("p", {}, el("b", {}, "The file was changed and refused; the old configuration serves on. "), config.error)));
  const shape = banner.map((one) => one.textContent).join();
  if ($("banners").dataset.shape !== shape) {
    $("banners").dataset.shape = shape;
    $("banners").replaceChildren(...banner);
  }
  versions?.show(found.events, config);
  return found;
}

function moment(value) {
  return typeof value === "number" ? value : Date.parse(value) / 1000;
}

async function poll() {
  if (!document.hidden) {
    try {
      const found = await status();
      if (admin && !loaded && !found.down) await load();
    } catch { $("status").dataset.state = "down"; }
  }
  setTimeout(poll, POLL);
}

// --- loading and saving ---------------------------------------------------------------

// With `said` the line below goes on saying what becomes of a change.
async function load(said = false) {
  try {
    // Nobody there: the page shows what the database knows, and says how to start it.
    if ((await status()).down) return unloaded();
    loaded = await get("/config.json");
    starters ??= (await get("/starters.json")).starters;
  } catch (error) {
    $("problem").replaceChildren(el("p", { class: "banner warn" }, error.message));
    unloaded();
    return;
  }
  $("problem").replaceChildren();
  if (said && source) return; // somebody writes on already
  for (const input of $("tabs").querySelectorAll("input")) input.disabled = false;
  // What was saved is what stands here: hundreds of models are not drawn again for it.
  if (!cards?.settle(loaded.config)) cards = new Cards($("cards"), loaded.config, changed, starters, cards?.made);
  editor = new Editor($("text"), loaded.text, changed);
  // Nothing is a draft any more, so neither part waits for the other.
  cards.lock(false);
  editor.lock(false);
  $("simulate").replaceChildren(simulateForm(loaded.config));
  if (!said) pending(null);
}

function unloaded() {
  for (const input of $("tabs").querySelectorAll("input")) input.disabled = input.value === "text" || input.value === "simulate";
}

let source = null;
let checking = 0;

// `of` is the part of the page that holds the draft: the cards or the editor.
function changed(of) {
  source = of.dirty ? of : null;
  cards.lock(of === editor && of.dirty);
  editor.lock(of === cards && of.dirty);
  clearTimeout(checking);
  if (!source) return pending(null);
  pending({ kind: "checking" });
  checking = setTimeout(check, 400);
}

async function check() {
  const draft = source;
  if (!draft) return;
  const sent = draft.body();
  try {
    const found = await post("/config/save", { ...sent, hash: loaded.hash, dry_run: true });
    if (source !== draft || JSON.stringify(draft.body()) !== JSON.stringify(sent)) return;
    const list = found.valid === false ? found.errors ?? [found.error] : [];
    draft.errors(list);
    // What was odd before is not said again with each change.
    const odd = (found.warnings ?? []).filter((one) => draft.concerns(one.path ?? ""));
    pending(list.length ? { kind: "refused", list } : { kind: "valid", odd });
  } catch (error) {
    refused(draft, error);
  }
}

async function save() {
  const draft = source;
  pending({ kind: "saving" });
  try {
    const done = await post("/config/save", { ...draft.body(), hash: loaded.hash });
    const revision = done.revision ?? done.hash;
    source = null;
    // What is drawn is what was saved, but for keys, which come back masked: only then is
    // the answer to "is it active" worth waiting for.
    const drawn = draft === cards && cards.saved();
    if (!drawn) await load(true);
    else loaded.hash = done.hash ?? revision;
    pending({ kind: "saved" });
    await active(revision);
    if (drawn) await load(true);
  } catch (error) {
    refused(draft, error);
  }
}

// "Active" is said when the gateway itself says that it serves the new revision.
async function active(revision) {
  for (let n = 0; n < 20; n += 1) {
    const found = await status();
    if (!revision || found.health?.config?.revision === revision) {
      pending({ kind: "active", revision });
      setTimeout(() => source || pending(null), 6000);
      return;
    }
    await new Promise((resolve) => { setTimeout(resolve, 250); });
  }
  pending({ kind: "slow" });
}

function refused(draft, error) {
  const list = error.answer?.errors ?? (error.answer?.error ? [error.answer.error] : [{ message: error.message }]);
  draft.errors(error.status === 422 || error.status === 400 ? list : []);
  pending({ kind: error.status === 409 ? "stale" : "refused", list });
}

const SAYS = {
  checking: "Checking …", valid: "Valid.", saving: "Saving …",
  saved: "Saved. Waiting for the gateway …", slow: "Saved, but the gateway does not serve it yet.",
};

function pending(what) {
  const node = $("pending");
  if (!what && node.contains(document.activeElement)) $("tabs").querySelector("input:checked").focus({ preventScroll: true });
  node.hidden = !what;
  if (!what) return;
  node.dataset.kind = what.kind;
  const parts = [];
  if (what.kind === "active") {
    parts.push(el("p", { role: "status" }, el("b", {}, "Saved and active in the gateway."), ` Configuration ${String(what.revision ?? "").slice(0, 8)}.`));
  } else if (what.list) {
    parts.push(el("ul", { class: "problems", role: "alert" }, ...what.list.map((one) => {
      const place = [one.path, one.line ? `line ${one.line}` : null].filter(Boolean).join(", ");
      const said = place && !String(one.message).startsWith(one.path ?? " ") ? `${place}: ` : one.line ? `line ${one.line}: ` : "";
      return el("li", {}, one.line && source === editor
        ? el("button", { type: "button", class: "link", onclick: () => editor.go(one.line) }, said || "there") : said, one.message);
    })));
  } else {
    parts.push(el("p", { role: "status" }, SAYS[what.kind],
      ...(what.odd ?? []).map((one) => el("span", { class: "odd" }, `${one.path ? `${one.path}: ` : ""}${one.message}`))));
  }
  if (source) {
    const list = source.changes();
    if (list.length) {
      parts.unshift(el("details", {}, el("summary", {}, list.length === 1 ? "1 change" : `${list.length} changes`),
        el("ul", { class: "diff" }, ...list.slice(0, 60).map(([kind, text]) => el("li", { "data-kind": kind }, text)))));
    }
    parts.push(el("span", { class: "grow" }),
      el("button", { type: "button", onclick: discard }, what.kind === "stale" ? "Load the newer file" : "Discard"),
      el("button", { type: "button", class: "primary", id: "save", title: "Ctrl+S", disabled: what.kind !== "valid", onclick: save }, "Save"));
  }
  const open = node.querySelector("details")?.open;
  const pressed = node.contains(document.activeElement) ? document.activeElement.textContent : null;
  node.replaceChildren(...parts);
  // Where the button that was pressed is gone, the keyboard stays where its answer is said.
  if (pressed !== null) {
    const same = [...node.querySelectorAll("button:enabled, summary")].find((one) => one.textContent === pressed);
    (same ?? node).focus({ preventScroll: true });
  }
  const details = node.querySelector("details");
  if (details && open) details.open = true;
}

async function discard() {
  source = null;
  await load();
}

// --- the page -------------------------------------------------------------------------

function show(tab) {
  for (const node of document.querySelectorAll("[data-tab]")) node.hidden = node.dataset.tab !== tab;
}

// What is valid is saved from anywhere on the page.
addEventListener("keydown", (event) => {
  if (event.key !== "s" || !(event.ctrlKey || event.metaKey) || event.altKey || !source) return;
  event.preventDefault();
  $("save")?.click();
});
addEventListener("beforeunload", (event) => { if (source) event.preventDefault(); });
if (admin) {
  $("tabs").addEventListener("change", (event) => show(event.target.value));
  $("reload").addEventListener("click", async () => {
    try {
      await post("/reload", {});
      $("problem").replaceChildren();
      if (!source) await load();
      await status();
    } catch (error) {
      $("problem").replaceChildren(el("div", { class: "banner bad" }, el("p", {}, error.message)));
    }
  });
}
poll();
