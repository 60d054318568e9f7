"""The vectors of the index in memory: in scope and nothing else, as good as exact, and never older than the store."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from connectors.store.database import Store
from connectors.store.passages import Passage
from trainer.retrieval.catalogue import Catalogue, Scope

DESK, ENCODER, DIMENSIONS = "zendesk", "e", 128
EVERYBODY = Scope()


def passage(number: int, kind: str = "ticket", **changes: str) -> Passage:
    values: dict[str, str] = {"title": "", "text": f"text {number}"}
    return Passage(kind, str(number), 0, **(values | changes))


def unit(vectors: np.ndarray) -> np.ndarray:
    return (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)


@cache
def vector_of(number: int) -> np.ndarray:
    """Vectors in forty clusters, as questions are."""
    centre = np.random.default_rng(number % 40).normal(size=DIMENSIONS)
    return unit((centre + 0.8 * np.random.default_rng(1000 + number).normal(size=DIMENSIONS))[None])[0]


def embed(store: Store, desk: str = DESK, encoder: str = ENCODER) -> None:
    due = store.passages.without_embedding(desk, encoder, 100_000)
    if due:
        vectors = np.stack([vector_of(int(one.source_id)) for _, one in due])
        store.passages.save_embeddings(encoder, [row for row, _ in due], vectors)


def fill(store: Store, passages: Sequence[Passage], kind: str = "ticket") -> None:
    store.passages.sync(DESK, kind, passages)
    embed(store)


def sources(store: Store, catalogue: Catalogue, positions: np.ndarray) -> list[str]:
    ids = catalogue.ids[positions].tolist()
    passages = store.passages.get(ids)
    return [passages[row].source_id for row in ids]


def found(store: Store, catalogue: Catalogue, query: np.ndarray, scope: Scope = EVERYBODY, n: int = 10) -> list[str]:
    catalogue.refresh()
    positions, similarities = catalogue.nearest(query, catalogue.mask("ticket", scope), n)
    assert similarities.tolist() == sorted(similarities.tolist(), reverse=True)
    return sources(store, catalogue, positions)


@cache
def matrix(numbers: tuple[int, ...]) -> np.ndarray:
    return np.stack([vector_of(number) for number in numbers])


def truth(numbers: Sequence[int], query: np.ndarray, n: int = 10) -> list[str]:
    similarities = matrix(tuple(numbers)) @ query
    return [str(numbers[index]) for index in np.argsort(-similarities, kind="stable")[:n]]


@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory) -> Store:
    store = Store(tmp_path_factory.mktemp("large") / "deskhand.db")
    brands = ("", "1", "2")
    fill(store, [passage(number, brand=brands[number % 3]) for number in range(3000)])
    return store


QUERIES = [vector_of(number) for number in range(5000, 5020)]


def test_an_exact_search_finds_the_nearest(large: Store) -> None:
    catalogue = Catalogue(large, DESK, ENCODER)
    for query in QUERIES:
        # Two that are equally near but for float16 may change places.
        assert len(set(found(large, catalogue, query)) & set(truth(range(3000), query))) >= 9
        assert found(large, catalogue, query)[0] == truth(range(3000), query)[0]
    assert catalogue.exact


def test_a_search_by_signs_finds_nearly_all_of_them_and_says_how_similar_they_are(large: Store) -> None:
    catalogue = Catalogue(large, DESK, ENCODER, exact_below=100, rescored=150)
    shared = []
    for query in QUERIES:
        expected = truth(range(3000), query)
        shared.append(len(set(found(large, catalogue, query)) & set(expected)) / 10)
        positions, similarities = catalogue.nearest(query, catalogue.mask("ticket", EVERYBODY), 1)
        assert similarities[0] == pytest.approx(
            vector_of(int(sources(large, catalogue, positions)[0])) @ query, abs=2e-3
        )
    assert not catalogue.exact
    assert np.mean(shared) >= 0.95


@pytest.mark.parametrize("exact_below", [100, 100_000])
@pytest.mark.parametrize("brand", ["1", "2"])
def test_a_scope_is_searched_as_if_there_were_nothing_else(large: Store, exact_below: int, brand: str) -> None:
    catalogue = Catalogue(large, DESK, ENCODER, exact_below=exact_below, rescored=400)
    inside = [number for number in range(3000) if number % 3 in (0, int(brand))]
    shared = [
        len(set(found(large, catalogue, query, Scope(brand=brand))) & set(truth(inside, query))) / 10
        for query in QUERIES
    ]
    assert np.mean(shared) >= 0.98
    assert all(int(one) in set(inside) for one in found(large, catalogue, QUERIES[0], Scope(brand=brand), n=3000))


def test_more_than_is_rescored_can_be_asked_for(large: Store) -> None:
    catalogue = Catalogue(large, DESK, ENCODER, exact_below=100, rescored=20)
    assert len(set(found(large, catalogue, QUERIES[0], n=500))) == 500
    assert sorted(map(int, found(large, catalogue, QUERIES[0], n=9999))) == list(range(3000))


@pytest.mark.parametrize("exact_below", [10, 10_000])
def test_it_follows_what_is_added_changed_and_deleted(empty_store: Store, exact_below: int) -> None:
    catalogue = Catalogue(empty_store, DESK, ENCODER, exact_below=exact_below)
    assert not catalogue.refresh()
    assert len(catalogue) == 0
    fill(empty_store, [passage(number) for number in range(200)])
    assert found(empty_store, catalogue, vector_of(7), n=1) == ["7"]
    fill(empty_store, [passage(number) for number in range(230)])
    assert found(empty_store, catalogue, vector_of(222), n=1) == ["222"]
    assert not catalogue.refresh()
    generation = catalogue.generation
    fill(empty_store, [passage(number) for number in range(230) if number != 7])
    assert "7" not in found(empty_store, catalogue, vector_of(7), n=300)
    fill(empty_store, [passage(number, text="new" if number == 9 else f"text {number}") for number in range(230)])
    assert sorted(map(int, found(empty_store, catalogue, vector_of(9), n=300))) == list(range(230))
    assert catalogue.generation == generation, "nothing was read twice"
    fill(empty_store, [passage(number) for number in range(100)])
    assert sorted(map(int, found(empty_store, catalogue, vector_of(9), n=300))) == list(range(100))
    assert len(catalogue) == 100, "what is gone is dropped as soon as it is much"


def test_what_is_embedded_out_of_order_is_found(empty_store: Store) -> None:
    catalogue = Catalogue(empty_store, DESK, ENCODER)
    empty_store.passages.sync(DESK, "ticket", [passage(number) for number in range(6)])
    due = empty_store.passages.without_embedding(DESK, ENCODER, 9)
    for chosen in ((4, 5), (2,), (0, 1, 3)):
        rows = [due[index][0] for index in chosen]
        vectors = np.stack([vector_of(int(due[index][1].source_id)) for index in chosen])
        empty_store.passages.save_embeddings(ENCODER, rows, vectors)
        assert str(chosen[0]) in found(empty_store, catalogue, vector_of(chosen[0]))
    assert len(found(empty_store, catalogue, vector_of(0))) == 6


STEPS = st.lists(
    st.tuples(st.sets(st.integers(0, 12), max_size=8), st.booleans(), st.booleans()), min_size=1, max_size=6
)


@settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(STEPS, st.sampled_from([3, 1000]))
def test_whatever_happens_it_is_as_the_store_is(
    tmp_path: Path, steps: list[tuple[set[int], bool, bool]], exact_below: int
) -> None:
    path = tmp_path / "steps.db"
    with Store(path) as store, Store(path) as other:
        with store.transaction():
            store.execute("delete from passages")
        catalogue = Catalogue(store, DESK, ENCODER, exact_below=exact_below)
        for numbers, also_embed, look in steps:
            other.passages.sync(DESK, "ticket", [passage(number) for number in numbers])
            if also_embed:
                embed(other)
            if look:
                catalogue.refresh()
        embed(other)
        numbers = steps[-1][0]
        catalogue.refresh()
        mask = catalogue.mask("ticket", EVERYBODY)
        positions, _ = catalogue.nearest(vector_of(3), mask, 99)
        assert sorted(map(int, sources(store, catalogue, positions))) == sorted(numbers)
        if numbers:
            assert sources(store, catalogue, positions[:1]) == truth(sorted(numbers), vector_of(3), 1)


SCOPES = [
    (EVERYBODY, {"plain", "brand 1", "brand 2", "dutch", "german"}),
    (Scope(brand="1"), {"plain", "brand 1", "dutch", "german"}),
    (Scope(languages=frozenset({"nl"})), {"plain", "brand 1", "brand 2", "dutch"}),
    (Scope(segments=frozenset({"31"})), {"plain", "brand 1", "brand 2", "dutch", "german", "staff or 31"}),
    (Scope(segments=frozenset({"3", "1"})), {"plain", "brand 1", "brand 2", "dutch", "german"}),
    (
        Scope("2", frozenset({"de", "nl"}), frozenset({"32", "33"})),
        {"plain", "brand 2", "dutch", "german", "staff", "staff or 31"},
    ),
]


@pytest.mark.parametrize(("scope", "expected"), SCOPES)
def test_only_what_is_in_scope_is_found(empty_store: Store, scope: Scope, expected: set[str]) -> None:
    articles = [
        passage(1, "article", title="plain"),
        passage(2, "article", title="brand 1", brand="1"),
        passage(3, "article", title="brand 2", brand="2"),
        passage(4, "article", title="dutch", language="nl"),
        passage(5, "article", title="german", language="de"),
        passage(6, "article", title="staff", audience="32"),
        passage(7, "article", title="staff or 31", audience="31 32"),
    ]
    fill(empty_store, articles, "article")
    fill(empty_store, [passage(8)])
    catalogue = Catalogue(empty_store, DESK, ENCODER)
    catalogue.refresh()
    positions, _ = catalogue.nearest(vector_of(1), catalogue.mask("article", scope), 99)
    passages = empty_store.passages.get(catalogue.ids[positions].tolist())
    assert {one.title for one in passages.values()} == expected


def test_other_helpdesks_and_other_encoders_stay_out(empty_store: Store) -> None:
    fill(empty_store, [passage(1)])
    empty_store.passages.sync("other", "ticket", [passage(2)])
    embed(empty_store, "other")
    catalogue = Catalogue(empty_store, DESK, ENCODER)
    assert found(empty_store, catalogue, vector_of(2)) == ["1"]
    assert found(empty_store, Catalogue(empty_store, DESK, "another"), vector_of(2)) == []


def test_a_vector_of_any_length_has_signs(empty_store: Store) -> None:
    fill(empty_store, [passage(number) for number in range(50)])
    odd = Catalogue(empty_store, DESK, "odd", exact_below=10, rescored=20)
    due = empty_store.passages.without_embedding(DESK, "odd", 99)
    vectors = np.random.default_rng(5).normal(size=(len(due), 70)).astype(np.float32)
    empty_store.passages.save_embeddings("odd", [row for row, _ in due], vectors)
    for index in (3, 44):
        assert found(empty_store, odd, vectors[index], n=1) == [due[index][1].source_id]


def test_what_was_deleted_a_moment_ago_is_similar_to_nothing(empty_store: Store) -> None:
    fill(empty_store, [passage(number) for number in range(50)])
    catalogue = Catalogue(empty_store, DESK, ENCODER, exact_below=10)
    catalogue.refresh()
    empty_store.execute("delete from passages where source_id = '7'")
    similarities = catalogue.similarities(vector_of(7), np.arange(50))
    assert similarities[7] == -1
    assert (similarities[np.arange(50) != 7] > -1).all()
