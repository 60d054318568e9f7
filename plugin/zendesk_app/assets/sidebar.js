// The sidebar app: asks Deskhand for the ticket's suggestion, shows it, and hands it to the reply editor.
//
// It never sends anything and does not hook `ticket.save`: a hook that fails would keep the agent from saving.

import { Api, ApiError } from "./api.js";
import { Draft } from "./draft.js";
import { el } from "./dom.js";
import { routeSection, sourcesSection } from "./evidence.js";
import { Feedback } from "./feedback.js";
import { asHtml } from "./marks.js";
import { t, useLocale } from "./messages.js";
import { signed } from "./signature.js";
import { keptView, messageView, newMessageBar, waitingView } from "./views.js";

const POLL_S = 1.5;
const GIVE_UP_S = 120;
const NEW_TURN_S = 30; // how long the webhook of a message that the agent already sees may take to reach Deskhand
const FLASH_S = 2.5;
const FAILURES = 3; // that many polls in a row may fail before the agent is told

const sleep = (seconds) => new Promise((resolve) => setTimeout(resolve, seconds * 1000));

class Sidebar {
  constructor(client) {
    this.client = client;
    this.status = document.getElementById("status");
    this.bar = document.getElementById("bar");
    this.content = document.getElementById("content");
    this.run = 0; // grows with every load; an answer of an earlier run is dropped
    this.busy = false;
    this.answer = null;
    this.draft = null;
    this.feedback = null;
    this.kept = "";
    this.customerCount = null;
  }

  async start() {
    this.followColours();
    this.followHeight();
    const [metadata, about] = await Promise.all([
      this.client.metadata(),
      this.client.get(["ticket.id", "currentUser.locale", "currentUser.name"]),
    ]);
    this.agentName = about["currentUser.name"];
    document.documentElement.lang = useLocale(about["currentUser.locale"]);
    this.ticketId = String(about["ticket.id"]);
    this.api = new Api(this.client, metadata.settings.api_host);
    this.customerCount = await this.countCustomerMessages();
    this.client.on("ticket.conversation.changed", () => this.conversationChanged());
    this.client.on("app.activated", () => this.lookAgain());
    this.client.on("app.deactivated", () => this.feedback && this.feedback.flush());
    await this.load();
  }

  // ---- asking

  /** Show the suggestion of the newest message. `ask`: have a draft made now. `staleTurn`: a turn to wait past. */
  async load({ ask = false, staleTurn = null } = {}) {
    const run = (this.run += 1);
    const begun = Date.now();
    const route = this.answer && this.answer.route;
    let failures = 0;
    this.busy = true;
    this.clear();
    this.say(t("loading"));
    this.put(waitingView("loading"));
    let next = ask ? this.api.askForDraft(this.ticketId) : this.api.suggestion(this.ticketId);
    for (let polls = 0; ; polls += 1) {
      let answer = null;
      try {
        answer = await next;
        failures = 0;
      } catch (error) {
        failures += 1;
        if (run !== this.run) return undefined;
        if (polls === 0 || !error.retriable || failures >= FAILURES) return this.showError(error, { ask, staleTurn });
      }
      if (run !== this.run) return;
      const waited_s = (Date.now() - begun) / 1000;
      const old = answer && staleTurn && answer.turn_id === staleTurn;
      if (old && waited_s >= NEW_TURN_S) return this.show({ ...answer, state: "none", suggestion: null });
      if (answer && answer.state !== "drafting" && !old) return this.show(answer);
      if (waited_s >= GIVE_UP_S) return this.showSlow({ staleTurn });
      this.showDrafting((answer && answer.route) || route);
      await sleep(POLL_S);
      if (run !== this.run) return;
      next = this.api.suggestion(this.ticketId);
    }
  }

