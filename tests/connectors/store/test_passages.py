"""The retrieval index: only what changed is embedded again, and any text is a valid query."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from connectors.store.database import Store
from connectors.store.passages import Passage

DESK = "zendesk"
ENCODER = "bundled:test"


def article(source_id: str, text: str, part: int = 0, **changes: str) -> Passage:
    return dataclasses.replace(Passage("article", source_id, part, f"About {source_id}", text), **changes)


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


@pytest.mark.parametrize("name", ["title", "text", "reply", "language", "url", "created_at"])
def test_a_change_of_anything_that_a_draft_would_see_counts(name: str, store: Store) -> None:
    passage = article("1", "same")
    store.passages.sync(DESK, "article", [passage])
    embed(store)
    changed = dataclasses.replace(passage, **{name: "else"})
    assert store.passages.sync(DESK, "article", [changed]) == (1, 0)
    assert len(embed(store)) == 1


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
    assert len(store.passages.embeddings(DESK, ENCODER)[0]) == 0


def test_embeddings_come_back_bit_by_bit_in_the_order_of_their_ids(store: Store) -> None:
    store.passages.sync(DESK, "article", [article(str(n), f"text {n}") for n in range(5)])
    rows = [row for row, _ in store.passages.without_embedding(DESK, ENCODER, 10)]
    vectors = np.random.default_rng(1).normal(size=(5, 7)).astype(np.float32)
    store.passages.save_embeddings(ENCODER, rows[::-1], vectors[::-1])
    ids, matrix = store.passages.embeddings(DESK, ENCODER)
    assert (ids.dtype, matrix.dtype, matrix.shape) == (np.int64, np.float32, (5, 7))
    assert ids.tolist() == sorted(rows)
    assert np.array_equal(matrix, vectors)


def test_an_empty_index_has_no_embeddings(store: Store) -> None:
    ids, matrix = store.passages.embeddings(DESK, ENCODER)
    assert len(ids) == len(matrix) == 0
    assert store.passages.search_words(DESK, "anything", 10) == []


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
            ids, _ = store.passages.embeddings(DESK, ENCODER)
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


def found(store: Store, query: str) -> list[str]:
    ids = store.passages.search_words(DESK, query, 10)
    passages = store.passages.get(ids)
    return [passages[row].source_id for row in ids]


def test_words_find_their_passages_best_first(store: Store) -> None:
    articles = [
        article("1", "A pallet costs more than a letter", title="Sizes"),
        article("2", "A parcel costs €6.95, islands €12.95", title="Prices"),
        article("4", "What it is for the islands", title="Letter"),
        article("3", "Ihr Päckchen liegt in Duisburg", title="Sendung"),
    ]
    store.passages.sync(DESK, "article", articles)
    store.passages.sync("other", "article", [article("9", "A parcel elsewhere")])
    assert found(store, "PARCEL costs")[0] == "2", "two words before one"
    assert found(store, "parcel") == ["2"], "another helpdesk's passages stay out"
    assert found(store, "packchen") == ["3"], "marks on letters make no difference"
    assert found(store, "letter") == ["4", "1"], "a title counts more than a text"
    assert len(store.passages.search_words(DESK, "costs", 1)) == 1


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


@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.text(max_size=60))
def test_any_text_can_be_searched_for(store: Store, text: str) -> None:
    if not store.passages.version(DESK)[0]:
        store.passages.sync(DESK, "article", [article("1", "quagga")])
    assert found(store, text) in ([], ["1"])
    assert found(store, f"{text} quagga {text}") == ["1"]
