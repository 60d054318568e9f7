"""A folder as a helpdesk: what comes out of it, once and again, and what is refused."""

from __future__ import annotations

import gzip
import json
import tracemalloc
from collections.abc import Callable
from typing import Any

import pytest

from connectors.errors import ConfigError, FatalError, NotFoundError, SkippableError, WebhookError
from connectors.files import client
from connectors.records import Comment, Group, Macro, Satisfaction, Thread, Ticket, User, WriteBack
from connectors.store.database import Store
from connectors.sync.engine import sync


def threads(folder: Any, **options: Any) -> dict[str, Thread]:
    return {thread.ticket_id: thread for thread in folder.of(Thread, **options)}


def test_tickets_come_with_their_comments_in_order(company: Any) -> None:
    late, broken = company.of(Ticket)
    assert (late.id, late.subject, late.status, late.group_id, late.tags) == (
        "1",
        "Late",
        "solved",
        "TRK",
        ("delay", "vip"),
    )
    assert (late.created_at, late.generated_at) == ("2026-04-01T09:00:00Z", 1775120400)
    assert broken.tags == ()
    turns = threads(company)
    assert [(one.text, one.public) for one in turns["1"].comments] == [
        ("Where is it?", True), ("Driver J. left it behind the shed", False), ("It is in Tilburg.", True),
    ]  # fmt: skip
    assert [one.text for one in turns["2"].comments] == ["It came broken,\nin two halves"]
    assert {user.id: user.role for user in turns["1"].authors} == {"c1": "requester", "marit": "agent"}


def test_groups_are_made_of_what_tickets_name(company: Any) -> None:
    assert [(one.id, one.name) for one in company.of(Group)] == [("TRK", "TRK"), ("CLM", "CLM")]
    assert company.of(Group, "groups") == []
    company.put(groups_csv="id,name\n7,TRK\n8,CLM\n")
    assert [(one.id, one.name) for one in company.of(Group, "groups")] == [("7", "TRK"), ("8", "CLM")]
    assert company.of(Group) == []
    assert [one.group_id for one in company.of(Ticket)] == ["7", "8"], "tickets may name a group or give its id"


def test_a_file_of_users_knows_them_better(company: Any) -> None:
    company.put(users_csv="id,name,role\nmarit,Marit,admin\nc1,Anna,customer\n")
    assert {one.id: (one.name, one.role) for one in company.of(User, "users")} == {
        "marit": ("Marit", "agent"),
        "c1": ("Anna", "requester"),
    }
    assert company.of(User) == []
    assert threads(company)["1"].authors == ()


def test_the_other_tables(company: Any) -> None:
    company.put(
        macros_jsonl=[{"id": 1, "title": "Hello", "text": "Hi {{name}}"}],
        satisfaction_ratings_csv="ticket_id,score\n1,good\n",
    )
    (macro,) = company.of(Macro, "macros")
    assert (macro.id, macro.text, macro.active) == ("1", "Hi {{name}}", True)
    (rating,) = company.of(Satisfaction, "satisfaction_ratings")
    assert (rating.id, rating.ticket_id, rating.score) == ("1", "1", "good")
    assert [page.listed for page in company.read("macros")] == ["macros"]
    assert [page.listed for page in company.read("articles")] == [""], "no file says nothing about what is there"


def test_question_and_reply_may_stand_in_the_tickets_row(folder: Any) -> None:
    row = {"id": 5, "created_at": "2026-04-01", "question": "Where?", "reply": "Here.", "reply_by": "marit"}
    folder.put(tickets_jsonl=[row, {"id": 6, "created_at": "2026-04-01", "question": "And mine?", "reply": None}])
    turns = threads(folder)
    assert [(one.text, one.author_id) for one in turns["5"].comments] == [
        ("Where?", "requester of 5"),
        ("Here.", "marit"),
    ]
    assert [(user.id, user.role) for user in turns["5"].authors] == [("marit", "agent")]
    assert [one.text for one in turns["6"].comments] == ["And mine?"]


def test_a_requester_in_the_tickets_row_is_a_user(folder: Any) -> None:
    folder.put(tickets_csv="id,created_at,requester_email,requester_name\n1,2026-04-01,anna@mail.example,Anna\n")
    assert folder.of(User) == [User("anna@mail.example", "Anna", "anna@mail.example", "requester")]
    assert folder.of(Ticket)[0].requester_id == "anna@mail.example"