  /** Ask once, quietly, and show what is new; an edited draft stays where it is. */
  async lookAgain() {
    if (this.busy) return undefined;
    if (!this.answer) return this.load(); // an error is showing
    const run = this.run;
    let answer;
    try {
      answer = await this.api.suggestion(this.ticketId);
    } catch {
      return undefined; // what is shown is still right; the agent did not ask for this
    }
    if (run !== this.run || this.busy) return undefined;
    const newTurn = answer.turn_id !== this.answer.turn_id;
    if (this.draft && this.draft.edited) {
      if (newTurn) this.showBar();
      return undefined;
    }
    const shown = this.answer.suggestion && this.answer.suggestion.id;
    const same = !newTurn && answer.state === this.answer.state && (answer.suggestion || {}).id === (shown || undefined);
    if (same) return undefined;
    return answer.state === "drafting" ? this.load() : this.show(answer);
  }

  async conversationChanged() {
    const before = this.customerCount;
    this.customerCount = await this.countCustomerMessages();
    const wrote = before !== null && this.customerCount !== null && this.customerCount > before;
    if (!wrote) return this.lookAgain();
    if (this.draft && this.draft.edited) this.showBar();
    else this.refresh();
  }

  refresh() {
    return this.load({ staleTurn: this.answer && this.answer.turn_id });
  }

  /** How many messages of the customer the conversation holds; null where it cannot be read. */
  async countCustomerMessages() {
    try {
      const conversation = (await this.client.get("ticket.conversation"))["ticket.conversation"];
      return conversation.filter((item) => item.author && item.author.role === "end-user").length;
    } catch {
      return null;
    }
  }

  // ---- showing

  show(answer) {
    this.busy = false;
    this.clear();
    this.answer = answer;
    const { state, suggestion, route } = answer;
    if (state === "ready" && suggestion && suggestion.draft) return this.showReady(suggestion, route);
    if (state === "silent") {
      this.announce(t("silent"));
      return this.put(messageView("silent", { title: t("silent"), detail: t("silent_detail"), route }));
    }
    if (state === "failed") {
      this.announce(t("failed"));
      const action = { words: t("retry"), run: () => this.load({ ask: true }) };
      const detail = String(answer.message || "").slice(0, 300);
      return this.put(messageView("failed", { title: t("failed"), detail, action, route: route || undefined }));
    }
    this.announce(t("none"));
    const action = { words: t("draft_reply"), primary: true, run: () => this.load({ ask: true }) };
    return this.put(messageView("none", { title: t("none"), action, route: route || undefined }));
  }

  showReady(suggestion, route) {
    this.draft = new Draft(signed(suggestion, this.agentName));
    this.feedback = new Feedback(
      (action, reason) => this.api.feedback(suggestion.id, action, reason),
      (words) => this.say(words),
    );
    const insert = { type: "button", class: "button primary", "aria-label": t("insert_label") };
    this.draft.element.append(
      el("div", { class: "actions" },
        el("button", { ...insert, on: { click: (event) => this.insert(event.currentTarget) } }, t("insert")),
        el("button", { type: "button", class: "button", on: { click: (event) => this.copy(event.currentTarget) } },
          t("copy"))),
    );
    const stack = el("div", { class: "stack", "data-state": "ready" }, this.draft.element);
    if (this.kept) {
      const kept = keptView(this.kept, () => {
        this.draft.replace(this.kept);
        this.kept = "";
        kept.remove();
        this.draft.area.focus();
        this.say(t("kept_used"));
      });
      stack.append(kept);
    }
    stack.append(
      routeSection(route),
      sourcesSection(suggestion),
      this.feedback.element,
      el("p", { class: "model" }, t("model", { version: suggestion.model_version })),
    );
    this.say(t("ready"));
    this.put(stack);
  }

  showDrafting(route) {
    if (this.content.querySelector('[data-state="drafting"]')) return;
    this.say(t("drafting"));
    this.put(waitingView("drafting", t("drafting_detail"), route));
  }

  showSlow({ staleTurn }) {
    this.busy = false;
    this.answer = null;
    this.announce(t("slow"));
    const action = { words: t("retry"), run: () => this.load({ staleTurn }) };
    this.put(messageView("slow", { title: t("slow"), detail: t("slow_detail"), action }));
  }

