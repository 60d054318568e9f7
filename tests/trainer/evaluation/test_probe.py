"""An article is edited, and every draft that still states the old fact is counted."""

from __future__ import annotations

import dataclasses
import hashlib
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from connectors.store.database import Store
from connectors.store.examples import Example
from connectors.store.passages import Passage
from trainer.evaluation.probe import MOST, EvidenceOf, StaleQuestion, ask, ask_arm, find_questions, probe
from trainer.evaluation.scores import StaleScore
from trainer.replies.drafting import ARMS, ARTICLES, Evidence, draft, gather, support_of
from trainer.replies.prompt import Prompt
from trainer.replies.writer import Draft, Writer
from trainer.retrieval.retriever import Hit, Retriever, parts_of

DESK = "zendesk"
MakeExample = Callable[..., Example]
PRICES = Passage("article", "900", 0, "Prices: labels", "A label costs €6.95.\n\nA trace takes 12 working days.")
ISLANDS = Passage("article", "901", 0, "Islands", "The islands cost €9.50 more.")
SIMILAR = Passage("ticket", "77", 0, "", "How long?", reply="Hi, it takes 12 working days and costs €6.95.")
QUESTION = "Subject: Late\n\nCustomer: How long does a trace take?"


class Words:
    """An encoder that knows which words a text has, and nothing else."""

    name = "words"

    def embed(self, texts: Sequence[str]) -> np.ndarray:
        vectors = np.full((len(texts), 256), 1e-3, np.float32)
        for row, text in zip(vectors, texts, strict=True):
            for word in text.lower().split():
                row[hashlib.blake2s(word.encode(), digest_size=1).digest()[0]] += 1
        vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
        return vectors


class StandIn:
    """Writes what is shown to it, and with the adapter what it knows by heart on top."""

    def __init__(self, tokenizer: Any, *by_heart: str) -> None:
        self.tokenizer = tokenizer
        self.by_heart = by_heart
        self.asked: list[bool] = []

    def write(
        self, prompts: Sequence[Prompt], *, adapter: bool, progress: Callable[[int], None], **_: Any
    ) -> list[Draft]:
        self.asked.append(adapter)
        progress(len(prompts))
        known = self.by_heart if adapter else [""] * len(prompts)
        shown = [" ".join(f"{one.text} {one.reply}" for one in prompt.passages) for prompt in prompts]
        return [Draft(f"{text} {own}".strip(), -0.1, 9, 0.1) for text, own in zip(shown, known, strict=True)]


def evidence(articles: Sequence[Passage] = (PRICES, ISLANDS), tickets: Sequence[Passage] = (SIMILAR,)) -> Evidence:
    return Evidence(tuple(Hit(one, 0.6, 0.03) for one in articles), tuple(Hit(one, 0.6, 0.03) for one in tickets))


def questions_on(
    example: MakeExample, found: Evidence, reply: str, question: str = QUESTION, most: int = MOST
) -> list[StaleQuestion]:
    return find_questions([example(question=question, reply=reply)], lambda _: found, most=most)


@pytest.fixture(scope="module")
def evidence_of(desk: Any, examples: list[Example], tmp_path_factory: pytest.TempPathFactory) -> EvidenceOf:
    """What is found for the sample desk's first examples, searched for once."""
    with Store(Path(shutil.copy(desk.path, tmp_path_factory.mktemp("probe") / "deskhand.db"))) as store:
        retriever = Retriever(store, DESK, Words())  # type: ignore[arg-type]
        retriever.index(examples)
        before = content(store)
        found = {one.comment_id: gathered(retriever, one) for one in examples[:120]}
        find_questions(examples[:120], lambda one: found[one.comment_id])
        assert content(store) == before, "nothing is written"
    return lambda example: found[example.comment_id]


def gathered(retriever: Retriever, example: Example) -> Evidence:
    return gather(retriever, example.question, allowed=lambda one: one.source_id != example.ticket_id)


def content(store: Store) -> list[list[dict[str, Any]]]:
    tables = ("articles", "passages", "passage_vectors", "examples", "suggestions")
    return [list(store.rows(f"select * from {table} order by rowid")) for table in tables]


