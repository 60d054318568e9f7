// The replies to choose from: the draft first, then other ones. Each keeps what the agent has changed in it.

import { Draft } from "./draft.js";
import { el } from "./dom.js";
import { sourcesSection } from "./evidence.js";
import { t } from "./messages.js";
import { signed } from "./signature.js";

export class Replies {
  /**
   * @param suggestion The API's suggestion.
   * @param {string} agentName Fills the blank that waits for it.
   * @param {(words: string) => void} announce For screen readers: which reply is shown now.
   */
  constructor(suggestion, agentName, announce) {
    this.announce = announce;
    const others = (suggestion.alternatives || []).map((one) => ({
      ...suggestion,
      ...one,
      confidence: null, // it was predicted for the draft
      unused_facts: [],
    }));
    this.drafts = [suggestion, ...others].map((one) => new Draft(signed(one, agentName)));
    this.at = 0;
    this.holder = el("div", {});
    this.sources = el("div", {});
    this.nextButton = el("button", { type: "button", class: "button", on: { click: () => this.next() } }, t("next"));
    this.nextButton.hidden = this.drafts.length < 2;
    this.paint();
  }

  get current() {
    return this.drafts[this.at];
  }

  get edited() {
    return this.drafts.some((draft) => draft.edited);
  }

  /** The text that must not be lost: the one in view if it was changed, else another one that was. */
  get own() {
    const [first = null] = [this.current, ...this.drafts].filter((draft) => draft.edited);
    return first ? first.text : "";
  }

  next() {
    this.at = (this.at + 1) % this.drafts.length;
    this.paint();
    this.announce(this.place());
  }

  place() {
    return t("reply_of", { number: this.at + 1, count: this.drafts.length });
  }

  /** Only the draft and its sources change places: the focus stays on the button. */
  paint() {
    this.holder.replaceChildren(this.current.element);
    this.sources.replaceChildren(sourcesSection(this.current.suggestion));
    if (this.drafts.length < 2) return;
    this.current.place.textContent = [this.place(), t(`origin_${this.origin()}`)].join(" · ");
    this.nextButton.setAttribute("aria-label", t("next_label", { count: this.drafts.length }));
  }

  origin() {
    const { origin } = this.current.suggestion;
    return origin === "past_reply" || origin === "draft" ? origin : "first";
  }
}
