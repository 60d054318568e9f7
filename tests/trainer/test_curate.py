"""What is learned from: the sample company's tickets, whose kinds are known, and tickets made for one rule each."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from connectors.records import Comment, Thread, Ticket, User
from connectors.store.database import Store
from connectors.store.examples import Example
from trainer.curate import CurationReport, curate

DESK = "zendesk"
DROPPED = ("auto_reply", "bounce", "spam", "one_word", "merged", "reopened")


def kept_turns(store: Store, ticket_id: str) -> list[bool]:
    return [kept for _, kept, _ in store.examples.verdict(DESK, ticket_id)]


@pytest.mark.parametrize("kind", DROPPED)
def test_every_ticket_of_a_bad_kind_is_dropped(desk: Any, store: Store, kind: str) -> None:
    tickets = [ticket_id for ticket_id, raw in desk.raw.items() if raw.kind == kind]
    assert tickets
    assert [ticket_id for ticket_id in tickets if any(kept_turns(store, ticket_id))] == []


def test_most_duplicates_are_dropped(desk: Any, store: Store) -> None:
    tickets = [ticket_id for ticket_id, raw in desk.raw.items() if raw.kind == "duplicate"]
    assert len(tickets) == 6
    assert sum(not any(kept_turns(store, ticket_id)) for ticket_id in tickets) >= 4


def test_each_macro_is_kept_once_and_weighs_more(desk: Any, store: Store, examples: list[Example]) -> None:
    macros: dict[str, list[str]] = {}
    for ticket_id, raw in desk.raw.items():
        if raw.kind == "macro":
            answer = next(comment.body for comment in raw.comments if comment.author != "requester" and comment.public)
            macros.setdefault(answer.splitlines()[2], []).append(ticket_id)
    assert len(macros) == 3
    for tickets in macros.values():
        kept = [one for one in examples if one.ticket_id in tickets]
        assert len(kept) == 1
        assert kept[0].ticket_id == max(tickets, key=lambda ticket_id: desk.raw[ticket_id].created)
        assert kept[0].weight > 1


def test_nine_in_ten_answered_tickets_are_kept(desk: Any, store: Store) -> None:
    answered = [ticket_id for ticket_id, raw in desk.raw.items() if raw.kind == "answered"]
    kept = [ticket_id for ticket_id in answered if any(kept_turns(store, ticket_id))]
    assert len(kept) >= 0.9 * len(answered)


def test_every_solved_ticket_has_a_verdict_with_a_reason(desk: Any, store: Store) -> None:
    for ticket_id in desk.raw:
        verdict = store.examples.verdict(DESK, ticket_id)
        assert verdict, ticket_id
        assert all(kept != bool(reason) for _, kept, reason in verdict)


def test_the_report_says_what_is_in_the_store(desk: Any, store: Store, examples: list[Example]) -> None:
    assert desk.report.tickets == len(desk.raw)
    assert desk.report.kept == len(examples)
    assert dict(desk.report.dropped) == store.examples.reasons(DESK)


def test_nothing_of_an_internal_note_is_in_an_example(desk: Any, examples: list[Example]) -> None:
    notes = {
        ticket_id: [line for comment in raw.comments if not comment.public for line in _sentences(comment.body)]
        for ticket_id, raw in desk.raw.items()
    }
    assert sum(map(bool, notes.values())) > 20
    for one in examples:
        text = one.question + one.reply
        for line in notes[one.ticket_id]:
            assert line not in text or any(line in comment.body for comment in _public(desk.raw[one.ticket_id]))


def _sentences(text: str) -> list[str]:
    return [part.strip() for part in re.split(r"[.!?\n]", text) if len(part.split()) >= 3]


def _public(raw: Any) -> list[Any]:
    return [comment for comment in raw.comments if comment.public]


def _bare(text: str) -> str:
    return re.sub(r"[\s/().-]", "", text).lower()


def _without_slots(text: str) -> str:
    return re.sub(r"\{\{[a-z_0-9]+\}\}", " ", text)


def test_no_address_number_or_telephone_of_a_customer_is_in_an_example(desk: Any, examples: list[Example]) -> None:
    found = Counter[str]()
    for one in examples:
        raw = desk.raw[one.ticket_id]
        told = " ".join([raw.subject, *(comment.body for comment in _public(raw))])
        secrets = {
            "e-mail": [raw.requester.email, *re.findall(r"[\w.+-]+@[\w.-]+\w", told)],
            "number": re.findall(r"(?i)\b(?:FW\d{9}[A-Z]{2}|F[IW]-?[\d-]{7,}|CL-\d+|B-\d+|R-[A-Z0-9]{5})\b", told),
            "telephone": re.findall(r"(?:\+|\b0)\d[\d /()-]{6,14}\d", told),
        }
        text = _bare(_without_slots(f"{one.question}\n{one.reply}"))
        for kind, values in secrets.items():
            for value in values:
                if kind == "telephone" and re.search(r"\d\d/\d\d", value):  # 24/04 05:51, a scan's time
                    continue
                found[kind] += 1
                assert _bare(value) not in text, (one.ticket_id, kind)
    assert min(found["e-mail"], found["number"]) > 250
    assert found["telephone"] > 20


def test_no_name_of_a_customer_is_in_an_example(desk: Any, examples: list[Example]) -> None:
    names = 0
    for one in examples:
        text = _without_slots(f"{one.question}\n{one.reply}")
        for part in re.findall(r"\b[^\W\d_][\w'-]{2,}", desk.raw[one.ticket_id].requester.name):
            if part[0].isupper():
                names += 1
                hits = re.findall(rf"(?<!\d\. )(?<!\d )\b{re.escape(part)}\b", text)
                assert not hits, (one.ticket_id, hits)
    assert names > 500


def test_replies_keep_their_greeting_as_a_slot(examples: list[Example]) -> None:
    greeted = [one for one in examples if re.match(r"(?:Hi|Dag|Hallo) \{\{first_name\}\}", one.reply)]
    assert len(greeted) > 0.7 * len(examples)


def test_the_languages_of_the_desk_are_told_apart(desk: Any, examples: list[Example]) -> None:
    right = [one.language == desk.raw[one.ticket_id].language for one in examples if len(one.reply.split()) > 25]
    assert sum(right) > 0.97 * len(right)
    assert Counter(one.language for one in examples).keys() == {"en", "nl", "de"}


def test_curating_again_changes_nothing(own_store: Store) -> None:
    before = own_store.examples.kept(DESK)
    again = curate(own_store, DESK)
    assert own_store.examples.kept(DESK) == before
    assert again.kept == len(before)


# One rule at a time, on tickets made for it.

ANSWER = "Hi Anna, your parcel is in Tilburg, and it comes to you on Friday between nine and five."


@pytest.fixture
def curated(empty_store: Store) -> Callable[..., CurationReport]:
    """Puts solved tickets of (question, answer) into an empty store and curates it; anything else can be given."""

    def curated(*tickets: dict[str, Any]) -> CurationReport:
        people = [
            User("90", "Anna de Wilde", "anna@mail.example", "requester"),
            User("91", "Machine", "no-reply@shop.example", "requester"),
            User("5001", "Marit de Boer", "marit@desk.example", "agent"),
        ]
        empty_store.mirror.save(DESK, people)
        for number, one in enumerate(tickets, start=1):
            at = one.get("at", f"2026-0{number}-01T09:00:00Z")
            fields: dict[str, Any] = {"subject": "Help", "status": "solved", "requester_id": "90", "group_id": "2101"}
            fields |= {name: value for name, value in one.items() if name in Ticket.__dataclass_fields__}
            ticket = Ticket(id=str(number), created_at=at, updated_at=at, generated_at=1, **fields)
            empty_store.mirror.save(DESK, [ticket])
            lines = [(fields["requester_id"], one.get("question", "Where is my parcel?"))]
            lines += [("5001", one.get("answer", ANSWER))] if one.get("answer", ANSWER) else []
            comments = [
                Comment(f"{number}-{place}", str(number), who, True, text, at)
                for place, (who, text) in enumerate(lines, start=1)
            ]
            empty_store.mirror.save_thread(DESK, Thread(str(number), comments))
        return curate(empty_store, DESK)

    return curated


@pytest.mark.parametrize(
    ("ticket", "reason"),
    [
        ({"subject": "Undeliverable: your invoice"}, "a mail server's bounce"),
        ({"question": "Onbestelbaar: uw bericht is niet afgeleverd"}, "a mail server's bounce"),
        ({"subject": "Unzustellbar: Ihre Rechnung"}, "a mail server's bounce"),
        ({"subject": "Automatic reply: your parcel"}, "an automatic reply"),
        ({"subject": "Automatische Antwort: Ihr Paket"}, "an automatic reply"),
        ({"subject": "Automatisch antwoord: je pakket"}, "an automatic reply"),
        ({"question": "I am out of the office until Monday."}, "an automatic reply"),
        ({"question": "Ich bin bis Montag nicht im Büro."}, "an automatic reply"),
        ({"question": "Ik ben tot maandag afwezig."}, "an automatic reply"),
        ({"requester_id": "91"}, "an automatic reply"),
        ({"tags": ("late", "closed_by_merge")}, "merged into another ticket"),
        ({"satisfaction": "bad"}, "rated bad by the customer"),
        ({"answer": "Hi Anna, it is in Tilburg."}, "the reply is too short to learn from"),
        ({"answer": "It is in Tilburg. " * 90}, "the reply is too long to learn from"),
        ({"answer": ""}, "nobody answered it"),
    ],
)
def test_a_ticket_is_dropped_for_the_reason_that_an_admin_reads(
    curated: Callable[..., CurationReport], ticket: dict[str, Any], reason: str
) -> None:
    report = curated(ticket)
    assert (report.kept, dict(report.dropped)) == (0, {reason: 1})


@pytest.mark.parametrize(
    "question",
    [
        "I am away from Tuesday until Sunday the 12th. Can it go to a neighbour?",
        "Ik ben woensdag afwezig, kan het donderdag?",
        "Ich bin am Montag nicht im Haus. Geht Dienstag?",
        "Could you deliver it? The mail said it was returned.",
    ],
)
def test_a_customer_who_is_away_and_asks_is_no_machine(curated: Callable[..., CurationReport], question: str) -> None:
    assert curated({"question": question}).kept == 1


def test_good_ratings_and_unrated_tickets_are_kept(curated: Callable[..., CurationReport]) -> None:
    other = "Hello, the refund was paid on Monday; your bank needs three more days to show it on your account."
    assert curated({"satisfaction": "good"}, {"question": "And my money?", "answer": other}).kept == 2


def test_a_duplicate_is_the_same_question_of_the_same_customer_within_a_week(
    curated: Callable[..., CurationReport], empty_store: Store
) -> None:
    long = (
        "My parcel with the four espresso cups stands in Ghent since Tuesday and nobody can tell me why. Where is it?"
    )
    report = curated(
        {"question": long, "at": "2026-03-01T09:00:00Z"},
        {"question": f"I wrote before. {long}", "at": "2026-03-03T09:00:00Z"},
        {"question": long, "at": "2026-03-20T09:00:00Z"},
    )
    assert report.dropped["the same customer had just asked the same"] == 1
    assert [reason for *_, reason in empty_store.examples.verdict(DESK, "2")] == [
        "the same customer had just asked the same"
    ]


def test_the_same_reply_with_other_facts_is_another_lesson(curated: Callable[..., CurationReport]) -> None:
    report = curated(
        {"answer": ANSWER}, {"answer": ANSWER}, {"answer": ANSWER + " Bring your code to the partner shop."}
    )
    assert report.kept == 2
    assert dict(report.dropped) == {"the same reply stands for it elsewhere": 1}


def test_one_reply_never_weighs_more_than_three(curated: Callable[..., CurationReport], empty_store: Store) -> None:
    curated(*[{"question": f"Question {number}?"} for number in range(8)])
    (kept,) = empty_store.examples.kept(DESK)
    assert (kept.ticket_id, kept.weight) == ("8", 3.0)


def test_an_empty_desk_has_no_examples(empty_store: Store, tmp_path: Path) -> None:
    assert curate(empty_store, DESK) == CurationReport()
