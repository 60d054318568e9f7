"""Every number, date, time, amount, link and identifier of a draft has a source, or is marked, or is a blank."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trainer.replies.claims import BLANK, BLANKS, Support, blank_unsupported, check, statements


def supported(draft: str, ticket: str) -> list[tuple[str, bool]]:
    return [(claim.text, claim.supported) for claim in check(draft, Support([("ticket", ticket)]))]


# kind, claim as it stands in a draft, a ticket that says the same in other words, a ticket that says something like it
FORMS = [
    ("date", "14 April", "on April 14th, 2026", "on 15 April"),
    ("date", "14th of April", "14-04-2026", "the 14th of May"),
    ("date", "Tuesday 14 April", "14/4/2026", "Tuesday 21 April"),
    ("date", "Tuesday, April 14, 2026", "2026-04-14", "2026-04-15"),
    ("date", "April 14th", "14/04 05:51 Sorted", "14 parcels in April"),
    ("date", "14 apr", "14 April", "15 apr"),
    ("date", "2026-04-14", "14 April", "2026-05-14"),
    ("date", "14/04/2026", "14 April", "14/05/2026"),
    ("date", "4/5/2026", "5 April", "4/6/2026"),
    ("date", "dinsdag 14 april", "Tuesday 14 April", "dinsdag 21 april"),
    ("date", "woensdag de 3e juni", "3 juni", "woensdag 10 juni"),
    ("date", "1 mei", "1 May", "1 mrt"),
    ("date", "24 mrt 2026", "24 maart", "24 mei"),
    ("date", "Dienstag, 14. April", "dinsdag 14 april", "Dienstag, 15. April"),
    ("date", "Mittwoch, den 3. Juni 2026", "3. Juni", "den 4. Juni"),
    ("date", "18. März", "18 March", "18 Mai"),
    ("date", "17.04.2026", "17. April", "18.04.2026"),
    ("date", "17.04", "bis 17. April", "bis 17. Mai"),
    ("date", "Friday", "by Friday 3 April", "by Thursday"),
    ("date", "vrijdag", "Friday", "donderdag"),
    ("date", "donderdagochtend", "Thursday", "vrijdagochtend"),
    ("date", "Samstags", "samstag vormittag", "sonntags"),
    ("time", "17:00", "until 5 pm", "until 5 am"),
    ("time", "5 p.m.", "17:00", "15:00"),
    ("time", "5:30pm", "17:30", "5:30"),
    ("time", "12 am", "0:00", "12:00"),
    ("time", "12 pm", "12:00", "0:00"),
    ("time", "22:00 uur", "22.00 uur", "20:00"),
    ("time", "18 uur", "18:00", "8 uur"),
    ("time", "17u30", "17:30", "17u"),
    ("time", "9h15", "9:15", "9h30"),
    ("time", "8 Uhr", "8:00", "18 Uhr"),
    ("time", "05:35 Uhr", "5:35", "5:53"),
    ("time", "9.30 uur", "9:30", "9.13 uur"),
    ("amount", "€6.50", "€6,50", "€6.05"),
    ("amount", "€6,50", "6.50 euro", "€6.05 or €65"),
    ("amount", "€ 1.250,00", "EUR 1250", "€1.25"),
    ("amount", "1,250 EUR", "€1.250", "€1.25"),
    ("amount", "£39", "39 pounds", "39 parcels"),
    ("amount", "€5", "€5.00", "within 5 working days"),
    ("amount", "€13.50", "| 23 kg | 13.50 |", "| 23 kg | 13.05 |"),
    ("amount", "10 euro", "€10", "10 dagen"),
    ("amount", "12,95 €", "€12.95", "€12.59"),
    ("amount", "6,-", "€6", "6 kg"),
    ("amount", "CHF 65", "65 CHF", "65 km"),
    ("amount", "€12345.67", "€12345.67", "€12345.71"),
    ("number", "5", "within five days", "within 4 days"),
    ("number", "3", "drie werkdagen", "vier werkdagen"),
    ("number", "10", "zehn Werktage", "neun Werktage"),
    ("number", "21", "21 days", "12 days"),
    ("number", "7.5%", "7,5 %", "75%"),
    ("number", "1,250", "1250 parcels", "125 parcels"),
    ("number", "0,125", "0.125", "125"),
    ("number", "23", "23kg", "32kg"),
    ("number", "29th", "on the 29th", "on the 28th"),
    ("number", "3e", "3 keer", "2e keer"),
    ("link", "https://fernway.example/track", "see www.fernway.example/track.", "https://fernway.example/back"),
    ("link", "www.fernway.example", "https://www.fernway.example/", "www.farnway.example"),
    ("link", "fernway.com/track", "http://fernway.com/track/", "fernway.com/trace"),
    ("email", "help@fernway.example", "HELP@fernway.example", "held@fernway.example"),
    ("reference", "FW204518337NL", "my parcel fw204518337nl", "my parcel FW204518373NL"),
    ("reference", "FI-2026-10452", "invoice FI-2026-10452", "invoice FI-2026-10425"),
    ("reference", "R-7F3K2", "code R-7F3K2", "code R-7F3K3"),
    ("reference", "12345678", "order 12345678", "order 12345679"),
    ("phone", "010 555 01 42", "0105550142", "010 555 01 43"),
]


@pytest.mark.parametrize(("kind", "claim", "same", "other"), FORMS, ids=[f"{form[0]} {form[1]}" for form in FORMS])
def test_a_claim_is_supported_by_what_says_the_same_and_by_nothing_else(
    kind: str, claim: str, same: str, other: str
) -> None:
    draft = f"We deliver it, {claim}."
    ((found, is_supported),) = supported(draft, same)
    assert (found, is_supported) == (claim, True)
    assert supported(draft, other) == [(claim, False)]
    assert blank_unsupported(draft, Support([("ticket", other)])) == f"We deliver it, [{kind}]."
    assert blank_unsupported(draft, Support([("ticket", same)])) == draft


@pytest.mark.parametrize(
    ("draft", "same", "other"),
    [
        ("within 5 days", "five business days", "it weighs 5 kg"),
        ("within 5 days", "days: 5", "5% off"),
        ("within two working days", "2 Werktage", "3 parcels of two kilos"),
        ("binnen drie dagen", "3 days", "drie kilo"),
        ("up to 20 kg", "20kg", "20 minutes"),
        ("24 hours", "24 uur", "24 km"),
        ("24 uur", "24 hours", "24 kilos"),
        ("a 30-day return", "30 days", "30 percent"),
        ("10 minutes", "10m", "10%"),
        ("12 parcels", "12 kg", "13 parcels"),
        ("5%", "5 percent", "5 days"),
    ],
)
def test_a_number_is_supported_by_one_that_counts_the_same(draft: str, same: str, other: str) -> None:
    assert [one for _, one in supported(draft, same)] == [True]
    assert [one for _, one in supported(draft, other)] == [False]


@pytest.mark.parametrize("text", ["one moment, two things", "één dag", "the two of you", "drei Pakete", "vier dozen"])
def test_number_words_without_a_time_are_no_claims(text: str) -> None:
    assert supported(text, "") == []


@pytest.mark.parametrize(
    ("draft", "claims"),
    [
        ("between 13:00 and 17:00 on Friday 3 April", ["13:00", "17:00", "Friday 3 April"]),
        ("14.-16. April, 9-17 Uhr", ["14", "16. April", "9", "17 Uhr"]),
        ("Freitag, 3. April, um 9:00 Uhr für €6,50", ["Freitag, 3. April", "9:00 Uhr", "€6,50"]),
        ("up to 23 kg €13.50, 20x15 cm", ["23", "€13.50"]),
        ("we moved 3 am Dienstag", ["3", "Dienstag"]),
        ("open 24/7", ["24/7"]),
        ("dinsdag 6.10. of woensdag", ["dinsdag 6.10", "woensdag"]),
        ("Das kostet 6.10. Mehr nicht", ["6.10"]),
        ("€4.50 per stop, 50% less", ["€4.50", "50%"]),
    ],
)
def test_each_claim_of_a_sentence_is_found_once(draft: str, claims: list[str]) -> None:
    assert [statement.text for statement in statements(draft)] == claims


@pytest.mark.parametrize(
    "text",
    [
        "1. Open the page\n2. Choose a day\n  3) Pay",
        "Say [date], [amount] or [your name]",
        "Hi {{first_name}}, {{reference_12}} is with {{ phone_3 }}",
        "No claim: A4, D3, CN22, may I, Sunny, on a sun day",
        "",
    ],
)
def test_list_numbers_blanks_and_slots_are_no_claims(text: str) -> None:
    assert list(statements(text)) == []


def test_a_date_at_the_beginning_of_a_line_is_no_list_number() -> None:
    draft = "Wir liefern am\n14. April.\n\n1. Paket öffnen"
    assert supported(draft, "Wann?") == [("14. April", False)]
    assert blank_unsupported(draft, Support([])) == "Wir liefern am\n[date].\n\n1. Paket öffnen"


def test_list_numbers_support_a_number() -> None:
    assert supported("See point 3", "1. late\n2. wet\n3. open") == [("3", True)]


def test_the_digits_of_a_slot_support_nothing() -> None:
    assert supported("within 5 days", "{{reference_5}}: {{ phone_5 }}") == [("5", False)]


def test_a_claim_says_where_it_stands_and_what_supports_it() -> None:
    support = Support([("ticket", "It costs €6.50?"), ("Prices", "A parcel costs €6.50, express €12.")])
    draft = "It is €6.50, express €12, overseas €30."
    first, second, third = check(draft, support)
    assert (first.source, second.source, third.source) == ("ticket", "Prices", "")
    assert [draft[claim.start : claim.end] for claim in (first, second, third)] == ["€6.50", "€12", "€30"]
    assert [claim.supported for claim in (first, second, third)] == [True, True, False]


def test_blanks_leave_the_rest_of_a_reply_as_it_is() -> None:
    reply = "Hi {{first_name}},\n\nIt comes on Tuesday 14 April, before 13:00. It costs €6.50.\n\n1. Wait"
    blanked = blank_unsupported(reply, Support([("ticket", "I paid €6,50")]))
    assert blanked == "Hi {{first_name}},\n\nIt comes on [date], before [time]. It costs €6.50.\n\n1. Wait"


sentences = st.lists(
    st.sampled_from([form[1] for form in FORMS] + ["our parcel", "[date]", "{{reference_7}}", "\n", "Hi,", "1. "]),
    max_size=12,
).map(" ".join)


@settings(max_examples=150, deadline=None)
@given(sentences, sentences)
def test_a_blanked_reply_has_no_unsupported_claim(reply: str, ticket: str) -> None:
    support = Support([("ticket", ticket)])
    blanked = blank_unsupported(reply, support)
    assert all(claim.supported for claim in check(blanked, support))
    assert blank_unsupported(blanked, support) == blanked


@settings(max_examples=150, deadline=None)
@given(sentences)
def test_a_text_supports_itself(text: str) -> None:
    assert all(claim.supported for claim in check(text, Support([("ticket", text)])))


def test_every_kind_of_claim_has_its_blank() -> None:
    for kind in {form[0] for form in FORMS}:
        assert f"[{kind}]" in BLANKS
        assert BLANK.findall(f"on [{kind}], [else]") == [f"[{kind}]"]


@pytest.mark.parametrize(
    "text",
    [part * (20_000 // len(part)) for part in ("a", "a-", "A1", "1.", "1", "14 of ", "http://", "[a ", "{", "Monday ")],
    ids=lambda text: text[:6],
)
def test_a_hostile_text_does_not_keep_a_worker_busy(
    text: str, within: Callable[[float], AbstractContextManager[None]]
) -> None:
    with within(4):
        check(text, Support([("ticket", text)]))
