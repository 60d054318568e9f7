"""Another value in the form of the old one, in every place and in no other."""

from __future__ import annotations

import pytest

from trainer.evaluation.edits import Edit, edits_of, unit_of
from trainer.replies.claims import statements


def first_edit(text: str, fact: str, language: str = "en") -> Edit | None:
    one = next(one for one in statements(text) if one.text == fact)
    return next(edits_of(one, text, language), None)


@pytest.mark.parametrize(
    ("text", "fact", "changed"),
    [
        ("It takes 12 working days.", "12", "It takes 15 working days."),
        ("Free within 30 days.", "30", "Free within 33 days."),
        ("Up to 100 cm.", "100", "Up to 130 cm."),
        ("From 2,500 parcels.", "2,500", "From 2,800 parcels."),
        ("Vanaf 2.500 pakketten.", "2.500", "Vanaf 2.800 pakketten."),
        ("You save 7.5% here.", "7.5%", "You save 7.8% here."),
        ("You get 100 % back.", "100 %", "You get 80 % back."),
        ("It costs € 6.95 each.", "€ 6.95", "It costs € 8.45 each."),
        ("Das kostet 6,95 Euro.", "6,95 Euro", "Das kostet 8,45 Euro."),
        ("Verzekerd tot €1.250,00 per stuk.", "€1.250,00", "Verzekerd tot €1.280,00 per stuk."),
        ("Dat is 12,- per keer.", "12,-", "Dat is 15,- per keer."),
        ("Duty-free up to £39.", "£39", "Duty-free up to £42."),
        ("Order before 18:00.", "18:00", "Order before 19:30."),
        ("Vanaf 08.00 uur open.", "08.00 uur", "Vanaf 09.30 uur open."),
        ("Open till 23:15.", "23:15", "Open till 21:45."),
        ("Tot 9u30 open.", "9u30", "Tot 11u00 open."),
        ("Call us before 5 pm.", "5 pm", "Call us before 6 pm."),
        ("Call us after 11 am.", "11 am", "Call us after 10 am."),
        ("Ab 9 Uhr geöffnet.", "9 Uhr", "Ab 10 Uhr geöffnet."),
        ("It stops on 31 January 2027.", "31 January 2027", "It stops on 28 January 2027."),
        ("Er endet am 4. Mai.", "4. Mai", "Er endet am 7. Mai."),
        ("It ends on the 20th of March.", "20th of March", "It ends on the 23rd of March."),
        ("Valid from 2027-03-04.", "2027-03-04", "Valid from 2027-03-07."),
        ("Geldig vanaf 04-03-2027.", "04-03-2027", "Geldig vanaf 07-03-2027."),
        ("See https://desk.example/claims, please.", "https://desk.example/claims", None),
        ("See www.desk.example, please.", "www.desk.example", "See www.desk.example/2, please."),
    ],
)
def test_the_new_value_has_the_form_of_the_old_one(text: str, fact: str, changed: str | None) -> None:
    edit = first_edit(text, fact)
    assert edit is not None
    assert edit.apply(text) == (changed or "See https://desk.example/claims-2, please.")
    assert (edit.old_in(text), edit.new_in(text)) == (True, False)
    assert (edit.old_in(edit.apply(text)), edit.new_in(edit.apply(text))) == (False, True)


@pytest.mark.parametrize(
    ("text", "fact"),
    [
        ("It takes 3 to 5 working days.", "3"),
        ("Parcel 5.", "5"),
        ("We close on Monday.", "Monday"),
        ("It ends on Friday 3 April.", "Friday 3 April"),
        ("The 3rd attempt.", "3rd"),
        ("Op de 3de april.", "3de april"),
        ("Code 007 helps.", "007"),
        ("Write to desk@mail.example.", "desk@mail.example"),
        ("It is valid until 1/31/2027.", "1/31/2027"),
    ],
)
def test_what_has_no_plausible_other_value_is_left_alone(text: str, fact: str) -> None:
    assert first_edit(text, fact) is None


def test_every_mention_is_changed_in_its_own_form_and_nothing_else_is() -> None:
    text = "Pay €6.95.\n\n| Label | 6,95 EUR |\n| Islands | €16.95 |\n\nThat is 6.95 per parcel, €7 with tape."
    edit = first_edit(text, "€6.95")
    assert edit is not None
    assert edit.apply(text) == (
        "Pay €8.45.\n\n| Label | 8,45 EUR |\n| Islands | €16.95 |\n\nThat is 8.45 per parcel, €7 with tape."
    )


def test_list_numbers_and_slots_are_no_facts() -> None:
    text = "1. Wait 3 days.\n2. Write.\n3. Give {{reference_3}}."
    edit = first_edit(text, "3")
    assert edit is not None
    assert edit.apply(text) == "1. Wait 6 days.\n2. Write.\n3. Give {{reference_3}}."


@pytest.mark.parametrize(
    ("language", "text", "changed"),
    [
        ("en", "The three photos: 3 photos.", "The six photos: 6 photos."),
        ("en", "Three photos, one parcel, 3 photos.", "Six photos, one parcel, 6 photos."),
        ("nl", "Drie foto's, dus 3 foto's.", "Zes foto's, dus 6 foto's."),
        ("nl", "Na acht dagen, dus 8 dagen.", "Na tien dagen, dus 10 dagen."),
        ("de", "Nach acht Tagen, also 8 Tagen.", "Nach zehn Tagen, also 10 Tagen."),
    ],
)
def test_numbers_in_words_follow_in_their_language(language: str, text: str, changed: str) -> None:
    one = next(one for one in statements(text) if one.text.isdigit())
    assert changed in [edit.apply(text) for edit in edits_of(one, text, language)]


def test_a_number_in_words_states_the_fact_where_it_counts_the_same() -> None:
    edit = first_edit("It takes 3 working days.", "3")
    assert edit is not None
    assert edit.old_in("Allow three working days.")
    assert edit.old_in("Allow 3 days.")
    assert not edit.old_in("There are three photos.")
    assert not edit.old_in("It takes 13 working days.")
    assert edit.new_in("Allow six working days.")


@pytest.mark.parametrize(
    ("text", "unit"),
    [
        ("5 Days", "days"),
        ("5kg", "kg"),
        ("5-day", "day"),
        ("5 %", "%"),
        ("5.", ""),
        ("5 or 6 days", ""),
        ("€5 each", ""),
    ],
)
def test_a_number_counts_the_word_after_it(text: str, unit: str) -> None:
    assert unit_of(next(statements(text)), text) == unit
