// Calls to Deskhand's API through the helpdesk's proxy, which puts the token in: this page never sees it.

import { t } from "./messages.js";

export const REQUEST_TIMEOUT_S = 12; // the SDK's request() has no time-out of its own

/** What went wrong, in words for the agent. `retriable`: asking again soon may help. */
export class ApiError extends Error {
  constructor(message, { status = 0, detail = "", retriable = false } = {}) {
    super(message);
    this.status = status;
    this.detail = detail;
    this.retriable = retriable;
  }
}

export class Api {
  /**
   * @param client The ZAF client.
   * @param {string} host `settings.api_host`: a bare host (HTTPS is put before it) or a base URL.
   */
  constructor(client, host) {
    this.client = client;
    const name = String(host || "").trim().replace(/\/+$/, "");
    // The slot, not its value, goes into the URL: Zendesk compares it with domainWhitelist after filling it in.
    this.base = /^https?:\/\//i.test(name) ? name : name && "https://{{setting.api_host}}";
  }

  suggestion(ticketId) {
    return this.call("GET", `/api/v1/tickets/${encodeURIComponent(ticketId)}/suggestion`);
  }

  /** @param {string} fact Told for another draft; "" asks for the first one. */
  askForDraft(ticketId, fact = "") {
    const body = fact ? { fact } : {};
    return this.call("POST", `/api/v1/tickets/${encodeURIComponent(ticketId)}/suggestion`, body);
  }

  feedback(suggestionId, action, reason = "") {
    const body = { action, reason: reason.slice(0, 500) };
    return this.call("POST", `/api/v1/suggestions/${encodeURIComponent(suggestionId)}/feedback`, body);
  }

  async call(type, path, body) {
    if (!this.base) throw new ApiError(t("error_settings"));
    const options = {
      url: this.base + path,
      type,
      secure: true,
      cors: false,
      autoRetry: false,
      headers: { Authorization: "Bearer {{setting.token}}", Accept: "application/json" },
    };
    if (body !== undefined) {
      options.contentType = "application/json";
      options.data = JSON.stringify(body);
    }
    let timer;
    const late = new Promise((_, reject) => {
      timer = setTimeout(() => {
        reject(new ApiError(t("error_timeout", { seconds: REQUEST_TIMEOUT_S }), { retriable: true }));
      }, REQUEST_TIMEOUT_S * 1000);
    });
    try {
      return parsed(await Promise.race([this.client.request(options), late]));
    } catch (reason) {
      throw reason instanceof ApiError ? reason : explained(reason);
    } finally {
      clearTimeout(timer);
    }
  }
}

function parsed(answer) {
  if (typeof answer !== "string" || answer === "") return answer;
  try {
    return JSON.parse(answer);
  } catch {
    throw new ApiError(t("error_other", { status: 200 }));
  }
}

/** The proxy's failure, shaped like a jqXHR, as an ApiError. */
function explained(reason) {
  const status = Number(reason && reason.status) || 0;
  const detail = serverMessage(reason);
  const retriable = status === 0 || status === 429 || status >= 500;
  return new ApiError(statusMessage(status), { status, detail, retriable });
}

function statusMessage(status) {
  if (status === 0 || status === 504) return t("error_timeout", { seconds: REQUEST_TIMEOUT_S });
  if (status === 403) return t("error_401");
  if ([401, 404, 409, 413, 422, 429].includes(status)) return t(`error_${status}`);
  return t(status >= 500 ? "error_5xx" : "error_other", { status });
}

function serverMessage(reason) {
  let body = reason && reason.responseJSON;
  if (!body && reason && typeof reason.responseText === "string") {
    try {
      body = JSON.parse(reason.responseText);
    } catch {
      return ""; // a proxy's HTML page says nothing to an agent
    }
  }
  const message = body && body.error && body.error.message;
  return typeof message === "string" ? message.slice(0, 300) : "";
}
