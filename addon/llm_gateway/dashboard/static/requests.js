// The Requests page is drawn by the server; here only what needs the reader's clock.

import "./base.js";

const form = document.getElementById("filters");
form.elements.tz.value ||= Intl.DateTimeFormat().resolvedOptions().timeZone || "";
// The address holds what was chosen, and no empty fields.
const HERE = "gw-filter";
form.addEventListener("submit", () => {
  // The list comes anew; the keyboard stays at its filter.
  try { sessionStorage.setItem(HERE, document.activeElement?.name ?? ""); } catch { /* private mode */ }
  for (const field of form.elements) if (field.name && !field.value) field.disabled = true;
  if (form.elements.range.value !== "today") form.elements.tz.disabled = true;
});
for (const field of form.querySelectorAll("select, input[type=checkbox]")) field.addEventListener("change", () => form.requestSubmit());
let here = "";
try {
  here = sessionStorage.getItem(HERE) ?? "";
  sessionStorage.removeItem(HERE);
} catch { /* private mode */ }
if (here) form.elements[here]?.focus();
addEventListener("pageshow", () => { for (const field of form.elements) field.disabled = false; });

addEventListener("keydown", (event) => {
  if (event.key !== "/" || event.target.matches("input:not([type=checkbox]), select, textarea")) return;
  event.preventDefault();
  form.elements.q.focus();
});
