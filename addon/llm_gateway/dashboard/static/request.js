// The Request page is drawn by the server; a request on its way is looked at again.

import "./base.js";

const story = document.querySelector(".story");
if (story.dataset.outcome === "in_flight") setTimeout(() => location.reload(), 2000);
