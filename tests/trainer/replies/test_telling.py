"""Told facts: into the blank that they are meant for, never into another one, and said to be unused otherwise."""

from __future__ import annotations

import pytest

from connectors.records import User
from trainer.privacy.slots import Slots
from trainer.replies.telling import Fact, told, unused, weave

TWO_DATES = "It was handed over on [date]. The driver brings it on [date] for [amount]."


def fact(text: str) -> Fact:
    return Fact(text, text)


@pytest.mark.parametrize(
    ("draft", "said", "woven"),
    [
        ("It comes on [date].", "Friday 3 April", "It comes on Friday 3 April."),
        ("You get [amount] back by [date].", "the refund is €6.95", "You get €6.95 back by [date]."),
        (TWO_DATES, "the driver brings it on Monday", TWO_DATES.replace("it on [date]", "it on Monday")),
        (TWO_DATES, "Monday", TWO_DATES),  # which of the two?
        ("Parcel [tracking number] is late.", "{{reference_2}}", "Parcel {{reference_2}} is late."),
        ("It is in [place].", "it is in {{place_1}}", "It is in {{place_1}}."),
        ("It comes on [date], at [time].", "9 May at 14:00", "It comes on 9 May, at 14:00."),
        (
            "It comes on Friday, or on [date].",
            "it comes on Friday",
            "It comes on Friday, or on [date].",
        ),  # said already
        ("It comes soon.", "it comes on Friday", "It comes soon."),  # nothing is appended
        ("It comes soon.", "the depot is closed", "It comes soon."),
    ],
)
def test_a_value_goes_into_the_blank_of_its_kind(draft: str, said: str, woven: str) -> None:
    assert weave(draft, [fact(said)]) == woven


def test_facts_that_the_draft_does_not_say_are_named() -> None:
    facts = [fact("it comes on Friday"), fact("the depot is closed today"), fact("it costs €5")]
    assert unused("It comes on Friday 3 April.", facts) == ("the depot is closed today", "it costs €5")
    assert unused("The depot is closed, sorry. It costs 5,00 euro.", facts) == ("it comes on Friday",)


def test_facts_are_hidden_in_the_tickets_own_slots() -> None:
    slots = Slots(User("1", "Zoë Testmann", "zoe@mail.example", "requester"))
    slots.hide("My parcel is FW900000001NL.")
    (first,) = told(["Tell Zoë that FW900000001NL comes on Friday."], slots)
    assert first.hidden == "Tell {{first_name}} that {{reference_1}} comes on Friday."
    assert (first.passage.title, first.passage.text) == ("agent", first.hidden)
