// Building elements. Every text goes in as a text node: nothing that a customer wrote can become markup.

const SVG = "http://www.w3.org/2000/svg";

/**
 * @param {string} tag
 * @param {Object} attributes `class`, `lang`, `aria-…` and so on; `on` maps event names to handlers; false and null
 *     leave an attribute out, true sets an empty one.
 * @param {...(Node|string|null)} children null is left out
 */
export function el(tag, attributes = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name === "on") {
      for (const [event, handler] of Object.entries(value)) node.addEventListener(event, handler);
    } else if (value !== false && value !== null && value !== undefined) {
      node.setAttribute(name, value === true ? "" : String(value));
    }
  }
  node.append(...children.filter((child) => child !== null));
  return node;
}

/** A decorative 16 px line icon from one path. */
export function icon(path) {
  const svg = document.createElementNS(SVG, "svg");
  for (const [name, value] of Object.entries({ viewBox: "0 0 16 16", "aria-hidden": "true", class: "icon" })) {
    svg.setAttribute(name, value);
  }
  const line = document.createElementNS(SVG, "path");
  line.setAttribute("d", path);
  svg.append(line);
  return svg;
}

export const THUMB =
  "M5.5 7.2v6.3H3a.8.8 0 0 1-.8-.8V8a.8.8 0 0 1 .8-.8h2.5zm0 0L8 2.3c1 0 1.8.8 1.8 1.8v2.2h3" +
  "c.8 0 1.3.7 1.2 1.4l-.8 4.6c-.1.7-.7 1.2-1.3 1.2H5.5";

/** A link that opens beside the helpdesk; plain text where the address is not http(s). */
export function link(url, text, hint) {
  if (!/^https?:\/\//i.test(url || "")) return el("span", { class: "source-title" }, text);
  const attributes = { href: url, target: "_blank", rel: "noopener noreferrer", class: "source-title" };
  return el("a", attributes, text, el("span", { class: "visually-hidden" }, ` (${hint})`));
}
