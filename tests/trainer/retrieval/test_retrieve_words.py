"""Search by words: the BM25 of the book within the scope, and as many words as the time allows."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from connectors.store.database import Store
from connectors.store.passages import Passage
from trainer.retrieval import words as words_module
from trainer.retrieval.catalogue import Catalogue, Scope
from trainer.retrieval.words import K1, B, WordSearch

DESK, ENCODER = "zendesk", "e"
EVERYBODY = Scope()


def fill(store: Store, texts: Sequence[str], kind: str = "ticket", **changes: Sequence[str]) -> None:
    passages = [
        Passage(kind, str(number), 0, "", text, **{name: values[number] for name, values in changes.items()})
        for number, text in enumerate(texts)
    ]
    store.passages.sync(DESK, kind, passages)
    due = store.passages.without_embedding(DESK, ENCODER, 100_000)
    store.passages.save_embeddings(ENCODER, [row for row, _ in due], np.ones((len(due), 8), np.float32))


class Desk:
    def __init__(self, store: Store) -> None:
        self.store = store
        self.catalogue = Catalogue(store, DESK, ENCODER)
        self.words = WordSearch(store, self.catalogue)

    def best(self, query: str, kind: str = "ticket", scope: Scope = EVERYBODY, n: int = 10) -> list[str]:
        self.catalogue.refresh()
        positions = self.words.best(query, kind, self.catalogue.mask(kind, scope), n)
        ids = self.catalogue.ids[positions].tolist()
        passages = self.store.passages.get(ids)
        return [passages[row].source_id for row in ids]


@pytest.fixture
def desk(empty_store: Store) -> Desk:
    return Desk(empty_store)


def scores(query: Sequence[str], texts: Sequence[Sequence[str]]) -> list[float]:
    average = sum(map(len, texts)) / len(texts)
    found = []
    for text in texts:
        score = 0.0
        for word in dict.fromkeys(query):
            there = sum(word in one for one in texts)
            if word in text:
                idf = max(1e-6, math.log((len(texts) - there + 0.5) / (there + 0.5)))
                score += idf * (K1 + 1) / (1 + K1 * (1 - B + B * len(text) / average))
        found.append(score)
    return found


WORDS = st.sampled_from(["parcel", "late", "label", "customs", "driver", "shop", "FW12", "Päckchen"])


@settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(st.lists(WORDS, min_size=1, max_size=6), min_size=1, max_size=12), st.lists(WORDS, min_size=1, max_size=5)
)
def test_it_is_bm25(empty_store: Store, texts: list[list[str]], query: list[str]) -> None:
    fill(empty_store, [" ".join(text) for text in texts])
    expected = scores(query, texts)
    found = Desk(empty_store).best(" ".join(query), n=99)
    assert set(found) == {str(number) for number, score in enumerate(expected) if score > 0}
    ranked = [expected[int(one)] for one in found]
    assert ranked == pytest.approx(sorted(ranked, reverse=True), rel=1e-5, abs=1e-5)


def test_how_common_a_word_is_counts_within_the_scope(desk: Desk) -> None:
    # Of brand 1 all tickets but one are about labels; over all brands, driver is the commoner word.
    texts = ["label one", "label two", "label three", "driver four", *["driver"] * 20]
    fill(desk.store, texts, brand=["1"] * 4 + ["2"] * 20)
    assert desk.best("label driver", scope=Scope(brand="1"))[0] == "3"
    assert desk.best("label driver")[0] in "012"


def test_nothing_out_of_scope_is_found(desk: Desk) -> None:
    fill(desk.store, ["parcel here", "parcel there", "letter"], brand=["1", "2", "1"])
    assert desk.best("parcel", scope=Scope(brand="1")) == ["0"]
    assert desk.best("parcel", scope=Scope(brand="3")) == []
    fill(desk.store, ["the parcel", "another parcel"], "article", audience=["31", ""])
    assert desk.best("parcel", "article") == ["1"]
    assert set(desk.best("parcel", "article", Scope(segments=frozenset({"31"})))) == {"0", "1"}


def test_what_comes_and_goes_is_followed(desk: Desk) -> None:
    fill(desk.store, [f"parcel number{n}" for n in range(400)])
    assert len(desk.best("parcel", n=999)) == 400
    fill(desk.store, [f"parcel number{n}" for n in range(410)])
    assert len(desk.best("parcel", n=999)) == 410
    fill(desk.store, [f"parcel number{n}" for n in range(405)])
    assert len(desk.best("parcel", n=999)) == 405
    assert desk.best("number409") == []
    fill(desk.store, [f"parcel number{n}" for n in range(10)])
    assert len(desk.best("parcel", n=999)) == 10


def test_what_has_no_vector_yet_is_found_as_soon_as_it_has_one(desk: Desk) -> None:
    fill(desk.store, [f"parcel {n}" for n in range(300)])
    passages = [Passage("ticket", str(n), 0, "", f"parcel {n}") for n in range(305)]
    desk.store.passages.sync(DESK, "ticket", passages)
    assert len(desk.best("parcel", n=999)) == 300
    due = desk.store.passages.without_embedding(DESK, ENCODER, 99)
    desk.store.passages.save_embeddings(ENCODER, [row for row, _ in due], np.ones((len(due), 8), np.float32))
    assert len(desk.best("parcel", n=999)) == 305


def test_rare_words_come_before_common_ones_where_not_all_can_be_looked_up(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(desk.store, ["parcel", *["the parcel"] * 30, "the zebra", "the quagga parcel"])
    monkeypatch.setattr(words_module, "ROWS", 40)
    assert set(desk.best("the parcel quagga zebra", n=99)) == set(map(str, range(33)))
    monkeypatch.setattr(words_module, "ROWS", 33)
    read: list[str] = []
    tickets_with = desk.store.passages.words.tickets_with
    monkeypatch.setattr(
        desk.store.passages.words, "tickets_with", lambda word, after=0: read.append(word) or tickets_with(word, after)
    )
    assert set(desk.best("the parcel quagga zebra", n=99)) == {"31", "32"}
    assert sorted(read) == ["quagga", "zebra"]


def test_common_words_are_kept_in_memory_up_to_a_limit(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    fill(desk.store, [f"parcel label{n % 2} shop{n % 3}" for n in range(900)])
    read: list[str] = []
    tickets_with = desk.store.passages.words.tickets_with
    monkeypatch.setattr(
        desk.store.passages.words, "tickets_with", lambda word, after=0: read.append(word) or tickets_with(word, after)
    )
    for query in ("label0", "label0", "shop1", "label0 shop1"):
        desk.best(query)
    assert read == ["label0", "shop1"]
    monkeypatch.setattr(words_module, "_CACHED_POSITIONS", 500)
    read.clear()
    for query in ("label0", "shop1", "label1", "label1", "label0"):
        desk.best(query)
    assert read == ["shop1", "label1", "label0"], "the one used last stays"


@pytest.mark.parametrize(("query", "found"), [("Zustellung", "0"), ("pakketten", "1"), ("pakket", "1"), ("CN22", "2")])
def test_articles_are_found_by_pieces_of_words(desk: Desk, query: str, found: str) -> None:
    fill(desk.store, ["Zustellungen am Samstag", "Een pakketje volgen", "Form CN22 is for goods", "Other"], "article")
    assert desk.best(query, "article") == [found]


@pytest.mark.parametrize("kind", ["article", "ticket"])
@pytest.mark.parametrize(
    "query", ["", "  ", "?!", '"', "日本語", "x " * 900, " ".join(f"word{n}" for n in range(3000))]
)
def test_any_text_is_a_query(desk: Desk, kind: str, query: str) -> None:
    fill(desk.store, ["parcel word7", "other"], kind)
    assert desk.best(query, kind) == ([] if "word" not in query else ["0"])


def test_an_empty_index_has_no_words(desk: Desk) -> None:
    assert desk.best("parcel") == desk.best("parcel", "article") == []
