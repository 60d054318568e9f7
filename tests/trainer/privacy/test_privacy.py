"""Personal data goes out before anything is learned, and comes back at serving."""

from __future__ import annotations

import re
import string
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from connectors.records import User
from trainer.privacy.lexicon import Lexicon
from trainer.privacy.references import ROLES
from trainer.privacy.slots import Slots, borrowed, leaks, sourced
from trainer.replies.claims import BLANK


def customer(name: str) -> User:
    return User("90", name, "someone@mail.example", "requester")


def agent(user_id: str, name: str) -> User:
    return User(user_id, name, "someone@desk.example", "agent")


@pytest.mark.parametrize(
    ("name", "text", "hidden"),
    [
        ("Anna de Wilde", "Hi Anna,", "Hi {{first_name}},"),
        ("Anna de Wilde", "Anna de Wilde, Delft", "{{first_name}} {{last_name}}, {{place_1}}"),
        ("Anna de Wilde", "Beste mevrouw de Wilde,", "Beste mevrouw {{last_name}},"),
        ("Anna de Wilde", "Mevrouw De Wilde", "Mevrouw De {{last_name_1}}"),
        ("Anna de Wilde", "Anna's parcel", "{{first_name}}'s parcel"),
        ("Anna de Wilde", "Joanna en Annabel", "{{person_1}} en {{person_2}}"),
        (
            "Gerrit Jan Oosting",
            "Hi Gerrit Jan,\nG.J. Oosting",
            "Hi {{first_name}} {{last_name_1}},\nG.J. {{last_name_2}}",
        ),
        ("Dr. Irmgard Stählin", "Hallo Irmgard,\nI. Stählin", "Hallo {{first_name}},\nI. {{last_name}}"),
        ("Prof. Dr. Ute Kern", "Hallo Frau Kern", "Hallo Frau {{last_name}}"),
        ("Lindqvist, Georg", "Hallo Georg Lindqvist", "Hallo {{first_name}} {{last_name}}"),
        ("deniz", "Hi Deniz,\n\ngreets deniz", "Hi {{first_name}},\n\ngreets {{first_name}}"),
        ("deniz yilmaz", "Deniz Yilmaz", "{{first_name}} {{last_name}}"),
        ("Will Smit", "Will it come? It will. Will", "{{first_name}} it come? It will. {{first_name}}"),
        ("May Jansen", "Hi May, on 3 May or May 4", "Hi {{first_name}}, on 3 May or May 4"),
        ("Thi Mai Nguyen", "Hallo Mai, am 2. Mai", "Hallo {{last_name_1}}, am 2. Mai"),
        ("Anouk & Tarek", "Hi Anouk and Tarek", "Hi {{first_name}} and {{last_name_1}}"),
        ("J", "J is a letter", "J is a letter"),
        ("", "Hi there", "Hi there"),
        ("anna@mail.example", "Hi there", "Hi there"),
    ],
)
def test_the_customers_name_becomes_a_slot(name: str, text: str, hidden: str) -> None:
    assert Slots(customer(name)).hide(text) == hidden


@pytest.mark.parametrize(
    ("name", "greeting"),
    [
        ("Anna de Wilde", "Hi Anna,"),
        ("Dr. Ekkehard Vossen", "Hi Ekkehard,"),
        ("Mevr. Anna de Wilde", "Hi Anna,"),
        ("de Wilde, Anna", "Hi Anna,"),
        ("anna de wilde", "Hi Anna,"),
        ("  ", "Hi,"),
        ("anna@mail.example", "Hi,"),
    ],
)
def test_a_greeting_holds_the_customers_own_first_name_or_none(name: str, greeting: str) -> None:
    assert Slots(customer(name)).fill("Hi {{first_name}},") == greeting


def test_a_ticket_without_a_known_customer_is_greeted_without_a_name() -> None:
    assert Slots(None).fill("Dag {{first_name}} {{last_name}},\n\n{{first_name}} hello") == "Dag,\n\nhello"


