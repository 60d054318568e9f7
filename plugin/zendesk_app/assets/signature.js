// The agent's own first name in place of the blank that waits for it: who will send a draft is known only here.

const BLANK = "[your name]";

/** The suggestion with the name filled in, offsets (code points, as the API counts) moved along. */
export function signed(suggestion, fullName) {
  const [first] = (fullName || "").trim().split(/\s+/);
  const own = (suggestion.blanks || []).filter((one) => one.text === BLANK);
  if (!first || !own.length) return suggestion;
  const growth = Array.from(first).length - BLANK.length;
  const moved = (one) => {
    const by = growth * own.filter((blank) => blank.start < one.start).length;
    return { ...one, start: one.start + by, end: one.end + by };
  };
  return {
    ...suggestion,
    draft: suggestion.draft.replaceAll(BLANK, () => first),
    blanks: suggestion.blanks.filter((one) => one.text !== BLANK).map(moved),
    claims: (suggestion.claims || []).map(moved),
  };
}
