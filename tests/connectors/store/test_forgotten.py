"""Forgetting a customer: not a word of theirs is left, not even in the files, and no sync brings it back."""

from __future__ import annotations

import dataclasses
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from connectors.errors import FatalError, NotFoundError
from connectors.records import Attachment, Comment, Satisfaction, Thread, Ticket, TicketMetrics, User
from connectors.store.database import Store
from connectors.store.examples import Example
from connectors.store.forgotten import Forgotten, forget, tickets_of
from connectors.store.passages import Passage
from connectors.store.suggestions import Source, Suggestion
from connectors.store.tombstones import Tombstones

DESK = "zendesk"
NAME, EMAIL, SECRET = "Quirina Zwaluwnest", "quirina@uitvlucht.example", "xylophonekoffer"
WORDS = ("Quirina", "Zwaluwnest", EMAIL, SECRET, "quirina", "zwaluwnest")
OTHER_TEXT = "Where is the lamp?"


@pytest.fixture
def filled(store: Store, ticket: Callable[..., Ticket], comment: Callable[..., Comment]) -> Store:
    """A customer with two tickets, a comment in somebody else's, and all that is made of tickets."""
    text = f"I am {NAME}, my {SECRET} is lost, write to {EMAIL}"
    store.mirror.save(
        DESK,
        [
            User("90", NAME, EMAIL, "requester", raw={"notes": SECRET}),
            User("91", "Anna", "anna@mail.example", "requester"),
            User("5001", "Marit", "marit@desk.example", "agent"),
            *(ticket(one, subject=f"My {SECRET}", raw={"description": text}, organization_id="7") for one in "78"),
            ticket("9", requester_id="91", subject="Lamp"),
            Satisfaction("1", "7", "good", f"Thanks from {NAME}", "2026-04-02T00:00:00Z"),
            TicketMetrics("7", reopens=1, raw={"x": SECRET}),
            Thread("7", (comment("70", text=text, attachments=(Attachment("1", f"{SECRET}.jpg", "image/jpeg", 9),)),)),
            Thread("8", (comment("80", ticket_id="8", text=text),)),
            Thread(
                "9",
                (
                    comment("90", ticket_id="9", author_id="91", text=OTHER_TEXT),
                    comment("91", ticket_id="9", author_id="90", text=f"I am the neighbour, {SECRET}"),
                    comment("92", ticket_id="9", author_id="5001", text=f"Thank you, we wrote to {EMAIL.upper()}"),
                ),
            ),
        ],
    )
    examples = [
        Example(DESK, one, f"{one}0", 0, True, "", 1.0, text, f"Hi {NAME}", "en", "1", "90", "5001", "2026-04-01")
        for one in "789"
    ]
    store.examples.replace(DESK, examples)
    store.examples.freeze(DESK, ["7"])
    passages = [Passage("ticket", one, 0, "", text, reply=f"Hi {NAME}") for one in "789"]
    store.passages.sync(DESK, "ticket", [*passages, Passage("ticket", "10", 0, "", "the lamp is whole")])
    ids = [row for row, _ in store.passages.without_embedding(DESK, "e", 10)]
    store.passages.save_embeddings("e", ids, np.ones((len(ids), 4), np.float32))
    quoted = (Source("ticket", "7", SECRET, "", text), Source("article", "3", "Prices", "", "€6"))
    store.suggestions.save(Suggestion("s1", DESK, "7", "70", "v1", "shown", draft=f"Hi {NAME}"))
    store.suggestions.save(Suggestion("s2", DESK, "9", "90", "v1", "shown", draft=f"Hi {SECRET}", sources=quoted))
    store.suggestions.save(Suggestion("s3", DESK, "10", "1", "v1", "shown", draft="Hi Deniz", sources=quoted))
    store.suggestions.add_feedback("s1", "thumb_down", f"wrong name, {NAME}")
    store.inbox.put(DESK, "d1", "7")
    store.inbox.put(DESK, "d2", "9")
    return store


def in_files(store: Store) -> set[str]:
    files = [store.path, *store.path.parent.glob(f"{store.path.name}-*")]
    content = b"".join(path.read_bytes() for path in files)
    return {word for word in WORDS if word.encode() in content}


def found_by_words(store: Store, word: str) -> int:
    indexes = list(store.rows("select name from sqlite_master where type = 'table' and sql like '%using fts5(%'"))
    return sum(
        len(list(store.rows(f"select rowid from {index['name']} where {index['name']} match ?", (word,))))
        for index in indexes
    )


