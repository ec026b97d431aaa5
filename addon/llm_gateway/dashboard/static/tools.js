// Copilot's login, simulated usage.

import { copyButton, el, post } from "./base.js";

export function copilotLogin(provider) {
  const box = el("span", { class: "login" });
  const button = el("button", { type: "button", class: "small", onclick: start }, "Sign in to GitHub");
  box.append(button);

  async function start() {
    button.disabled = true;
    try {
      const flow = await post("/copilot/start", { providerId: provider });
      box.replaceChildren(el("span", {}, "Enter ", el("b", { class: "device-code" }, flow.user_code), " at "),
        link(flow.verification_uri), copyButton(flow.user_code, "Copy the code"));
      wait(flow, Date.now() + flow.expires_in * 1000);
    } catch (error) {
      over(error.message, "Try again");
    }
  }

  async function wait(flow, until) {
    let pause = flow.interval;
    while (Date.now() < until) {
      await new Promise((resolve) => { setTimeout(resolve, Math.max(0.2, pause) * 1000); });
      let answer;
      try {
        answer = await post("/copilot/poll", { flow: flow.flow });
      } catch (error) {
        return over(error.message, "Try again");
      }
      if (answer.status === "done") return over("Signed in.", "Sign in again");
      if (answer.status !== "pending") return over(answer.status === "denied" ? "GitHub says: denied." : `The login ended: ${answer.status}.`, "Try again");
      pause = answer.interval ?? pause;
    }
    return over("The code has expired.", "Try again");
  }

  function over(text, label) {
    button.disabled = false;
    button.textContent = label;
    box.replaceChildren(el("span", { role: "status" }, text), button);
  }

  return box;
}

function link(address) {
  // Only a web address becomes a link, whatever the answer says.
  return /^https:\/\//.test(address)
    ? el("a", { href: address, target: "_blank", rel: "noopener noreferrer" }, address.replace("https://", ""))
    : el("span", {}, address);
}

export function simulateForm(config) {
  const providers = (config.providers ?? []).filter((one) => one.enabled !== false);
  const provider = el("select", { name: "provider" }, ...providers.map((one) => el("option", { value: one.id }, one.id)));
  const model = el("select", { name: "model" });
  const tokens = el("input", { type: "number", min: "1", value: "1000" });
  const cost = el("input", { type: "number", min: "0", step: "any", value: "0.01" });
  const times = el("input", { type: "number", min: "1", max: "200", value: "1" });
  const button = el("button", { class: "primary" }, "Count it");
  const said = el("p", { class: "soft", role: "status" });
  const models = () => model.replaceChildren(...(providers.find((one) => one.id === provider.value)?.models ?? [])
    .map((one) => el("option", { value: one.name }, one.name)));
  provider.addEventListener("change", models);
  models();
  const field = (text, input) => el("label", { class: "stacked" }, el("span", { class: "soft" }, text), input);
  return el("form", { class: "panel simulate", onsubmit: async (event) => {
    event.preventDefault();
    button.disabled = true;
    const many = Math.min(200, Math.max(1, Number(times.value) || 1));
    try {
      for (let n = 1; n <= many; n += 1) {
        await post("/simulate", { providerId: provider.value, model: model.value || undefined, tokens: Number(tokens.value), cost: Number(cost.value) });
        said.textContent = `${n} of ${many} counted for ${provider.value}.`;
      }
    } catch (error) {
      said.textContent = error.message;
    }
    button.disabled = false;
  } },
  el("p", {}, "Pretend usage, to see limits, alerts and charts at work. It counts against the limits of the provider like a request, its rows are marked as simulated, and “Hide simulated” on the other pages takes them out."),
  el("div", { class: "fields" }, field("Provider", provider), field("Model", model), field("Tokens", tokens), field("Cost in $", cost), field("How often", times), button), said);
}
