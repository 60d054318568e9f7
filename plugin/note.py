"""The internal note: the draft with its doubts marked, what it rests on, and the route."""

from __future__ import annotations

from dataclasses import dataclass

from jinja2 import Environment, PackageLoader, select_autoescape

from connectors import clock
from connectors.store.suggestions import UNFAMILIAR, UNSURE, Suggestion
from trainer.replies.claims import BLANK

_templates = Environment(
    loader=PackageLoader("plugin"), autoescape=select_autoescape(), trim_blocks=True, lstrip_blocks=True
)
# In steps of this: a figure to the percent would promise more than a prediction holds.
_PERCENT_STEP = 5
# English like the rest of the note, whatever the server's locale.
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_DOUBTS = {"": "", UNSURE: ": not sure enough", UNFAMILIAR: ": unlike anything the team has routed before"}


@dataclass(frozen=True, slots=True)
class Piece:
    """A stretch of a line; `mark` where an agent must look before sending."""

    text: str
    mark: bool


def marker(suggestion: Suggestion) -> str:
    """Stands in the note, so that a retry finds the note and does not post a second one."""
    return f"deskhand:{suggestion.id}"


def render(suggestion: Suggestion, *, applied: bool, least: float = 0.0, replaces: bool = False) -> str:
    """The note as HTML, everything escaped.

    Args:
        applied: Whether the route is set by the same update.
        least: A probability below which no route is set.
        replaces: Whether an earlier note's draft was never sent: no helpdesk lets us change what we wrote, so this one
            says which counts.
    """
    return _templates.get_template("note.html").render(
        paragraphs=_paragraphs(suggestion),
        unsupported=unsupported(suggestion),
        blanks=sorted(set(BLANK.findall(suggestion.draft))),
        to_change=to_change(suggestion),
        sources=[source for source in suggestion.sources if _is_safe(source.url)],
        route=suggestion.route,
        applied=applied,
        replaces=replaces,
        doubt=_DOUBTS[route.doubt(least)] if (route := suggestion.route) else "",
    )


def day(time: str) -> str:
    """The date of an ISO 8601 time, such as `12 Nov 2026`; empty for what is no time."""
    try:
        moment = clock.from_iso(time)
    except ValueError:
        return ""
    return f"{moment.day} {_MONTHS[moment.month - 1]} {moment.year}"


_templates.filters["day"] = day


def to_change(suggestion: Suggestion) -> int | None:
    """How much of the draft will probably be changed, percent of the words; None where that is not predicted."""
    if suggestion.confidence is None:
        return None
    percent = 100 * (1 - suggestion.confidence)
    return max(_PERCENT_STEP, round(percent / _PERCENT_STEP) * _PERCENT_STEP)


def unsupported(suggestion: Suggestion) -> list[str]:
    """The draft's claims that nothing supports, each once, in order."""
    return list(dict.fromkeys(claim.text for claim in suggestion.claims if not claim.supported))


def _paragraphs(suggestion: Suggestion) -> list[list[list[Piece]]]:
    """Paragraphs of lines of pieces: blank lines part paragraphs, as in a mail."""
    marks = sorted(
        [(claim.start, claim.end) for claim in suggestion.claims if not claim.supported]
        + [match.span() for match in BLANK.finditer(suggestion.draft)]
    )
    pieces: list[Piece] = []
    position = 0
    for start, end in marks:
        start = max(start, position)  # a blank may stand inside a claim: 'https://…/track/[reference]'
        if end <= start:
            continue
        pieces += [Piece(suggestion.draft[position:start], False), Piece(suggestion.draft[start:end], True)]
        position = end
    pieces.append(Piece(suggestion.draft[position:], False))
    lines: list[list[Piece]] = [[]]
    for piece in pieces:
        first, *rest = piece.text.split("\n")
        lines[-1].append(Piece(first, piece.mark))
        lines += [[Piece(text, piece.mark)] for text in rest]
    paragraphs: list[list[list[Piece]]] = [[]]
    for line in lines:
        if any(piece.text.strip() for piece in line):
            paragraphs[-1].append([piece for piece in line if piece.text])
        elif paragraphs[-1]:
            paragraphs.append([])
    return [paragraph for paragraph in paragraphs if paragraph]


def _is_safe(url: str) -> bool:
    # Addresses come from the helpdesk's articles; a javascript: link in one must not become clickable here.
    return not url or url.startswith(("https://", "http://"))
