"""A store with something on every page: suggestions of all kinds over twelve weeks, dead letters, workers, switches."""

from __future__ import annotations

import random
import time
from datetime import UTC, datetime, timedelta

from connectors import clock
from connectors.records import Comment, Group, Ticket, User
from connectors.store.database import Store
from connectors.store.examples import Example
from connectors.store.inbox import WorkerState
from connectors.store.suggestions import Claim, Route, Source, Suggestion
from trainer.outcomes import match

PLACES = ("Tilburg", "Ghent", "Breda", "Lille", "Aachen")
DRAFT = (
    "Hi Anna,\n\nYour parcel is in our depot in {place} and will be with you tomorrow before noon. "
    "You can follow it on the tracking page.\n\nKind regards,\nMarit"
)
ANEW = (
    "Dear Anna,\n\nI am sorry about the damage. Please send us two photographs of the box, and the invoice of what was "
    "in it; I have opened a claim for you.\n\nMarit"
)
SPECIAL = "9001"
"""A ticket whose texts have markup and long words in them."""


def fill(store: Store, desk: str, *, weeks: int = 12, a_week: int = 8, version: str = "v20261124-081500") -> None:
    """Tickets with suggestions and replies, matched; the same every time but for the dates."""
    luck = random.Random(6)
    people = [
        User("90", "Anna de Wilde", "anna@mail.example", "requester"),
        User("5001", "Marit de Boer", "marit@desk.example", "agent"),
        User("5002", "Priya Nair", "priya@desk.example", "agent"),
    ]
    store.mirror.save(desk, [*people, Group("2101", "TRK1", "Parcels"), Group("2104", "FIN", "Money")])
    now = datetime.now(UTC)
    number = 8000
    with store.transaction():
        for week in range(weeks):
            for _ in range(a_week):
                number += 1
                at = now - timedelta(weeks=weeks - week, hours=-luck.randrange(1, 160))
                _ticket(store, desk, str(number), at, luck, version if week > weeks // 2 else "v20261001-060000")
        _special(store, desk, now, version)
    match(store, desk)
    store.examples.replace(desk, [_example(desk, number) for number in range(40)])
    store.examples.freeze(desk, ["7001", "7002"])
    for name, ticket in (("w1", "8001"), ("w2", "")):
        store.inbox.seen(WorkerState(f"host-{name}", 4711, "host", version, ticket, clock.now(), time.time()))
    for row in range(3):
        store.inbox.put(desk, f"dead-{row}", str(8001 + row))
        job = store.inbox.claim("w1", lease_s=60)
        assert job is not None
        store.inbox.bury(job, "w1", error="GET /api/v2/tickets/8001.json on desk.example answered 500")
    store.inbox.put(desk, "open-1", "8010")
    streams = ["groups", "users", "macros", "articles", "tickets", "comments"]
    why = {"users": "GET /api/v2/users.json on desk.example answered 429: too many requests"}
    store.stream_runs.save(desk, streams, skipped={"macros": "this credential may not do that"}, failed=why)
    for stream in streams[:-1]:
        store.cursors.save(desk, stream, "c")


def _ticket(store: Store, desk: str, key: str, at: datetime, luck: random.Random, version: str) -> None:
    place = luck.choice(PLACES)
    draft = DRAFT.format(place=place)
    state = luck.choices(["shown", "withheld", "silent"], [7, 2, 2])[0]
    sent = luck.choices([draft, draft.replace(place, "Oss").replace("before noon", "before six"), ANEW], [4, 3, 2])[0]
    group = luck.choice(["2101", "2101", "2104"])
    times = [clock.to_iso(at + timedelta(minutes=minutes)) for minutes in (0, 1, luck.randrange(5, 90))]
    records = [
        Ticket(key, "A question", "open", "90", times[0], times[2], int(at.timestamp()), group_id=group),
        Comment(f"{key}1", key, "90", True, "Where is my parcel? It should have come on Monday.", times[0]),
        Comment(f"{key}2", key, luck.choice(["5001", "5002"]), True, sent, times[2]),
    ]
    # The last tenth waits for its answer.
    store.mirror.save(desk, records if luck.random() < 0.9 else records[:2])
    effort = min(0.95, max(0.05, {draft: 0.1, ANEW: 0.8}.get(sent, 0.3) + luck.uniform(-0.15, 0.2)))
    store.suggestions.save(
        Suggestion(
            f"s{key}", desk, key, f"{key}1", version, state,
            draft="" if state == "silent" else draft,
            language="en",
            claims=(Claim("tomorrow", 60, 68, False),),
            sources=(Source("article", "901", "Delivery times", "https://desk.example/901", "Next day."),),
            route=Route("2101", "TRK1", 0.83, ("Parcels",), (("2104", "FIN", 0.17),)),
            confidence=round(1 - effort, 2),
            latency_s=2.5,
            created_at=times[1],
            silence=luck.choice(["no_similar", "unsure", "switched_off"]) if state == "silent" else "",
        )
    )  # fmt: skip
    if state == "shown" and sent == ANEW and luck.random() < 0.5:
        store.suggestions.add_feedback(f"s{key}", "thumb_down", "the wrong depot")
    elif state == "shown" and sent == draft:
        store.suggestions.add_feedback(f"s{key}", "inserted")


def _example(desk: str, number: int) -> Example:
    dropped = number % 5 == 0
    own = number % 7 == 1
    return Example(
        desk, str(7000 + number), f"{7000 + number}2", 0, not dropped,
        "rated bad by the customer" if dropped else "", 0.0 if dropped else 0.25 if own else 1.0,
        "" if dropped else "Subject: Help\n\nCustomer: Where is {{order_number}}?",
        "" if dropped else "Hi {{requester.first_name}}, it is in Ghent.", "nl" if number % 4 == 1 else "en", "2101",
        "90", "5001", f"2026-04-{1 + number % 28:02}T09:00:00Z", number != 3,
        "sent as Deskhand had drafted it" if own and not dropped else "",
    )  # fmt: skip


def _special(store: Store, desk: str, now: datetime, version: str) -> None:
    at = clock.to_iso(now - timedelta(hours=3))
    later = clock.to_iso(now - timedelta(hours=2))
    asked = "<script>alert(1)</script> 'Where' is \"it\"? " + "long" * 60
    sent = DRAFT.format(place="<b>Oss</b>") + "\n\n{{ 7 * 7 }} 📦"
    store.mirror.save(
        desk,
        [
            Ticket(SPECIAL, "<img src=x>", "open", "90", at, later, int(now.timestamp()), group_id="2104"),
            Comment("90011", SPECIAL, "90", True, asked, at),
            Comment("90012", SPECIAL, "5001", True, sent, later),
        ],
    )
    draft = DRAFT.format(place="[name]")
    store.suggestions.save(
        Suggestion("s9001", desk, SPECIAL, "90011", version, "shown", draft=draft, created_at=at, confidence=0.8)
    )
    store.suggestions.add_feedback("s9001", "thumb_up", "<i>good</i>")
