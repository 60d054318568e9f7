"""The tone of chats: as the team's own chat replies have it, and never cut to nothing."""

from __future__ import annotations

import dataclasses

import pytest

from connectors.records import Ticket
from connectors.store.database import Store
from connectors.store.examples import Example
from trainer.replies.tone import Tone

BODY = "Your parcel is on its way. It comes today."
LETTER = f"Hi {{{{first_name}}}},\n\n{BODY}\n\nKind regards,\n{{{{agent}}}}\nFernway Parcels"


def test_a_letter_loses_greeting_and_signature_where_chats_have_none() -> None:
    assert Tone().apply(LETTER) == BODY
    assert Tone(greets=True).apply(LETTER) == f"Hi {{{{first_name}}}},\n\n{BODY}"
    assert Tone(signs=True).apply(LETTER) == LETTER.partition("\n\n")[2]
    assert Tone(greets=True, signs=True).apply(LETTER) == LETTER


@pytest.mark.parametrize(
    ("draft", "chat"),
    [
        ("Hallo {{first_name}}, uw pakket is onderweg.", "Uw pakket is onderweg."),
        (
            "Sehr geehrte Frau {{last_name}},\n\nes kommt heute.\n\nMit freundlichen Grüßen\n{{agent}}",
            "Es kommt heute.",
        ),
        ("Goedemiddag!\n\nHet komt vandaag.\n\n[your name]", "Het komt vandaag."),
        ("High parcels cost more. Best is to fold it.", "High parcels cost more. Best is to fold it."),
        ("Hi {{first_name}},", "Hi {{first_name}},"),
        ("", ""),
    ],
)
def test_other_forms_of_letters_and_what_only_looks_like_one(draft: str, chat: str) -> None:
    assert Tone().apply(draft) == chat


def test_it_is_cut_to_whole_sentences() -> None:
    tone = Tone(most_words=12)
    assert tone.apply("It comes today. Please be at home between nine and twelve. Thank you.") == "It comes today."
    long = "It comes " + "soon " * 30 + "I hope."
    assert tone.apply(long) == long, "one sentence is the least"


def test_the_house_style_is_read_from_its_own_chat_replies() -> None:
    assert Tone.of([f"Hi {{{{first_name}}}}! {BODY}"] * 7) == Tone(), "from a few nothing can be said"
    greeting = Tone.of([f"Hi {{{{first_name}}}}! {BODY}"] * 8 + [BODY] * 2)
    assert (greeting.greets, greeting.signs, greeting.most_words) == (True, False, 25)
    signed = Tone.of([f"{BODY * 4}\n\n{{{{agent}}}}"] * 10)
    assert (signed.greets, signed.signs) == (False, True)
    assert signed.most_words > 25


def test_only_chats_that_are_learned_from_tell_the_tone(empty_store: Store, example: type[Example]) -> None:
    channels = ["chat", "email", "native_messaging", None]
    empty_store.mirror.save("zendesk", [_ticket(str(at), channel) for at, channel in enumerate(channels)])
    examples = [example(at, reply=f"To {at}") for at in range(4)]
    examples.append(dataclasses.replace(example(0, reply="dropped"), comment_id="c9", turn=1, kept=False))
    empty_store.examples.replace("zendesk", examples)
    assert sorted(empty_store.examples.chat_replies("zendesk")) == ["To 0", "To 2"]
    assert Tone.of_desk(empty_store, "zendesk") == Tone()


def _ticket(ticket_id: str, channel: str | None) -> Ticket:
    at = "2026-04-01T09:00:00Z"
    return Ticket(ticket_id, "", "solved", "90", at, at, 1, channel=channel)
