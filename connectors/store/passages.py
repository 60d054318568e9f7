"""The retrieval index: parts of articles, and solved questions with their replies; FTS5 beside embeddings."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from connectors.store.part import Part, deleted_tickets

Embeddings = npt.NDArray[np.float32]

_WORD = re.compile(r"\w{2,}")
_MAX_QUERY_WORDS = 40
_BATCH = 500


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

        New and changed passages have no embedding yet: `without_embedding` lists them. Tickets that were deleted in
        the meantime are left out.
        """
        passages = {(one.source_id, one.part): one for one in wanted}
        with self._store.transaction():
            known = {
                (row["source_id"], row["part"]): row["content_hash"]
                for row in self._store.rows(
                    "select source_id, part, content_hash from passages where helpdesk = ? and kind = ?",
                    (helpdesk, kind),
                )
            }
            gone = known.keys() - passages.keys()
            for key in gone:
                self._remove(helpdesk, kind, *key)
        changed = [one for key, one in passages.items() if known.get(key) != one.content_hash]
        # Piece by piece, so that a webhook never waits long for its turn to write.
        pieces = [changed[start : start + _BATCH] for start in range(0, len(changed), _BATCH)]
        return sum(self._write(helpdesk, kind, piece) for piece in pieces), len(gone)

    def _write(self, helpdesk: str, kind: str, passages: Sequence[Passage]) -> int:
        names = tuple(Passage.__dataclass_fields__)
        with self._store.transaction():
            erased = deleted_tickets(self._store, helpdesk) if kind == "ticket" else set()
            rows = []
            for one in passages:
                # A changed passage is a new row with a new id, never an update: somebody may be embedding the old text
                # now, and `version` tells by the ids that something changed.
                self._remove(helpdesk, kind, one.source_id, one.part)
                if one.source_id not in erased:
                    row = {name: getattr(one, name) for name in names}
                    rows.append(row | {"helpdesk": helpdesk, "content_hash": one.content_hash, "encoder": ""})
            self._store.insert("passages", rows)
        return len(rows)

    def _remove(self, helpdesk: str, kind: str, source_id: str, part: int) -> None:
        self._store.execute(
            "delete from passages where helpdesk = ? and kind = ? and source_id = ? and part = ?",
            (helpdesk, kind, source_id, part),
        )

    def without_embedding(self, helpdesk: str, encoder: str, limit: int) -> list[tuple[int, Passage]]:
        """Passages that this encoder has not embedded yet, with their row ids."""
        sql = "select * from passages where helpdesk = ? and (embedding is null or encoder != ?) order by id limit ?"
        return [(row["id"], _passage(row)) for row in self._store.rows(sql, (helpdesk, encoder, limit))]

    def save_embeddings(self, encoder: str, ids: Sequence[int], embeddings: Embeddings) -> None:
        """Keeps embeddings: float32 of shape (len(ids), dimensions), rows of unit length.

        A passage that has changed since `without_embedding` gave it out has another id by now, and is not touched.
        """
        with self._store.transaction():
            for row_id, vector in zip(ids, embeddings, strict=True):
                self._store.execute(
                    "update passages set encoder = ?, embedding = ? where id = ?",
                    (encoder, vector.astype(np.float32).tobytes(), row_id),
                )

    def embeddings(self, helpdesk: str, encoder: str) -> tuple[npt.NDArray[np.int64], Embeddings]:
        """All row ids, int64 of shape (n,), and embeddings, float32 of shape (n, dimensions)."""
        sql = """select id, embedding from passages
                 where helpdesk = ? and encoder = ? and embedding is not null order by id"""
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
        """Row ids by BM25, best first. Any text is a valid query: words are quoted, so FTS5 syntax has no effect."""
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

    def sources_version(self, helpdesk: str) -> str:
        """Changes when articles or curated examples do, which are what passages are made from.

        It reads the lengths of all of them: 0.11 s for 50,000 examples.
        """
        sql = """select
            (select count(*) || ' ' || coalesce(max(updated_at), '') || ' ' || coalesce(sum(length(title || text)), 0)
             from articles where helpdesk = :desk and draft = 0) || ' / ' ||
            (select count(*) || ' ' || coalesce(max(created_at), '') || ' '
                 || coalesce(sum(length(question || reply)), 0)
             from examples where helpdesk = :desk and kept = 1) as version"""
        return str(next(self._store.rows(sql, {"desk": helpdesk}))["version"])

    def version(self, helpdesk: str) -> tuple[int, int, str]:
        """Changes whenever the index does, cheaply: lets a server know that its copy of the embeddings is old.

        Rows never change but for their embedding, and no id is given out twice: the same number of rows with the same
        highest id are the same rows. One index covers the query; the texts are not read.
        """
        sql = """select count(*) as n, coalesce(max(id), 0) as top, count(nullif(encoder, '')) as filled,
                 coalesce(max(encoder), '') as encoder from passages where helpdesk = ?"""
        row = next(self._store.rows(sql, (helpdesk,)))
        return row["n"], row["top"], f"{row['filled']} {row['encoder']}"


def _passage(row: dict[str, object]) -> Passage:
    names = Passage.__dataclass_fields__
    return Passage(**{name: row[name] for name in names})  # type: ignore[arg-type]
