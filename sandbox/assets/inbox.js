"use strict";

const list = document.getElementById("messages");
const filter = document.getElementById("filter");
const state = document.getElementById("state");
const problem = document.getElementById("problem");
const maxShown = 100;

// dress adapts freshly rendered messages: local time and the filter.
function dress(root) {
  for (const time of root.querySelectorAll("time")) {
    time.textContent = new Date(time.dateTime).toLocaleString();
  }
  applyFilter();
}

function applyFilter() {
  const wanted = filter.value.trim().toLowerCase();
  for (const message of list.children) {
    message.hidden = !message.dataset.to.toLowerCase().includes(wanted);
  }
}

function listen() {
  const events = new EventSource("/inbox/events?after=" + document.body.dataset.last);
  events.onopen = () => { state.textContent = "live"; state.classList.add("live"); };
  events.onerror = () => { state.textContent = "connecting"; state.classList.remove("live"); };
  events.addEventListener("cleared", () => list.replaceChildren());
  events.addEventListener("message", (event) => {
    // The server renders and escapes the fragment; the page's policy runs no script from it.
    list.insertAdjacentHTML("afterbegin", event.data);
    dress(list.firstElementChild);
    while (list.children.length > maxShown) list.lastElementChild.remove();
    showFaults();
  });
}

async function call(method, path, body) {
  const response = await fetch(path, { method, body: body && JSON.stringify(body) });
  const answer = response.status === 204 ? null : await response.json();
  if (!response.ok) throw new Error(answer.error);
  return answer;
}

// attempt shows what went wrong instead of losing it in the console.
async function attempt(work) {
  problem.textContent = "";
  try {
    await work();
  } catch (error) {
    problem.textContent = String(error.message || error);
  }
}

function describe(fault) {
  const often = fault.count ? `, ${fault.count} left` : fault.probability ? `, ${fault.probability * 100} %` : "";
  const what = fault.reset ? "answer lost" : fault.garbage ? "garbage" :
    [fault.code, fault.status && "HTTP " + fault.status, fault.double && "double"].filter(Boolean).join(" ");
  const slow = fault.delay_ms ? `${fault.delay_ms / 1000} s slow` : "";
  return "Active: " + [slow, what].filter(Boolean).join(", ") + often;
}

function render(faults) {
  for (const field of document.querySelectorAll("fieldset")) {
    const { count, probability, ...effect } = faults[field.dataset.vendor] || {};
    const fault = faults[field.dataset.vendor];
    field.querySelector(".active").textContent = fault ? describe(fault) : "";
    for (const button of field.querySelectorAll("button")) {
      const pressed = fault ? button.dataset.fault === JSON.stringify(effect) : button.dataset.fault === "null";
      button.setAttribute("aria-pressed", pressed);
    }
  }
}

const showFaults = () => attempt(async () => render(await call("GET", "/api/faults")));

document.addEventListener("click", (event) => {
  const button = event.target.closest("button");
  if (!button) return;
  if (button.dataset.copy) {
    attempt(async () => {
      await navigator.clipboard.writeText(button.dataset.copy);
      button.textContent = "Copied";
    });
  } else if (button.id === "clear") {
    attempt(() => call("DELETE", "/api/messages"));
  } else if (button.dataset.fault) {
    attempt(async () => {
      const faults = await call("GET", "/api/faults");
      const effect = JSON.parse(button.dataset.fault);
      const often = JSON.parse(document.getElementById("often").value);
      faults[button.closest("fieldset").dataset.vendor] = effect && { ...effect, ...often };
      render(await call("PUT", "/api/faults", faults));
    });
  }
});

filter.addEventListener("input", applyFilter);
document.getElementById("tools").addEventListener("submit", (event) => event.preventDefault());
dress(document);
showFaults();
listen();