def test_the_sample_desk_gives_questions_of_many_articles(examples: list[Example], evidence_of: EvidenceOf) -> None:
    questions = find_questions(examples[:120], evidence_of)
    assert len(questions) == MOST
    assert len({one.example.comment_id for one in questions}) == MOST
    assert len({(one.article_id, one.edit.fact.text) for one in questions}) >= MOST - 4
    assert len({one.article_id for one in questions}) >= MOST // 2
    for one in questions:
        assert one.edit.old_in(one.example.reply)
        assert not one.edit.old_in(one.example.question)
        support = support_of(one.example.question, [hit.passage for hit in one.after.articles[:ARTICLES]])
        assert support.of(one.edit.fact) is None
        assert support.of(one.edit.changed) is not None
        assert len(one.before.articles) == len(one.after.articles)
        assert one.before.tickets == one.after.tickets
    assert find_questions(examples[:120], evidence_of) == questions


def test_the_nearest_reply_never_states_what_an_article_no_longer_says(
    examples: list[Example], evidence_of: EvidenceOf
) -> None:
    (score,) = probe(examples[:120], evidence_of, None, arms=["nearest"], most=30, max_prompt_tokens=400)
    assert score.questions >= MOST
    assert score.stated_before >= MOST // 2
    assert score.stale == 0


def test_an_edit_in_the_store_gives_what_the_edit_in_memory_gives(
    examples: list[Example], evidence_of: EvidenceOf, own_store: Store
) -> None:
    retriever = Retriever(own_store, DESK, Words())  # type: ignore[arg-type]
    retriever.index(examples)
    articles = {one.id: one for one in own_store.history.articles(DESK)}
    stated = 0
    for one in find_questions(examples[:120], evidence_of, most=6):
        article, apply = articles[one.article_id], one.edit.apply
        edited = dataclasses.replace(article, title=apply(article.title), text=apply(article.text))
        own_store.mirror.save(DESK, [edited])
        assert retriever.catch_up() > 0
        found = gathered(retriever, one.example)
        in_store = [(part.title, part.text) for part in parts_of(edited)]
        in_memory = [hit.passage for hit in one.after.articles if hit.passage.source_id == one.article_id]
        assert all((passage.title, passage.text) in in_store for passage in in_memory)
        before, after = draft("nearest", [one.example.question] * 2, [one.before, found], None, max_prompt_tokens=1)
        stated += one.edit.old_in(before.text)
        assert not one.edit.old_in(after.text)
        support = support_of(one.example.question, [passage for passage in after.passages if passage.kind == "article"])
        assert support.of(one.edit.fact) is None
        assert support.of(one.edit.changed) is not None
        own_store.mirror.save(DESK, [article])
    assert stated


def test_a_similar_tickets_reply_loses_the_fact_with_the_article(example: MakeExample) -> None:
    (question,) = questions_on(example, evidence(), "It takes 12 working days.")
    assert question.before.passages(QUESTION)[0].reply == SIMILAR.reply
    assert question.after.passages(QUESTION)[0].reply == "Hi, it takes [number] working days and costs €6.95."
    assert [one.text for one in question.after.passages(QUESTION)[1:]] == [
        "A label costs €6.95.\n\nA trace takes 15 working days.",
        ISLANDS.text,
    ]


def test_every_found_part_of_the_article_is_edited_and_no_other_article(example: MakeExample) -> None:
    more = dataclasses.replace(PRICES, part=1, title="Prices: the €6.95 label", text="For €6.95 you get tape.")
    other = dataclasses.replace(ISLANDS, text="To the islands for €6.95.")
    (question,) = questions_on(example, evidence([PRICES, more, other]), "It costs €6,95.")
    assert [(hit.passage.title, hit.passage.text) for hit in question.after.articles] == [
        ("Prices: labels", "A label costs €8.45.\n\nA trace takes 12 working days."),
        ("Prices: the €8.45 label", "For €8.45 you get tape."),
        (other.title, other.text),
    ]


