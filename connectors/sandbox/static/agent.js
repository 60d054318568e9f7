// The agent's page: polls for changes and swaps what changed, sends what the agent does, keeps what is typed.

const POLL_MS = 2000;
const page = document.body;
const ticketId = page.dataset.ticket;
const $ = (selector, root = document) => root.querySelector(selector);
const reply = $("#reply");
const query = location.search;

// ---- talking to the server

/** JSON of a page below /agent/. */
export async function pageData(path) {
  const response = await fetch(`/agent/${path}`, { headers: { Accept: "application/json" } });
  if (!response.ok) throw new Error(`status ${response.status}`);
  return response.json();
}

async function post(path, body) {
  const response = await fetch(path, {
    method: "POST",
    headers: { "Content-Type": "application/json", Accept: "application/json" },
    body: JSON.stringify(body),
  });
  const data = await response.json().catch(() => ({}));
  if (!response.ok) throw new Error(explain(response.status, data));
  return data;
}

function explain(status, data) {
  const details = Object.values(data.details || {}).flat().map((one) => one.description);
  return details.join(". ") || data.description || `The server answered with status ${status}.`;
}

async function partOf(path) {
  const response = await fetch(path, { headers: { Accept: "text/html" } });
  if (!response.ok) throw new Error(`status ${response.status}`);
  return new DOMParser().parseFromString(await response.text(), "text/html").body.childNodes;
}

let toastTimer;
function toast(words) {
  const place = $("#toast");
  place.textContent = words;
  place.classList.add("shown");
  clearTimeout(toastTimer);
  toastTimer = setTimeout(() => place.classList.remove("shown"), 4000);
}

// ---- polling

let stamps = { list: page.dataset.listStamp, ticket: page.dataset.ticketStamp || "" };

async function poll() {
  if (document.hidden) return;
  let now;
  try {
    now = await pageData(`stamps${ticketId ? `?ticket_id=${ticketId}` : ""}`);
  } catch {
    return; // the server restarts or the line is down: the next poll tells
  }
  showWaiting(now.waiting);
  const before = stamps;
  stamps = now;
  if (ticketId && now.ticket !== before.ticket) await swapTicket();
  if (now.list !== before.list) await swapList();
}

/** Poll again after each answer rather than by the clock: a slow server is not asked twice at once. */
async function keepPolling() {
  try {
    await poll();
  } finally {
    setTimeout(keepPolling, POLL_MS);
  }
}

async function swapList() {
  const list = $("#list");
  if (!list || list.contains(document.activeElement)) {
    stamps.list = ""; // not under somebody's cursor; the next poll tries again
    return;
  }
  const scroll = list.scrollTop;
  list.replaceChildren(...(await partOf(`/agent/list${query}`)));
  list.scrollTop = scroll;
  markRows();
}

async function swapTicket() {
  const part = $("#part");
  const chosen = changedFields();
  const focused = part.contains(document.activeElement) ? document.activeElement.id : "";
  const known = new Set([...part.querySelectorAll("[data-comment]")].map((one) => one.dataset.comment));
  const atEnd = isAtEnd(part);
  part.replaceChildren(...(await partOf(`/agent/tickets/${ticketId}/part${query}`)));
  for (const [name, value] of Object.entries(chosen)) $(`[name="${name}"]`, part).value = value;
  const box = $("#customer-box");
  $("#customer-toggle").setAttribute("aria-expanded", String(!box.hidden));
  if (focused && document.getElementById(focused)) document.getElementById(focused).focus();
  showUnsaved();
  const fresh = [...part.querySelectorAll("[data-comment]")].filter((one) => !known.has(one.dataset.comment));
  for (const one of fresh) one.classList.add("fresh");
  if (fresh.length > 0 && atEnd) scrollToEnd();
  if (fresh.some((one) => "fromCustomer" in one.dataset)) toast("The customer wrote.");
  if (fresh.length > 0) window.dispatchEvent(new Event("desk:conversation"));
  seeTicket();
}

function isAtEnd(part) {
  return part.scrollHeight - part.scrollTop - part.clientHeight < 80;
}

function scrollToEnd() {
  const part = $("#part");
  part.scrollTop = part.scrollHeight;
}

// ---- unread dots: which customer message of each ticket this browser has shown

function seen() {
  try {
    return JSON.parse(localStorage.getItem("desk-seen")) || {};
  } catch {
    return {};
  }
}

function seeTicket() {
  const last = [...document.querySelectorAll("#part [data-comment]")].pop();
  if (!last) return;
  const all = seen();
  all[ticketId] = Number(last.dataset.comment);
  const newest = Object.entries(all).slice(-1000); // a bound on what a browser keeps
  localStorage.setItem("desk-seen", JSON.stringify(Object.fromEntries(newest)));
}

function markRows() {
  const all = seen();
  for (const row of document.querySelectorAll(".row")) {
    const { ticket, customer } = row.dataset;
    const unread = Boolean(customer) && Number(customer) > (all[ticket] || 0);
    row.classList.toggle("unread", unread);
    let words = $(".visually-hidden", row);
    if (unread && !words) {
      words = document.createElement("span");
      words.className = "visually-hidden";
      words.textContent = "Unread. ";
      row.prepend(words);
    } else if (!unread && words) words.remove();
    if (ticket === ticketId) row.setAttribute("aria-current", "true");
  }
}

