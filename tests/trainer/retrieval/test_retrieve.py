"""Retrieval finds by words and by meaning, follows the articles, and embeds only what changed."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from connectors.records import Article
from connectors.store.database import Store
from connectors.store.examples import Example
from trainer.replies.drafting import gather
from trainer.retrieval.retriever import PASSAGE_WORDS, Encoder, Retriever, parts_of

DESK = "zendesk"


def article(article_id: str = "900", text: str = "Text.", **changes: str) -> Article:
    return Article(
        article_id,
        changes.get("title", f"Title {article_id}"),
        text,
        f"https://help.example/{article_id}",
        changes.get("locale", "en-US"),
        "2026-04-01T09:00:00Z",
    )


def test_an_article_is_cut_at_its_headings_and_each_part_carries_the_title() -> None:
    text = "Before all.\n\n## Prices\n\n€6.95\n\n### Islands\n\n€6.00 more\n\n#Not a heading"
    parts = list(parts_of(article(text=text)))
    assert [(part.title, part.text) for part in parts] == [
        ("Title 900", "Before all."),
        ("Title 900: Prices", "€6.95"),
        ("Title 900: Islands", "€6.00 more\n\n#Not a heading"),
    ]
    assert [part.part for part in parts] == [0, 1, 2]
    assert {(part.kind, part.source_id, part.language, part.url) for part in parts} == {
        ("article", "900", "en", "https://help.example/900")
    }


def test_a_heading_that_repeats_the_title_is_said_once() -> None:
    assert [part.title for part in parts_of(article(text="# Title 900\n\nText"))] == ["Title 900"]


def test_a_long_section_is_cut_at_its_lines_and_nothing_is_lost() -> None:
    lines = [f"{number} " + "word " * 30 for number in range(20)]
    parts = list(parts_of(article(text="## Long\n" + "\n".join(lines))))
    assert len(parts) > 3
    assert all(len(part.text.split()) <= PASSAGE_WORDS for part in parts)
    assert " ".join(part.text for part in parts).split() == " ".join(lines).split()
    (whole,) = parts_of(article(text="word " * 500))
    assert len(whole.text.split()) == 500


def test_an_empty_article_has_no_parts() -> None:
    assert list(parts_of(article(text=" \n"))) == []
    assert list(parts_of(article(text="## Only a heading\n"))) == []


@pytest.fixture(scope="module")
def encoder(weights_cache: Path) -> Encoder:
    return Encoder("bundled:all-minilm-l6-v2", weights_cache)


@pytest.fixture
def retriever(empty_store: Store, encoder: Encoder) -> Retriever:
    return Retriever(empty_store, DESK, encoder)


@pytest.mark.weights
class TestEncoder:
    TEXTS = ("Where is my parcel?", "My package has not arrived", "Please send me an invoice", "word " * 900, "")

    def test_embeddings_are_unit_vectors_in_the_texts_order_however_they_are_batched(self, encoder: Encoder) -> None:
        many = encoder.embed(self.TEXTS * 9)
        assert many.shape == (45, 384)
        assert many.dtype == np.float32
        np.testing.assert_allclose(np.linalg.norm(many, axis=1), 1, atol=1e-5)
        for place, text in enumerate(self.TEXTS):
            np.testing.assert_allclose(many[place + 5], encoder.embed([text])[0], atol=1e-5)

    def test_the_same_question_in_other_words_is_nearer_than_another_question(self, encoder: Encoder) -> None:
        vectors = encoder.embed(self.TEXTS)
        assert vectors[0] @ vectors[1] > 0.5 > vectors[0] @ vectors[2]

    def test_no_texts_have_no_embeddings(self, encoder: Encoder) -> None:
        assert encoder.embed([]).shape == (0, 384)


QUESTIONS = [
    ("The driver came and I was not at home. What happens to my parcel?", "I missed the driver"),
    ("The vase inside is in pieces, what photos do you need?", "My parcel arrived damaged"),
    ("Why do I have to pay nine euros at customs?", "customs charges"),
    ("How do I cancel a label that I have not used and get my money back?", "my postage back"),
    ("I want to become a business customer with 30 parcels a month", "business account"),
    ("Can the driver leave it in the shed?", "safe place"),
    ("Could you keep my parcels during my vacation?", "on holiday"),
    ("Is it allowed to send perfume or batteries?", "What may I not send"),
]


@pytest.fixture(scope="module")
def help_centre(home: Any, encoder: Encoder) -> Retriever:
    """The sample company's articles, which the training has indexed."""
    return Retriever(home.store, DESK, encoder)


@pytest.mark.weights
@pytest.mark.parametrize(("question", "title"), QUESTIONS)
def test_the_right_article_is_among_the_first_three(help_centre: Retriever, question: str, title: str) -> None:
    titles = [hit.passage.title for hit in help_centre.search(question, "article", 3)]
    assert any(title in found for found in titles), titles


