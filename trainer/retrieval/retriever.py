"""Retrieval: which articles and which solved tickets a draft should rest on.

Hybrid: words find the exact terms, embeddings find the same question in other words, and reciprocal rank fusion joins
them (Cormack, Clarke and Büttcher, SIGIR 2009), since their scores cannot be compared.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from connectors.store.database import Store
from connectors.store.examples import Example
from connectors.store.passages import Embeddings, Passage
from trainer.retrieval.catalogue import EXACT_BELOW, Catalogue, Positions, Scope
from trainer.retrieval.parts import PASSAGE_WORDS, parts_of, question_of
from trainer.retrieval.words import WordSearch
from trainer.weights import load_encoder

__all__ = ["FOR_EVERYBODY", "PASSAGE_WORDS", "Encoder", "Hit", "Retriever", "Scope", "parts_of"]

CANDIDATES = 60
RRF_K = 60.0
# Of the ranking by meaning and of that by words.
WEIGHTS = {"article": (1.0, 2.0), "ticket": (1.0, 1.0)}
_BATCH = 32
_SPARE = 8
_DUE_BATCH = 200
_PURGE_STEPS = 40
FOR_EVERYBODY = Scope()


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

    def __init__(self, store: Store, helpdesk: str, encoder: Encoder, *, exact_below: int = EXACT_BELOW) -> None:
        """Reads nothing yet.

        Args:
            exact_below: Up to how many passages all vectors are compared, and none is left out by its signs.
        """
        self._store = store
        self._helpdesk = helpdesk
        self._encoder = encoder
        self._sources = -1
        self._last: tuple[str, Embeddings] | None = None
        self._catalogue = Catalogue(store, helpdesk, encoder.name, exact_below=exact_below)
        self._words = WordSearch(store, self._catalogue)

    def index(self, examples: Iterable[Example], *, progress: Callable[[int], None] = lambda _: None) -> int:
        """Brings the whole index in line with the articles and these examples; returns how many were embedded."""
        passages, sources = self._store.passages, self._store.passages.sources
        version = sources.version()
        published = sources.articles(self._helpdesk)
        parts = (part for one in published for part in parts_of(one.article, brand=one.brand, audience=one.audience))
        passages.sync(self._helpdesk, "article", parts)
        brands = sources.brands_of_tickets(self._helpdesk)
        questions = (question_of(one, brand=brands.get(one.ticket_id, "")) for one in examples)
        passages.sync(self._helpdesk, "ticket", questions)
        sources.settle_until(self._helpdesk, version)
        return self._embed(progress)

    def catch_up(self, *, progress: Callable[[int], None] = lambda _: None) -> int:
        """Indexes what syncs and curations have changed since: an edited article changes the next draft.

        Returns:
            How many passages were embedded.
        """
        passages, sources = self._store.passages, self._store.passages.sources
        version = sources.version()
        if version == self._sources:
            passages.words.purge(steps=_PURGE_STEPS)
            return 0
        while due := sources.due(self._helpdesk, _DUE_BATCH):
            # In one transaction: what changes while we read is due again, and nothing of it is lost.
            with self._store.transaction():
                articles = [one.source_id for one in due if one.kind == "article"]
                tickets = [one.source_id for one in due if one.kind == "ticket"]
                passages.replace(self._helpdesk, "article", articles, self._parts_of(articles))
                passages.replace(self._helpdesk, "ticket", tickets, self._questions_of(tickets))
                sources.settle(due)
        passages.words.purge(steps=_PURGE_STEPS)
        embedded = self._embed(progress)
        self._sources = version
        return embedded

    def _parts_of(self, article_ids: Sequence[str]) -> Iterator[Passage]:
        for one in self._store.passages.sources.articles(self._helpdesk, article_ids):
            yield from parts_of(one.article, brand=one.brand, audience=one.audience)

    def _questions_of(self, ticket_ids: Sequence[str]) -> Iterator[Passage]:
        brands = self._store.passages.sources.brands_of_tickets(self._helpdesk, ticket_ids)
        for ticket_id in ticket_ids:
            for example in self._store.examples.of_ticket(self._helpdesk, ticket_id):
                if example.kept:
                    yield question_of(example, brand=brands.get(ticket_id, ""))

    def _embed(self, progress: Callable[[int], None]) -> int:
        embedded = 0
        while due := self._store.passages.without_embedding(self._helpdesk, self._encoder.name, 8 * _BATCH):
            texts = [f"{passage.title}\n{passage.text}" for _, passage in due]
            self._store.passages.save_embeddings(
                self._encoder.name, [row for row, _ in due], self._encoder.embed(texts)
            )
            embedded += len(due)
            progress(embedded)
        return embedded

    def refresh(self) -> None:
        """Takes over what has changed in the index, by us or by another process."""
        self._catalogue.refresh()

    def search(
        self,
        query: str,
        kind: str,
        k: int,
        *,
        scope: Scope = FOR_EVERYBODY,
        allowed: Callable[[Passage], bool] | None = None,
    ) -> list[Hit]:
        """The best `k` passages of a kind for a query, best first.

        Args:
            query: Any text: the customer's newest turn.
            scope: Whose passages may be found: what is out of it is not looked at. Articles that are for some readers
                only are out of it unless it names them.
            allowed: Leaves further passages out, such as the ticket's own or those an evaluation may not see.
        """
        self.refresh()
        mask = self._catalogue.mask(kind, scope)
        if not mask.any():
            return []
        embedded = self._embedded(query)
        by_meaning = self._usable(lambda n: self._catalogue.nearest(embedded, mask, n)[0], allowed)
        by_words = self._usable(lambda n: self._words.best(query, kind, mask, n), allowed)
        fused: dict[int, float] = {}
        for ranking, weight in zip((by_meaning, by_words), WEIGHTS[kind], strict=True):
            for rank, position in enumerate(ranking):
                fused[position] = fused.get(position, 0.0) + weight / (RRF_K + rank)
        best = sorted(fused, key=lambda position: (-fused[position], position))[: k + _SPARE]
        return self._hits(embedded, best, fused)[:k]

    def _usable(self, ranking: Callable[[int], Positions], allowed: Callable[[Passage], bool] | None) -> list[int]:
        """The first `CANDIDATES` of a ranking that are allowed; it is asked for more until there are so many."""
        if allowed is None:
            return [int(position) for position in ranking(CANDIDATES)]
        wanted = CANDIDATES + _SPARE
        while True:
            found = ranking(wanted)
            passages = self._store.passages.get(self._catalogue.ids[found].tolist())
            ids = zip(found.tolist(), self._catalogue.ids[found].tolist(), strict=True)
            usable = [position for position, row_id in ids if row_id in passages and allowed(passages[row_id])]
            if len(usable) >= CANDIDATES or len(found) < wanted:
                return usable[:CANDIDATES]
            wanted *= 4

    def _hits(self, embedded: Embeddings, best: Sequence[int], scores: Mapping[int, float]) -> list[Hit]:
        """What has been deleted since it was found is left out."""
        positions = np.sort(np.array(best, np.intp))
        similarities = dict(
            zip(positions.tolist(), self._catalogue.similarities(embedded, positions).tolist(), strict=True)
        )
        ids = {position: int(self._catalogue.ids[position]) for position in best}
        passages = self._store.passages.get(ids.values())
        return [
            Hit(passages[row_id], similarities[position], scores[position])
            for position, row_id in ids.items()
            if row_id in passages
        ]

    def _embedded(self, query: str) -> Embeddings:
        """The query's embedding, kept for the next search: a turn looks for articles and tickets by the same words."""
        if self._last is None or self._last[0] != query:
            self._last = (query, self._encoder.embed([query])[0])
        return self._last[1]
