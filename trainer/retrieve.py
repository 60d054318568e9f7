"""Retrieval: which articles and which solved tickets a draft should rest on.

Hybrid: words (SQLite's FTS5, BM25) find the exact terms, embeddings find the same question in other words, and
reciprocal rank fusion joins them (Cormack, Clarke and Büttcher, SIGIR 2009), since their scores cannot be compared.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from connectors.records import Article
from connectors.store.database import Store
from connectors.store.examples import Example
from connectors.store.passages import Embeddings, Passage
from trainer.conversation import latest_turn
from trainer.weights import load_encoder

PASSAGE_WORDS = 130
CANDIDATES = 60
RRF_K = 60.0
_BATCH = 32
_HEADING = re.compile(r"(?m)^#{1,4}\s+(.+)$")


class Encoder:
    """A sentence encoder: mean-pooled, unit-length embeddings."""

    def __init__(self, name: str, cache: Path) -> None:
        self.name = name
        self._model, self._tokenizer = load_encoder(name, cache)

    def embed(self, texts: Sequence[str]) -> Embeddings:
        """Float32 of shape (len(texts), dimensions), rows of unit length."""
        import torch

        order = sorted(range(len(texts)), key=lambda index: len(texts[index]))
        vectors: list[Embeddings] = [np.zeros(0, np.float32)] * len(texts)
        for start in range(0, len(order), _BATCH):
            chosen = order[start : start + _BATCH]
            batch = self._tokenizer(
                [texts[index] for index in chosen], padding=True, truncation=True, max_length=256, return_tensors="pt"
            )
            with torch.inference_mode():
                hidden = self._model(**batch).last_hidden_state
            mask = batch["attention_mask"].unsqueeze(-1)
            pooled = torch.nn.functional.normalize((hidden * mask).sum(1) / mask.sum(1), dim=-1)
            for index, vector in zip(chosen, pooled.numpy(), strict=True):
                vectors[index] = vector
        return np.stack(vectors) if vectors else np.zeros((0, self._model.config.hidden_size), np.float32)


@dataclass(frozen=True, slots=True)
class Hit:
    """A found passage; `similarity` is the cosine to the query, `score` the fused rank's."""

    passage: Passage
    similarity: float
    score: float


class Retriever:
    """Searches a helpdesk's passages."""

    def __init__(self, store: Store, helpdesk: str, encoder: Encoder) -> None:
        self._store = store
        self._helpdesk = helpdesk
        self._encoder = encoder
        self._version: object = None
        self._sources = ""
        self._last: tuple[str, Embeddings] | None = None
        self._ids = np.zeros(0, np.int64)
        self._matrix: Embeddings = np.zeros((0, 0), np.float32)
        self._passages: dict[int, Passage] = {}

    def index(self, examples: Iterable[Example], *, progress: Callable[[int], None] = lambda _: None) -> int:
        """Brings the index in line with the articles and the examples; returns how many passages were embedded."""
        articles = self._store.history.articles(self._helpdesk)
        self._store.passages.sync(self._helpdesk, "article", (part for one in articles for part in parts_of(one)))
        self._store.passages.sync(self._helpdesk, "ticket", map(_ticket_passage, examples))
        embedded = 0
        while due := self._store.passages.without_embedding(self._helpdesk, self._encoder.name, 8 * _BATCH):
            texts = [f"{passage.title}\n{passage.text}" for _, passage in due]
            self._store.passages.save_embeddings(
                self._encoder.name, [row for row, _ in due], self._encoder.embed(texts)
            )
            embedded += len(due)
            progress(embedded)
        return embedded

    def catch_up(self) -> None:
        """Indexes what syncs and curations have brought since: an edited article changes the next draft."""
        sources = self._store.passages.sources_version(self._helpdesk)
        if sources != self._sources:
            self.index(self._store.examples.kept(self._helpdesk))
            self._sources = sources

    def refresh(self) -> None:
        """Reads the index anew where it has changed, by us or by another process."""
        version = self._store.passages.version(self._helpdesk)
        if version != self._version:
            self._ids, self._matrix = self._store.passages.embeddings(self._helpdesk, self._encoder.name)
            self._passages = self._store.passages.get(self._ids.tolist())
            self._version = version

    def search(
        self, query: str, kind: str, k: int, *, allowed: Callable[[Passage], bool] = lambda _: True
    ) -> list[Hit]:
        """The best `k` passages of a kind for a query, best first.

        Args:
            query: Any text: the customer's newest turn.
            allowed: Leaves passages out, such as the ticket's own or those an evaluation may not see.
        """
        self.refresh()
        if not len(self._ids):
            return []
        similarities = self._matrix @ self._embedded(query)
        position = {row_id: index for index, row_id in enumerate(self._ids.tolist())}

        def usable(row_id: int) -> bool:
            passage = self._passages.get(row_id)
            return passage is not None and passage.kind == kind and allowed(passage)

        by_meaning = (row for row in self._ids[np.argsort(-similarities)].tolist() if usable(row))
        by_words = (
            row for row in self._store.passages.search_words(self._helpdesk, query, 4 * CANDIDATES) if usable(row)
        )
        fused: dict[int, float] = {}
        for ranking in (by_meaning, by_words):
            for rank, row_id in zip(range(CANDIDATES), ranking, strict=False):
                fused[row_id] = fused.get(row_id, 0.0) + 1.0 / (RRF_K + rank)
        best = sorted(fused, key=lambda row_id: -fused[row_id])[:k]
        return [
            Hit(self._passages[row], float(similarities[position[row]]), fused[row]) for row in best if row in position
        ]

    def _embedded(self, query: str) -> Embeddings:
        """The query's embedding, kept for the next search: a turn looks for articles and tickets by the same words."""
        if self._last is None or self._last[0] != query:
            self._last = (query, self._encoder.embed([query])[0])
        return self._last[1]


def parts_of(article: Article) -> Iterator[Passage]:
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
                created_at=article.updated_at,
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


def _ticket_passage(example: Example) -> Passage:
    turn = latest_turn(example.question)
    return Passage(
        "ticket", example.ticket_id, example.turn, "", turn, reply=example.reply, language=example.language,
        created_at=example.created_at,
    )  # fmt: skip
