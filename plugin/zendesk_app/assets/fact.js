// 'Tell it one fact and redraft': what the agent knows and the draft cannot.

import { el } from "./dom.js";
import { t } from "./messages.js";

const MAX_CHARS = 500; // the API's own limit

export class Fact {
  /**
   * @param {string[]} told What was told before for this message.
   * @param {string[]} unused What of it the draft does not say.
   * @param {(fact: string) => Promise<string>} tell Resolves to what went wrong; "" where nothing did.
   * @param {boolean} open Unfolded from the start.
   */
  constructor({ told, unused = [], tell, open = false }) {
    this.tell = tell;
    // No <form>: some hosts put the app into a frame that may not submit any.
    const enter = (event) => {
      if (event.key === "Enter" && !event.isComposing) this.send();
    };
    this.input = el("input", {
      id: "fact", type: "text", maxlength: MAX_CHARS, autocomplete: "off", "aria-describedby": "fact-problem",
      on: { keydown: enter },
    });
    this.button = el("button", { type: "button", class: "button small", on: { click: () => this.send() } },
      t("fact_send"));
    this.problem = el("p", { id: "fact-problem", class: "meta problem" });
    const missing = new Set(unused);
    const list = told.map((fact) =>
      el("li", {}, fact, missing.has(fact) ? el("span", { class: "meta" }, ` (${t("fact_unused")})`) : null));
    this.element = el(
      "details",
      { class: "block fact", open },
      el("summary", {}, t("fact")),
      told.length > 0 ? el("p", { class: "meta" }, t("fact_told")) : null,
      told.length > 0 ? el("ul", { class: "why" }, ...list) : null,
      el("label", { for: "fact", class: "meta" }, t("fact_label")),
      el("div", { class: "fact-row" }, this.input, this.button),
      this.problem,
    );
  }

  /** Something is typed that is not sent yet. */
  get pending() {
    return this.input.value.trim() !== "";
  }

  async send() {
    const fact = this.input.value.trim();
    if (!fact) {
      this.problem.textContent = t("fact_empty");
      this.input.focus();
      return;
    }
    if (this.button.disabled) return;
    this.button.disabled = true;
    this.problem.textContent = "";
    const wrong = await this.tell(fact);
    this.button.disabled = false;
    this.problem.textContent = wrong;
  }
}
