"""What is learned from: the sample company's tickets, whose kinds are known, and tickets made for one rule each."""

from __future__ import annotations

import random
import re
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from connectors.records import Comment, Group, Macro, Thread, Ticket, TicketMetrics, User
from connectors.settings import TrainerSettings
from connectors.store.database import Store
from connectors.store.examples import Example
from connectors.store.outcomes import Outcome
from connectors.store.suggestions import Suggestion
from trainer.curation import curate as curation
from trainer.curation.curate import (
    DISLIKED_DRAFT,
    GROUP_FULL,
    OWN_DRAFT,
    RARE_LANGUAGE,
    SAME_MACRO,
    SAME_REPLY,
    STANDARD_TEXT,
    CurationReport,
    curate,
    explain,
)
from trainer.curation.rules import CAME_BACK, DUPLICATE, ELSEWHERE, OTHER_LANGUAGE

Curated = Callable[..., CurationReport]

DESK = "zendesk"
DROPPED = ("auto_reply", "bounce", "spam", "one_word", "merged", "reopened", "duplicate")


def kept_turns(store: Store, ticket_id: str) -> list[bool]:
    return [kept for _, kept, _ in store.examples.verdict(DESK, ticket_id)]


@pytest.mark.parametrize("kind", DROPPED)
def test_every_ticket_of_a_bad_kind_is_dropped(desk: Any, store: Store, kind: str) -> None:
    tickets = [ticket_id for ticket_id, raw in desk.raw.items() if raw.kind == kind]
    assert tickets
    assert [ticket_id for ticket_id in tickets if any(kept_turns(store, ticket_id))] == []


def test_tickets_in_a_wrong_group_teach_routing_nothing_and_replies_something(
    desk: Any, examples: list[Example]
) -> None:
    doubted = {one.ticket_id for one in examples if not one.route_label}
    planted = {ticket_id for ticket_id, raw in desk.raw.items() if raw.kind == "wrong_group"}
    assert len(planted & {one.ticket_id for one in examples}) == 11
    assert len(doubted & planted) >= 4
    assert len(doubted - planted) <= 6
    assert desk.report.doubted_groups == len(doubted)


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
        others = [ticket_id for ticket_id in tickets if ticket_id != kept[0].ticket_id]
        assert {reason for one in others for *_, reason in store.examples.verdict(DESK, one)} == {SAME_MACRO}


def test_every_answered_ticket_that_was_not_rated_bad_is_kept(desk: Any, store: Store) -> None:
    answered = [(ticket_id, raw) for ticket_id, raw in desk.raw.items() if raw.kind == "answered"]
    good = [ticket_id for ticket_id, raw in answered if not raw.satisfaction or raw.satisfaction.score == "good"]
    assert len(good) >= 0.9 * len(answered)
    assert [ticket_id for ticket_id in good if not any(kept_turns(store, ticket_id))] == []


def test_spam_is_called_so(desk: Any, store: Store) -> None:
    spam = [ticket_id for ticket_id, raw in desk.raw.items() if raw.kind == "spam"]
    assert {reason for one in spam for *_, reason in store.examples.verdict(DESK, one)} == {"spam"}


def test_nobodys_examples_are_cut_or_thrown_out_on_a_desk_of_this_size(desk: Any) -> None:
    assert not desk.report.dropped.keys() & {GROUP_FULL, STANDARD_TEXT, RARE_LANGUAGE}
    assert desk.report.languages.keys() == {"en", "nl", "de"}


