"""A draft beside what was sent, word by word: what is to go, and what had to be written."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from rapidfuzz.distance import Levenshtein

from trainer.text import words

_SLOT = re.compile(r"(\{\{\w+\}\}|\[[a-z][a-z ]{2,20}\])")


@dataclass(frozen=True, slots=True)
class Piece:
    """A stretch of a text.

    Attributes:
        mark: `del` where it is to be taken out of a draft, `ins` where it had to be written, else empty.
        slot: Whether it is a slot or a blank.
    """

    text: str
    mark: str
    slot: bool


def compare(draft: str, sent: str) -> tuple[list[Piece], list[Piece]]:
    """A draft with the words marked that are to go, and what was sent with those that had to be written.

    The words are those of edit effort, and so is the alignment: the fewest words changed.
    """
    there, wanted = _spans(draft), _spans(sent)
    removed: set[int] = set()
    written: set[int] = set()
    for change in Levenshtein.opcodes([draft[a:b] for a, b in there], [sent[a:b] for a, b in wanted]):
        if change.tag != "equal":
            removed.update(range(change.src_start, change.src_end))
            written.update(range(change.dest_start, change.dest_end))
    return list(_pieces(draft, there, removed, "del")), list(_pieces(sent, wanted, written, "ins"))


def _spans(text: str) -> list[tuple[int, int]]:
    spans = []
    position = 0
    for word in words(text):
        start = text.index(word, position)
        position = start + len(word)
        spans.append((start, position))
    return spans


def _pieces(text: str, spans: Sequence[tuple[int, int]], marked: set[int], mark: str) -> Iterable[Piece]:
    """The text in stretches; the space between two marked words is marked with them, a line break is not."""
    position = 0
    number = 0
    while number < len(spans):
        if number not in marked:
            number += 1
            continue
        start, end = spans[number]
        while number + 1 in marked and "\n" not in text[end : spans[number + 1][0]]:
            number += 1
            end = spans[number][1]
        yield from slotted(text[position:start], "")
        yield from slotted(text[start:end], mark)
        position = end
        number += 1
    yield from slotted(text[position:], "")


def slotted(text: str, mark: str = "") -> Iterable[Piece]:
    """The text in stretches, its slots and blanks apart."""
    for place, part in enumerate(_SLOT.split(text)):
        if part:
            yield Piece(part, mark, place % 2 == 1)
