// On Datasette's own pages: the chosen theme, the way back, descriptions folded.
(() => {
  "use strict";
  const base = new URL(document.currentScript.src).pathname.replace(/\/static\/.*$/, "");
  try {
    const chosen = localStorage.getItem("gw-theme");
    if (chosen) document.documentElement.dataset.theme = chosen;
  } catch { /* private mode */ }
  document.addEventListener("DOMContentLoaded", () => {
    const place = document.querySelector("header nav") ?? document.querySelector("header");
    if (place && !document.querySelector(".gw-nav")) {
      const nav = document.createElement("span");
      nav.className = "gw-nav";
      for (const [path, label] of [["", "Live"], ["/requests", "Requests"], ["/history", "History"], ["/config", "Providers & config"]]) {
        const link = document.createElement("a");
        link.href = base + path;
        link.textContent = label;
        nav.append(link);
      }
      place.prepend(nav);
    }
    for (const list of document.querySelectorAll("dl.column-descriptions")) {
      if (list.closest("details")) continue;
      const fold = document.createElement("details");
      fold.className = "gw-columns";
      const summary = document.createElement("summary");
      summary.textContent = `What the ${list.querySelectorAll("dt").length} columns mean`;
      list.replaceWith(fold);
      fold.append(summary, list);
    }
  });
})();
