// What reaches people who are not looking at the table: title, icon, announcements.

import { page } from "./base.js";

const icon = document.getElementById("icon");
const say = document.getElementById("say");
const plain = document.title;
let words = null;

export function signal(data) {
  let tight = 0;
  let gone = 0;
  for (const provider of data.providers) {
    for (const model of provider.models) {
      const { word } = model.state;
      if (word === "near limit") tight += 1;
      if (word === "at limit" || word === "failing" || word === "key refused") gone += 1;
    }
  }
  const parts = [];
  if (gone) parts.push(`${gone} out`);
  if (tight) parts.push(`${tight} near limit`);
  const title = parts.length ? `▲ ${parts.join(", ")} · ${plain}` : plain;
  if (document.title !== title) document.title = title;
  const name = gone ? "icon-hot.svg" : tight ? "icon-warn.svg" : "icon.svg";
  const href = `${page.assets}/${name}`;
  if (icon.getAttribute("href") !== href) icon.setAttribute("href", href);
  announce(data);
}

// Only changes of a word are read out, and never the state at the beginning.
function announce(data) {
  const now = new Map();
  const news = [];
  for (const provider of data.providers) {
    for (const model of provider.models) {
      const key = `${provider.id} ${model.model}`;
      now.set(key, model.state.word);
      if (words && words.has(key) && words.get(key) !== model.state.word) {
        news.push(`${key}: ${model.state.word}`);
      }
    }
  }
  words = now;
  if (news.length) say.textContent = news.slice(0, 3).join(". ");
}
