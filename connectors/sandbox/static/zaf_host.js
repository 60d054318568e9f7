// The helpdesk's side of the app framework: answers what the app in the frame asks for, and tells it what happened.
// Messages are JSON strings. The frame has no origin of its own, so messages go to "*" and are believed by source.

import { insertText, pageData, replyText, setReply } from "./agent.js";

const frame = document.getElementById("app-frame");
const ticketId = document.body.dataset.ticket;
const dark = window.matchMedia("(prefers-color-scheme: dark)");
const listeners = new Set();
let guid = "";

/** Load the app and answer it; without a frame no app is installed. */
function start() {
  guid = crypto.randomUUID ? crypto.randomUUID() : String(Math.random()).slice(2);
  window.addEventListener("message", receive);
  window.addEventListener("desk:conversation", () => tell("ticket.conversation.changed"));
  document.addEventListener("visibilitychange", () => tell(document.hidden ? "app.deactivated" : "app.activated"));
  dark.addEventListener("change", () => tell("colorScheme.changed", colorScheme()));
  const query = new URLSearchParams({ origin: location.origin, app_guid: guid });
  frame.src = `${frame.dataset.page}?${query}`;
}

function send(message) {
  if (frame.contentWindow) frame.contentWindow.postMessage(JSON.stringify(message), "*");
}

function tell(event, message = {}) {
  if (listeners.has(event)) send({ key: `zaf.${event}`, message });
}

function receive(event) {
  if (event.source !== frame.contentWindow || typeof event.data !== "string") return;
  let data;
  try {
    data = JSON.parse(event.data);
  } catch {
    return;
  }
  if (data.appGuid !== guid) return;
  if (data.request) answer(data);
  else if (data.key === "iframe.handshake") register();
  else if (data.key.startsWith("iframe.on:")) listeners.add(data.key.slice("iframe.on:".length));
  else if (data.key.startsWith("request:")) forward(data.key, data.message || {});
}

async function register() {
  const { currentUser } = await appData();
  const metadata = { appId: 1, installationId: 1, name: frame.dataset.name, version: "sandbox",
    settings: JSON.parse(frame.dataset.settings) };
  const context = { instanceGuid: guid, product: "support", location: "ticket_sidebar", ticketId: Number(ticketId),
    account: { subdomain: "sandbox" }, currentUser };
  send({ key: "zaf.app.registered", message: { metadata, context } });
}

async function answer({ id, request, params }) {
  try {
    const run = { get: read, set: write, invoke: call }[request];
    if (!run) throw new Error(`unknown request ${request}`);
    send({ id, result: await run(params) });
  } catch (error) {
    send({ id, error: { code: "APIError", msg: error.message } });
  }
}

// ---- get, set, invoke

async function read(paths) {
  const data = await appData();
  const own = { colorScheme: colorScheme(), "comment.text": replyText() };
  const result = { errors: {} };
  for (const path of paths) {
    const value = path in own ? own[path] : path.split(".").reduce((at, part) => (at == null ? at : at[part]), data);
    if (value === undefined) result.errors[path] = { message: `"${path}" No such Api`, name: "APIUnavailableError" };
    else result[path] = value;
  }
  return result;
}

async function write(values) {
  const result = { errors: {} };
  for (const [path, value] of Object.entries(values)) {
    if (path === "comment.text" || path === "ticket.comment.text") setReply(plainText(value));
    else result.errors[path] = { message: `"${path}" No such Api`, name: "APIUnavailableError" };
  }
  return result;
}

async function call(invocations) {
  const result = { errors: {} };
  for (const [path, args] of Object.entries(invocations)) {
    if (path === "ticket.editor.insert") insertText(plainText(args[0]));
    else if (path === "comment.appendText" || path === "ticket.comment.appendText") {
      setReply([replyText(), plainText(args[0])].filter(Boolean).join("\n\n"));
    } else if (path === "resize") resize(args[0]);
    else {
      result.errors[path] = { message: `"${path}" No such Api`, name: "APIUnavailableError" };
      continue;
    }
    result[path] = null;
  }
  return result;
}

function resize({ height }) {
  const pixels = Math.min(6000, Math.max(60, parseInt(height, 10) || 60));
  frame.style.height = `${pixels}px`;
}

/** The editor's HTML as text: the sandbox's composer is a plain one. DOMParser runs no scripts. */
function plainText(html) {
  const page = new DOMParser().parseFromString(String(html), "text/html");
  for (const lineBreak of page.querySelectorAll("br")) lineBreak.replaceWith("\n");
  for (const block of page.querySelectorAll("p, div, li")) block.append("\n");
  return page.body.textContent.replace(/\n+$/, "");
}

function colorScheme() {
  return dark.matches ? "dark" : "light";
}

async function appData() {
  return pageData(`tickets/${ticketId}/app_data`);
}

// ---- request

async function forward(key, options) {
  let answered;
  try {
    const response = await fetch("/agent/proxy", {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify(options),
    });
    answered = response.ok
      ? await response.json()
      : { status: response.status, content_type: "application/json", body: await response.text() };
  } catch {
    answered = { status: 0, content_type: "", body: "" };
  }
  const { status, body } = answered;
  let parsed;
  try {
    parsed = body && answered.content_type.includes("json") ? JSON.parse(body) : undefined;
  } catch {
    parsed = undefined;
  }
  const response = { status, statusText: String(status), responseText: body, responseJSON: parsed };
  if (status >= 200 && status < 300) {
    send({ key: `zaf.${key}.done`, message: { responseArgs: [parsed === undefined ? body : parsed, "success", response] } });
  } else send({ key: `zaf.${key}.fail`, message: { responseArgs: [response, "error", String(status)] } });
}

if (frame) start();