@pytest.mark.weights
class TestRetriever:
    ARTICLES = (
        article("900", "A parcel up to 10 kg costs €6.95.", title="Prices"),
        article("901", "A trace takes up to five working days.", title="Lost parcels"),
        article("902", "Form CN22 is for goods up to €400.", title="Customs"),
        article("903", "Opening hours of the depot in Tilburg.", title="Depots"),
    )

    @pytest.fixture
    def filled(self, empty_store: Store, retriever: Retriever, example: Callable[..., Example]) -> Retriever:
        empty_store.mirror.save(DESK, self.ARTICLES)
        questions = ("My parcel never arrived", "Invoice is wrong", "Need a return label", "Driver was rude")
        retriever.index(
            example(number, question=f"Subject: Help\n\nCustomer: {question}", reply=f"Answer {number}")
            for number, question in enumerate(questions)
        )
        return retriever

    def test_the_same_meaning_in_other_words_is_found(self, filled: Retriever) -> None:
        assert filled.search("package missing", "ticket", 1)[0].passage.reply == "Answer 0"
        assert filled.search("my shipment has disappeared", "article", 1)[0].passage.title == "Lost parcels"

    def test_an_exact_word_is_found(self, filled: Retriever) -> None:
        assert filled.search("cn22", "article", 1)[0].passage.title == "Customs"

    def test_hits_are_of_the_kind_asked_for_best_first_and_no_more_than_asked_for(self, filled: Retriever) -> None:
        hits = filled.search("parcel", "article", 3)
        assert len(hits) == 3
        assert {hit.passage.kind for hit in hits} == {"article"}
        assert [hit.score for hit in hits] == sorted((hit.score for hit in hits), reverse=True)
        assert all(-1.001 <= hit.similarity <= 1.001 for hit in hits)
        assert len(filled.search("parcel", "article", 99)) == 4

    def test_a_passage_is_as_similar_to_itself_as_can_be(self, filled: Retriever) -> None:
        (hit, *_) = filled.search("Customs\nForm CN22 is for goods up to €400.", "article", 1)
        assert hit.similarity == pytest.approx(1, abs=1e-4)

    def test_what_is_not_allowed_is_not_found(self, filled: Retriever) -> None:
        hits = filled.search("parcel", "article", 9, allowed=lambda passage: passage.source_id != "901")
        assert {hit.passage.source_id for hit in hits} == {"900", "902", "903"}

    def test_evidence_is_gathered_on_the_newest_turn(self, filled: Retriever) -> None:
        talk = "Subject: Help\n\nCustomer: My parcel never arrived\n\nAgent: It did.\n\nCustomer: The driver was rude"
        found = gather(filled, talk, allowed=lambda passage: passage.source_id != "903")
        assert found.tickets[0].passage.reply == "Answer 3"
        assert len(found.tickets) == 3
        assert {hit.passage.source_id for hit in found.articles} == {"900", "901", "902"}

    def test_only_what_changed_is_embedded_again(
        self, filled: Retriever, empty_store: Store, example: Callable[..., Example]
    ) -> None:
        examples = [example(9, question="Customer: Where is my refund?")]
        assert filled.index(examples) == 1
        assert filled.index(examples) == 0
        empty_store.mirror.save(DESK, [dataclasses.replace(self.ARTICLES[0], text="It costs €7.25 now.")])
        done: list[int] = []
        assert filled.index(examples, progress=done.append) == 1
        assert done == [1]

    def test_an_edited_article_changes_the_next_search_of_another_retriever(
        self, filled: Retriever, empty_store: Store, encoder: Encoder
    ) -> None:
        other = Retriever(empty_store, DESK, encoder)
        assert other.search("price of a parcel", "article", 1)[0].passage.text.startswith("A parcel up to 10 kg")
        empty_store.mirror.save(DESK, [dataclasses.replace(self.ARTICLES[0], text="A parcel costs €7.25 now.")])
        filled.index([])
        assert other.search("price of a parcel", "article", 1)[0].passage.text == "A parcel costs €7.25 now."
        assert other.search("price of a parcel", "ticket", 1) == []

    def test_an_article_that_is_withdrawn_is_found_no_more(self, filled: Retriever, empty_store: Store) -> None:
        empty_store.mirror.save(DESK, [dataclasses.replace(self.ARTICLES[2], draft=True)])
        filled.index([])
        assert "902" not in {hit.passage.source_id for hit in filled.search("cn22", "article", 9)}

    def test_other_helpdesks_passages_are_not_found(
        self, filled: Retriever, empty_store: Store, encoder: Encoder
    ) -> None:
        assert Retriever(empty_store, "other", encoder).search("parcel", "article", 3) == []

    @pytest.mark.parametrize("query", ["", "   ", "????", '"AND OR NOT" NEAR(*)', "x" * 5000, "日本語"])
    def test_any_text_is_a_query(self, filled: Retriever, query: str) -> None:
        assert len(filled.search(query, "article", 2)) == 2

    def test_an_empty_index_finds_nothing(self, retriever: Retriever) -> None:
        assert retriever.search("parcel", "article", 3) == []
        assert retriever.index([]) == 0


@pytest.mark.weights
def test_an_edited_article_is_found_with_its_new_text_without_indexing_by_hand(
    empty_store: Store, retriever: Retriever
) -> None:
    old = article("900", "A label costs €6.95.")
    empty_store.mirror.save(DESK, [old])
    retriever.catch_up()
    assert "€6.95" in retriever.search("What does a label cost?", "article", 1)[0].passage.text
    empty_store.mirror.save(DESK, [replace(old, text="A label costs €7.25.", updated_at="2026-05-01T09:00:00Z")])
    retriever.catch_up()
    found = retriever.search("What does a label cost?", "article", 3)
    assert [hit.passage.text for hit in found] == ["A label costs €7.25."]
