// What config.jsonc said before: its versions, what restoring one would change, and the way back.

import { el, full, get, keepFocus, post } from "./base.js";

const KINDS = { "+": "comes", "-": "goes", "@": "place" };

export class Versions {
  // `restored(revision)` is told when the file is another one.
  constructor(node, restored) {
    this.node = node;
    this.restored = restored;
    this.events = el("div", { class: "panel versions" });
    this.kept = el("div", { class: "panel versions" });
    node.replaceChildren(this.kept, this.events);
  }

  // With each answer of the gateway's; drawn again when something has changed.
  async show(events, config) {
    const shape = JSON.stringify([events, config?.revision]);
    if (this.shape === shape) return;
    this.shape = shape;
    this.events.replaceChildren(el("h2", {}, "What the gateway loaded and refused"),
      events.length ? el("ul", {}, ...events.map((one) => el("li", { "data-kind": one.subject === "refused" ? "refused" : "loaded" },
        el("time", { class: "soft" }, full(one.at)), el("b", {}, one.subject), el("span", {}, one.message)))) : el("p", { class: "soft" }, "Nothing yet."));
    if (!config) return;
    try {
      this.list((await get("/config/versions.json")).versions);
    } catch (error) {
      this.list([], error.message);
    }
  }

  list(versions, problem = "") {
    keepFocus(this.kept, () => this.kept.replaceChildren(el("h2", {}, "Earlier versions"),
      problem ? el("p", { class: "soft" }, problem)
        : versions.length ? el("ul", {}, ...versions.map((one) => this.row(one)))
          : el("p", { class: "soft" }, "None yet: one is kept each time that config.jsonc is saved here."),
      el("p", { class: "soft" }, "Before it writes config.jsonc, the gateway keeps the file as it was: the last five lie beside it as config.jsonc.bak-….")));
  }

  row(version) {
    const open = el("button", { type: "button", class: "small", "aria-expanded": "false" }, "What would change");
    const more = el("div", { class: "difference", hidden: true });
    open.addEventListener("click", async () => {
      more.hidden = !more.hidden;
      open.setAttribute("aria-expanded", String(!more.hidden));
      if (!more.hidden) await this.compare(version, more);
    });
    return el("li", { class: "version" }, el("span", {}, "until ", el("time", {}, full(Date.parse(version.replaced_at) / 1000))),
      el("code", {}, version.revision.slice(0, 8)), open, more);
  }

  async compare(version, more) {
    try {
      // Only the file that the difference was made with is replaced.
      const { difference, against } = await get(`/config/versions.json?${new URLSearchParams({ id: version.id })}`);
      if (!difference.length) return more.replaceChildren(el("p", { class: "soft" }, "Nothing: it is what the file says now."));
      const restore = el("button", { type: "button", class: "primary" }, "Restore this version");
      const said = el("p", { class: "soft", role: "status" }, "Restoring it puts back what is marked + and takes out what is marked −, keys included.");
      restore.addEventListener("click", () => this.restore(version, against, restore, said));
      more.replaceChildren(el("pre", { tabindex: "0", "aria-label": "Difference" }, ...difference.map((line) => el("span", { "data-kind": KINDS[line[0]] ?? "same" }, `${line.replace(/^-/, "−")}\n`))), said, restore);
    } catch (error) {
      more.replaceChildren(el("p", { class: "soft" }, error.message));
    }
    return undefined;
  }

  async restore(version, hash, button, said) {
    button.disabled = true;
    try {
      const done = await post("/config/restore", { id: version.id, hash });
      await this.restored(done.revision ?? done.hash);
    } catch (error) {
      button.disabled = false;
      const list = error.answer?.errors ?? [error];
      said.textContent = list.map((one) => [one.path, one.message].filter(Boolean).join(": ")).join(" · ");
    }
  }
}