def test_the_answering_agent_and_the_colleagues_are_told_apart() -> None:
    marit, karim = agent("1", "Marit de Boer"), agent("2", "Karim Haddad")
    slots = Slots(customer("Anna"), [karim, marit], marit)
    text = "Karim Haddad wrote you, Karim is off.\n\nMarit"
    assert slots.hide(text) == "{{colleague}} wrote you, {{colleague}} is off.\n\n{{agent}}"
    assert slots.fill("{{colleague}} and {{agent}}") == "[colleague] and Marit"


def test_the_customer_comes_before_an_agent_of_the_same_name() -> None:
    anna = agent("1", "Anna Bos")
    assert Slots(customer("Anna de Wilde"), [anna], anna).hide("Hi Anna,") == "Hi {{first_name}},"


@pytest.mark.parametrize(
    ("text", "hidden"),
    [
        ("write to a.b-c+d@mail.example.", "write to {{email_1}}."),
        ("it ends in @mail.example", "it ends in {{email_1}}"),
        ("FW204518337NL", "{{reference_1}}"),
        ("fw204518337nl", "{{reference_1}}"),
        ("FW 204 518 337 NL", "{{reference_1}}"),
        ("invoice FI-2026-10452, claim cl-48211", "invoice {{reference_1}}, claim {{reference_2}}"),
        ("B-20417 and R-7F3K2", "{{reference_1}} and {{reference_2}}"),
        ("order 12345678", "order {{reference_1}}"),
        ("call 010 555 01 42", "call {{phone_1}}"),
        ("06-55501287", "{{phone_1}}"),
        ("0171 5550148", "{{phone_1}}"),
        ("0221/5550178", "{{phone_1}}"),
        ("+31 (0)6 5550 4418", "{{phone_1}}"),
        ("0032 9 555 01 77", "{{phone_1}}"),
        ("06.55.50.12.87", "{{phone_1}}"),
        ("NL91 ABNA 0417 1643 00", "{{iban_1}}"),
        ("DE89370400440532013000", "{{iban_1}}"),
        ("Hoevenseweg 88 in Breda", "{{address_1}} in {{place_1}}"),
        ("Lange Nieuwstraat 12b", "{{address_1}}"),
        ("Kastanienallee 7, 10435 Berlin", "{{address_1}}, {{postcode_1}} {{place_1}}"),
        ("at 12 Old Mill Road, Hull", "at {{address_1}}, {{place_1}}"),
        ("2511 ZZ Den Haag, SW1A 2AA London", "{{postcode_1}} {{place_1}}, {{postcode_2}} {{place_2}}"),
    ],
)
def test_contact_data_and_numbers_become_slots(text: str, hidden: str) -> None:
    slots = Slots(None)
    assert slots.hide(text) == hidden
    assert slots.fill(hidden) == text


@pytest.mark.parametrize(
    "text",
    [
        "on 05/03/2026, 05-03-2026 or 5.3.2026",
        "13/08 18:22 Collected, 14-07 05:58 Sorted",
        "between 9:00 and 17:00, 9.00-17.00 uur",
        "up to 1,250 parcels of 23 kg for €13.50, 7.5% less",
        "CN22 and CN23, 2026, A4 paper",
        "the Main Street depot",
    ],
)
def test_what_is_nobodys_stays(text: str) -> None:
    assert Slots(customer("Anna de Wilde")).hide(text) == text


def test_the_same_number_is_the_same_slot_however_it_is_written() -> None:
    text = "FW204518337NL, fw204518337nl, FW 204518337 NL; 06-5550 1287, 0655501287; FW204518338NL"
    same, other = "{{reference_1}}, {{reference_1}}, {{reference_1}}", "{{reference_2}}"
    assert Slots(None).hide(text) == f"{same}; {{{{phone_1}}}}, {{{{phone_1}}}}; {other}"


