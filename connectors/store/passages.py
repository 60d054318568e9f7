"""The retrieval index: parts of articles, and solved questions with their replies; FTS5 beside embeddings."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from connectors.store.part import Part

Embeddings = npt.NDArray[np.float32]

_WORD = re.compile(r"\w{2,}")
_MAX_QUERY_WORDS = 40


@dataclass(frozen=True, slots=True)
class Passage:
    """Something a draft can rest on.

    Attributes:
        kind: `article` or `ticket`.
        text: The article's part, or the customer's question; this is what is searched.
        reply: The team's reply for a ticket, empty for an article.
        created_at: When the article changed, or the ticket was opened: evaluation looks only at what was there before.
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

    @property
    def content_hash(self) -> str:
        """Changes with anything that retrieval or a draft would see."""
        joined = "\x1f".join((self.title, self.text, self.reply, self.language, self.url, self.created_at))
        return hashlib.sha256(joined.encode()).hexdigest()


class Passages(Part):
    """The index. Only what changed is embedded again."""

    def sync(self, helpdesk: str, kind: str, wanted: Iterable[Passage]) -> tuple[int, int]:
        """Makes the index of one kind hold exactly `wanted`; returns (written, removed).

        New and changed passages lose their embedding: `without_embedding` lists them.
        """
        written = 0
        keys: set[tuple[str, int]] = set()
        with self._store.transaction():
            known = {
                (row["source_id"], row["part"]): row["content_hash"]
                for row in self._store.rows(
                    "select source_id, part, content_hash from passages where helpdesk = ? and kind = ?",
                    (helpdesk, kind),
                )
            }
            for passage in wanted:
                key = (passage.source_id, passage.part)
                keys.add(key)
                if known.get(key) != passage.content_hash:
                    self._write(helpdesk, passage)
                    written += 1
            gone = known.keys() - keys
            for source_id, part in gone:
                self._store.execute(
                    "delete from passages where helpdesk = ? and kind = ? and source_id = ? and part = ?",
                    (helpdesk, kind, source_id, part),
                )
        return written, len(gone)

    def _write(self, helpdesk: str, p: Passage) -> None:
        sql = """insert into passages (helpdesk, kind, source_id, part, title, text, reply, language, url, created_at,
                                       content_hash, encoder, embedding)
                 values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, '', null)
                 on conflict (helpdesk, kind, source_id, part) do update set title = excluded.title, text = excluded.text,
                 reply = excluded.reply, language = excluded.language, url = excluded.url, created_at = excluded.created_at,
                 content_hash = excluded.content_hash, encoder = '', embedding = null"""
        values = (
            p.kind,
            p.source_id,
            p.part,
            p.title,
            p.text,
            p.reply,
            p.language,
            p.url,
            p.created_at,
            p.content_hash,
        )
        self._store.execute(sql, (helpdesk, *values))

    def without_embedding(self, helpdesk: str, encoder: str, limit: int) -> list[tuple[int, Passage]]:
        """Passages that this encoder has not embedded yet, with their row ids."""
        sql = "select * from passages where helpdesk = ? and (embedding is null or encoder != ?) order by id limit ?"
        return [(row["id"], _passage(row)) for row in self._store.rows(sql, (helpdesk, encoder, limit))]

    def save_embeddings(self, encoder: str, ids: Sequence[int], embeddings: Embeddings) -> None:
        """Keeps embeddings: float32 of shape (len(ids), dimensions), rows of unit length."""
        with self._store.transaction():
            for row_id, vector in zip(ids, embeddings, strict=True):
                self._store.execute(
                    "update passages set encoder = ?, embedding = ? where id = ?",
                    (encoder, vector.astype(np.float32).tobytes(), row_id),
                )

    def embeddings(self, helpdesk: str, encoder: str) -> tuple[npt.NDArray[np.int64], Embeddings]:
        """All row ids, int64 of shape (n,), and embeddings, float32 of shape (n, dimensions)."""
        sql = "select id, embedding from passages where helpdesk = ? and encoder = ? and embedding is not null order by id"
        ids: list[int] = []
        vectors: list[bytes] = []
        for row in self._store.rows(sql, (helpdesk, encoder)):
            ids.append(row["id"])
            vectors.append(row["embedding"])
        matrix = (
            np.frombuffer(b"".join(vectors), dtype=np.float32).reshape(len(ids), -1)
            if ids
            else np.zeros((0, 0), np.float32)
        )
        return np.asarray(ids, dtype=np.int64), matrix

    def search_words(self, helpdesk: str, query: str, limit: int) -> list[int]:
        """Row ids by BM25, best first. Any text is a valid query: its words are quoted, so FTS5 syntax has no effect."""
        words = list(dict.fromkeys(word.lower() for word in _WORD.findall(query)))[:_MAX_QUERY_WORDS]
        if not words:
            return []
        match = " OR ".join(f'"{word}"' for word in words)
        sql = """select p.id from passages_fts f join passages p on p.id = f.rowid
                 where passages_fts match ? and p.helpdesk = ? order by bm25(passages_fts, 2.0, 1.0) limit ?"""
        return [row["id"] for row in self._store.rows(sql, (match, helpdesk, limit))]

    def get(self, ids: Sequence[int]) -> dict[int, Passage]:
        """Passages by row id."""
        marks = ",".join("?" * len(ids))
        rows = self._store.rows(f"select * from passages where id in ({marks})", tuple(ids))  # noqa: S608
        return {row["id"]: _passage(row) for row in rows}

    def version(self, helpdesk: str) -> tuple[int, int, str]:
        """Changes whenever the index does, cheaply: lets a server know that its copy of the embeddings is old."""
        sql = """select count(*) as n, coalesce(max(id), 0) as top, coalesce(sum(length(encoder)), 0) as filled,
                 coalesce(max(content_hash), '') as h from passages where helpdesk = ?"""
        row = next(self._store.rows(sql, (helpdesk,)))
        return row["n"], row["top"] * 1_000_003 + row["filled"], row["h"]


def _passage(row: dict[str, object]) -> Passage:
    names = Passage.__dataclass_fields__
    return Passage(**{name: row[name] for name in names})  # type: ignore[arg-type]
