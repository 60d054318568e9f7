// Places in the draft that need a person: claims without a source, and blanks. They follow the text while it is edited.

/**
 * The marks of a suggestion, with offsets in UTF-16 units.
 *
 * The API counts code points, JavaScript counts UTF-16 units: they differ after an emoji. Where the text at an offset
 * is not what the mark says, its first free occurrence is taken.
 *
 * @returns {{kind: "claim"|"blank", text: string, start: number, end: number}[]} sorted, without overlaps
 */
export function marksOf(suggestion) {
  const draft = suggestion.draft;
  const wanted = [
    ...(suggestion.blanks || []).map((one) => ({ ...one, kind: "blank" })),
    ...(suggestion.claims || []).filter((one) => !one.supported).map((one) => ({ ...one, kind: "claim" })),
  ];
  const units = unitOffsets(draft);
  const found = [];
  for (const { kind, text, start } of wanted) {
    if (!text) continue;
    const place = units[start] ?? -1;
    const mark = { kind, text, start: place, end: place + text.length };
    if (draft.slice(mark.start, mark.end) === text && isFree(found, mark)) found.push(mark);
    else placeFirst(found, draft, mark);
  }
  return found.sort((a, b) => a.start - b.start);
}

/**
 * The marks after an edit. One that the edit touched is gone, unless its text still stands somewhere unmarked (an
 * undo, or moved text): then it is marked there.
 */
export function moveMarks(marks, before, after) {
  let head = 0;
  const most = Math.min(before.length, after.length);
  while (head < most && before[head] === after[head]) head += 1;
  let tail = 0;
  while (tail < most - head && before[before.length - 1 - tail] === after[after.length - 1 - tail]) tail += 1;
  const shift = after.length - before.length;
  const kept = [];
  const lost = [];
  for (const mark of marks) {
    const gone = mark.start < 0;
    if (!gone && mark.end <= head) kept.push({ ...mark });
    else if (!gone && mark.start >= before.length - tail) {
      kept.push({ ...mark, start: mark.start + shift, end: mark.end + shift });
    } else lost.push({ ...mark, start: -1, end: -1 });
  }
  for (const mark of lost) {
    if (!placeFirst(kept, after, mark)) kept.push(mark); // remembered: an undo brings it back
  }
  return kept.sort((a, b) => a.start - b.start);
}

/** The marks that stand in the text now. */
export function openMarks(marks) {
  return marks.filter((mark) => mark.start >= 0);
}

/** The text cut at the marks: `[{text, mark|null}]`, which together are the text. */
export function segments(text, marks) {
  const parts = [];
  let at = 0;
  for (const mark of openMarks(marks)) {
    if (mark.start > at) parts.push({ text: text.slice(at, mark.start), mark: null });
    parts.push({ text: text.slice(mark.start, mark.end), mark });
    at = mark.end;
  }
  parts.push({ text: text.slice(at), mark: null });
  return parts;
}

/** Plain text as HTML for the reply editor. */
export function asHtml(text) {
  return text
    .replaceAll("&", "&amp;")
    .replaceAll("<", "&lt;")
    .replaceAll(">", "&gt;")
    .replaceAll('"', "&quot;")
    .replaceAll("'", "&#39;")
    .replace(/\r\n|\r|\n/g, "<br>");
}

function isFree(marks, one) {
  return marks.every((other) => other.start < 0 || one.end <= other.start || one.start >= other.end);
}

function placeFirst(marks, text, mark) {
  for (let at = text.indexOf(mark.text); at >= 0; at = text.indexOf(mark.text, at + 1)) {
    const placed = { ...mark, start: at, end: at + mark.text.length };
    if (isFree(marks, placed)) {
      marks.push(placed);
      return true;
    }
  }
  return false;
}

function unitOffsets(text) {
  const offsets = [];
  let at = 0;
  for (const point of text) {
    offsets.push(at);
    at += point.length;
  }
  return offsets;
}
