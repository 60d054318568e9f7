"""What belongs to somebody else is found in a draft, and what its own ticket holds is not."""

from __future__ import annotations

import time

import pytest

from connectors.records import User
from connectors.store.database import Store
from trainer.privacy.leaks import Leak, People, blank_names, find_leaks, leaks
from trainer.privacy.lexicon import Lexicon

KOFI = User("91", "Kofi Mensah", "kofi@parkmail.example", "requester")
THOKOZANI = User("92", "Thokozani Xaba-Dube", "t.xaba@mail.example", "requester")
ANNA = User("90", "Anna de Wilde", "anna@mail.example", "requester")
MARIT = User("5001", "Marit de Boer", "marit@desk.example", "agent")
PEOPLE = People([KOFI, THOKOZANI, ANNA])
LEXICON = Lexicon(public=frozenset({"fernway", "parcels", "tilburg"}), common=frozenset({"parcel"}))
TICKET = "Customer: My parcel FW204518337NL is with Bram in Venlo. Call +31 (0)6 5550 1287.\n\nAnna"
ARTICLE = "Depot counters: Industrieweg 4, open until 18:00."


def scan(draft: str) -> list[Leak]:
    return find_leaks(draft, [TICKET, ARTICLE], people=PEOPLE, allowed=[ANNA, MARIT], lexicon=LEXICON)


def test_a_draft_that_holds_what_its_ticket_holds_leaks_nothing() -> None:
    draft = (
        "Hi Anna,\n\nfw 204518337 nl lies in Tilburg; Bram from Venlo has it. We call 06-5550 1287 from Industrieweg 4,"
        " or mail to anna@mail.example.\n\nWarm regards,\nMarit de Boer\nFernway Parcels"
    )
    assert scan(draft) == []


@pytest.mark.parametrize(
    ("draft", "kind", "value", "whose"),
    [
        ("Hi Anna, we told Thokozani Xaba-Dube so.", "person", "Thokozani Xaba-Dube", "somebody"),
        ("Hi Anna, THOKOZANI XABA-DUBE has it.", "person", "THOKOZANI XABA-DUBE", "somebody"),
        ("Hi Kofi, it is on its way.", "person", "Kofi", ""),
        ("It is in Roosendaal.", "place", "Roosendaal", ""),
        ("We wrote to kofi@parkmail.example.", "email", "kofi@parkmail.example", "somebody"),
        ("We wrote to nobody@parkmail.example.", "email", "nobody@parkmail.example", ""),
        ("We call 06-5550 1288.", "phone", "06-5550 1288", ""),
        ("It went to Hoevenseweg 88.", "address", "Hoevenseweg 88", ""),
        ("FW204518338NL is lost.", "reference", "FW204518338NL", ""),
    ],
)
def test_what_is_somebody_elses_is_found_where_it_stands(draft: str, kind: str, value: str, whose: str) -> None:
    (leak,) = scan(draft)
    assert (leak.kind, draft[leak.start : leak.end], leak.whose) == (kind, value, whose)


def test_the_store_tells_a_full_name_that_no_list_holds() -> None:
    draft = "Please ask Thokozani Xaba-Dube."
    assert leaks(draft, [TICKET], people=PEOPLE) == ["person"]
    assert leaks(draft, [TICKET], people=People([KOFI])) == []
    assert leaks(draft, [TICKET], people=PEOPLE, allowed=[THOKOZANI]) == []


def test_a_part_of_a_name_in_the_ticket_does_not_excuse_the_whole() -> None:
    assert leaks("Ask Kofi Mensah.", ["Customer: I am Kofi."], people=PEOPLE) == ["person"]


def test_names_are_blanked_and_other_leaks_stay_to_be_seen() -> None:
    draft = "Hi Kofi Mensah, FW204518338NL is in Roosendaal."
    assert blank_names(draft, scan(draft)) == "Hi [name], FW204518338NL is in [place]."


def test_without_a_lexicon_names_are_not_looked_for() -> None:
    assert leaks("Hi Kofi, in Roosendaal", [TICKET]) == []


def test_an_index_of_100_000_people_is_scanned_in_no_time() -> None:
    letters = "abcdefghij"
    name = lambda n: "".join(letters[int(digit)] for digit in f"{n:05d}").capitalize()  # noqa: E731
    people = People(User(str(n), f"{name(n)} Van{name(n)}", f"p{n}@mail.example", "requester") for n in range(100_000))
    assert len(people) == 200_000
    words = "the parcel that was sent on Monday is at the depot "
    draft = f"{words * 20}and {name(77_123)} Van{name(77_123)} knows, not {name(5)} Van{name(6)}"
    started = time.process_time()
    assert [draft[start:end] for start, end in people.find(draft)] == [f"{name(77_123)} Van{name(77_123)}"]
    assert time.process_time() - started < 0.1


def test_no_name_or_address_can_be_read_out_of_the_index() -> None:
    assert "kofi" not in repr(vars(PEOPLE)).lower()


def test_the_sample_companys_replies_leak_into_each_others_tickets(store: Store) -> None:
    people, lexicon = People.of_desk(store, "zendesk"), Lexicon.of_desk(store, "zendesk")
    assert len(people) > 400
    ticket = next(store.history.solved_tickets("zendesk"))
    turns = store.history.turns("zendesk", ticket.id)
    reply = next(turn.comment.text for turn in turns if turn.author.role == "agent")
    requester = store.history.user("zendesk", ticket.requester_id)
    assert requester is not None
    team = store.history.agents("zendesk")
    own = [turn.comment.text for turn in turns if turn.author.role == "requester"]
    mine = find_leaks(reply, own, people=people, allowed=[*team, requester], lexicon=lexicon)
    theirs = find_leaks(reply, [TICKET], people=people, allowed=team, lexicon=lexicon)
    assert not {leak.kind for leak in mine} & {"person", "surname", "email", "phone"}
    assert "person" in {leak.kind for leak in theirs}