def test_what_is_not_mapped_is_kept(folder: Any) -> None:
    folder.put(
        tickets_csv="id,created_at,Carrier,Weight\n1,2026-04-01,DHL,\n",
        mapping_toml='[tickets]\ncustom_fields = ["Carrier", "Weight"]\n',
    )
    (ticket,) = folder.of(Ticket)
    assert ticket.fields == (("Carrier", "DHL"),)
    assert ticket.raw == {"Carrier": "DHL"}


def test_a_deleted_ticket_comes_without_its_text(folder: Any) -> None:
    folder.put(tickets_csv="id,created_at,subject,question,deleted\n1,2026-04-01,Secret,Secret?,yes\n")
    (ticket,) = folder.of(Ticket)
    assert (ticket.deleted, ticket.status, ticket.subject, ticket.raw) == (True, "deleted", "", {})
    assert folder.of(Thread) == []


def test_a_note_that_nobody_called_public_is_private(company: Any) -> None:
    company.put(comments_csv="ticket_id,public,text,created_at\n1,,Secret,2026-04-01\n")
    (comment,) = threads(company)["1"].comments
    assert not comment.public


@pytest.mark.parametrize("size", [1, 2, 3])
def test_any_cursor_goes_on_where_it_was(size: int, folder: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client, "PAGE_ROWS", size)
    folder.put(tickets_jsonl=[{"id": n, "created_at": "2026-04-01"} for n in range(7)])
    pages = folder.read()
    for number, page in enumerate(pages[:-1], start=1):
        assert folder.read(cursor=page.cursor) == pages[number:]


