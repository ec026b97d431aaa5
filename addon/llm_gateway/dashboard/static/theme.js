// Runs before the page is drawn: the theme that was chosen, or the system's.
(() => {
  "use strict";
  const root = document.documentElement;
  const stored = () => {
    try { return localStorage.getItem("gw-theme"); } catch { return null; }
  };
  const chosen = stored();
  if (chosen) root.dataset.theme = chosen;
  document.addEventListener("DOMContentLoaded", () => {
    document.getElementById("theme").addEventListener("click", () => {
      const dark = root.dataset.theme
        ? root.dataset.theme === "dark"
        : matchMedia("(prefers-color-scheme: dark)").matches;
      root.dataset.theme = dark ? "light" : "dark";
      try { localStorage.setItem("gw-theme", root.dataset.theme); } catch { /* private mode */ }
      document.dispatchEvent(new CustomEvent("gw-theme"));
    });
  });
})();
