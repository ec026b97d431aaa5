// The Request page is drawn by the server; a request on its way is looked at again.

import "./base.js";

const story = document.querySelector(".story");
if (story.dataset.outcome === "in_flight") setTimeout(() => location.reload(), 2000);

// j and k, as in lists elsewhere: the older and the newer neighbour.
addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  const rel = { j: "next", ArrowRight: "next", k: "prev", ArrowLeft: "prev" }[event.key];
  if (rel) document.querySelector(`.crumbs a[rel=${rel}]`)?.click();
});
