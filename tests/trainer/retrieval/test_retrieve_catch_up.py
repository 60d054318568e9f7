"""The index follows the store: only changes are embedded, deletions count at once, a kill leaves nothing stale."""

from __future__ import annotations

import dataclasses
import hashlib
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest

from connectors.records import Article, Brand, Deletion, Ticket
from connectors.store.database import Store
from connectors.store.examples import Example
from trainer.retrieval.retriever import Retriever, Scope

DESK = "zendesk"
MakeExample = Callable[..., Example]
MakeTicket = Callable[..., Ticket]


class Letters:
    """Counts letter pairs: texts with the same words are near each other. `asked` are the texts it was given."""

    name = "letters"

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.fails_after: int | None = None

    def embed(self, texts: Sequence[str]) -> np.ndarray:
        if self.fails_after is not None and len(self.asked) + len(texts) > self.fails_after:
            raise MemoryError
        self.asked += texts
        return letters(texts)


def letters(texts: Sequence[str]) -> np.ndarray:
    vectors = np.zeros((len(texts), 128), np.float32)
    for row, text in zip(vectors, texts, strict=True):
        lower = f" {text.lower()} "
        for start in range(len(lower) - 1):
            row[int.from_bytes(hashlib.blake2s(lower[start : start + 2].encode(), digest_size=2).digest()) % 128] += 1
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


@pytest.fixture
def encoder() -> Letters:
    return Letters()


@pytest.fixture
def retriever(empty_store: Store, encoder: Letters) -> Retriever:
    return Retriever(empty_store, DESK, encoder)  # type: ignore[arg-type]


def article(article_id: str = "900", text: str = "A label costs €6.95.", **changes: object) -> Article:
    url = f"https://help.example/hc/{article_id}"
    return dataclasses.replace(
        Article(article_id, f"Title {article_id}", text, url, "en-US", "2026-04-01T09:00:00Z"),
        **changes,  # type: ignore[arg-type]
    )


def ask(number: int, question: str, example: MakeExample, **changes: object) -> Example:
    return example(number, question=f"Customer: {question}", **changes)


def articles(retriever: Retriever, query: str = "label", **options: object) -> list[str]:
    return [hit.passage.source_id for hit in retriever.search(query, "article", 99, **options)]  # type: ignore[arg-type]


def tickets(retriever: Retriever, query: str, k: int = 99, **options: object) -> list[str]:
    return [hit.passage.source_id for hit in retriever.search(query, "ticket", k, **options)]  # type: ignore[arg-type]


def test_only_what_changed_is_embedded(empty_store: Store, retriever: Retriever, encoder: Letters) -> None:
    sections = "## One\n\nfirst\n\n## Two\n\nsecond"
    empty_store.mirror.save(DESK, [article("900", sections), article("901")])
    assert retriever.catch_up() == 3
    assert retriever.catch_up() == 0
    encoder.asked.clear()
    later = article("900", sections.replace("second", "changed"), updated_at="2026-05-01T09:00:00Z")
    empty_store.mirror.save(DESK, [later])
    done: list[int] = []
    assert retriever.catch_up(progress=done.append) == 1
    assert (encoder.asked, done) == (["Title 900: Two\nchanged"], [1])
    hits = retriever.search("first", "article", 99)
    assert {hit.passage.created_at for hit in hits if hit.passage.source_id == "900"} == {"2026-05-01T09:00:00Z"}


def test_curated_examples_come_in_and_go(
    empty_store: Store, retriever: Retriever, encoder: Letters, example: MakeExample
) -> None:
    first = [ask(1, "Where is my parcel?", example), ask(2, "I want an invoice", example)]
    empty_store.examples.replace(DESK, [*first, ask(3, "Dropped", example, kept=False)])
    assert retriever.catch_up() == 2
    assert tickets(retriever, "invoice", 1) == ["2"]
    assert tickets(retriever, "dropped") != ["3"]
    encoder.asked.clear()
    empty_store.examples.replace(DESK, [first[0], dataclasses.replace(first[1], reply="Another reply")])
    assert retriever.catch_up() == 0, "the questions are the same"
    assert [hit.passage.reply for hit in retriever.search("invoice", "ticket", 1)] == ["Another reply"]
    empty_store.examples.replace(DESK, [dataclasses.replace(first[0], kept=False)])
    retriever.catch_up()
    assert tickets(retriever, "parcel") == []