def test_the_same_person_is_the_same_slot_through_question_and_reply() -> None:
    slots = Slots(customer("Anna de Wilde"))
    question = slots.hide("My neighbour Kofi Mensah has it. Kofi is home late. Mr Mensah works nights.")
    assert question == (
        "My neighbour {{person_1}} {{surname_1}} has it. {{person_1}} is home late. Mr {{surname_1}} works nights."
    )
    reply = slots.hide("Hi Anna, please ring at Mensah, or ask Bram.")
    assert reply == "Hi {{first_name}}, please ring at {{surname_1}}, or ask {{person_2}}."
    assert slots.fill(reply) == "Hi Anna, please ring at Mensah, or ask Bram."


def test_others_known_in_the_ticket_are_found_though_no_list_holds_them() -> None:
    copied = User("91", "Wubbo Tiemersma", "wubbo@mail.example", "requester")
    text = "Met Wubbo besproken. Tiemersma komt."
    assert "Tiemersma" in Slots(None).hide(text)
    assert Slots(None, others=[copied]).hide(text) == "Met {{person_1}} besproken. {{surname_1}} komt."


def test_the_customers_own_address_can_be_filled_in_though_they_never_wrote_it() -> None:
    slots = Slots(customer("Anna de Wilde"))
    assert slots.fill("We write to {{requester_email}}.") == "We write to someone@mail.example."
    assert slots.hide("SomeOne@mail.example or a@b.example") == "{{requester_email}} or {{email_1}}"
    assert Slots(None).fill("{{requester_email}}") == "[email]"


@pytest.mark.parametrize(
    ("reply", "shown"),
    [
        ("Hi {{first_name}}, {{reference_1}}.\n{{agent}}", "Hi {{first_name}}, {{reference_2}}.\n{{agent}}"),
        ("{{reference_1}} and {{reference_2}}", "[reference] and [reference]"),
        ("we call {{phone_1}}", "we call [phone]"),
        ("with {{person_1}} {{surname_1}} in {{place_1}}", "with [name] in [place]"),
    ],
)
def test_another_tickets_slots_are_kept_only_where_they_can_mean_one_thing(reply: str, shown: str) -> None:
    here = "Customer: {{reference_2}} is with {{person_1}}, {{phone_1}} or {{phone_2}}"
    assert borrowed(reply, here) == shown


def test_a_reply_to_learn_from_holds_no_slot_that_its_question_lacks() -> None:
    reply = "Hi {{first_name}}, {{person_1}} {{surname_1}} has {{reference_1}}, not {{reference_2}}.\n{{agent}}"
    assert sourced(reply, "Where is {{reference_1}}?") == (
        "Hi {{first_name}}, [name] has {{reference_1}}, not [reference].\n{{agent}}"
    )


def test_no_slot_survives_filling() -> None:
    kinds = ("person_9", "surname", "place_2", "order_number", "requester_email", "last_name_3", "agent", "other_4")
    filled = Slots(None).fill(" ".join(f"{{{{{kind}}}}}" for kind in kinds))
    assert "{{" not in filled
    assert filled == "[name] [place] [order number] [email] [your name] [other]"


words = st.text(string.ascii_lowercase + "äöüéñ", min_size=1, max_size=8)
ascii_words = st.text(string.ascii_lowercase, min_size=1, max_size=8)
digits = st.text(string.digits, min_size=9, max_size=9)
personal = st.one_of(
    st.sampled_from(["Anna", "Anna de Wilde", "de Wilde", "Marit", "Karim", "2511 ZZ", "Hoevenseweg 88"]),
    digits.map("FW{}NL".format),
    digits.map(lambda number: f"06 {number[:8]}"),
    st.tuples(ascii_words, ascii_words).map("{0[0]}@{0[1]}.example".format),
)
pieces = st.one_of(words, personal, st.sampled_from([" ", "  ", ", ", ".\n", "\n\n", "! ", " , ", "\n   - "]))


@settings(max_examples=200, deadline=None)
@given(st.lists(pieces, max_size=30))
def test_filling_gives_back_what_was_hidden(parts: list[str]) -> None:
    text = " ".join(parts)
    marit = agent("1", "Marit de Boer")
    assume("Marit de Boer" not in text)
    slots = Slots(customer("Anna de Wilde"), [marit], marit)
    hidden = slots.hide(text)
    assert slots.fill(hidden) == text
    assert slots.hide(hidden) == hidden


