"""The index of words over passages: SQLite's FTS5, articles and tickets apart.

Tickets are found by their words. Articles are found by pieces of five letters: a Dutch or German question shares few
words with an English article, and some more of their stems (docs/experiments.md has the figures).
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from connectors.store.part import Part

Ids = npt.NDArray[np.int64]
Scores = npt.NDArray[np.float32]

# Letters and digits, as SQLite's tokenizer has it; one letter says nothing.
WORD = re.compile(r"[^\W_]{2,}")
_PIECE = 5
_MAX_TERMS = {"ticket": 64, "article": 320}
_TABLES = {"article": "passages_fts_articles", "ticket": "passages_fts_tickets"}
_MERGED_PAGES = 100


class PassageWords(Part):
    """Which passages have a word.

    Words are given as `terms` makes them, and only such as `frequency` knows: anything else might be several words to
    SQLite's tokenizer.
    """

    def frequency(self, kind: str, word: str) -> int:
        """In how many passages of a kind a term is, over all helpdesks; 0 for what is none of the index."""
        row = self._store.row(f"select doc from {_TABLES[kind]}_df where term = ?", (word,))  # noqa: S608
        return int(row["doc"]) if row else 0

    def tickets_with(self, word: str, after: int = 0) -> Ids:
        """Ids of the ticket passages above `after` that have a word, ascending."""
        # One text with all numbers in it: a row each would take four times as long.
        sql = """select group_concat(rowid) as ids from passages_fts_tickets
                 where passages_fts_tickets match ? and rowid > ?"""
        row = self._store.row(sql, (f'"{word}"', after))
        return numbers(row["ids"] if row else None)

    def put_article(self, row_id: int, title: str, text: str) -> None:
        """Indexes an article's passage; when it is deleted, its words go, too."""
        sql = "insert into passages_fts_articles (rowid, title, text) values (?, ?, ?)"
        self._store.execute(sql, (row_id, " ".join(_pieces(title)), " ".join(_pieces(text))))

    def articles_with(self, pieces: Sequence[str]) -> tuple[Ids, Scores]:
        """Ids of the article passages that have any of these pieces, and their BM25, the higher the better.

        What is in the title counts twice.
        """
        if not pieces:
            return np.zeros(0, np.int64), np.zeros(0, np.float32)
        sql = """select rowid as id, -bm25(passages_fts_articles, 2.0, 1.0) as score from passages_fts_articles
                 where passages_fts_articles match ?"""
        rows = list(self._store.rows(sql, (" OR ".join(f'"{piece}"' for piece in pieces),)))
        return np.array([row["id"] for row in rows], np.int64), np.array([row["score"] for row in rows], np.float32)

    def purge(self, *, steps: int = 1_000_000) -> bool:
        """Takes out of the index what it still holds of deleted texts; returns whether nothing of them is left.

        FTS5 only marks what was deleted, until it merges the parts that its index consists of (sqlite.org/fts5.html,
        'merge': a negative number starts a merge of all parts, positive ones go on with it).

        Args:
            steps: How many pieces of work to do now, some 5 ms and a short transaction each; the next call goes on.
        """
        state = self._store.row(
            """select begun, done, (select coalesce(sum(removed), 0) from passage_counters) as removed
               from passage_purges"""
        )
        if state is None or state["done"] == state["removed"]:
            return True
        begun = state["begun"]
        if begun == state["done"]:
            begun = state["removed"]
            with self._store.transaction():
                for table in _TABLES.values():
                    self._merge(table, -_MERGED_PAGES)
                self._store.execute("update passage_purges set begun = ?", (begun,))
        for _ in range(steps):
            worked = [self._merge(table, _MERGED_PAGES) for table in _TABLES.values()]
            if not any(worked):
                self._store.execute("update passage_purges set done = begun")
                return bool(begun == state["removed"])
        return False

    def _merge(self, table: str, pages: int) -> bool:
        """Returns whether there was anything to do: below two changes there was not."""
        before = self._changes()
        self._store.execute(f"insert into {table}({table}, rank) values ('merge', ?)", (pages,))  # noqa: S608
        return self._changes() - before >= 2

    def _changes(self) -> int:
        return int(next(self._store.rows("select total_changes() as n"))["n"])

    def rebuild(self) -> None:
        """Makes the index anew; nothing of deleted texts is left in it."""
        for table in _TABLES.values():
            self._store.execute(f"insert into {table}({table}) values ('rebuild')")  # noqa: S608


def terms(text: str, kind: str) -> list[str]:
    """What to look for in passages of a kind, each once: a text's words, or their pieces for articles."""
    found = _words(text) if kind == "ticket" else _pieces(text)
    return list(dict.fromkeys(found))[: _MAX_TERMS[kind]]


def _words(text: str) -> list[str]:
    """A text's words as the tokenizer has them: lower case, without marks on letters."""
    bare = "".join(c for c in unicodedata.normalize("NFKD", text) if not unicodedata.combining(c))
    return [word.lower() for word in WORD.findall(bare)]


def _pieces(text: str) -> list[str]:
    """All pieces of `_PIECE` letters of a text's words, whose ends are marked."""
    found = []
    for word in _words(text):
        marked = f"_{word}_"
        found += [marked[start : start + _PIECE] for start in range(max(1, len(marked) - _PIECE + 1))]
    return found


def numbers(text: str | None) -> Ids:
    """The numbers of a `group_concat`."""
    return np.fromstring(text, dtype=np.int64, sep=",") if text else np.zeros(0, np.int64)