// ---- the frame around everything

function showWaiting(count) {
  $("#waiting").textContent = String(count);
  $("#open-next").disabled = count === 0;
}

function listen() {
  $("#open-next").addEventListener("click", async () => {
    try {
      const { ticket_id: opened } = await post("/sandbox/open_next", {});
      location.href = `/agent/tickets/${opened}`;
    } catch (error) {
      toast(error.message);
    }
  });
  $("#agent").addEventListener("change", async (event) => {
    try {
      await post("/agent/sign_in", { agent_id: Number(event.target.value) });
      toast(`Signed in as ${event.target.selectedOptions[0].textContent}.`);
    } catch (error) {
      toast(error.message);
    }
  });
  document.addEventListener("change", (event) => {
    if (event.target.matches("[data-filter]")) location.href = event.target.value;
    if (event.target.matches("[data-field]")) showUnsaved();
  });
}

// ---- one ticket

function changedFields() {
  const changed = {};
  for (const field of document.querySelectorAll("[data-field]")) {
    if (field.value !== field.dataset.saved) changed[field.name] = field.value;
  }
  return changed;
}

function showUnsaved() {
  const place = $("#unsaved");
  if (!place) return;
  const names = Object.keys(changedFields()).map((name) => ({ group_id: "group", priority: "priority" })[name]);
  place.textContent = names.length > 0 ? `New ${names.join(" and ")}, saved when you submit` : "";
}

const draftKey = `desk-reply-${ticketId}`;

function keepReply() {
  grow();
  if (reply.value) sessionStorage.setItem(draftKey, reply.value);
  else sessionStorage.removeItem(draftKey);
}

function grow() {
  reply.style.height = "auto";
  reply.style.height = `${Math.min(reply.scrollHeight + 2, Math.round(window.innerHeight * 0.42))}px`;
}

/** What stands in the composer. */
export function replyText() {
  return reply ? reply.value : "";
}

/** Replace what stands in the composer. */
export function setReply(text) {
  if (!reply) throw new Error("the ticket is closed");
  reply.value = text;
  keepReply();
}

/** Put a text at the cursor, as the editor of the helpdesk does. */
export function insertText(text) {
  if (!reply) throw new Error("the ticket is closed");
  reply.setRangeText(text, reply.selectionStart, reply.selectionEnd, "end");
  keepReply();
  showPanel("conversation");
}

function showPanel(name) {
  page.dataset.panel = name;
  for (const button of document.querySelectorAll("[data-show]")) {
    button.setAttribute("aria-pressed", String(button.dataset.show === name));
  }
}

function listenToTicket() {
  for (const button of document.querySelectorAll("[data-show]")) {
    button.addEventListener("click", () => showPanel(button.dataset.show));
  }
  const box = $("#customer-box");
  document.addEventListener("click", (event) => {
    if (!event.target.matches("#customer-toggle")) return;
    box.hidden = !box.hidden;
    event.target.setAttribute("aria-expanded", String(!box.hidden));
    if (!box.hidden) $("#customer-text").focus();
  });
  box.addEventListener("submit", async (event) => {
    event.preventDefault();
    const text = $("#customer-text");
    if (!text.value.trim()) return;
    try {
      await post(`/agent/tickets/${ticketId}/customer`, { body: text.value });
      text.value = "";
      box.hidden = true;
      await poll();
    } catch (error) {
      toast(error.message);
    }
  });
  if (reply) listenToComposer();
  scrollToEnd();
  seeTicket();
}

function listenToComposer() {
  const composer = $("#composer");
  const error = $("#composer-error");
  reply.value = sessionStorage.getItem(draftKey) || "";
  grow();
  reply.addEventListener("input", keepReply);
  composer.addEventListener("change", (event) => {
    if (event.target.name !== "kind") return;
    composer.dataset.kind = event.target.value;
    reply.placeholder = reply.dataset[event.target.value];
  });
  composer.addEventListener("submit", async (event) => {
    event.preventDefault();
    error.textContent = "";
    const sent = reply.value;
    const isPublic = composer.dataset.kind === "public";
    const buttons = [...composer.querySelectorAll("button")];
    for (const button of buttons) button.disabled = true;
    try {
      const status = event.submitter ? event.submitter.value : "open";
      const body = { comment: sent, public: isPublic, status, ...changedFields() };
      await post(`/agent/tickets/${ticketId}`, body);
      if (reply.value === sent) setReply("");
      for (const field of document.querySelectorAll("[data-field]")) field.dataset.saved = field.value;
      await poll();
      scrollToEnd();
      toast(!sent.trim() ? `Saved as ${status}.` : isPublic ? `Sent, ${status}.` : `Note kept, ${status}.`);
    } catch (problem) {
      error.textContent = problem.message;
    } finally {
      for (const button of buttons) button.disabled = false;
      showUnsaved();
    }
  });
}

listen();
if (ticketId) listenToTicket();
markRows();
setTimeout(keepPolling, POLL_MS);