@settings(max_examples=200, deadline=None)
@given(st.lists(words, min_size=1, max_size=6), st.lists(personal, min_size=1, max_size=6), st.randoms())
def test_nothing_personal_is_left_in_a_hidden_text(plain: list[str], secrets: list[str], random: Any) -> None:
    parts = [*plain, *secrets]
    random.shuffle(parts)
    team = [agent("1", "Marit de Boer"), agent("2", "Karim Haddad")]
    hidden = Slots(customer("Anna de Wilde"), team).hide(" ; ".join(parts))
    bare = re.sub(r"\{\{[a-z_0-9]+\}\}", "", hidden)
    assert not set(re.split(r"[^\w@]+", bare)) & {"Anna", "Wilde", "Marit", "Karim", "Hoevenseweg"}
    assert not re.search(r"[\d@]", bare)


@pytest.mark.parametrize(
    ("text", "filled"),
    [
        ("your parcel {{reference_2}}", "your parcel [reference]"),
        ("we phone {{phone_1}}", "we phone [phone]"),
        ("at {{ address_1 }}", "at [address]"),
        ("{{agent}}\nFernway", "[your name]\nFernway"),
        ("  - a list, indented  twice !", "  - a list, indented  twice !"),
        ("{{first_name", "{{first_name"),
    ],
)
def test_a_slot_without_a_value_becomes_a_blank(text: str, filled: str) -> None:
    assert Slots(None).fill(text) == filled


def test_every_blank_that_filling_leaves_is_known_as_a_blank() -> None:
    kinds = (
        "email", "iban", "reference", "phone", "address", "postcode", "colleague", "agent", "person", "surname",
        "place", "card", "plate", "ip_address", "link", "code", "username", "date_of_birth", "id_number", "vat_number",
        "requester_email", *ROLES,
    )  # fmt: skip
    for kind in kinds:
        left = Slots(None).fill(f"{{{{{kind}_1}}}}")
        assert BLANK.fullmatch(left), left


def test_a_number_that_the_ticket_does_not_hold_is_a_leak() -> None:
    known = ["My parcel FW204518337NL, call me on 06-5550 1287", "Depot: Industrieweg 4"]
    assert leaks("FW204518337NL and fw 204518337 nl: we call 0655501287. Industrieweg 4", known) == []
    assert leaks("FW204518338NL is in Tilburg", known) == ["reference"]
    assert "phone" in leaks("we call 06 5550 1288", known)
    assert leaks("mail to x@mail.example", known) == ["email"]
    assert leaks("NL91 ABNA 0417 1643 00", known)[0] == "iban"


HOSTILE = {
    "one long word": "a" * 20_000,
    "one long word of capitals": "A" * 20_000,
    "dashes": "a-" * 10_000,
    "capital dashes": "A-" * 10_000,
    "digits": "1" * 20_000,
    "digits and blanks": "0 " * 10_000,
    "versions": "1." * 10_000 + "x",
    "letters and digits": "A1" * 10_000 + "a",
    "dots": "a." * 10_000,
    "addresses without an end": "x@" * 10_000,
    "capitalised words": "Aa " * 7_000,
    "braces": "{" * 20_000,
    "greetings": "Hi " * 7_000,
    "particles": "Van De " * 3_000,
    "initials": "A. " * 7_000,
    "apostrophes": "O'" * 10_000,
    "cues": "order no. " * 2_000,
    "a link without an end": "http://" + "a1" * 10_000,
}


@pytest.mark.parametrize("kind", HOSTILE)
def test_a_hostile_mail_does_not_keep_a_worker_busy(
    kind: str, within: Callable[[float], AbstractContextManager[None]]
) -> None:
    text = HOSTILE[kind]
    slots = Slots(customer("Anna de Wilde"))
    with within(4):
        assert slots.fill(slots.hide(text)) == text
        leaks(text, [text], lexicon=Lexicon())