def test_an_unchanged_folder_is_not_read_again(company: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    cursors = {stream: company.read(stream)[-1].cursor for stream in company.files().streams}
    monkeypatch.setattr(client, "Reader", None)
    for stream, cursor in cursors.items():
        (page,) = company.read(stream, cursor)
        assert (page.records, page.cursor, page.listed) == ((), cursor, "")


def test_of_a_file_that_grew_only_the_new_rows_are_read(company: Any) -> None:
    end = company.read()[-1].cursor
    company.append("tickets.csv", "3,New,open,c3,2026-05-01,2026-05-01,TRK,\n")
    assert [one.id for one in company.of(Ticket, cursor=end)] == ["3"]
    assert list(threads(company, cursor=end)) == ["3"]


def test_a_file_that_was_changed_inside_is_read_anew(company: Any) -> None:
    end = company.read()[-1].cursor
    text = (company.path / "tickets.csv").read_text().replace("Late", "LATE")
    company.put(tickets_csv=text + "3,New,open,c3,2026-05-01,2026-05-01,TRK,\n")
    assert [one.id for one in company.of(Ticket, cursor=end)] == ["1", "2", "3"]


def test_comments_that_were_added_bring_their_tickets_again(company: Any) -> None:
    end = company.read()[-1].cursor
    company.append("comments.csv", "1,c1,true,Thanks,2026-04-05T09:00:00Z\n")
    assert threads(company, cursor=end)["1"].comments[-1].text == "Thanks"


def test_another_mapping_is_another_reading(company: Any) -> None:
    end = company.read()[-1].cursor
    company.put(mapping_toml='[tickets]\npriority = { value = "high" }\n')
    assert [one.priority for one in company.of(Ticket, cursor=end)] == ["high", "high"]


def test_row_numbers_go_on_behind_a_cursor(folder: Any) -> None:
    folder.put(
        tickets_csv="when\n2026-04-01\n2026-04-02\n",
        mapping_toml='[tickets]\nid = { number = true }\ncreated_at = "when"\n',
    )
    end = folder.read()[-1].cursor
    folder.append("tickets.csv", "2026-04-03\n")
    assert [one.id for one in folder.of(Ticket, cursor=end)] == ["3"]


def test_since_leaves_out_old_tickets(company: Any) -> None:
    assert [one.id for one in company.of(Ticket, since=1775200000)] == ["2"]


def test_zipped_files_are_read(folder: Any) -> None:
    folder.put(tickets_csv_gz=gzip.compress(b"id,created_at\n1,2026-04-01\n"))
    (folder.path / "tickets_csv.gz").rename(folder.path / "tickets.csv.gz")
    assert [one.id for one in folder.of(Ticket)] == ["1"]


def test_one_ticket_can_be_looked_up(company: Any) -> None:
    files = company.files()
    assert files.ticket("2").subject == "Broken"
    comments, users = files.comments("1")
    assert len(comments) == 3
    assert {user.role for user in users} == {"agent", "requester"}
    with pytest.raises(NotFoundError, match="ticket 99"):
        files.ticket("99")
    with pytest.raises(NotFoundError):
        files.comments("99")


def test_nothing_can_be_written_and_no_webhook_comes(company: Any) -> None:
    files = company.files()
    refused: list[Callable[[], object]] = [
        lambda: files.write_back(files.ticket("1"), WriteBack("<p>x</p>", "m")),
        lambda: files.install_webhook("https://deskhand.acme.example/webhook"),
        lambda: files.read_webhook({}, b"{}"),
    ]
    for call in refused:
        with pytest.raises((SkippableError, WebhookError), match="nothing can be written") as caught:
            call()
        assert caught.value.hint
    with pytest.raises(FatalError, match="no stream 'comments'"):
        list(files.pages("comments", None))
    assert files.me().role == "agent"
    assert files.outlook("tickets").per_page == client.PAGE_ROWS


def test_a_sync_brings_all_and_the_second_one_nothing(company: Any, store: Store) -> None:
    company.put(macros_csv="id,text\n1,Hi\n2,Ho\n")
    sync(company.files(), store)
    assert [turn.comment.text for turn in store.history.turns("files", "1")][-1] == "It is in Tilburg."
    assert [turn.author.role for turn in store.history.turns("files", "1")] == ["requester", "agent", "agent"]
    assert {group.name for group in store.history.groups("files")} == {"TRK", "CLM"}
    assert store.due.count("files") == 0
    summary = sync(company.files(), store)
    assert not any(summary.changed.values())
    company.append("macros.csv", "3,Hey\n")
    sync(company.files(), store)
    assert [macro.id for macro in store.history.macros("files")] == ["1", "2", "3"]
    company.put(macros_csv="id,text\n2,Ho\n")
    sync(company.files(), store)
    assert [macro.id for macro in store.history.macros("files")] == ["2"], "what is gone from the file is gone here"


def test_a_folder_with_a_bad_row_is_not_half_imported(company: Any, store: Store) -> None:
    company.put(groups_csv="id,name\n7,TRK\n", satisfaction_ratings_csv="ticket_id,score,updated_at\n1,good,soon\n")
    with pytest.raises(ConfigError, match="nothing was imported"):
        sync(company.files(), store)
    assert not any(store.history.counts("files").values())


def test_no_words_of_a_row_get_into_messages(folder: Any) -> None:
    folder.put(tickets_csv="id,created_at,status\n1,anna@mail.example,Where is my parcel\n")
    with pytest.raises(ConfigError) as caught:
        folder.read()
    said = f"{caught.value!r}{caught.value.hint}{caught.value.__cause__!r}"
    assert "line 2" in said
    for hidden in ("anna", "parcel"):
        assert hidden not in said


def test_memory_stays_flat(folder: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client, "PAGE_ROWS", 50)

    def peak_mb(rows: int) -> float:
        with (
            (folder.path / "tickets.jsonl").open("w") as tickets,
            (folder.path / "comments.jsonl").open("w") as comments,
        ):
            for n in range(rows):
                tickets.write(json.dumps({"id": n, "created_at": "2026-04-01"}) + "\n")
                turn = {"ticket_id": rows - n - 1, "public": True, "text": "x" * 5000, "created_at": "2026-04-01"}
                comments.write(json.dumps(turn) + "\n")
        files = folder.files()
        tracemalloc.start()
        seen = sum(
            isinstance(record, Comment | Thread) for page in files.pages("tickets", None) for record in page.records
        )
        peak = tracemalloc.get_traced_memory()[1] / 1e6
        tracemalloc.stop()
        assert seen == rows
        return peak

    small, big = peak_mb(300), peak_mb(1500)  # 1.5 and 7.5 MB of text
    assert big < 1.3 * small
