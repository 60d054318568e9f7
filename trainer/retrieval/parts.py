"""Sources cut into passages: articles at their headings, solved tickets into questions with their replies."""

from __future__ import annotations

import re
from collections.abc import Iterator

from connectors.records import Article
from connectors.store.examples import Example
from connectors.store.passages import Passage
from trainer.conversation import latest_turn

PASSAGE_WORDS = 130
_HEADING = re.compile(r"(?m)^#{1,4}\s+(.+)$")


def parts_of(article: Article, *, brand: str = "", audience: str = "") -> Iterator[Passage]:
    """An article cut at its headings, long sections cut again; each part carries the article's title."""
    pieces = _HEADING.split(article.text)
    sections = [("", pieces[0]), *zip(pieces[1::2], pieces[2::2], strict=True)]
    number = 0
    for heading, body in sections:
        for text in _cut(body.strip()):
            title = (
                f"{article.title}: {heading.strip()}" if heading.strip() not in ("", article.title) else article.title
            )
            yield Passage(
                "article", article.id, number, title, text, language=article.locale[:2].lower(), url=article.url,
                created_at=article.updated_at, brand=brand, audience=audience,
            )  # fmt: skip
            number += 1


def _cut(text: str) -> Iterator[str]:
    lines: list[str] = []
    for line in text.splitlines():
        if lines and sum(len(known.split()) for known in lines) + len(line.split()) > PASSAGE_WORDS:
            yield "\n".join(lines).strip()
            lines = []
        lines.append(line)
    if rest := "\n".join(lines).strip():
        yield rest


def question_of(example: Example, *, brand: str = "") -> Passage:
    """The customer turn that an example answers, with its reply."""
    turn = latest_turn(example.question)
    return Passage(
        "ticket", example.ticket_id, example.turn, "", turn, reply=example.reply, language=example.language,
        created_at=example.created_at, brand=brand,
    )  # fmt: skip
