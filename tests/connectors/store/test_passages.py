"""The retrieval index: only what changed is embedded again, what is deleted is gone, and any text is a valid query."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from connectors.store.database import Store
from connectors.store.passage_words import terms
from connectors.store.passages import Entries, Passage

DESK = "zendesk"
ENCODER = "bundled:test"


def article(source_id: str, text: str, part: int = 0, **changes: str) -> Passage:
    return dataclasses.replace(Passage("article", source_id, part, f"About {source_id}", text), **changes)


def entries(store: Store, encoder: str = ENCODER, after: int = 0, limit: int = 100) -> Entries:
    return store.passages.entries(DESK, encoder, after, limit)


def embed(store: Store, encoder: str = ENCODER) -> list[str]:
    """Embeds what is due, each text as its length; returns the texts."""
    due = store.passages.without_embedding(DESK, encoder, 100)
    vectors = np.array([[len(passage.text), 1.0] for _, passage in due], np.float32).reshape(len(due), 2)
    store.passages.save_embeddings(encoder, [row for row, _ in due], vectors)
    return [passage.text for _, passage in due]


def test_passages_are_read_back_as_they_were_stored(store: Store) -> None:
    passage = Passage("ticket", "7", 1, "", "Where is it?", "In Tilburg.", "en", "https://x", "2026-04-01T09:00:00Z")
    assert store.passages.sync(DESK, "ticket", [passage]) == (1, 0)
    ((row, found),) = store.passages.without_embedding(DESK, ENCODER, 10)
    assert found == passage
    assert store.passages.get([row, 404]) == {row: passage}
    assert store.passages.get([]) == {}


def test_only_what_changed_is_embedded_again(store: Store) -> None:
    first = [article("1", "old price"), article("1", "kept", part=1), article("2", "gone")]
    assert store.passages.sync(DESK, "article", first) == (3, 0)
    assert sorted(embed(store)) == ["gone", "kept", "old price"]
    assert store.passages.sync(DESK, "article", first) == (0, 0)
    assert embed(store) == []
    assert store.passages.sync(DESK, "article", [article("1", "new price"), article("1", "kept", part=1)]) == (1, 1)
    assert embed(store) == ["new price"]


@pytest.mark.parametrize("name", ["title", "text", "reply", "language", "url", "created_at", "brand", "audience"])
def test_a_change_of_anything_that_a_draft_would_see_counts(name: str, store: Store) -> None:
    passage = article("1", "same")
    store.passages.sync(DESK, "article", [passage])
    embed(store)
    changed = dataclasses.replace(passage, **{name: "else"})
    assert store.passages.sync(DESK, "article", [changed]) == (1, 0)
    ((row, found),) = store.passages.get(range(9)).items()
    assert found == changed
    if name in ("title", "text"):
        assert len(embed(store)) == 1
    else:
        assert embed(store) == [], "what is embedded is the same: its vector moves along"
        assert entries(store).ids == [row]


def test_texts_cannot_slide_from_one_field_into_the_next_unnoticed() -> None:
    assert article("1", "ab", reply="c").content_hash != article("1", "a", reply="bc").content_hash


def test_kinds_and_helpdesks_are_synced_apart(store: Store) -> None:
    ticket = Passage("ticket", "1", 0, "", "a question")
    store.passages.sync(DESK, "article", [article("1", "an article")])
    store.passages.sync(DESK, "ticket", [ticket])
    store.passages.sync("other", "article", [article("1", "elsewhere")])
    assert store.passages.sync(DESK, "article", []) == (0, 1)
    assert [passage for _, passage in store.passages.without_embedding(DESK, ENCODER, 10)] == [ticket]
    assert store.passages.version("other")[0] == 1


def test_a_large_index_is_written_whole(store: Store) -> None:
    many = [article(str(n), f"text {n}") for n in range(1201)]
    assert store.passages.sync(DESK, "article", [*many, article("0", "the last of a kind counts")]) == (1201, 0)
    assert store.passages.sync(DESK, "article", many) == (1, 0)
    assert len(store.passages.without_embedding(DESK, ENCODER, 9999)) == 1201


def test_another_encoder_embeds_everything_again(store: Store) -> None:
    store.passages.sync(DESK, "article", [article("1", "a"), article("2", "b")])
    embed(store)
    assert len(store.passages.without_embedding(DESK, "other", 10)) == 2
    assert len(store.passages.without_embedding(DESK, "other", 1)) == 1, "in batches"
    embed(store, "other")
    assert entries(store).ids == []
    assert len(entries(store, encoder="other").ids) == 2


def test_vectors_come_back_as_float16_in_the_order_of_their_ids(store: Store) -> None:
    store.passages.sync(DESK, "article", [article(str(n), f"text {n}") for n in range(5)])
    rows = [row for row, _ in store.passages.without_embedding(DESK, ENCODER, 10)]
    vectors = np.random.default_rng(1).normal(size=(5, 7)).astype(np.float32)
    store.passages.save_embeddings(ENCODER, rows[::-1], vectors[::-1])
    half = vectors.astype(np.float16)
    found = entries(store)
    assert (found.ids, found.vectors.dtype) == (sorted(rows), np.float16)
    assert np.array_equal(found.vectors, half)
    ids, matrix = store.passages.vectors(np.array([rows[3], 404, rows[1]]))
    assert (ids.tolist(), matrix.dtype) == ([rows[1], rows[3]], np.float32)
    assert np.array_equal(matrix, half[[1, 3]].astype(np.float32))
    assert store.passages.embedded_ids(DESK, ENCODER).tolist() == rows


def test_entries_say_whom_a_passage_is_for_and_come_piece_by_piece(store: Store) -> None:
    passages = [
        article("1", "two words", language="nl", brand="8", audience="31 32"),
        article("2", "and here are four"),
        article("3", "x"),
    ]
    store.passages.sync(DESK, "article", passages)
    embed(store)
    found = entries(store, limit=2)
    assert (found.kinds, found.languages) == (["article"] * 2, ["nl", ""])
    assert (found.brands, found.audiences, found.words) == (["8", ""], ["31 32", ""], [3, 5])
    assert entries(store, after=found.ids[-1]).ids == [found.ids[-1] + 1]


def test_an_empty_index_has_nothing(store: Store) -> None:
    assert entries(store).ids == []
    assert len(store.passages.embedded_ids(DESK, ENCODER)) == 0
    ids, matrix = store.passages.vectors(np.array([1, 2]))
    assert len(ids) == len(matrix) == 0
    assert found(store, "anything") == []
    assert store.passages.words.purge()


def test_an_embedding_of_a_text_that_has_changed_meanwhile_is_dropped(store: Store) -> None:
    store.passages.sync(DESK, "article", [article("1", "old price")])
    ((row, _),) = store.passages.without_embedding(DESK, ENCODER, 10)
    with Store(store.path) as other:
        other.passages.sync(DESK, "article", [article("1", "new price")])
    store.passages.save_embeddings(ENCODER, [row], np.ones((1, 2), np.float32))
    assert [passage.text for _, passage in store.passages.without_embedding(DESK, ENCODER, 10)] == ["new price"]


CHANGES = st.lists(
    st.dictionaries(st.sampled_from(["1", "2", "3"]), st.sampled_from(["x", "y", "z"])), min_size=2, max_size=6
)


@settings(deadline=None, max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(CHANGES, st.lists(st.booleans(), min_size=6, max_size=6))
def test_the_version_changes_whenever_the_index_does(
    store: Store, states: Sequence[dict[str, str]], embedded: Sequence[bool]
) -> None:
    seen: dict[tuple[int, int, str], object] = {}
    with store.transaction():
        store.execute("delete from passages")
        for state, also_embed in zip(states, embedded, strict=False):
            store.passages.sync(DESK, "article", [article(key, text) for key, text in state.items()])
            if also_embed:
                embed(store)
            ids = store.passages.embedded_ids(DESK, ENCODER)
            content = {key: (passage, key in ids) for key, passage in store.passages.get(range(10_000)).items()}
            assert seen.setdefault(store.passages.version(DESK), content) == content


def test_the_version_stays_where_nothing_changes(store: Store) -> None:
    passages = [article("1", "a"), article("2", "b")]
    store.passages.sync(DESK, "article", passages)
    embed(store)
    version = store.passages.version(DESK)
    store.passages.sync(DESK, "article", passages)
    store.passages.sync("other", "article", passages)
    assert store.passages.version(DESK) == version


def found(store: Store, query: str, kind: str = "article") -> list[str]:
    """Source ids, best first; of tickets, those that have any of the words, in the order of their ids."""
    words = [word for word in terms(query, kind) if store.passages.words.frequency(kind, word)]
    if kind == "article":
        ids, scores = store.passages.words.articles_with(words)
        ids = ids[np.argsort(-scores, kind="stable")]
    else:
        ids = np.unique(np.concatenate([np.zeros(0, np.int64), *map(store.passages.words.tickets_with, words)]))
    passages = store.passages.get(ids.tolist())
    return [passages[row].source_id for row in ids.tolist()]


def test_words_find_their_articles_best_first(store: Store) -> None:
    articles = [
        article("1", "A pallet costs more than a letter", title="Sizes"),
        article("2", "A parcel costs €6.95, islands €12.95", title="Prices"),
        article("4", "What it is for the islands", title="Letter"),
        article("3", "Ihr Päckchen liegt in Duisburg", title="Sendung"),
    ]
    store.passages.sync(DESK, "article", articles)
    store.passages.sync(DESK, "ticket", [Passage("ticket", "9", 0, "", "A parcel elsewhere")])
    assert found(store, "PARCEL costs")[0] == "2", "two words before one"
    assert found(store, "parcel") == ["2"], "tickets stay out"
    assert found(store, "packchen") == ["3"], "marks on letters make no difference"
    assert found(store, "PÄCKCHEN") == ["3"]
    assert found(store, "letter") == ["4", "1"], "a title counts more than a text"


def test_words_find_their_tickets(store: Store) -> None:
    texts = ("Where is FW204518337NL?", "Where is my parcel?", "Où est mon colis ?")
    store.passages.sync(DESK, "ticket", [Passage("ticket", str(n), 0, "", text) for n, text in enumerate(texts)])
    assert found(store, "fw204518337nl", "ticket") == ["0"]
    assert found(store, "where colis", "ticket") == ["0", "1", "2"]
    assert found(store, "OU", "ticket") == ["2"]
    assert store.passages.words.frequency("ticket", "where") == 2
    assert store.passages.words.frequency("article", "where") == 0
    ((row, _),) = [(row, one) for row, one in store.passages.get(range(9)).items() if one.source_id == "0"]
    assert len(store.passages.words.tickets_with("where", after=row)) == 1


def test_the_index_of_words_follows_every_change(store: Store) -> None:
    store.passages.sync(DESK, "article", [article("1", "an aardvark"), article("2", "a buffalo")])
    store.passages.sync(DESK, "article", [article("1", "a cheetah")])
    embed(store)
    assert (found(store, "aardvark"), found(store, "buffalo"), found(store, "cheetah")) == ([], [], ["1"])


HOSTILE = [
    'parcel" OR "1"="1',
    "parcel AND NOT",
    "NEAR(parcel",
    "title:parcel",
    "parcel*",
    "-parcel",
    "^parcel + {parcel}",
    "(parcel",
    "parcel'; drop table passages; --",
    "parcel\x00null",
    "parcel " * 5000,
]


@pytest.mark.parametrize("query", HOSTILE)
def test_the_syntax_of_the_search_has_no_effect(query: str, store: Store) -> None:
    store.passages.sync(DESK, "article", [article("1", "a parcel"), article("2", "null and void")])
    assert "1" in found(store, query)
    store.passages.sync(DESK, "ticket", [Passage("ticket", "3", 0, "", "a parcel")])
    assert found(store, query, "ticket") == ["3"]


@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.text(max_size=60))
def test_any_text_can_be_searched_for(store: Store, text: str) -> None:
    for kind in ("article", "ticket"):
        store.passages.sync(DESK, kind, [Passage(kind, "1", 0, "", "quagga")])
        assert found(store, text, kind) in ([], ["1"])
        assert found(store, f"quagga {text}", kind) == ["1"]


@settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.text(min_size=1, max_size=40))
def test_what_the_index_has_of_a_text_finds_it_again(store: Store, text: str) -> None:
    store.passages.sync(DESK, "ticket", [Passage("ticket", "1", 0, "", text)])
    for word in terms(text, "ticket"):
        ids = store.passages.words.tickets_with(word) if store.passages.words.frequency("ticket", word) else [0]
        assert len(ids) == 1


@pytest.mark.parametrize("word", ["parcel", "Übergröße", "ÎLE", "Ærø", "pãoção", "ŁÓDŹ", "и́мя", "FW204518337NL"])
def test_words_of_many_languages_are_known_to_the_index(word: str, store: Store) -> None:
    store.passages.sync(DESK, "ticket", [Passage("ticket", "1", 0, "", f"a, {word}.")])
    assert store.passages.words.frequency("ticket", terms(word, "ticket")[0]) == 1


def in_the_file(store: Store, word: str) -> bool:
    store.row("pragma wal_checkpoint(truncate)")
    return word.encode() in store.path.read_bytes()


@pytest.mark.parametrize("kind", ["article", "ticket"])
def test_nothing_of_a_deleted_text_is_left_in_the_file(kind: str, store: Store) -> None:
    many = [Passage(kind, str(n), 0, "", f"common number{n} words") for n in range(400)]
    secret = Passage(kind, "7000", 0, "", "the zyzzyva secretword")
    store.passages.sync(DESK, kind, [*many, secret])
    (vector,) = np.random.default_rng(3).normal(size=(1, 64)).astype(np.float32)
    rows = [row for row, one in store.passages.without_embedding(DESK, ENCODER, 999) if one == secret]
    store.passages.save_embeddings(ENCODER, rows, vector[None])
    bits = vector.astype(np.float16).tobytes()
    assert bits in store.path.read_bytes() or in_the_file(store, "secretword")
    store.passages.sync(DESK, kind, many)
    assert len(store.passages.vectors(np.array(rows))[0]) == 0
    while not store.passages.words.purge(steps=1):
        pass
    assert not in_the_file(store, "secretword")
    assert not in_the_file(store, "zyzz"), "nor a piece of it"
    assert bits not in store.path.read_bytes()
    assert len(found(store, "common", kind)) == 400
    assert found(store, "number399", kind)[0] == "399"


def test_a_purge_that_is_overtaken_by_a_deletion_starts_again(store: Store) -> None:
    texts = [f"first{n} second{n} third{n}" for n in range(3000)]
    tickets = [Passage("ticket", str(n), 0, "", text) for n, text in enumerate(texts)]
    store.passages.sync(DESK, "ticket", tickets)
    store.passages.sync(DESK, "ticket", tickets[1:])
    assert not store.passages.words.purge(steps=0), "nothing done yet"
    store.passages.sync(DESK, "ticket", tickets[2:])
    while not store.passages.words.purge(steps=1):
        pass
    assert not in_the_file(store, "first0")
    assert not in_the_file(store, "third1 ")
    assert store.passages.words.frequency("ticket", "first1") == 0
    assert store.passages.words.purge()
