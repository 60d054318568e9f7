// The sandbox's stand-in for Zendesk's SDK inside an app's frame: window.ZAFClient, speaking the same messages.
// Reference: https://developer.zendesk.com/api-reference/apps/apps-core-api/client_api/

(function () {
  "use strict";

  const ANSWER_TIMEOUT_MS = 5000; // the SDK's own, for get, set and invoke; request() has none there either

  class Client {
    constructor(origin, appGuid) {
      this.origin = origin;
      this.appGuid = appGuid;
      this.handlers = new Map();
      this.pending = new Map();
      this.queue = [];
      this.registered = null;
      this.next = 1;
      window.addEventListener("message", (event) => this.receive(event));
      this.send({ key: "iframe.handshake", message: { version: "2.0-sandbox" } }, true);
    }

    send(message, atOnce = false) {
      if (!this.registered && !atOnce) this.queue.push(message);
      else window.parent.postMessage(JSON.stringify({ ...message, appGuid: this.appGuid }), this.origin);
    }

    receive(event) {
      if (event.source !== window.parent || event.origin !== this.origin || typeof event.data !== "string") return;
      let data;
      try {
        data = JSON.parse(event.data);
      } catch {
        return;
      }
      const waiting = data.id && this.pending.get(data.id);
      if (waiting) {
        this.pending.delete(data.id);
        clearTimeout(waiting.timer);
        if (data.error) waiting.reject(Object.assign(new Error(data.error.msg), { name: data.error.code }));
        else waiting.resolve(data.result);
      } else if (typeof data.key === "string" && data.key.startsWith("zaf.")) {
        if (data.key === "zaf.app.registered") {
          this.registered = data.message;
          for (const message of this.queue.splice(0)) this.send(message);
        }
        this.trigger(data.key.slice(4), data.message);
      }
    }

    trigger(name, data) {
      for (const handler of [...(this.handlers.get(name) || [])]) handler(data);
    }

    ask(request, params) {
      const id = this.next++;
      return new Promise((resolve, reject) => {
        const timer = setTimeout(() => {
          this.pending.delete(id);
          reject(new Error("Invocation request timeout"));
        }, ANSWER_TIMEOUT_MS);
        this.pending.set(id, { resolve, reject, timer });
        this.send({ id, request, params });
      });
    }

    get(paths) {
      return this.ask("get", Array.isArray(paths) ? paths : [paths]);
    }

    set(key, value) {
      return this.ask("set", typeof key === "string" ? { [key]: value } : key);
    }

    invoke(name, ...args) {
      return this.ask("invoke", typeof name === "string" ? { [name]: args } : name);
    }

    on(name, handler) {
      if (!this.handlers.has(name)) this.handlers.set(name, []);
      this.handlers.get(name).push(handler);
      if (name === "app.registered") {
        if (this.registered) handler(this.registered);
      } else if (!name.startsWith("request:")) this.send({ key: `iframe.on:${name}` });
    }

    off(name, handler) {
      const left = (this.handlers.get(name) || []).filter((one) => one !== handler);
      this.handlers.set(name, left);
    }

    has(name, handler) {
      return (this.handlers.get(name) || []).includes(handler);
    }

    request(options) {
      const key = `request:${this.next++}`;
      return new Promise((resolve, reject) => {
        const end = (settle) => (event) => {
          this.handlers.delete(`${key}.done`);
          this.handlers.delete(`${key}.fail`);
          settle(event.responseArgs[0]);
        };
        this.on(`${key}.done`, end(resolve));
        this.on(`${key}.fail`, end(reject));
        this.send({ key, message: typeof options === "string" ? { url: options } : options });
      });
    }

    whenRegistered(part) {
      return new Promise((resolve) => this.on("app.registered", () => resolve(this.registered[part])));
    }

    metadata() {
      return this.whenRegistered("metadata");
    }

    context() {
      return this.whenRegistered("context");
    }
  }

  window.ZAFClient = {
    init(callback) {
      const parameters = new URLSearchParams(location.search);
      const origin = parameters.get("origin");
      const guid = parameters.get("app_guid");
      if (!origin || !guid) return false;
      const client = new Client(origin, guid);
      if (callback) client.on("app.registered", (data) => callback(data.context));
      return client;
    },
  };
})();
