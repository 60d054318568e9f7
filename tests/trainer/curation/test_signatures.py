"""Signatures: what is an agent's own goes, what is the house's stays."""

from __future__ import annotations

import pytest

from trainer.curation.signatures import Signatures

NAMES = {"1": "Marit de Boer", "2": "Karim Haddad", "3": "Lena Vogt"}
CLOSING = "Reply to this mail if anything is unclear.\n\nWarm regards,\n{name}\nFernway Parcels"
OWN = {
    "1": "Team lead, tracking\nT +31 10 555 0134\nwww.fernway.example",
    "2": "T +31 10 555 0178\nwww.fernway.example",
    "3": "",
}
DISCLAIMER = "This message may hold confidential information and is meant for the person it was sent to."


def reply(agent: str, number: int, *, extra: str = "") -> str:
    closing = CLOSING.format(name=NAMES[agent].split()[0])
    return f"Hi Anna,\n\nyour parcel number {number} is in Tilburg.\n\n{closing}\n{OWN[agent]}\n{extra}".strip()


@pytest.fixture
def learned() -> Signatures:
    replies = [(agent, reply(agent, number, extra=DISCLAIMER)) for agent in NAMES for number in range(12)]
    return Signatures(replies, NAMES)


@pytest.mark.parametrize("agent", NAMES)
def test_the_closing_the_name_and_the_firm_stay_and_the_rest_goes(learned: Signatures, agent: str) -> None:
    text = f"Hi Anna,\n\nit comes on Friday.\n\n{CLOSING.format(name=NAMES[agent].split()[0])}"
    assert learned.strip(agent, f"{text}\n{OWN[agent]}\n\n{DISCLAIMER}\n") == text
    assert learned.strip(agent, text) == text


def test_a_reply_that_ends_otherwise_is_left_as_it_is(learned: Signatures) -> None:
    for text in ("Done.", "Hi,\n\nFernway Parcels\n\nis what you enter.", "Call T +31 10 555 0134, ask for Marit"):
        assert learned.strip("1", text) == text
    assert learned.strip("404", reply("1", 1)) == reply("1", 1)


def test_an_agent_who_signs_without_a_name_loses_the_telephone_number() -> None:
    replies = [("2", f"It is in depot {number}.\n\nKind regards\nT +31 10 555 0178") for number in range(10)]
    assert Signatures(replies, NAMES).strip("2", "Hi.\n\nKind regards\nT +31 10 555 0178") == "Hi.\n\nKind regards"


def test_few_replies_teach_nothing() -> None:
    replies = [("1", reply("1", number)) for number in range(5)]
    assert Signatures(replies, NAMES).strip("1", reply("1", 9)) == reply("1", 9)
    assert Signatures().strip("1", "Hi") == "Hi"


def test_a_reply_of_nothing_but_a_signature_keeps_its_first_line(learned: Signatures) -> None:
    assert learned.strip("1", OWN["1"]) != ""