def test_every_agent_has_a_weight_near_one(desk: Any) -> None:
    weights = {one.agent_id: one.weight for one in desk.report.agents}
    assert len(weights) == 9
    assert all(0.5 <= weight <= 1.5 for weight in weights.values())
    assert min(weights.values()) < 1 < max(weights.values())


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
def curated(empty_store: Store) -> Curated:
    """Puts solved tickets of (question, answer) into an empty store and curates it; anything else can be given.

    `thread` gives all messages as (who, text), an hour apart: `c` for the customer, else the agent's id.
    """

    def curated(*tickets: dict[str, Any], settings: TrainerSettings | None = None) -> CurationReport:
        people = [
            User("90", "Anna de Wilde", "anna@mail.example", "requester"),
            User("91", "Machine", "no-reply@shop.example", "requester"),
            User("5001", "Marit de Boer", "marit@desk.example", "agent"),
            User("5002", "Karim Haddad", "karim@desk.example", "agent"),
        ]
        empty_store.mirror.save(DESK, [*people, Group("2101", "Tracking"), Group("2102", "Claims")])
        for number, one in enumerate(tickets, start=1):
            at = one.get(
                "at", f"{datetime(2025, 1, 1, 9, tzinfo=UTC) + timedelta(days=10 * number):%Y-%m-%dT%H:%M:%SZ}"
            )
            fields: dict[str, Any] = {"subject": "Help", "status": "solved", "requester_id": "90", "group_id": "2101"}
            fields |= {name: value for name, value in one.items() if name in Ticket.__dataclass_fields__}
            ticket = Ticket(id=str(number), created_at=at, updated_at=at, generated_at=1, **fields)
            metrics = [TicketMetrics(str(number), reopens=one["reopens"])] if "reopens" in one else []
            empty_store.mirror.save(DESK, [ticket, *metrics])
            lines = [("c", one.get("question", "Where is my parcel?"))]
            lines += [("5001", one.get("answer", ANSWER))] if one.get("answer", ANSWER) else []
            comments = [
                Comment(
                    f"{number}-{place}",
                    str(number),
                    fields["requester_id"] if who == "c" else who.strip("!"),
                    not who.endswith("!"),
                    text,
                    at.replace("T09", f"T{8 + place:02d}"),
                )
                for place, (who, text) in enumerate(one.get("thread", lines), start=1)
            ]
            empty_store.mirror.save_thread(DESK, Thread(str(number), comments))
        return curate(empty_store, DESK, settings)

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
        ({"merged": True}, "merged into another ticket"),
        ({"tags": ("Spam",)}, "spam"),
        ({"question": "We get you to page one of every search engine. Reply STOP to opt out.", "answer": ""}, "spam"),
        ({"thread": [("c", "Dear friend, I have a box."), ("5001!", "spam!")]}, "spam"),
        ({"answer": "Hi Anna, I have just answered your first mail, please go on with me there. " * 2}, ELSEWHERE),
        ({"question": "Waar blijft mijn pakket? Het zou maandag komen en nu is het al vrijdag."}, OTHER_LANGUAGE),
        ({"satisfaction": "bad"}, "rated bad by the customer"),
        ({"answer": "Hi Anna, it is in Tilburg."}, "the reply is too short to learn from"),
        ({"answer": "It is in Tilburg. " * 90}, "the reply is too long to learn from"),
        ({"answer": ""}, "nobody answered it"),
    ],
)
def test_a_ticket_is_dropped_for_the_reason_that_an_admin_reads(
    curated: Curated, ticket: dict[str, Any], reason: str
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
def test_a_customer_who_is_away_and_asks_is_no_machine(curated: Curated, question: str) -> None:
    assert curated({"question": question}).kept == 1


def test_good_ratings_and_unrated_tickets_are_kept(curated: Curated) -> None:
    other = "Hello, the refund was paid on Monday; your bank needs three more days to show it on your account."
    assert curated({"satisfaction": "good"}, {"question": "And my money?", "answer": other}).kept == 2


def test_a_duplicate_is_the_same_question_of_the_same_customer_within_a_week(
    curated: Curated, empty_store: Store
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


def test_the_same_reply_with_other_facts_is_another_lesson(curated: Curated) -> None:
    report = curated(
        {"answer": ANSWER}, {"answer": ANSWER}, {"answer": ANSWER + " Bring your code to the partner shop."}
    )
    assert report.kept == 2
    assert dict(report.dropped) == {"the same reply stands for it elsewhere": 1}


def test_one_reply_never_weighs_more_than_three(curated: Curated, empty_store: Store) -> None:
    curated(*[{"question": f"Question {number}?"} for number in range(8)])
    (kept,) = empty_store.examples.kept(DESK)
    assert (kept.ticket_id, kept.weight) == ("8", 3.0)


def test_a_dropped_answer_leaves_no_text_behind(curated: Curated, empty_store: Store) -> None:
    curated({"satisfaction": "bad"}, {"answer": ""}, {"tags": ("spam",)})
    rows = list(empty_store.rows("select question, reply from examples"))
    assert rows == [{"question": "", "reply": ""}] * 3


# ---- duplicates, come-backs, languages

PARCEL = "My parcel FW204518337NL with the espresso cups stands in Ghent since Tuesday. Can I come and get it?"
REWORDED = "Hello, FW204518337NL again, the cups: it goes round in circles between depots. What is going on?"


@pytest.mark.parametrize(
    ("second", "hours", "dropped"),
    [
        (f"I wrote this morning and have no answer. {REWORDED}", 3, True),
        (REWORDED, 3, False),
        (f"I wrote this morning and have no answer. {REWORDED}", 48, False),
        (f"I wrote this morning. {REWORDED}".replace("FW204518337NL", "FW999999999NL"), 3, False),
        (PARCEL.replace("FW204518337NL", "FW999999999NL"), 3, False),
        (PARCEL, 3, True),
    ],
)
def test_who_says_that_they_wrote_before_may_use_other_words(
    curated: Curated, second: str, hours: int, dropped: bool
) -> None:
    later = f"2026-03-{1 + (9 + hours) // 24:02d}T{(9 + hours) % 24:02d}:00:00Z"
    other = "Hello Anna, we have covered the old label on the box, so that it comes to you tomorrow before noon."
    report = curated(
        {"question": PARCEL, "at": "2026-03-01T09:00:00Z"}, {"question": second, "at": later, "answer": other}
    )
    assert dict(report.dropped) == ({DUPLICATE: 1} if dropped else {})


RIGHT = "Hi Anna, what you can do is move the day to Saturday, once for free, before 22:00 on the tracking page."


@pytest.mark.parametrize("reopens", [None, 1])
@pytest.mark.parametrize(
    ("back", "second"),
    [
        ("It does not work, the button is grey.", RIGHT),
        ("Dat klopt niet.", RIGHT),
        ("Das stimmt nicht.", RIGHT),
        ("And now?", "Hi Anna, our first answer was wrong. " + RIGHT[9:]),
    ],
)
def test_an_answer_that_did_not_help_is_no_example_and_the_next_one_is(
    curated: Curated, empty_store: Store, back: str, second: str, reopens: int | None
) -> None:
    thread = [("c", "Can it go to my office?"), ("5001", ANSWER), ("c", back), ("5002", second)]
    curated({"thread": thread} | ({"reopens": reopens} if reopens else {}))
    assert empty_store.examples.verdict(DESK, "1") == [("1-2", False, CAME_BACK), ("1-4", True, "")]


@pytest.mark.parametrize("back", ["Thank you, that is clear.", "Here are the three photos that you asked for."])
def test_a_customer_who_thanks_or_sends_what_was_asked_for_did_not_come_back(curated: Curated, back: str) -> None:
    assert curated({"thread": [("c", "Where?"), ("5001", ANSWER), ("c", back), ("5002", RIGHT)]}).kept == 2


def test_who_says_so_in_a_ticket_that_was_never_reopened_did_not_come_back(curated: Curated) -> None:
    thread = [("c", "Where?"), ("5001", ANSWER), ("c", "It does not work."), ("5002", RIGHT)]
    assert curated({"thread": thread, "reopens": 0}).kept == 2


def test_a_language_that_the_desk_hardly_uses_is_left_out(curated: Curated, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(curation, "RARE_LANGUAGE_SHARE", 0.2)
    french = (
        "Bonjour Anna, votre colis se trouve à Tilburg et il sera livré chez vous vendredi entre neuf et dix heures."
    )
    ask = "Bonjour, où est mon colis ? Il devait arriver lundi et je n'ai aucune nouvelle de vous."
    others = [{"answer": f"{ANSWER} {word * 8}"} for word in ("Cup ", "Red ", "Box ", "Sun ", "Tea ", "Dog ")]
    report = curated(*others, {"question": ask, "answer": french})
    assert dict(report.dropped) == {RARE_LANGUAGE: 1}
    assert report.languages == {"en": 6}


# ---- what an admin excludes


@pytest.mark.parametrize(
    ("settings", "out"),
    [
        ({"exclude_tags": ["VIP"]}, [("1", "excluded by [trainer] exclude_tags")]),
        ({"exclude_groups": ["CLAIMS"]}, [("2", "excluded by [trainer] exclude_groups")]),
        ({"exclude_groups": [2102]}, [("2", "excluded by [trainer] exclude_groups")]),
        ({"exclude_agents": ["KARIM@desk.example"]}, [("3", "excluded by [trainer] exclude_agents")]),
        ({"exclude_agents": [5002]}, [("3", "excluded by [trainer] exclude_agents")]),
        ({"exclude_tickets": [1, "3"]}, [(one, "excluded by [trainer] exclude_tickets") for one in "13"]),
    ],
)
def test_what_an_admin_excludes_is_out_and_nothing_else(
    curated: Curated, empty_store: Store, settings: dict[str, Any], out: list[tuple[str, str]]
) -> None:
    report = curated(
        {"tags": ("vip",), "answer": ANSWER + " One."},
        {"group_id": "2102", "question": "What of my claim?", "answer": RIGHT},
        {"thread": [("c", "And the money?"), ("5002", "Hi Anna, " + "the money is on its way to your account. " * 2)]},
        settings=TrainerSettings.model_validate(settings),
    )
    rows = empty_store.rows("select ticket_id, reason from examples where kept = 0 order by 1")
    assert [(row["ticket_id"], row["reason"]) for row in rows] == out
    assert report.problems == ()


def test_an_exclusion_that_names_nothing_is_said_without_the_address(curated: Curated) -> None:
    settings = TrainerSettings(exclude_groups=("Clams", "Claims"), exclude_agents=("karin@desk.example",))
    report = curated({}, settings=settings)
    assert report.problems == (
        "exclude_groups: there is no group 'Clams'",
        "exclude_agents: 1 of 1 are not of the team",
    )


# ---- caps and weights


def different(number: int) -> str:
    words = random.Random(number).choices(
        ["red", "box", "van", "shop", "code", "day", "road", "cup", "tea", "key"], k=30
    )
    return "Hi Anna, " + " ".join(words) + "."


def test_no_group_floods_the_set_and_the_newest_stay(
    curated: Curated, empty_store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(curation, "LEAST_PER_GROUP", 2)
    tickets = [{"answer": different(number), "question": different(100 + number)} for number in range(1, 11)]
    tickets += [{"answer": different(n), "question": different(100 + n), "group_id": "2102"} for n in range(11, 15)]
    report = curated(*tickets)
    assert dict(report.dropped) == {GROUP_FULL: 6}
    assert [one.ticket_id for one in empty_store.examples.kept(DESK)] == [str(number) for number in range(7, 15)]
    assert curated(*tickets, settings=TrainerSettings(max_group_share=1)).kept == 14


def test_a_desk_with_one_group_is_not_cut(curated: Curated, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(curation, "LEAST_PER_GROUP", 2)
    assert (
        curated(*[{"answer": different(number), "question": different(100 + number)} for number in range(6)]).kept == 6
    )


def test_only_so_many_versions_of_a_standard_text_stay(curated: Curated, empty_store: Store) -> None:
    text = "Hi Anna, your money is on its way and stands on your account within five to seven working days. Reason: "
    tickets = [{"question": different(number), "answer": text + different(number)[9:40]} for number in range(6)]
    report = curated(*tickets, settings=TrainerSettings(max_similar_replies=2))
    assert dict(report.dropped) == {STANDARD_TEXT: 4}
    assert [one.ticket_id for one in empty_store.examples.kept(DESK)] == ["5", "6"]


def test_a_macro_pasted_unchanged_is_called_so(curated: Curated, empty_store: Store) -> None:
    empty_store.mirror.save(DESK, [Macro("1", "Tilburg", ANSWER.replace("Anna", "{{ticket.requester.first_name}}"))])
    assert dict(curated({}, {}, {"answer": RIGHT}, {"answer": RIGHT}).dropped) == {SAME_MACRO: 1, SAME_REPLY: 1}


def _outcome(store: Store, kind: str, effort: float) -> None:
    """Ticket 1 had a draft for its customer's first message, and this is what became of it."""
    store.suggestions.save(Suggestion("s1", DESK, "1", "1-1", "v1", "shown", draft=ANSWER))
    store.outcomes.save([Outcome("s1", DESK, "1", kind, effort, "1-2", "5001", "2101", "2025-01-11T10:00:00Z", 60)])


@pytest.mark.parametrize(
    ("kind", "effort", "weight"),
    [("as_is", 0.0, 0.25), ("edited", 0.04, 0.25), ("edited", 0.2, 1.0), ("withheld", 0.0, 1.0), ("ignored", 0.9, 1.0)],
)
def test_what_was_sent_as_we_had_drafted_it_weighs_less(
    curated: Curated, empty_store: Store, kind: str, effort: float, weight: float
) -> None:
    _outcome(empty_store, kind, effort)
    report = curated({})
    (kept,) = empty_store.examples.kept(DESK)
    assert (kept.weight, report.own_drafts) == (weight, int(weight < 1))
    assert kept.weight_reason == (OWN_DRAFT if weight < 1 else "")
    report = curated({}, settings=TrainerSettings(own_draft_weight=0.1))
    assert empty_store.examples.kept(DESK)[0].weight == min(weight, 0.1 if weight < 1 else 1.0)


@pytest.mark.parametrize(("kind", "out"), [("as_is", True), ("ignored", False)])
def test_a_draft_that_was_sent_and_not_liked_is_no_example(
    curated: Curated, empty_store: Store, kind: str, out: bool
) -> None:
    _outcome(empty_store, kind, 0.0)
    empty_store.suggestions.add_feedback("s1", "thumb_down", "wrong depot")
    assert dict(curated({}).dropped) == ({DISLIKED_DRAFT: 1} if out else {})
    empty_store.suggestions.add_feedback("s1", "thumb_up")
    assert not curated({}).dropped, "the last word counts"


def test_agents_with_better_ratings_weigh_more_unless_it_is_switched_off(curated: Curated, empty_store: Store) -> None:
    tickets = [
        {
            "thread": [("c", different(100 + n)), (agent, different(n))],
            "satisfaction": "bad" if n % 2 and n < 20 else "good",
        }
        for n, agent in enumerate(["5002"] * 20 + ["5001"] * 20)
    ]
    report = curated(*tickets)
    weights = {one.agent_id: one.weight for one in report.agents}
    assert weights["5002"] < 0.9 < 1.1 < weights["5001"]
    assert {one.weight for one in empty_store.examples.kept(DESK)} == set(weights.values())
    curated(*tickets, settings=TrainerSettings(agent_weights=False))
    assert {one.weight for one in empty_store.examples.kept(DESK)} == {1.0}


def test_frozen_tickets_stay_as_they_are_and_stand_for_nothing(curated: Curated, empty_store: Store) -> None:
    empty_store.examples.freeze(DESK, ["3"])
    report = curated({}, {}, {})
    kept = empty_store.examples.kept(DESK)
    assert [(one.ticket_id, one.weight) for one in kept] == [("2", 2.0), ("3", 1.0)]
    assert dict(report.dropped) == {SAME_REPLY: 1}


# ---- why a ticket is in or out


def test_a_ticket_without_a_verdict_is_explained(curated: Curated, empty_store: Store) -> None:
    curated({}, {"status": "open"}, {"deleted": True}, {"answer": ""})
    assert explain(empty_store, DESK, "1") == explain(empty_store, DESK, "4") == ""
    assert explain(empty_store, DESK, "2") == "out, it is open: only solved and closed tickets are learned from"
    assert explain(empty_store, DESK, "3").startswith("out, it was deleted")
    assert explain(empty_store, DESK, "404") == "out, it is not in the database: run deskhand sync"
    empty_store.execute("delete from examples")
    assert explain(empty_store, DESK, "1") == "not looked at yet: run deskhand curate"


def test_an_empty_desk_has_no_examples(empty_store: Store, tmp_path: Path) -> None:
    assert curate(empty_store, DESK) == CurationReport()
