// The app's words. They are here and not in translations/, because Zendesk serves only assets/ to the iframe;
// translations/ holds what its admin pages show. tests/plugin/test_zendesk_app.py compares the two languages.

const EN = {
  loading: "Loading…",
  drafting: "Reading the ticket…",
  drafting_detail: "A draft takes a few seconds. You can go on working.",
  ready: "Draft ready.",
  route: "Route",
  draft: "Suggested reply",
  draft_label: "Suggested reply, you can edit it",
  check: "Check before sending",
  check_claim: "‘{text}’ is not in the ticket or in an article",
  check_blank: "Fill in: {text}",
  check_jump: "{item}. Select it in the draft",
  insert: "Insert",
  insert_label: "Insert into the reply",
  copy: "Copy",
  inserted: "Inserted into the reply. Read it before you send it.",
  inserted_short: "Inserted",
  insert_failed: "The reply editor did not take the text. Use Copy.",
  copied: "Copied to the clipboard.",
  copied_short: "Copied",
  copy_failed: "Copying is blocked here. Select the text and copy it by hand.",
  based_on: "Based on",
  based_on_nothing: "No article or earlier ticket was close enough. Check every statement.",
  article: "Article",
  ticket: "Similar ticket",
  updated: "updated {date}",
  answered: "answered {date}",
  excerpt: "Excerpt",
  route_likely: "{percent} likely",
  route_applied: "Already set on the ticket",
  route_open: "Not set, you decide",
  route_unsure: "Deskhand is not sure enough to set it.",
  route_unfamiliar: "Unlike anything the team has routed before.",
  route_priority: "Priority that would fit: {priority}",
  route_tags: "Tags that would fit: {tags}",
  route_why: "Why",
  route_others: "Or",
  route_none: "No group stands out for this ticket.",
  confidence: "Expect to change or add about {percent} of the words",
  feedback: "Was this useful?",
  thumb_up: "Useful",
  thumb_down: "Not useful",
  reasons: "What was wrong?",
  reason_facts: "Wrong facts",
  reason_tone: "Wrong tone",
  reason_language: "Wrong language",
  reason_question: "Not what was asked",
  reason_other: "Other",
  reason_text: "In a few words",
  send: "Send",
  thanks: "Thank you, noted.",
  feedback_failed: "Your rating could not be saved. Try again in a moment.",
  silent: "No suggestion: no draft was good enough to show",
  silent_detail: "Once a ticket like this one is solved and learned from, drafts for the next one will follow.",
  none: "Nothing drafted yet for the newest customer message",
  draft_reply: "Draft a reply",
  new_message: "The customer wrote again.",
  refresh: "Refresh",
  kept: "Your earlier text",
  kept_use: "Use this text",
  kept_used: "Your earlier text is back in the draft.",
  retry: "Retry",
  failed: "The draft could not be made",
  slow: "Still no draft after two minutes",
  slow_detail: "It may yet arrive as an internal note. Retry looks again.",
  error: "Deskhand could not be asked",
  error_settings: "The app's setting for Deskhand's host is empty. An administrator can fill it in.",
  error_timeout: "No answer within {seconds} seconds. Is the server running, and can Zendesk reach it?",
  error_401: "The token was refused. An administrator can renew it in the app's settings.",
  error_404: "Deskhand does not know this ticket yet. It learns of it with the next message or sync.",
  error_413: "The ticket is longer than what Deskhand accepts.",
  error_422: "Deskhand cannot draft for this ticket.",
  error_429: "Too many requests. Wait a moment, then retry.",
  error_5xx: "The server has a problem (status {status}). An administrator finds more in its log.",
  error_other: "Unexpected answer (status {status}).",
  model: "Model {version}",
  new_tab: "opens in a new tab",
};