@pytest.mark.parametrize(
    ("question", "reply", "articles"),
    [
        ("Customer: Is it true that a trace takes 12 days?", "It takes 12 working days.", [PRICES]),
        ("Customer: Is it really twelve, or 6.95?", "It costs €6.95.", [PRICES]),
        (QUESTION, "It takes 12 kg.", [PRICES]),
        (QUESTION, "It takes a while.", [PRICES]),
        (QUESTION, "It takes 12 working days.", [ISLANDS]),
        (QUESTION, "It takes 12 working days.", []),
        (QUESTION, "It takes 12 working days.", [PRICES, dataclasses.replace(ISLANDS, text="12 working days.")]),
        (QUESTION, "It takes 12 working days.", [dataclasses.replace(PRICES, audience="77")]),
        (QUESTION, "It takes 12 working days.", [ISLANDS, dataclasses.replace(ISLANDS, part=1), PRICES]),
    ],
    ids=[
        "asked with it", "asked with the price", "other unit", "not repeated", "not stated", "nothing found",
        "another article says so too", "not for everybody", "found but not shown",
    ],
)  # fmt: skip
def test_what_would_show_nothing_is_not_asked(
    example: MakeExample, question: str, reply: str, articles: list[Passage]
) -> None:
    assert questions_on(example, evidence(articles), reply, question) == []


def test_the_new_value_is_nowhere_yet(example: MakeExample) -> None:
    (question,) = questions_on(
        example, evidence(), "It takes 12 working days.", "Customer: I live at number 15. How long does it take?"
    )
    assert question.edit.changed.text == "14"


def test_spare_examples_come_in_where_the_others_are_too_few(example: MakeExample) -> None:
    held_out = [example(1, question=QUESTION, reply="It takes 12 working days.")]
    spare = [
        example(2, question=QUESTION, reply="It takes 12 working days."),
        example(3, question=QUESTION, reply="It costs €6.95."),
    ]

    def asked(most: int) -> list[str]:
        found = find_questions(held_out, lambda _: evidence(), spare=spare, most=most)
        return [one.example.ticket_id for one in found]

    assert asked(1) == ["1"]
    assert asked(12) == ["1", "3", "2"], "a fact that is not asked for yet comes first"
    assert asked(2) == ["1", "2"]


def test_no_question_gives_no_score(example: MakeExample) -> None:
    assert probe([], lambda _: evidence(), None, max_prompt_tokens=400) == []
    assert probe([example()], lambda _: Evidence((), ()), None, max_prompt_tokens=400) == []


def test_what_weights_remember_is_counted_and_not_shown(example: MakeExample, tokenizer: Any) -> None:
    learned = ("It takes twelve or 12 working days.", "A label costs 6.95 euro.")
    examples = [example(number, question=QUESTION, reply=reply) for number, reply in enumerate(learned)]
    writer: Any = StandIn(tokenizer, *learned)
    questions = find_questions(examples, lambda _: evidence())
    seen: list[tuple[str, int]] = []
    scores = ask(questions, writer, max_prompt_tokens=900, progress=lambda arm, done: seen.append((arm, done)))
    assert scores == [
        StaleScore("nearest", 2, 2, 0, 0),
        StaleScore("prompt_only", 2, 0, 0, 0),
        StaleScore("retrieval", 2, 2, 0, 2),
        StaleScore("tuned", 2, 2, 2, 0),
        StaleScore("tuned_retrieval", 2, 2, 2, 2),
    ]
    assert writer.asked == [False, False, False, True, True, True], "without articles nothing changes: asked once"
    assert {arm for arm, _ in seen} == set(ARMS[1:])
    for arm in ARMS:
        _, after = ask_arm(arm, questions, writer, 900)
        assert not any(question.edit.old_in(one.text) for question, one in zip(questions, after, strict=True)), arm


def test_a_real_model_can_be_asked(example: MakeExample, tiny: tuple[Any, Any]) -> None:
    writer = Writer(*tiny, max_tokens=8)
    examples = [example(question=QUESTION, reply="It takes 12 working days.")]
    scores = probe(examples, lambda _: evidence(), writer, max_prompt_tokens=700)
    assert [one.arm for one in scores] == list(ARMS)
    assert all(one.questions == 1 and one.stale == 0 for one in scores)
    assert scores[0].stated_before == 1


def test_no_question_is_asked_where_none_is_wanted(example: MakeExample) -> None:
    assert questions_on(example, evidence(), "It costs €6.95.", most=0) == []