def count(store: Store, table: str, ticket_id: str) -> int:
    sql = f"select count(*) as n from {table} where helpdesk = ? and ticket_id = ?"
    return int(next(store.rows(sql, (DESK, ticket_id)))["n"])


@pytest.mark.parametrize("who", ["90", EMAIL, f" {EMAIL.upper()} "])
def test_not_a_word_is_left_in_the_files(filled: Store, who: str) -> None:
    assert in_files(filled) == set(WORDS)
    done = forget(filled, DESK, who)
    # What a colleague wrote of them in another customer's ticket is that ticket's; it is named, for a person to see.
    assert done == Forgotten(("7", "8"), ("9",), ("9",), 3, already=False, overwritten=True)
    assert in_files(filled) == set()
    with Store(filled.path) as again:
        assert again.row("pragma integrity_check") == {"integrity_check": "ok"}


def test_what_was_once_deleted_without_overwriting_goes_too(filled: Store, comment: Callable[..., Comment]) -> None:
    filled.mirror.save(DESK, [comment("81", ticket_id="8", text=f"{SECRET} " * 5000)])
    # Whole pages become free with all that is on them.
    careless = sqlite3.connect(filled.path)
    careless.execute("pragma secure_delete = off")
    careless.execute("delete from comments where id = '81'")
    careless.commit()
    careless.close()
    forget(filled, DESK, "90")
    assert in_files(filled) == set()


def test_nothing_else_is_lost(filled: Store) -> None:
    forget(filled, DESK, "90")
    assert [turn.comment.id for turn in filled.history.turns(DESK, "9")] == ["90", "92"]
    assert filled.history.user(DESK, "91") is not None
    assert filled.history.ticket(DESK, "9").subject == "Lamp"  # type: ignore[union-attr]
    assert filled.suggestions.get("s3").draft == "Hi Deniz"  # type: ignore[union-attr]
    assert [one.id for one in filled.suggestions.get("s3").sources] == ["3"]  # type: ignore[union-attr]
    assert [one.id for one in filled.suggestions.get("s2").sources] == []  # type: ignore[union-attr]
    assert (found_by_words(filled, "lamp"), found_by_words(filled, SECRET)) == (1, 0)
    assert (count(filled, "inbox", "9"), count(filled, "inbox", "7")) == (1, 0)
    for table in ("comments", "attachments", "examples", "satisfaction_ratings", "ticket_metrics", "frozen_tickets"):
        assert count(filled, table, "7") == 0
    assert filled.suggestions.get("s1").draft == ""  # type: ignore[union-attr]


def test_the_rows_that_stay_name_nobody(filled: Store) -> None:
    forget(filled, DESK, "90")
    rows = list(
        filled.rows("select id, requester_id, organization_id, deleted, subject, url, raw from tickets order by id")
    )
    assert [(row["id"], row["requester_id"], row["deleted"]) for row in rows] == [
        ("7", "", 1),
        ("8", "", 1),
        ("9", "91", 0),
    ]
    assert {(row["subject"], row["url"], row["raw"], row["organization_id"]) for row in rows[:2]} == {
        ("", "", "{}", None)
    }
    digests = [row["digest"] for row in filled.rows("select digest from forgotten")]
    assert len(digests) == 2
    assert all(len(digest) == 64 and digest != "90" for digest in digests)


def again(ticket: Callable[..., Ticket], comment: Callable[..., Comment]) -> list[Any]:
    """What a full sync brings, newer than before."""
    text = f"I am {NAME}, my {SECRET} is lost"
    return [
        User("90", NAME, EMAIL, "requester"),
        ticket("7", subject=SECRET, generated_at=9_999_999_999, raw={"description": text}, fields=(("1", SECRET),)),
        ticket("11", subject=SECRET, generated_at=9_999_999_999, raw={"description": text}),
        comment("70", text=text),
        comment("110", ticket_id="11", text=text, attachments=(Attachment("1", f"{SECRET}.jpg", "image/jpeg", 9),)),
        Thread("7", (comment("70", text=text),), (User("90", NAME, EMAIL, "requester"),)),
        Thread(
            "9", (comment("91", ticket_id="9", text=SECRET), comment("93", ticket_id="9", author_id="91", text="Hi"))
        ),
        Satisfaction("1", "7", "good", NAME, "2026-04-02T00:00:00Z"),
        TicketMetrics("7", raw={"x": SECRET}),
    ]