const DE = {
  loading: "Wird geladen…",
  drafting: "Das Ticket wird gelesen…",
  drafting_detail: "Ein Entwurf dauert einige Sekunden. Sie können weiterarbeiten.",
  ready: "Entwurf ist da.",
  route: "Zuordnung",
  draft: "Antwortvorschlag",
  draft_label: "Antwortvorschlag, Sie können ihn bearbeiten",
  check: "Vor dem Senden prüfen",
  check_claim: "„{text}“ steht weder im Ticket noch in einem Artikel",
  check_blank: "Ergänzen: {text}",
  check_jump: "{item}. Im Entwurf markieren",
  insert: "Einfügen",
  insert_label: "In die Antwort einfügen",
  copy: "Kopieren",
  inserted: "In die Antwort eingefügt. Lesen Sie sie vor dem Senden.",
  inserted_short: "Eingefügt",
  insert_failed: "Der Editor hat den Text nicht angenommen. Nutzen Sie Kopieren.",
  copied: "In die Zwischenablage kopiert.",
  copied_short: "Kopiert",
  copy_failed: "Kopieren ist hier gesperrt. Markieren und kopieren Sie den Text von Hand.",
  based_on: "Beruht auf",
  based_on_nothing: "Kein Artikel und kein früheres Ticket war ähnlich genug. Prüfen Sie jede Aussage.",
  article: "Artikel",
  ticket: "Ähnliches Ticket",
  updated: "aktualisiert am {date}",
  answered: "beantwortet am {date}",
  excerpt: "Auszug",
  route_likely: "{percent} wahrscheinlich",
  route_applied: "Im Ticket schon gesetzt",
  route_open: "Nicht gesetzt, Sie entscheiden",
  route_unsure: "Deskhand ist nicht sicher genug, um sie zu setzen.",
  route_unfamiliar: "Anders als alles, was das Team bisher zugeordnet hat.",
  route_priority: "Passende Priorität: {priority}",
  route_tags: "Passende Stichwörter: {tags}",
  route_why: "Warum",
  route_others: "Oder",
  route_none: "Keine Gruppe liegt für dieses Ticket klar vorn.",
  confidence: "Etwa {percent} der Wörter sind wohl noch zu ändern oder zu ergänzen",
  feedback: "War das hilfreich?",
  thumb_up: "Hilfreich",
  thumb_down: "Nicht hilfreich",
  reasons: "Was war falsch?",
  reason_facts: "Falsche Angaben",
  reason_tone: "Falscher Ton",
  reason_language: "Falsche Sprache",
  reason_question: "Frage verfehlt",
  reason_other: "Anderes",
  reason_text: "In wenigen Worten",
  send: "Senden",
  thanks: "Danke, notiert.",
  feedback_failed: "Ihre Bewertung wurde nicht gespeichert. Versuchen Sie es gleich noch einmal.",
  silent: "Kein Vorschlag: kein Entwurf war gut genug",
  silent_detail: "Sobald ein solches Ticket gelöst und gelernt ist, gibt es für das nächste einen Entwurf.",
  none: "Zur neuesten Kundennachricht gibt es noch keinen Entwurf",
  draft_reply: "Antwort entwerfen",
  new_message: "Der Kunde hat wieder geschrieben.",
  refresh: "Neu laden",
  kept: "Ihr früherer Text",
  kept_use: "Diesen Text nehmen",
  kept_used: "Ihr früherer Text steht wieder im Entwurf.",
  retry: "Wiederholen",
  failed: "Der Entwurf ist nicht gelungen",
  slow: "Nach zwei Minuten noch kein Entwurf",
  slow_detail: "Er kann noch als interne Notiz kommen. Wiederholen sieht noch einmal nach.",
  error: "Deskhand ist nicht zu erreichen",
  error_settings: "Die Einstellung für den Deskhand-Rechner ist leer. Ein Administrator kann sie ausfüllen.",
  error_timeout: "Keine Antwort in {seconds} Sekunden. Läuft der Server, und erreicht Zendesk ihn?",
  error_401: "Das Token wurde abgelehnt. Ein Administrator kann es in den App-Einstellungen erneuern.",
  error_404: "Deskhand kennt dieses Ticket noch nicht. Es erfährt davon mit der nächsten Nachricht oder beim Abgleich.",
  error_413: "Das Ticket ist länger, als Deskhand annimmt.",
  error_422: "Für dieses Ticket kann Deskhand nichts entwerfen.",
  error_429: "Zu viele Anfragen. Warten Sie kurz und wiederholen Sie dann.",
  error_5xx: "Der Server hat ein Problem (Status {status}). Näheres steht in seinem Protokoll.",
  error_other: "Unerwartete Antwort (Status {status}).",
  model: "Modell {version}",
  new_tab: "öffnet einen neuen Tab",
};

let words = EN;
let locale = "en";

/** Choose the language of the agent; anything but German is English. Returns the page's `lang`. */
export function useLocale(name) {
  locale = String(name || "en");
  words = locale.toLowerCase().startsWith("de") ? DE : EN;
  return words === DE ? "de" : "en";
}

/** A message with its `{slots}` filled in. A replacer function, so that a `$` in a text stays a `$`. */
export function t(key, slots = {}) {
  return words[key].replace(/\{(\w+)\}/g, (whole, slot) => (slot in slots ? String(slots[slot]) : whole));
}

/** 0.83 as "83%" in the agent's own notation. */
export function percent(share) {
  return new Intl.NumberFormat(intlLocale(), { style: "percent", maximumFractionDigits: 0 }).format(share);
}

/** An ISO time as a short date; "" for what is no time. */
export function day(iso) {
  const moment = new Date(iso);
  if (Number.isNaN(moment.getTime())) return "";
  return new Intl.DateTimeFormat(intlLocale(), { day: "numeric", month: "short", year: "numeric" }).format(moment);
}

function intlLocale() {
  if (locale === "en") return "en-GB"; // a bare "en" would put the month before the day
  try {
    return Intl.getCanonicalLocales(locale)[0];
  } catch {
    return "en";
  }
}
