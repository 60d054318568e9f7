"""The internal note: the draft with its doubts marked, what it rests on, and the route."""

from __future__ import annotations

from dataclasses import dataclass

from jinja2 import Environment, PackageLoader, select_autoescape

from connectors.store.suggestions import Suggestion
from trainer.claims import BLANK

_templates = Environment(
    loader=PackageLoader("plugin"), autoescape=select_autoescape(), trim_blocks=True, lstrip_blocks=True
)


@dataclass(frozen=True, slots=True)
class Piece:
    """A stretch of a line; `mark` where an agent must look before sending."""

    text: str
    mark: bool


def marker(suggestion: Suggestion) -> str:
    """Stands in the note, so that a retry finds the note and does not post a second one."""
    return f"deskhand:{suggestion.id}"


def render(suggestion: Suggestion, *, applied: bool) -> str:
    """The note as HTML, everything escaped.

    Args:
        applied: Whether the route is set by the same update.
    """
    return _templates.get_template("note.html").render(
        paragraphs=_paragraphs(suggestion),
        unsupported=unsupported(suggestion),
        blanks=sorted(set(BLANK.findall(suggestion.draft))),
        sources=[source for source in suggestion.sources if _is_safe(source.url)],
        route=suggestion.route,
        applied=applied,
    )


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
