"""The retrieval index: parts of articles, and solved questions with their replies; words and vectors beside them.

All of it is in the store's file and written in the transactions of the texts: what is deleted is gone from every index
at once, and a process that is killed leaves nothing that does not fit together.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from connectors.store.part import Connection, Part, batches, deleted_tickets
from connectors.store.passage_sources import PassageSources
from connectors.store.passage_words import WORD, Ids, PassageWords, numbers

Embeddings = npt.NDArray[np.float32]

_BATCH = 500


@dataclass(frozen=True, slots=True)
class Passage:
    """Something a draft can rest on.

    Attributes:
        kind: `article` or `ticket`.
        text: The article's part, or the customer's question; this is what is searched.
        reply: The team's reply for a ticket, empty for an article.
        created_at: When the article changed, or the ticket was opened: evaluation looks only at what was there before.
        brand: The brand's id; empty where it holds for all of them.
        audience: The ids of the groups of readers that an article is restricted to, separated by spaces; empty where
            everybody may read it.
    """

    kind: str
    source_id: str
    part: int
    title: str
    text: str
    reply: str = ""
    language: str = ""
    url: str = ""
    created_at: str = ""
    brand: str = ""
    audience: str = ""

    @property
    def content_hash(self) -> str:
        """Changes with anything that retrieval or a draft would see."""
        names = ("title", "text", "reply", "language", "url", "created_at", "brand", "audience")
        return hashlib.sha256("\x1f".join(getattr(self, name) for name in names).encode()).hexdigest()


@dataclass(frozen=True, slots=True)
class Entries:
    """What a search must know of passages beside their texts, in the order of their ids.

    Attributes:
        words: How long the texts are.
        vectors: float16 of shape (n, dimensions).
    """

    ids: list[int]
    kinds: list[str]
    brands: list[str]
    languages: list[str]
    audiences: list[str]
    words: list[int]
    vectors: npt.NDArray[np.float16]


class Passages(Part):
    """The index. Only what changed is embedded again.

    Attributes:
        sources: What passages are made from, and which of it changed.
        words: Which passages have a word.
    """

    def __init__(self, store: Connection) -> None:
        super().__init__(store)
        self.sources = PassageSources(store)
        self.words = PassageWords(store)

    def sync(self, helpdesk: str, kind: str, wanted: Iterable[Passage]) -> tuple[int, int]:
        """Makes the index of one kind hold exactly `wanted`; returns (written, removed).

        New passages, and those whose title or text changed, have no embedding yet: `without_embedding` lists them.
        Tickets that were deleted in the meantime are left out.
        """
        passages = {(one.source_id, one.part): one for one in wanted}
        with self._store.transaction():
            known = self._known(helpdesk, kind)
            gone = known.keys() - passages.keys()
            self._remove(helpdesk, kind, gone)
        changed = [one for key, one in passages.items() if known.get(key) != one.content_hash]
        # Piece by piece, so that a webhook never waits long for its turn to write.
        return sum(self._write(helpdesk, kind, piece) for piece in batches(changed, _BATCH)), len(gone)

    def replace(self, helpdesk: str, kind: str, source_ids: Sequence[str], wanted: Iterable[Passage]) -> None:
        """Makes the index hold exactly `wanted` of these sources, at most 500 of them."""
        passages = {(one.source_id, one.part): one for one in wanted}
        with self._store.transaction():
            known = self._known(helpdesk, kind, source_ids)
            self._remove(helpdesk, kind, known.keys() - passages.keys())
            self._write(helpdesk, kind, [one for key, one in passages.items() if known.get(key) != one.content_hash])

    def _known(self, helpdesk: str, kind: str, source_ids: Sequence[str] | None = None) -> dict[tuple[str, int], str]:
        sql = "select source_id, part, content_hash from passages where helpdesk = ? and kind = ?"
        if source_ids is not None:
            sql += f" and source_id in ({','.join('?' * len(source_ids))})"
        rows = self._store.rows(sql, (helpdesk, kind, *(source_ids or ())))
        return {(row["source_id"], row["part"]): row["content_hash"] for row in rows}

    def _write(self, helpdesk: str, kind: str, passages: Sequence[Passage]) -> int:
        """A changed passage is a new row with a new id, never an update.

        Somebody may be embedding the old text now, and copies of the index know what is new by its id.
        """
        with self._store.transaction():
            erased = deleted_tickets(self._store, helpdesk) if kind == "ticket" and passages else set()
            passages = [one for one in passages if one.source_id not in erased]
            embedded = {(one.source_id, one.part): self._embedded(helpdesk, one) for one in passages}
            self._remove(helpdesk, kind, embedded)
            self._store.insert("passages", [_row(helpdesk, one) for one in passages])
            for one in passages:
                known = embedded[one.source_id, one.part]
                if known or kind == "article":
                    sql = "select id from passages where helpdesk = ? and kind = ? and source_id = ? and part = ?"
                    row_id = next(self._store.rows(sql, (helpdesk, kind, one.source_id, one.part)))["id"]
                    if kind == "article":
                        self.words.put_article(row_id, one.title, one.text)
                    if known:
                        self._save_vectors(known[0], [(row_id, known[1])])
        return len(passages)

    def _embedded(self, helpdesk: str, one: Passage) -> tuple[str, bytes] | None:
        """(encoder, vector) of a passage whose title and text stay as they are, whatever else of it changes."""
        sql = """select p.encoder, v.vector from passages p join passage_vectors v on v.id = p.id
                 where p.helpdesk = ? and p.kind = ? and p.source_id = ? and p.part = ?
                 and p.title = ? and p.text = ?"""
        row = self._store.row(sql, (helpdesk, one.kind, one.source_id, one.part, one.title, one.text))
        return (row["encoder"], row["vector"]) if row else None

    def _remove(self, helpdesk: str, kind: str, keys: Iterable[tuple[str, int]]) -> None:
        self._store.many(
            "delete from passages where helpdesk = ? and kind = ? and source_id = ? and part = ?",
            [(helpdesk, kind, *key) for key in keys],
        )

    def without_embedding(self, helpdesk: str, encoder: str, limit: int) -> list[tuple[int, Passage]]:
        """Passages that this encoder has not embedded yet, with their row ids."""
        found: list[tuple[int, Passage]] = []
        # Not `!=`, for which SQLite would go through the whole index.
        for compare in ("<", ">"):
            sql = f"""select * from passages where id in (select id from passages
                          where helpdesk = ? and encoder {compare} ? order by encoder, id limit ?) order by id"""  # noqa: S608
            rows = self._store.rows(sql, (helpdesk, encoder, limit - len(found)))
            found += [(row["id"], _passage(row)) for row in rows]
        return found

    def save_embeddings(self, encoder: str, ids: Sequence[int], embeddings: Embeddings) -> None:
        """Keeps embeddings, as float16: of shape (len(ids), dimensions), rows of unit length.

        A passage that has changed since `without_embedding` gave it out has another id by now, and is not touched.
        """
        vectors = [(row_id, row.tobytes()) for row_id, row in zip(ids, embeddings.astype(np.float16), strict=True)]
        self._save_vectors(encoder, vectors)

    def _save_vectors(self, encoder: str, vectors: Sequence[tuple[int, bytes]]) -> None:
        with self._store.transaction():
            self._store.many(
                """insert into passage_vectors (id, vector) select id, ?2 from passages where id = ?1
                   on conflict (id) do update set vector = excluded.vector""",
                vectors,
            )
            ids = [(encoder, row_id) for row_id, _ in vectors]
            self._store.many("update passages set encoder = ? where id = ?", ids)

    def entries(self, helpdesk: str, encoder: str, after: int, limit: int) -> Entries:
        """The next embedded passages after an id."""
        sql = """select p.id, p.kind, p.brand, p.language, p.audience, p.words, v.vector
                 from passages p join passage_vectors v on v.id = p.id
                 where p.helpdesk = ? and p.encoder = ? and p.id > ? order by p.id limit ?"""
        rows = list(self._store.rows(sql, (helpdesk, encoder, after, limit)))
        return Entries(
            ids=[row["id"] for row in rows],
            kinds=[row["kind"] for row in rows],
            brands=[row["brand"] for row in rows],
            languages=[row["language"] for row in rows],
            audiences=[row["audience"] for row in rows],
            words=[row["words"] for row in rows],
            vectors=_matrix([row["vector"] for row in rows]),
        )

    def embedded_ids(self, helpdesk: str, encoder: str) -> Ids:
        """Ids of all embedded passages, ascending."""
        sql = "select group_concat(id) as ids from passages where helpdesk = ? and encoder = ?"
        row = self._store.row(sql, (helpdesk, encoder))
        return np.sort(numbers(row["ids"] if row else None))

    def vectors(self, ids: Ids) -> tuple[Ids, Embeddings]:
        """Those of these ids that are there, ascending, and their embeddings of shape (n, dimensions)."""
        sql = "select id, vector from passage_vectors where id in (select value from json_each(?)) order by id"
        rows = list(self._store.rows(sql, (json.dumps(ids.tolist()),)))
        return np.array([row["id"] for row in rows], np.int64), _matrix([r["vector"] for r in rows]).astype(np.float32)

    def get(self, ids: Iterable[int]) -> dict[int, Passage]:
        """Passages by row id, those that are there."""
        found: dict[int, Passage] = {}
        for batch in batches(ids):
            marks = ",".join("?" * len(batch))
            rows = self._store.rows(f"select * from passages where id in ({marks})", batch)  # noqa: S608
            found |= {row["id"]: _passage(row) for row in rows}
        return found

    def version(self, helpdesk: str) -> tuple[int, int, int]:
        """How many passages were ever written, embedded and removed: whether a copy is old, in constant time."""
        sql = "select written, filled, removed from passage_counters where helpdesk = ?"
        row = self._store.row(sql, (helpdesk,))
        return (row["written"], row["filled"], row["removed"]) if row else (0, 0, 0)


def _row(helpdesk: str, one: Passage) -> dict[str, object]:
    row = {name: getattr(one, name) for name in Passage.__dataclass_fields__}
    words = len(WORD.findall(f"{one.title} {one.text}"))
    return row | {"helpdesk": helpdesk, "content_hash": one.content_hash, "encoder": "", "words": words}


def _matrix(vectors: Sequence[bytes]) -> npt.NDArray[np.float16]:
    return np.frombuffer(b"".join(vectors), np.float16).reshape(len(vectors), -1 if vectors else 0)


def _passage(row: dict[str, object]) -> Passage:
    names = Passage.__dataclass_fields__
    return Passage(**{name: row[name] for name in names})  # type: ignore[arg-type]