def test_a_whole_index_settles_what_was_due(empty_store: Store, retriever: Retriever, example: MakeExample) -> None:
    empty_store.mirror.save(DESK, [article()])
    kept = [ask(1, "Where is my parcel?", example)]
    empty_store.examples.replace(DESK, kept)
    assert retriever.index(kept) == 2
    assert empty_store.passages.sources.due(DESK, 9) == []
    assert retriever.catch_up() == 0


def test_a_deleted_ticket_is_found_no_more_by_a_search_that_knew_it(
    empty_store: Store, encoder: Letters, example: MakeExample, ticket: MakeTicket
) -> None:
    empty_store.mirror.save(DESK, [ticket("1"), ticket("2")])
    empty_store.examples.replace(DESK, [ask(1, "zyzzyva", example), ask(2, "Where is my parcel?", example)])
    retrievers = [Retriever(empty_store, DESK, encoder, exact_below=below) for below in (0, 99)]  # type: ignore[arg-type]
    retrievers[0].catch_up()
    assert [tickets(one, "zyzzyva", 1) for one in retrievers] == [["1"], ["1"]]
    with Store(empty_store.path) as other:
        other.mirror.save(DESK, [Deletion("1", 2000)])
    assert [tickets(one, "zyzzyva") for one in retrievers] == [["2"], ["2"]]
    for one in retrievers:
        one.catch_up()
    empty_store.row("pragma wal_checkpoint(truncate)")
    assert b"zyzzyva" not in empty_store.path.read_bytes()


def test_an_encoder_that_fails_loses_nothing(
    empty_store: Store, retriever: Retriever, encoder: Letters, example: MakeExample
) -> None:
    empty_store.examples.replace(DESK, [ask(n, f"Question {n}", example) for n in range(600)])
    encoder.fails_after = 300
    with pytest.raises(MemoryError):
        retriever.catch_up()
    assert len(tickets(retriever, "question", 999)) < 300
    encoder.fails_after = None
    retriever.catch_up()
    assert len(empty_store.passages.embedded_ids(DESK, "letters")) == 600
    assert len(set(encoder.asked)) == len(encoder.asked) == 601, "each once, and the query"


class TestScope:
    def test_articles_for_some_readers_support_no_reply_unless_they_are_named(
        self, empty_store: Store, retriever: Retriever
    ) -> None:
        empty_store.mirror.save(
            DESK,
            [
                article("900"),
                article("901", raw={"user_segment_id": 31}),
                article("902", raw={"user_segment_id": None, "user_segment_ids": [32, 33]}),
                article("903", draft=True),
            ],
        )
        retriever.catch_up()
        assert articles(retriever) == ["900"]
        assert set(articles(retriever, scope=Scope(segments=frozenset({"31"})))) == {"900", "901"}
        assert set(articles(retriever, scope=Scope(segments=frozenset({"33", "4"})))) == {"900", "902"}

    def test_an_article_that_is_restricted_later_supports_no_reply_from_then_on(
        self, empty_store: Store, retriever: Retriever, encoder: Letters
    ) -> None:
        empty_store.mirror.save(DESK, [article("900"), article("901")])
        retriever.catch_up()
        assert set(articles(retriever)) == {"900", "901"}
        empty_store.mirror.save(DESK, [article("901", raw={"user_segment_id": 31})])
        encoder.asked.clear()
        retriever.catch_up()
        assert articles(retriever) == ["900"]
        assert encoder.asked == [], "its text is the same"

    def test_brands_stay_apart(
        self, empty_store: Store, retriever: Retriever, example: MakeExample, ticket: MakeTicket
    ) -> None:
        brands = [Brand("1", "One", "https://one.example"), Brand("2", "Two", "https://two.example")]
        of = {"900": "one", "901": "two", "902": "help"}
        empty_store.mirror.save(DESK, brands)
        empty_store.mirror.save(
            DESK, [article(key, url=f"https://{host}.example/hc/{key}") for key, host in of.items()]
        )
        empty_store.mirror.save(DESK, [ticket("1", brand_id="1"), ticket("2", brand_id="2"), ticket("3")])
        empty_store.examples.replace(DESK, [ask(n, "Where is my parcel?", example) for n in (1, 2, 3)])
        retriever.catch_up()
        assert set(articles(retriever, scope=Scope(brand="1"))) == {"900", "902"}
        assert set(tickets(retriever, "parcel", scope=Scope(brand="2"))) == {"2", "3"}
        assert len(tickets(retriever, "parcel")) == 3


