// The sidebar app: asks Deskhand for the ticket's suggestion, shows it, and hands it to the reply editor.
//
// It never sends anything and does not hook `ticket.save`: a hook that fails would keep the agent from saving.

import { Api, ApiError } from "./api.js";
import { el } from "./dom.js";
import { copy, insert } from "./editor.js";
import { routeSection } from "./evidence.js";
import { Fact } from "./fact.js";
import { Feedback } from "./feedback.js";
import { has, t, useLocale } from "./messages.js";
import { Replies } from "./replies.js";
import { keptView, messageView, newMessageBar, showPartial, waitingView } from "./views.js";

const POLL_S = 0.7; // the helpdesk's proxy streams nothing, so what is written is fetched again and again
const POLL_LATER_S = 2; // after a failure
const GIVE_UP_S = 120;
const NEW_TURN_S = 30; // how long the webhook of a message that the agent already sees may take to reach Deskhand
const FLASH_S = 2.5;
const FACT_HELPS = new Set(["no_similar", "unsure", "empty"]);
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
    this.replies = null;
    this.feedback = null;
    this.fact = null;
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

  /**
   * Show the suggestion of the newest message.
   *
   * `ask`: have a draft made now. `staleTurn`: a turn to wait past. `first`: an answer that is there already.
   */
  async load({ ask = false, staleTurn = null, first = null } = {}) {
    const run = (this.run += 1);
    const begun = Date.now();
    const route = this.answer && this.answer.route;
    let failures = 0;
    this.busy = true;
    this.clear();
    this.say(t("loading"));
    this.put(waitingView("loading"));
    let next = first ? Promise.resolve(first)
      : ask ? this.api.askForDraft(this.ticketId) : this.api.suggestion(this.ticketId);
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
      if (run !== this.run) return undefined;
      const waited_s = (Date.now() - begun) / 1000;
      if (answer && answer.state !== "drafting") {
        if (!staleTurn || answer.turn_id !== staleTurn) return this.show(answer);
        // Of the message before: the new one's webhook is still on its way.
        if (waited_s >= NEW_TURN_S) {
          return this.show(answer.state === "failed" ? answer : { ...answer, state: "none", suggestion: null });
        }
      }
      if (waited_s >= GIVE_UP_S) return this.showSlow({ staleTurn });
      this.showDrafting((answer && answer.route) || route, (answer && answer.partial) || "");
      await sleep(failures > 0 ? POLL_LATER_S : POLL_S);
      if (run !== this.run) return undefined;
      next = this.api.suggestion(this.ticketId);
    }
  }

  /** Tell a fact for another draft; resolves to what went wrong. The draft in view goes only once it is on its way. */
  async redraft(fact) {
    const run = this.run;
    let first;
    try {
      first = await this.api.askForDraft(this.ticketId, fact);
    } catch (error) {
      return [error.message, error.detail].filter(Boolean).join(" ");
    }
    if (run !== this.run) return "";
    if (this.replies) this.kept = this.replies.own || this.replies.current.text;
    if (this.fact) this.fact.input.value = "";
    this.load({ first });
    return "";
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
    if (this.touched) {
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
    if (this.touched) this.showBar();
    else this.refresh();
  }

  /** Whether the agent has written something here that a newer answer would take away. */
  get touched() {
    return Boolean((this.replies && this.replies.edited) || (this.fact && this.fact.pending));
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
    if (state === "silent") return this.showSilent(answer);
    if (state === "failed") {
      this.announce(t("failed"));
      const action = { words: t("retry"), run: () => this.load({ ask: true }) };
      const detail = String(answer.message || "").slice(0, 300);
      return this.put(this.message("failed", { title: t("failed"), detail, action, route: route || undefined }));
    }
    this.announce(t("none"));
    const action = { words: t("draft_reply"), primary: true, run: () => this.load({ ask: true }) };
    return this.put(this.message("none", { title: t("none"), action, route: route || undefined }));
  }

  showSilent({ silence, facts, route }) {
    const reason = has(`silent_${silence}`) ? silence : "unsure";
    this.announce(t(`silent_${reason}`));
    const more = [];
    if (FACT_HELPS.has(reason)) {
      this.fact = new Fact({ told: facts || [], tell: (fact) => this.redraft(fact) });
      more.push(this.fact.element);
    }
    const words = { title: t(`silent_${reason}`), detail: t(`silent_${reason}_detail`) };
    this.put(this.message("silent", { ...words, route, more }));
  }

  showReady(suggestion, route) {
    this.replies = new Replies(suggestion, this.agentName, (words) => this.announce(words));
    this.feedback = new Feedback(
      (action, reason) => this.api.feedback(suggestion.id, action, reason),
      (words) => this.say(words),
    );
    const { facts } = this.answer;
    const unused = suggestion.unused_facts || [];
    this.fact = new Fact({ told: facts || [], unused, tell: (fact) => this.redraft(fact), open: unused.length > 0 });
    const button = (attributes, words, act) => el("button",
      { type: "button", class: "button", ...attributes, on: { click: (event) => act(event.currentTarget) } }, words);
    const stack = el("div", { class: "stack", "data-state": "ready" },
      el("div", { class: "card" },
        this.replies.holder,
        el("div", { class: "actions" },
          button({ class: "button primary", "aria-label": t("insert_label") }, t("insert"), (one) => this.insert(one)),
          button({}, t("copy"), (one) => this.copy(one)),
          this.replies.nextButton)));
    if (this.kept) {
      const kept = keptView(this.kept, t("kept_use"), () => {
        this.replies.current.replace(this.kept);
        this.kept = "";
        kept.remove();
        this.replies.current.area.focus();
        this.say(t("kept_used"));
      });
      stack.append(kept);
    }
    stack.append(
      this.fact.element,
      routeSection(route),
      this.replies.sources,
      this.feedback.element,
      el("p", { class: "model" }, t("model", { version: suggestion.model_version })),
    );
    this.say(t("ready"));
    this.put(stack);
  }

  showDrafting(route, partial) {
    let view = this.content.querySelector('[data-state="drafting"]');
    if (!view) {
      this.say(t("drafting"));
      view = waitingView("drafting", t("drafting_detail"), route);
      this.put(view);
    }
    if (!partial) return;
    showPartial(view, partial);
    this.say(t("writing"));
  }

  /** A view without a draft; a text that the agent had before stays within reach of the clipboard. */
  message(name, { more = [], ...words }) {
    const all = [...more];
    if (this.kept) {
      all.push(keptView(this.kept, t("copy"), async () => {
        this.say(t((await copy(this.kept, null)) ? "copied" : "copy_failed"));
      }));
    }
    return messageView(name, { ...words, more: all });
  }

  showSlow({ staleTurn }) {
    this.busy = false;
    this.answer = null;
    this.announce(t("slow"));
    const action = { words: t("retry"), run: () => this.load({ staleTurn }) };
    this.put(this.message("slow", { title: t("slow"), detail: t("slow_detail"), action }));
  }

  showError(error, again) {
    this.busy = false;
    this.answer = null;
    const known = error instanceof ApiError;
    const action = { words: t("retry"), run: () => (this.api ? this.load(again) : location.reload()) };
    const detail = known ? error.message : t("error_other", { status: 0 });
    this.announce(t("error"));
    this.put(this.message("error", { title: t("error"), detail, small: known ? error.detail : "", action }));
  }

  showBar() {
    if (this.bar.childElementCount > 0) return;
    this.bar.replaceChildren(newMessageBar(() => this.refresh()));
    this.announce(t("new_message"));
  }

  /** Leave the present draft; an edited one is kept for the next view. */
  clear() {
    if (this.feedback) this.feedback.flush();
    if (this.replies && this.replies.own) this.kept = this.replies.own;
    this.replies = null;
    this.feedback = null;
    this.fact = null;
    if (this.bar.contains(document.activeElement)) this.content.focus({ preventScroll: true });
    this.bar.replaceChildren();
  }

  /** Fill the content; where that takes the focused button away, the focus goes to the content, not to the body. */
  put(view) {
    const held = this.content.contains(document.activeElement);
    this.content.replaceChildren(view);
    if (held) this.content.focus({ preventScroll: true });
  }

  /** A visible line in the status region. The same words again are not said again. */
  say(words) {
    this.status.classList.remove("visually-hidden");
    if (this.status.textContent !== words) this.status.textContent = words;
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
    const { current, at } = this.replies;
    if (!(await insert(this.client, current.text))) return this.say(t("insert_failed"));
    this.say(t("inserted"));
    this.flash(button, t("inserted_short"));
    return this.note(current, at, "inserted");
  }

  async copy(button) {
    const { current, at } = this.replies;
    if (!(await copy(current.text, current.area))) return this.say(t("copy_failed"));
    this.say(t("copied"));
    this.flash(button, t("copied_short"));
    return this.note(current, at, "copied");
  }

  /** Tell Deskhand what was done; that it was done counts more than that it was noted. */
  async note(draft, at, action) {
    const { edited, suggestion } = draft;
    const reason = at > 0 ? `alternative ${at}` : "";
    try {
      await this.api.feedback(suggestion.id, action, reason);
      if (edited) await this.api.feedback(suggestion.id, "edited", reason);
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