def test_a_sync_does_not_bring_it_back(
    filled: Store, ticket: Callable[..., Ticket], comment: Callable[..., Comment]
) -> None:
    forget(filled, DESK, "90")
    filled.mirror.save(DESK, again(ticket, comment))
    filled.mirror.save_thread(DESK, Thread("7", (comment("70", text=SECRET),), (User("90", NAME, EMAIL, "requester"),)))
    assert filled.mirror.save_conversation(
        DESK, ticket("12", generated_at=9_999_999_999), Thread("12", (comment("120", ticket_id="12", text=SECRET),))
    )
    assert in_files(filled) == set()
    assert [turn.comment.id for turn in filled.history.turns(DESK, "9")] == ["93"]
    assert filled.due.count(DESK) == 0, "nobody asks for the comments of tickets that are empty on purpose"
    assert list(filled.history.solved_tickets(DESK)) == [filled.history.ticket(DESK, "9")]


def test_another_helpdesk_and_another_customer_are_as_before(
    filled: Store, ticket: Callable[..., Ticket], comment: Callable[..., Comment]
) -> None:
    forget(filled, DESK, "90")
    filled.mirror.save("other", [ticket("7"), Thread("7", (comment("70"),))])
    assert len(filled.history.turns("other", "7")) == 1
    filled.mirror.save(DESK, [User("92", "Quirina Two", EMAIL, "requester"), ticket("20", requester_id="92")])
    assert filled.history.user(DESK, "92") is not None, "a new account with the address is somebody new"


def test_twice_is_once_and_goes_on_where_the_first_was_killed(filled: Store) -> None:
    with filled.transaction():
        Tombstones(filled, DESK).put("id", "90")
    assert forget(filled, DESK, "90").already
    assert in_files(filled) == set()
    for who in ("90", EMAIL):
        done = forget(filled, DESK, who)
        assert (done.already, done.tickets, done.examples) == (True, (), 0)


def test_a_reader_at_that_moment_is_said(filled: Store) -> None:
    reader = sqlite3.connect(filled.path)
    reader.execute("begin")
    reader.execute("select count(*) from tickets").fetchone()
    assert not forget(filled, DESK, "90").overwritten
    reader.close()
    assert forget(filled, DESK, "90").overwritten
    assert in_files(filled) == set()


@pytest.mark.parametrize("who", ["404", "nobody@mail.example", ""])
def test_who_is_not_there_cannot_be_forgotten(filled: Store, who: str) -> None:
    with pytest.raises(NotFoundError, match="nobody in the database") as caught:
        forget(filled, DESK, who)
    assert who == "" or who not in str(caught.value)
    assert in_files(filled) == set(WORDS)


@pytest.mark.parametrize("who", ["5001", "marit@desk.example"])
def test_the_team_is_not_forgotten(filled: Store, who: str) -> None:
    with pytest.raises(FatalError, match="of the team") as caught:
        forget(filled, DESK, who)
    assert "exclude_agents" in caught.value.hint
    assert len(filled.history.agents(DESK)) == 1
    assert list(filled.rows("select * from forgotten")) == []


def test_their_tickets_are_found_by_id_and_by_address(filled: Store) -> None:
    ids = [("7", "2026-04-01T09:00:00Z"), ("8", "2026-04-01T09:00:00Z"), ("9", "2026-04-01T09:00:00Z")]
    assert tickets_of(filled, DESK, "90") == tickets_of(filled, DESK, EMAIL.upper()) == ids
    assert tickets_of(filled, DESK, "404") == []


def test_records_of_others_pass_as_they_are(filled: Store, ticket: Callable[..., Ticket]) -> None:
    forget(filled, DESK, "90")
    tombstones = Tombstones(filled, DESK)
    thread = Thread("9", (Comment("1", "9", "91", True, "Hi", "2026-01-01T00:00:00Z"),))
    others = [ticket("9", requester_id="91"), thread, User("91", "Anna", EMAIL, "requester")]
    assert tombstones.leave_out(others) == others
    mine = ticket("7")
    assert tombstones.leave_out([mine]) == [
        dataclasses.replace(mine, requester_id="", organization_id=None, deleted=True)
    ]
    assert tombstones.has("email", f" {EMAIL.upper()}")
    assert not tombstones.has("id", EMAIL)


def test_a_database_without_the_forgotten_costs_one_empty_query(store: Store, tmp_path: Path) -> None:
    assert not Tombstones(store, DESK).has("id", "90")
    assert list(store.rows("select * from forgotten_key")) == []
