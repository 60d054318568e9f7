// The editable draft: a textarea over a copy of its text that carries the highlights and the height.

import { el } from "./dom.js";
import { marksOf, moveMarks, openMarks, segments } from "./marks.js";
import { t } from "./messages.js";

export class Draft {
  /** @param suggestion The API's suggestion. */
  constructor(suggestion) {
    this.suggestion = suggestion;
    this.original = suggestion.draft;
    this.text = suggestion.draft;
    this.marks = marksOf(suggestion);
    this.area = el("textarea", {
      id: "draft",
      class: "draft-text",
      lang: suggestion.language || null,
      dir: "auto",
      spellcheck: "true",
      "aria-describedby": "check",
      on: { input: () => this.update() },
    });
    this.area.value = this.text;
    // The same text behind the textarea: its <mark>s shine through, and its height is what the textarea grows to.
    this.mirror = el("div", { class: "draft-mirror", "aria-hidden": "true", lang: suggestion.language || null });
    this.check = el("div", { id: "check", class: "check" });
    this.place = el("span", { class: "place" }); // which of several it is
    this.element = el(
      "section",
      { class: "card", "aria-labelledby": "draft-heading" },
      el("div", { class: "draft-head" }, el("h2", { id: "draft-heading" }, t("draft")), this.place),
      el("label", { class: "visually-hidden", for: "draft" }, t("draft_label")),
      el("div", { class: "draft" }, this.mirror, this.area),
      this.check,
    );
    this.paint();
  }

  get edited() {
    return this.text !== this.original;
  }

  /** Put another text in, as if it had been typed. */
  replace(text) {
    this.area.value = text;
    this.update();
  }

  update() {
    this.marks = moveMarks(this.marks, this.text, this.area.value);
    this.text = this.area.value;
    this.paint();
  }

  paint() {
    const parts = segments(this.text, this.marks).map(({ text, mark }) =>
      mark ? el("mark", { class: mark.kind }, text) : text,
    );
    // A last line break has no height of its own in a div; the extra character gives it one.
    this.mirror.replaceChildren(...parts, "\u200b");
    const open = openMarks(this.marks);
    this.check.hidden = open.length === 0;
    if (open.length === 0) {
      this.check.replaceChildren();
      return;
    }
    const items = open.map((mark) => {
      const words = t(mark.kind === "blank" ? "check_blank" : "check_claim", { text: mark.text });
      const jump = () => {
        this.area.focus();
        this.area.setSelectionRange(mark.start, mark.end);
      };
      const attributes = { type: "button", class: `check-item ${mark.kind}`, on: { click: jump } };
      return el("li", {}, el("button", { ...attributes, "aria-label": t("check_jump", { item: words }) }, words));
    });
    this.check.replaceChildren(el("h3", {}, t("check")), el("ul", {}, ...items));
  }
}
