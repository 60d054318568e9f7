"""A ticket as a conversation: who said what in turn, and what nobody outside may see."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from connectors.store.history import Turn
from trainer.conversation import answered, blocks, customer_turns, latest_turn, written

Talk = Callable[..., list[Turn]]


def texts(turns: list[Turn]) -> list[tuple[str, str]]:
    return [("customer" if block.by_customer else "team", block.text) for block in blocks(turns)]


def test_internal_notes_are_in_no_conversation(talk: Talk) -> None:
    turns = talk(
        ("marit", 0, "a note before all", False),
        ("anna", 1, "Where is it?"),
        ("karim", 2, "driver J. lost it, say nothing", False),
        ("marit", 3, "It is in Tilburg."),
    )
    assert texts(turns) == [("customer", "Where is it?"), ("team", "It is in Tilburg.")]


def test_what_a_customer_writes_in_a_row_is_one_turn(talk: Talk) -> None:
    turns = talk(("anna", 0, "Where is it?"), ("anna", 300, "I mean the second one."), ("marit", 301, "In Tilburg."))
    (question, answer) = blocks(turns)
    assert question.text == "Where is it?\n\nI mean the second one."
    assert (question.comment_id, question.created_at) == ("c2", turns[1].comment.created_at)
    assert answer.comment_id == "c3"


def test_the_teams_second_thought_within_ten_minutes_belongs_to_the_first(talk: Talk) -> None:
    turns = talk(
        ("anna", 0, "Where is it?"),
        ("marit", 5, "In Tilburg."),
        ("karim", 15, "Now with the label."),
        ("marit", 26, "An update: it is out for delivery."),
    )
    assert texts(turns)[1:] == [
        ("team", "In Tilburg.\n\nNow with the label."),
        ("team", "An update: it is out for delivery."),
    ]
    assert (blocks(turns)[1].comment_id, blocks(turns)[1].author_id) == ("c2", "5001")


def test_only_what_answers_the_customer_is_an_answer(talk: Talk) -> None:
    found = blocks(
        talk(
            ("marit", 0, "Your invoice is ready."),
            ("anna", 1, "It is wrong."),
            ("marit", 2, "We look into it."),
            ("marit", 60, "Done."),
            ("anna", 61, "And the other?"),
            ("karim", 62, "That too."),
            ("anna", 63, "Thanks"),
        )
    )
    pairs = [([block.text for block in before], answer.text) for before, answer in answered(found)]
    assert pairs == [
        (["Your invoice is ready.", "It is wrong."], "We look into it."),
        (["Your invoice is ready.", "It is wrong.", "We look into it.", "Done.", "And the other?"], "That too."),
    ]


def test_quotes_go_from_all_messages_but_the_first(talk: Talk) -> None:
    quote = "\n\nOn Tue, 3 Mar 2026 at 09:31, Shop <shop@shop.example> wrote:\n> Your return is lost."
    turns = talk(("anna", 0, "See:" + quote), ("marit", 1, "Noted."), ("anna", 2, "So?" + quote))
    assert "Your return is lost" in texts(turns)[0][1]
    assert texts(turns)[2] == ("customer", "So?")


def test_a_ticket_without_a_public_word_is_no_conversation(talk: Talk) -> None:
    assert blocks(talk(("marit", 0, "spam", False))) == []
    assert list(answered([])) == []


@pytest.mark.parametrize("subject", ["Late parcel", ""])
def test_retrieval_sees_the_subject_and_the_newest_question(talk: Talk, subject: str) -> None:
    turns = talk(("anna", 0, "Where is it?"), ("marit", 1, "In Tilburg.\n\nWe deliver."), ("anna", 2, "When?\n\nAnna"))
    text = written(subject, blocks(turns))
    head = "Subject: Late parcel\n\n" if subject else ""
    assert text == f"{head}Customer: Where is it?\n\nAgent: In Tilburg.\n\nWe deliver.\n\nCustomer: When?\n\nAnna"
    assert latest_turn(text) == "\n".join(filter(None, [subject, "When?\n\nAnna"]))


def test_retrieval_sees_a_ticket_of_one_message_whole(talk: Talk) -> None:
    assert latest_turn(written("Late", blocks(talk(("anna", 0, "Where is it?"))))) == "Late\nWhere is it?"
    assert latest_turn(written("", blocks(talk(("anna", 0, "Where is it?"))))) == "Where is it?"
    assert latest_turn("Where is it?") == "Where is it?"


def test_only_the_team_is_asked_for_signatures(talk: Talk) -> None:
    turns = talk(("anna", 0, "Where is it?\nAnna"), ("marit", 1, "In Tilburg.\nMarit, T 0105550134"))
    found = blocks(turns, unsigned=lambda agent_id, text: f"{text.splitlines()[0]} ({agent_id})")
    assert [block.text for block in found] == ["Where is it?\nAnna", "In Tilburg. (5001)"]


def test_the_customers_turns_are_read_from_a_written_conversation(talk: Talk) -> None:
    turns = talk(("anna", 0, "Where is it?"), ("marit", 1, "In Tilburg."), ("anna", 2, "When?\n\nAnna"))
    for subject in ("Late", ""):
        assert customer_turns(written(subject, blocks(turns))) == ["Where is it?", "When?\n\nAnna"]
    assert customer_turns("Where is it?") == []
