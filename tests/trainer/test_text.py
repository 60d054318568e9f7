"""What the author of a mail wrote themselves, and in which language."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager

import pytest
import quotequail
from hypothesis import given, settings
from hypothesis import strategies as st

from trainer.text import _MAY_QUOTE, cut_words, identify, in_another_language, language_of, own_words, words

QUOTES = [
    "Yes please.", "", "On Tue, 3 Mar 2026 at 09:31, Marit", "<marit@desk.example> wrote:", "> Hi Anna,", "_" * 32,
    "Op di 3 mrt 2026 schreef Marit:", "-----Original Message-----", "---Original Message---",
    "Begin forwarded message:",
    ">Begin forwarded message:  ", "2026/3/3 Marit <marit@desk.example>", "Am 3. schrieb M:\r", "From: Marit", "a: b",
]  # fmt: skip


@pytest.mark.parametrize(
    "history",
    [
        "On Tue, 3 Mar 2026 at 09:31, Marit <marit@desk.example> wrote:\n> Hi Anna,\n> do you want it?",
        "Op di 3 mrt 2026 om 09:31 schreef Marit <marit@desk.example>:\n> Dag Anna,\n> wil je hem?",
        "Am 03.03.2026 um 09:31 schrieb Marit <marit@desk.example>:\n> Hallo Anna,\n> möchten Sie?",
        "-----Original Message-----\nFrom: Marit\nSent: Tuesday\nTo: Anna\nSubject: Re: x\n\nHi Anna",
        "-----Oorspronkelijk bericht-----\nVan: Marit\nVerzonden: dinsdag\nAan: Anna\nOnderwerp: Re: x\n\nDag",
        "-----Ursprüngliche Nachricht-----\nVon: Marit\nGesendet: Dienstag\nAn: Anna\nBetreff: Re: x\n\nHallo",
    ],
)
def test_quoted_history_is_left_out(history: str) -> None:
    assert own_words(f"Yes please.\nTuesday is fine.\n\n{history}") == "Yes please.\nTuesday is fine."


@pytest.mark.parametrize(
    "line",
    [
        "Sent from my iPhone",
        "Sent from Outlook for Android",
        "Get Outlook for iOS",
        "Von meinem iPhone gesendet",
        "Gesendet von Mail für Windows",
        "Verstuurd vanaf mijn iPhone",
        "  Verzonden vanaf Outlook",
    ],
)
def test_what_a_telephone_adds_is_left_out(line: str) -> None:
    assert own_words(f"Where is it?\n\n{line}") == "Where is it?"


def test_a_signature_below_two_dashes_is_left_out() -> None:
    assert own_words("Where is it?\n\n-- \nAnna de Wilde\nLopes Azulejos, Den Haag") == "Where is it?"
    assert own_words("Where is it?\n-- it was -- in Ghent", first=True) == "Where is it?\n-- it was -- in Ghent"
    assert own_words("-- \nAnna") == "-- \nAnna", "a mail of nothing else is not emptied"


@settings(max_examples=200, deadline=None)
@given(st.lists(st.sampled_from(QUOTES), max_size=6))
def test_skipping_the_search_for_quotes_changes_nothing(lines: list[str]) -> None:
    text = "\n".join(lines)
    if not _MAY_QUOTE.search(text):
        assert quotequail.quote(text) == [(True, text)]


def test_what_the_first_message_quotes_is_what_the_customer_wants_to_show() -> None:
    text = "This came today:\n\nOn Mon, 2 Mar 2026 at 09:31, Shop <shop@shop.example> wrote:\n> Your return is lost."
    assert own_words(text, first=True) == text
    assert own_words(text) == "This came today:"


def test_a_mail_of_nothing_but_a_quote_is_not_emptied() -> None:
    assert own_words("> Where is it?\n> Anna") == "> Where is it?\n> Anna"
    assert own_words("Sent from my iPhone") == "Sent from my iPhone"


def test_a_line_that_ends_in_a_colon_is_not_taken_for_an_attribution() -> None:
    assert (
        own_words("Please send:\n- the label\n\nThanks in advance:")
        == "Please send:\n- the label\n\nThanks in advance:"
    )


def test_many_blank_lines_become_one() -> None:
    assert (
        own_words("\n\nHi,\n\n\n\nit is late.\n \n\t\n\n    indented\nAnna\n\n")
        == "Hi,\n\nit is late.\n\n    indented\nAnna"
    )
    assert own_words("Hi,\n\nit is late.") == "Hi,\n\nit is late."


@pytest.mark.parametrize(
    "text",
    ["\n" * 20_000, "\n " * 10_000 + "x", "> " * 10_000, "x\n\n" + "-" * 20_000 + "x\n> y", "On x wrote:\n" * 1_700],
    ids=["line breaks", "blank lines", "marks", "dashes", "attributions"],
)
def test_a_hostile_mail_does_not_keep_a_worker_busy(
    text: str, within: Callable[[float], AbstractContextManager[None]]
) -> None:
    with within(4):
        own_words(text)
        own_words(text, first=True)
        language_of(text)


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("Where is my parcel? It should have come on Monday.", "en"),
        ("Waar blijft mijn pakket? Het zou maandag komen.", "nl"),
        ("Wo bleibt mein Paket? Es sollte am Montag kommen.", "de"),
        ("Où est mon colis ? Il devait arriver lundi.", "fr"),
    ],
)
def test_the_language_is_told(text: str, language: str) -> None:
    assert language_of(text, fallback="xx") == language


@pytest.mark.parametrize("text", ["", "ok", "ja graag", "??? !!!"])
def test_too_little_text_has_the_language_that_is_assumed(text: str) -> None:
    assert language_of(text, fallback="nl") == "nl"


def test_slots_and_blanks_are_one_word_each() -> None:
    text = "Hi {{first_name}}, it's due on [date]: €6.50."
    assert words(text) == ["Hi", "{{first_name}}", ",", "it's", "due", "on", "[date]", ":", "€", "6", ".", "50", "."]


@pytest.mark.parametrize(
    ("text", "limit", "cut"),
    [
        ("one two three", 3, "one two three"),
        ("one two three four", 3, "one two three …"),
        ("one\n\ntwo\nthree four", 3, "one\n\ntwo\nthree …"),
        ("", 3, ""),
    ],
)
def test_a_cut_text_says_that_it_was_cut(text: str, limit: int, cut: str) -> None:
    assert cut_words(text, limit) == cut


@settings(max_examples=100, deadline=None)
@given(st.text(alphabet="ab .\n", max_size=60), st.integers(1, 20))
def test_a_cut_text_is_a_beginning_of_the_whole(text: str, limit: int) -> None:
    cut = cut_words(text, limit).removesuffix(" …")
    assert text.startswith(cut)
    assert len(cut.split()) <= limit


def test_a_language_is_sure_only_of_a_sentence_or_more() -> None:
    long = "Waar blijft mijn pakket? Het zou maandag komen en nu is het al vrijdag."
    assert identify(long) == ("nl", True)
    assert identify("Waar blijft mijn pakket?") == ("nl", False)
    assert identify("ok") == identify("") == ("", False)


ENGLISH = "Your parcel is at the depot in Tilburg and our driver will bring it to your door tomorrow morning."
DUTCH = "Mijn pakket is nog steeds niet bezorgd terwijl ik de hele dag thuis ben geweest, waar is het nu?"
ALSO_ENGLISH = "Where is my parcel? It should have been here on Monday, and nobody answers the telephone at all."


@pytest.mark.parametrize(
    ("one", "other", "differ"),
    [(ENGLISH, DUTCH, True), (ENGLISH, ALSO_ENGLISH, False), (ENGLISH, "ok", False), ("ok", DUTCH, False)],
)
def test_two_languages_differ_only_where_both_are_sure(one: str, other: str, differ: bool) -> None:
    assert in_another_language(one, other) is differ
    assert in_another_language(other, one) is differ
