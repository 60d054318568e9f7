// The states of the app that hold no draft: loading, drafting, silent, none, error.

import { el } from "./dom.js";
import { routeSection } from "./evidence.js";
import { t } from "./messages.js";

/** A heading, a line of explanation, at most one button, and what else belongs under it. */
export function messageView(name, { title, detail = "", small = "", action = null, route = undefined, more = [] }) {
  return el(
    "div",
    { class: "stack", "data-state": name },
    el("section", { class: `notice ${name}` },
      el("h2", {}, title),
      detail ? el("p", {}, detail) : null,
      small ? el("p", { class: "meta" }, small) : null,
      action ? el("button", { type: "button", class: action.primary ? "button primary" : "button",
        on: { click: action.run } }, action.words) : null),
    ...more,
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
    // Filled while the draft is written. Not a live region: a screen reader would start anew several times a second.
    el("p", { class: "partial", dir: "auto", "aria-busy": "true", hidden: true }),
    detail ? el("p", { class: "quiet" }, detail) : null,
    route ? routeSection(route) : null,
  );
}

/** Put what is written so far in place of the grey lines. */
export function showPartial(view, text) {
  view.querySelector(".waiting").hidden = true;
  const partial = view.querySelector(".partial");
  partial.hidden = false;
  if (partial.textContent !== text) partial.textContent = text;
}

/** The line over an edited draft when the customer has written again. */
export function newMessageBar(refresh) {
  return el("div", { class: "bar-new" },
    el("span", {}, t("new_message")),
    el("button", { type: "button", class: "button small", on: { click: refresh } }, t("refresh")));
}

/** A text that the agent had before a newer draft came or did not come: it stays within reach. */
export function keptView(text, words, act) {
  return el("details", { class: "block kept" },
    el("summary", {}, t("kept")),
    el("blockquote", { dir: "auto" }, text),
    el("button", { type: "button", class: "button small", on: { click: act } }, words));
}
