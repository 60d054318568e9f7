// Thumbs, and after a thumb down what was wrong.

import { THUMB, el, icon } from "./dom.js";
import { t } from "./messages.js";

const REASONS = ["facts", "tone", "language", "question", "other"];
// What is stored stays English, so that a desk with agents of several languages can count it.
const STORED = {
  facts: "wrong facts",
  tone: "wrong tone",
  language: "wrong language",
  question: "not what was asked",
  other: "other",
};

export class Feedback {
  /**
   * @param {(action: string, reason: string) => Promise} post
   * @param {(words: string) => void} say Fills the status region.
   */
  constructor(post, say) {
    this.post = post;
    this.say = say;
    this.pending = false; // a thumb down whose reasons are not sent yet
    this.up = this.thumb("thumb_up", "up", () => this.rate("thumb_up"));
    this.down = this.thumb("thumb_down", "down", () => this.askWhy());
    this.reasons = el("div", { class: "reasons", hidden: true });
    this.heading = el("h2", { id: "feedback-heading" }, t("feedback"));
    this.element = el(
      "section",
      { class: "feedback", "aria-labelledby": "feedback-heading" },
      el("div", { class: "feedback-row" }, this.heading, this.up, this.down),
      this.reasons,
    );
  }

  thumb(key, direction, click) {
    const attributes = { type: "button", class: `icon-button thumb-${direction}`, "aria-pressed": "false" };
    return el("button", { ...attributes, "aria-label": t(key), title: t(key), on: { click } }, icon(THUMB));
  }

  async rate(action, reason = "") {
    this.pending = false;
    this.press(action);
    try {
      await this.post(action, reason);
      if (this.reasons.contains(document.activeElement)) this.down.focus();
      this.reasons.hidden = true;
      this.tell(t("thanks"));
    } catch {
      this.press("");
      this.tell(t("feedback_failed"));
    }
  }

  /** Send a thumb down that waits for its reasons: the agent has gone on without giving any. */
  flush() {
    if (this.pending) this.rate("thumb_down", this.chosen());
  }

  /** Here as well as in the status region, which may be scrolled out of sight. */
  tell(words) {
    this.heading.textContent = words;
    this.say(words);
  }

  press(action) {
    this.up.setAttribute("aria-pressed", String(action === "thumb_up"));
    this.down.setAttribute("aria-pressed", String(action === "thumb_down"));
  }

  askWhy() {
    if (this.down.getAttribute("aria-pressed") === "true") return;
    this.pending = true;
    this.press("thumb_down");
    const chips = REASONS.map((reason) => {
      const chip = el("button", { type: "button", class: "chip", "aria-pressed": "false", "data-reason": reason },
        t(`reason_${reason}`));
      chip.addEventListener("click", () => {
        const on = chip.getAttribute("aria-pressed") !== "true";
        chip.setAttribute("aria-pressed", String(on));
        if (reason === "other") this.text.hidden = !on;
      });
      return chip;
    });
    this.input = el("input", { id: "reason-text", type: "text", maxlength: 400, autocomplete: "off" });
    this.text = el("div", { class: "reason-text", hidden: true },
      el("label", { for: "reason-text" }, t("reason_text")), this.input);
    const send = () => this.rate("thumb_down", this.chosen());
    this.reasons.replaceChildren(
      el("h3", { id: "reasons-heading" }, t("reasons")),
      el("div", { class: "chips", role: "group", "aria-labelledby": "reasons-heading" }, ...chips),
      this.text,
      el("button", { type: "button", class: "button", on: { click: send } }, t("send")),
    );
    this.reasons.hidden = false;
  }

  chosen() {
    const pressed = [...this.reasons.querySelectorAll('.chip[aria-pressed="true"]')];
    const words = this.input.value.trim();
    const stored = pressed.map((chip) => {
      const name = chip.dataset.reason;
      return name === "other" && words ? `other: ${words}` : STORED[name];
    });
    return stored.join("; ");
  }
}
