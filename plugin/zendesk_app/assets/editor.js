// Handing a text over: into the helpdesk's reply editor, or to the clipboard.

import { asHtml } from "./marks.js";

/** At the cursor where the editor can do that, else at its end; returns whether it was taken. */
export async function insert(client, text) {
  const html = asHtml(text);
  for (const path of ["ticket.editor.insert", "comment.appendText"]) {
    try {
      const result = await client.invoke(path, html);
      if (!result || !result.errors || Object.keys(result.errors).length === 0) return true;
    } catch {
      continue; // an editor without this method: the next one may exist
    }
  }
  return false;
}

/**
 * @param {HTMLTextAreaElement|null} area Holds the same text; selected where the clipboard API is off, as in many
 *     iframes: the old command works on a selection.
 */
export async function copy(text, area) {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    if (!area) return false;
    area.select();
    return document.execCommand("copy");
  }
}