def test_a_search_goes_on_until_enough_is_allowed(empty_store: Store, encoder: Letters, example: MakeExample) -> None:
    empty_store.examples.replace(DESK, [ask(n, f"Where is my parcel number {n}?", example) for n in range(900)])
    for below in (0, 9999):
        retriever = Retriever(empty_store, DESK, encoder, exact_below=below)  # type: ignore[arg-type]
        retriever.catch_up()
        for wanted in ({"7"}, {"7", "433", "899"}):
            found = tickets(retriever, "parcel number 500", allowed=lambda one, w=wanted: one.source_id in w)
            assert set(found) == wanted


WRITER = """
import sys, time
sys.path.insert(0, sys.argv[2])
from pathlib import Path
import test_retrieve_catch_up as these
from connectors.store.database import Store
from trainer.retrieval.retriever import Retriever

class Slow(these.Letters):
    def embed(self, texts):
        time.sleep(0.02)
        return super().embed(texts)

with Store(Path(sys.argv[1])) as store:
    print("ready", flush=True)
    Retriever(store, "zendesk", Slow()).catch_up()
"""


@pytest.mark.parametrize("delay_s", [0.0, 0.02, 0.05, 0.1, 0.2])
def test_a_kill_at_any_time_leaves_nothing_stale(
    delay_s: float, empty_store: Store, retriever: Retriever, encoder: Letters, example: MakeExample
) -> None:
    old = [ask(n, f"Old question {n}", example) for n in range(1500)]
    empty_store.examples.replace(DESK, old)
    retriever.catch_up()
    changes = {n: f"New question {n}" for n in range(0, 1500, 2)}
    new = [
        dataclasses.replace(one, question=f"Customer: {changes[n]}") if n in changes else one
        for n, one in enumerate(old)
    ]
    empty_store.examples.replace(DESK, new)
    command = [sys.executable, "-c", WRITER, str(empty_store.path), str(Path(__file__).parent)]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as writer:
        assert writer.stdout is not None
        assert writer.stdout.readline() == b"ready\n"
        time.sleep(delay_s)
        writer.send_signal(signal.SIGKILL)
    _every_vector_is_of_its_text(empty_store)
    other = Retriever(empty_store, DESK, encoder)  # type: ignore[arg-type]
    other.catch_up()
    retriever.catch_up()
    _every_vector_is_of_its_text(empty_store)
    for one in (other, retriever):
        found = {hit.passage.text for hit in one.search("question", "ticket", 2000)}
        assert found <= {example.question.removeprefix("Customer: ") for example in new}
    assert len(empty_store.passages.embedded_ids(DESK, "letters")) == 1500
    assert empty_store.row("pragma integrity_check") == {"integrity_check": "ok"}


def _every_vector_is_of_its_text(store: Store) -> None:
    ids, vectors = store.passages.vectors(store.passages.embedded_ids(DESK, "letters"))
    passages = store.passages.get(ids.tolist())
    expected = letters([f"{passages[row].title}\n{passages[row].text}" for row in ids.tolist()])
    np.testing.assert_allclose(vectors, expected, atol=1e-3)