  showError(error, again) {
    this.busy = false;
    this.answer = null;
    const known = error instanceof ApiError;
    const action = { words: t("retry"), run: () => (this.api ? this.load(again) : location.reload()) };
    const detail = known ? error.message : t("error_other", { status: 0 });
    this.announce(t("error"));
    this.put(messageView("error", { title: t("error"), detail, small: known ? error.detail : "", action }));
  }

  showBar() {
    if (this.bar.childElementCount > 0) return;
    this.bar.replaceChildren(newMessageBar(() => this.refresh()));
    this.announce(t("new_message"));
  }

  /** Leave the present draft; an edited one is kept for the next view. */
  clear() {
    if (this.feedback) this.feedback.flush();
    if (this.draft && this.draft.edited) this.kept = this.draft.text;
    this.draft = null;
    this.feedback = null;
    if (this.bar.contains(document.activeElement)) this.content.focus({ preventScroll: true });
    this.bar.replaceChildren();
  }

  /** Fill the content; where that takes the focused button away, the focus goes to the content, not to the body. */
  put(view) {
    const held = this.content.contains(document.activeElement);
    this.content.replaceChildren(view);
    if (held) this.content.focus({ preventScroll: true });
  }

  /** A visible line in the status region. */
  say(words) {
    this.status.classList.remove("visually-hidden");
    this.status.textContent = words;
  }

  /** For screen readers only: the view itself shows the same words. */
  announce(words) {
    this.status.classList.add("visually-hidden");
    this.status.textContent = words;
  }

  // ---- acting

  /** Say on the button itself what it did: the status region may be scrolled out of sight. */
  flash(button, words) {
    const before = button.textContent;
    if (before === words) return;
    button.textContent = words;
    setTimeout(() => { button.textContent = before; }, FLASH_S * 1000);
  }

  async insert(button) {
    const html = asHtml(this.draft.text);
    const id = this.draft.suggestion.id;
    for (const path of ["ticket.editor.insert", "comment.appendText"]) {
      try {
        const result = await this.client.invoke(path, html);
        if (result && result.errors && Object.keys(result.errors).length > 0) continue;
        this.say(t("inserted"));
        this.flash(button, t("inserted_short"));
        this.note(id, "inserted");
        return;
      } catch {
        continue; // an editor without this method: the next one may exist
      }
    }
    this.say(t("insert_failed"));
  }

  async copy(button) {
    const { area, suggestion, text } = this.draft;
    try {
      await navigator.clipboard.writeText(text);
    } catch {
      area.select(); // the clipboard API is off in many iframes; the old command works on a selection
      if (!document.execCommand("copy")) {
        this.say(t("copy_failed"));
        return;
      }
    }
    this.say(t("copied"));
    this.flash(button, t("copied_short"));
    this.note(suggestion.id, "copied");
  }

  /** Tell Deskhand what was done; that it was done counts more than that it was noted. */
  async note(suggestionId, action) {
    try {
      await this.api.feedback(suggestionId, action);
    } catch {
      return;
    }
  }

  // ---- the frame

  followHeight() {
    const tell = () => {
      const height = Math.ceil(document.getElementById("app").getBoundingClientRect().height);
      this.client.invoke("resize", { width: "100%", height: `${height}px` }).catch(() => {});
    };
    new ResizeObserver(tell).observe(document.getElementById("app"));
  }

  async followColours() {
    const use = (scheme) => {
      if (scheme === "dark" || scheme === "light") document.documentElement.dataset.theme = scheme;
    };
    this.client.on("colorScheme.changed", use);
    try {
      use((await this.client.get("colorScheme")).colorScheme);
    } catch {
      return; // a host without the setting: the system's preference holds
    }
  }
}

const client = window.ZAFClient && window.ZAFClient.init();
if (client) {
  const sidebar = new Sidebar(client);
  sidebar.start().catch((error) => sidebar.showError(error, {}));
} else {
  document.getElementById("status").textContent = t("error");
}
