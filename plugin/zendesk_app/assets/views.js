// The states of the app that hold no draft: loading, drafting, silent, none, error.

import { el } from "./dom.js";
import { routeSection } from "./evidence.js";
import { t } from "./messages.js";

/** A heading, a line of explanation and at most one button. */
export function messageView(name, { title, detail = "", small = "", action = null, route = undefined }) {
  return el(
    "div",
    { class: "stack", "data-state": name },
    el("section", { class: `notice ${name}` },
      el("h2", {}, title),
      detail ? el("p", {}, detail) : null,
      small ? el("p", { class: "meta" }, small) : null,
      action ? el("button", { type: "button", class: action.primary ? "button primary" : "button",
        on: { click: action.run } }, action.words) : null),
    route === undefined ? null : routeSection(route),
  );
}

/** Grey lines where the draft will be; the words are in the status region. */
export function waitingView(name, detail = "", route = null) {
  const lines = [92, 100, 84, 96, 40].map((width) => {
    const line = el("span", { class: "skeleton" });
    line.style.width = `${width}%`;
    return line;
  });
  return el(
    "div",
    { class: "stack", "data-state": name },
    el("div", { class: "card waiting", "aria-hidden": "true" }, ...lines),
    detail ? el("p", { class: "quiet" }, detail) : null,
    route ? routeSection(route) : null,
  );
}

/** The line over an edited draft when the customer has written again. */
export function newMessageBar(refresh) {
  return el("div", { class: "bar-new" },
    el("span", {}, t("new_message")),
    el("button", { type: "button", class: "button small", on: { click: refresh } }, t("refresh")));
}

/** A text that the agent had edited before asking for a newer draft: it stays within reach. */
export function keptView(text, use) {
  return el("details", { class: "block kept" },
    el("summary", {}, t("kept")),
    el("blockquote", { dir: "auto" }, text),
    el("button", { type: "button", class: "button small", on: { click: use } }, t("kept_use")));
}
