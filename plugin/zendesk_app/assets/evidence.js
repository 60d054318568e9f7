// What stands behind the draft: its sources, and the group that would take the ticket.

import { el, link } from "./dom.js";
import { day, percent, t } from "./messages.js";

/** Articles and similar tickets, each with its link, date and excerpt. */
export function sourcesSection(suggestion) {
  const sources = suggestion.sources || [];
  const heading = el("h2", { id: "sources-heading" }, t("based_on"));
  const section = el("section", { class: "block", "aria-labelledby": "sources-heading" }, heading);
  if (sources.length === 0) {
    section.append(el("p", { class: "quiet" }, t("based_on_nothing")));
  } else {
    section.append(el("ul", { class: "sources" }, ...sources.map((source) => sourceItem(source, suggestion.language))));
  }
  if (typeof suggestion.confidence === "number") { // null until it is calibrated: then the sources must speak
    section.append(el("p", { class: "quiet" }, t("confidence", { percent: percent(toChange(suggestion)) })));
  } else if (sources.length > 0) {
    section.append(el("p", { class: "quiet" }, evidence(sources)));
  }
  return section;
}

/** Such as 'From 1 article and 3 similar answered tickets.' */
function evidence(sources) {
  const articles = sources.filter((source) => source.kind === "article").length;
  const tickets = sources.length - articles;
  const parts = [counted("from_article", articles), counted("from_ticket", tickets)].filter(Boolean);
  return t("from", { evidence: parts.join(t("from_and")) });
}

function counted(key, count) {
  if (count === 0) return "";
  return t(count === 1 ? `${key}_one` : `${key}_many`, { count });
}

/** The share of words that will probably be changed, in steps of 5%: a prediction holds no more than that. */
function toChange(suggestion) {
  return Math.max(0.05, Math.round(20 * (1 - suggestion.confidence)) / 20);
}

function sourceItem(source, language) {
  const article = source.kind === "article";
  const date = day(source.updated_at);
  const meta = [t(article ? "article" : "ticket")];
  if (date) meta.push(t(article ? "updated" : "answered", { date }));
  return el(
    "li",
    {},
    link(source.url, source.title || source.id, t("new_tab")),
    el("p", { class: "meta" }, meta.join(" · ")),
    source.excerpt
      ? el("details", {},
          el("summary", {}, t("excerpt"), el("span", { class: "visually-hidden" }, `: ${source.title || source.id}`)),
          el("blockquote", { dir: "auto", lang: language || null }, source.excerpt))
      : null,
  );
}

const DOUBTS = { unsure: "route_unsure", unfamiliar: "route_unfamiliar" };

/** Group, probability, reasons, the runners-up, whether it is set and why not, and what else would fit. */
export function routeSection(route) {
  const heading = el("h2", { id: "route-heading" }, t("route"));
  const section = el("section", { class: "block route", "aria-labelledby": "route-heading" }, heading);
  if (!route || !route.group_name) {
    section.append(el("p", { class: "quiet" }, t("route_none")));
    return section;
  }
  const bar = el("span", { class: "bar", "aria-hidden": "true" }, el("span", {}));
  bar.firstChild.style.width = `${Math.round(100 * Math.min(1, Math.max(0, route.probability || 0)))}%`;
  section.append(
    el("p", { class: "route-line" },
      el("strong", {}, route.group_name),
      typeof route.probability === "number"
        ? el("span", { class: "meta" }, t("route_likely", { percent: percent(route.probability) }))
        : null,
      el("span", { class: route.applied ? "tag set" : "tag" }, t(route.applied ? "route_applied" : "route_open"))),
    bar,
  );
  const doubt = route.applied ? undefined : DOUBTS[route.doubt];
  if (doubt) section.append(el("p", { class: "meta" }, t(doubt)));
  const others = (route.alternatives || []).map(([, name, share]) => `${name} ${percent(share)}`);
  if (others.length > 0) section.append(el("p", { class: "meta" }, `${t("route_others")}: ${others.join(" · ")}`));
  if (route.priority) section.append(el("p", { class: "meta" }, t("route_priority", { priority: route.priority })));
  const tags = route.tags || [];
  if (tags.length > 0) section.append(el("p", { class: "meta" }, t("route_tags", { tags: tags.join(", ") })));
  if ((route.reasons || []).length > 0) {
    section.append(el("details", {},
      el("summary", {}, t("route_why")),
      el("ul", { class: "why" }, ...route.reasons.map((reason) => el("li", {}, reason)))));
  }
  return section;
}
