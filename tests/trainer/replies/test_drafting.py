"""Five ways to a draft: what each is shown, and what a draft may state."""

from __future__ import annotations

from typing import Any

import pytest

from connectors.store.passages import Passage
from trainer.replies.claims import check
from trainer.replies.drafting import ARMS, Evidence, build_prompts, draft, support_of
from trainer.replies.writer import Writer
from trainer.retrieval.retriever import Hit

QUESTION = "Subject: Late\n\nCustomer: Where is {{reference_1}}? It should come on Friday 3 April."
PRICES = Passage("article", "900", 0, "Prices", "A parcel costs €6.95. A trace takes up to 5 working days.")
HOURS = Passage("article", "901", 0, "Hours", "Depots are open until 18:00.")
MORE = Passage("article", "902", 0, "More", "Something else.")
SIMILAR = Passage(
    "ticket", "77", 0, "", "Where is it?",
    reply="Hi {{first_name}}, {{reference_1}} was scanned on Monday 9 March at 5:31. It takes 5 days and costs €6.95.",
)  # fmt: skip
SECOND = Passage("ticket", "78", 0, "", "Where?", reply="It is lost.")


def evidence(articles: list[Passage], tickets: list[Passage], similarity: float = 0.6) -> Evidence:
    return Evidence(
        tuple(Hit(passage, similarity - 0.1 * place, 0.03) for place, passage in enumerate(articles)),
        tuple(Hit(passage, similarity - 0.2 - 0.1 * place, 0.03) for place, passage in enumerate(tickets)),
    )


FOUND = evidence([PRICES, HOURS, MORE], [SIMILAR, SECOND])


@pytest.fixture
def writer(tiny: tuple[Any, Any]) -> Writer:
    return Writer(*tiny, max_tokens=6)


def test_a_prompt_is_given_one_similar_reply_and_two_articles() -> None:
    passages = FOUND.passages(QUESTION)
    assert [(passage.kind, passage.source_id) for passage in passages] == [
        ("ticket", "77"),
        ("article", "900"),
        ("article", "901"),
    ]


def test_another_customers_facts_are_blanks_in_the_reply_that_is_shown() -> None:
    (shown, *_) = FOUND.passages(QUESTION)
    assert shown.reply == (
        "Hi {{first_name}}, {{reference_1}} was scanned on [date] at [time]. It takes 5 days and costs €6.95."
    )
    (without, *_) = evidence([], [SIMILAR]).passages("Customer: I paid €6,95 on Monday 9 March.")
    assert without.reply.endswith("was scanned on Monday 9 March at [time]. It takes [number] days and costs €6.95.")


def test_how_sure_retrieval_is_is_the_best_hits_similarity() -> None:
    assert FOUND.similarity == pytest.approx(0.6)
    assert evidence([], [SIMILAR]).similarity == pytest.approx(0.4)
    assert Evidence((), ()).similarity == 0


def test_the_ticket_and_the_articles_support_a_draft_and_solved_tickets_do_not() -> None:
    support = support_of(QUESTION, [SIMILAR, PRICES])
    claims = check("On Friday 3 April, €6.95, within 5 days, on Monday 9 March, at 5:31.", support)
    assert [(claim.text, claim.source) for claim in claims] == [
        ("Friday 3 April", "ticket"),
        ("€6.95", "Prices"),
        ("5", "Prices"),
        ("Monday 9 March", ""),
        ("5:31", ""),
    ]


def test_the_nearest_reply_needs_no_model_and_states_no_other_customers_facts() -> None:
    found = [FOUND, Evidence((), ()), evidence([PRICES], []), evidence([PRICES], [SECOND])]
    drafts = draft("nearest", [QUESTION] * 4, found, None, max_prompt_tokens=400)
    shown = FOUND.passages(QUESTION)
    assert [one.text for one in drafts] == [shown[0].reply, "", "", "It is lost."]
    assert "Monday 9 March" not in drafts[0].text
    assert [one.passages for one in drafts] == [tuple(shown), (), (), (SECOND, PRICES)]
    assert all(one.draft is None for one in drafts)


@pytest.mark.parametrize("arm", ARMS[1:])
def test_only_the_arms_with_retrieval_are_shown_passages(writer: Writer, arm: str) -> None:
    (prompt,) = build_prompts(writer, arm, [QUESTION], [FOUND], max_tokens=1000)
    text = writer.tokenizer.decode(list(prompt.ids))
    shown = arm in ("retrieval", "tuned_retrieval")
    assert ("A parcel costs" in text) == ("scanned on [date]" in text) == shown
    assert "Where is {{reference_1}}?" in text
    assert len(prompt.passages) == (3 if shown else 0)


def test_drafts_come_in_order_with_the_passages_that_fitted(writer: Writer) -> None:
    questions = ["Customer: Where?", f"{QUESTION} {'It is late. ' * 20}", "Customer: How much?"]
    found = [FOUND, FOUND, evidence([HOURS], [])]
    full = draft("retrieval", questions, found, writer, max_prompt_tokens=1000)
    assert [len(one.passages) for one in full] == [3, 3, 1]
    alone = [
        draft("retrieval", [q], [f], writer, max_prompt_tokens=1000)[0] for q, f in zip(questions, found, strict=True)
    ]
    assert [one.text for one in full] == [one.text for one in alone]
    assert all(one.draft is not None and one.draft.tokens <= 6 for one in full)
    small = len(build_prompts(writer, "retrieval", questions[:1], [evidence([], [])], max_tokens=1000)[0].ids)
    assert draft("retrieval", questions[:1], [FOUND], writer, max_prompt_tokens=small)[0].passages == ()
