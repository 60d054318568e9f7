"""`mapping.toml`: other names, constant values, words and times as others write them; and what is wrong with it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from connectors.errors import ConfigError
from connectors.records import Comment, Thread, Ticket

Problems = Callable[[Any], list[str]]
HEAD = "id,created_at"


def test_names_are_found_however_they_are_written(folder: Any) -> None:
    folder.put(tickets_csv="ID,Created At,Requester-ID,TAGS\n1,2026-04-01,c1,a;b\n")
    (ticket,) = folder.of(Ticket)
    assert (ticket.id, ticket.requester_id, ticket.tags) == ("1", "c1", ("a;b",))


def test_columns_values_formats_and_constants(folder: Any) -> None:
    folder.put(
        export_csv="Nr;Opened;State;Labels\n7;01.04.2026 09:30;Closed - resolved;a;\n".replace("a;\n", "a\n"),
        mapping_toml="""
            [settings]
            timezone = "Europe/Amsterdam"
            [tickets]
            file = "export.csv"
            id = "Nr"
            created_at = { column = "Opened", format = "%d.%m.%Y %H:%M" }
            status = { column = "State", values = { "Closed - resolved" = "solved", "*" = "open" } }
            priority = { value = "high" }
            tags = { column = "Labels", separator = ";" }
            channel = { column = "State", values = { "*" = "mail" } }
            """,
    )
    (ticket,) = folder.of(Ticket)
    assert (ticket.id, ticket.status, ticket.priority, ticket.channel) == ("7", "solved", "high", "mail")
    assert ticket.created_at == "2026-04-01T07:30:00Z"


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("2026-04-01T09:00:00Z", "2026-04-01T09:00:00Z"),
        ("2026-04-01 09:00:00+02:00", "2026-04-01T07:00:00Z"),
        ("2026-04-01", "2026-04-01T00:00:00Z"),
        ("1775034000", "2026-04-01T09:00:00Z"),
        ("1775034000000", "2026-04-01T09:00:00Z"),
        ("2026/04/01 09:00:00 +0000", "2026-04-01T09:00:00Z"),
        ("Wed, 01 Apr 2026 09:00:00 GMT", "2026-04-01T09:00:00Z"),
    ],
)
def test_times_that_cannot_be_misread(written: str, meant: str, folder: Any) -> None:
    folder.put_csv("tickets.csv", [{"id": 1, "created_at": written}])
    assert folder.of(Ticket)[0].created_at == meant


@pytest.mark.parametrize("written", ["04/05/2026", "soon", "2026-13-01", "99999999999999999999"])
def test_times_that_can_be_misread_are_problems(written: str, folder: Any, problems: Problems) -> None:
    folder.put_csv("tickets.csv", [{"id": 1, "created_at": written}])
    assert "line 2, column created_at: not a time" in problems(folder)[1]


@pytest.mark.parametrize(
    ("written", "meant"), [("Resolved", "solved"), ("CLOSED", "closed"), ("On-Hold", "hold"), ("", "solved")]
)
def test_states_as_others_call_them(written: str, meant: str, folder: Any) -> None:
    folder.put_csv("tickets.csv", [{"id": 1, "created_at": "2026-04-01", "status": written}])
    assert folder.of(Ticket)[0].status == meant


def test_a_state_that_nobody_knows_is_a_problem(folder: Any, problems: Problems) -> None:
    folder.put(tickets_csv=f"{HEAD},status\n1,2026-04-01,Parked\n")
    (line,) = problems(folder)[1:]
    assert line.endswith("column status: none of new, open, pending, hold, solved, closed, deleted")


def test_a_value_that_the_mapping_does_not_have_is_a_problem(folder: Any, problems: Problems) -> None:
    folder.put(
        tickets_csv=f"{HEAD},status\n1,2026-04-01,Parked\n",
        mapping_toml='[tickets]\nstatus = { column = "status", values = { Done = "solved" } }\n',
    )
    assert "none of the values that mapping.toml has for it" in problems(folder)[1]


def test_who_saw_a_comment_has_to_be_said(folder: Any, problems: Problems) -> None:
    folder.put(tickets_csv=f"{HEAD}\n1,2026-04-01\n", comments_csv="ticket_id,text,created_at\n1,x,2026-04-01\n")
    assert "say which comments customers saw" in problems(folder)[1]
    folder.put(mapping_toml="[comments]\npublic = { value = true }\n")
    assert folder.of(Thread)[0].comments[0].public


def test_who_wrote_a_comment_in_words(folder: Any) -> None:
    folder.put(
        tickets_csv=f"{HEAD}\n1,2026-04-01\n",
        comments_csv="ticket_id,from,Kind,text,created_at\n1,Staff,note,a,2026-04-01\n1,Customer,mail,b,2026-04-02\n",
        mapping_toml="""
            [comments]
            author_role = { column = "from", values = { Staff = "agent", "*" = "requester" } }
            public = { column = "Kind", values = { note = false, "*" = true } }
            """,
    )
    (thread,) = folder.of(Thread)
    assert [(one.public, one.author_id) for one in thread.comments] == [(False, "agent"), (True, "requester of 1")]
    assert {user.id: user.role for user in thread.authors} == {"agent": "agent", "requester of 1": "requester"}


def test_all_that_is_wrong_with_the_mapping_is_told_at_once(folder: Any, problems: Problems) -> None:
    folder.put(
        tickets_csv="Nr,Opened\n1,2026-04-01\n",
        mapping_toml="""
            [settings]
            encoding = "utf-16"
            delimiter = "ab"
            timezone = "Mars/Olympus"
            colour = "red"
            [ticket]
            [users]
            file = "people.csv"
            [tickets]
            id = "Number"
            subject = 7
            status = { values = { a = "b" } }
            custom_fields = ["Carrier"]
            """,
    )
    said = "\n".join(problems(folder))
    for part in (
        "[settings] encoding: 'utf-16'", "[settings] delimiter: not one character", "[settings] timezone: 'Mars/Olym",
        "[settings] colour: not known here", "there is no table ticket", "[users] file: there is no people.csv",
        "[tickets] id: tickets.csv has no column 'Number' (there are Nr, Opened)", "[tickets] subject: a column's name",
        "[tickets] status: a column's name", "[tickets] created_at: no column has this name",
        "[tickets] custom_fields: not a list of columns",
    ):  # fmt: skip
        assert part in said


def test_a_mapping_that_is_no_toml_names_the_line(folder: Any) -> None:
    with pytest.raises(ConfigError, match="line 2"):
        folder.put(tickets_csv=HEAD, mapping_toml="[tickets]\nid = = 1\n").read()


def test_a_folder_without_tickets_is_told(folder: Any, problems: Problems) -> None:
    assert "there is no tickets.csv or tickets.jsonl" in problems(folder)[1]


def test_two_files_for_one_table_are_told(folder: Any, problems: Problems) -> None:
    folder.put(tickets_csv=HEAD, tickets_jsonl=[{"id": 1, "created_at": "2026-04-01"}])
    assert "both tickets.csv and tickets.jsonl are there" in problems(folder)[1]


def test_json_values_are_read_as_they_are(folder: Any) -> None:
    folder.put(
        tickets_jsonl=[{"id": 7.0, "created_at": 1775034000, "tags": ["a, b"], "fields": {"size": 3, "x": None}}],
        comments_jsonl=[{"ticket_id": 7, "author_id": 9, "public": False, "text": "x", "created_at": "2026-04-01"}],
    )
    (ticket,) = folder.of(Ticket)
    assert (ticket.id, ticket.tags, ticket.fields) == ("7", ("a, b",), (("size", 3),))
    comment: Comment = folder.of(Thread)[0].comments[0]
    assert (comment.id, comment.author_id, comment.public) == ("7-1", "9", False)
