"""Syncs from recordings: the same database as from the helpdesk, and accounts in the shapes that real ones have."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import requests

from connectors.store.database import Store
from connectors.sync.engine import sync
from connectors.zendesk.client import Zendesk

from ... import replay as replay_module
from ...recorder import ACCOUNT, Recorder, write_betamax, write_vcr
from ...replay import Replay, main, sync_from

RECORDINGS = Path(__file__).parents[2] / "recordings"
HOST = "https://acme.zendesk.com"
WRITERS = {"vcr": ("a.yaml", write_vcr), "betamax": ("a.json", write_betamax)}


def rows(database: Path, url: str = "") -> dict[str, list[tuple[Any, ...]]]:
    """All rows that came from the helpdesk, per table, with its address replaced."""
    with Store(database, create=False) as store:
        tables = [row["name"] for row in store.rows("select name from sqlite_master where type = 'table'")]
        # A cursor may hold when the sync was; the others are about files of SQLite's.
        tables = [name for name in tables if not name.startswith(("_", "sqlite_", "cursors")) and "_fts" not in name]
        found = {name: sorted(map(repr, store.rows(f"select * from [{name}]"))) for name in sorted(tables)}
    return {name: [row.replace(url or "-", ACCOUNT) for row in some] for name, some in found.items() if some}


@pytest.mark.parametrize("form", WRITERS)
def test_a_replayed_sync_gives_the_database_of_the_recorded_one(
    form: str, desk: Any, connect: Callable[..., Zendesk], tmp_path: Path
) -> None:
    (tmp_path / "tape").mkdir()
    name, write = WRITERS[form]

    def changes() -> None:
        desk.reply(2, "And where is it now?")
        desk.call("DELETE", "/api/v2/tickets/1")
        desk.call("PUT", "/api/v2/tickets/3", {"ticket": {"comment": {"body": "psst", "public": False}}})

    def both_syncs(url: str, between: Callable[[], object], database: Path) -> list[dict[str, list[tuple[Any, ...]]]]:
        helpdesk, states = connect(url, token=desk.token), []
        for number in range(2):
            with Store(database) as store:
                sync(helpdesk, store)
            states.append(rows(database, url))
            if number == 0:
                between()
        return states

    with Recorder(desk.url) as recorder:
        recorded = both_syncs(recorder.url, changes, tmp_path / "recorded.db")
    write(recorder.interactions, tmp_path / "tape" / name)
    with Replay(tmp_path / "tape") as server:
        replayed = both_syncs(server.url, lambda: None, tmp_path / "replayed.db")
    assert server.missed == []
    assert recorded[0] != recorded[1], "something happened between the two"
    assert {"tickets", "comments", "users", "groups", "macros", "articles"} <= recorded[0].keys()
    for before, after in zip(recorded, replayed, strict=True):
        assert after == before


@pytest.mark.parametrize("form", WRITERS)
def test_the_recordings_in_this_folder(form: str, tmp_path: Path) -> None:
    report = sync_from(RECORDINGS / form, tmp_path / "home")
    assert (report["error"], report["absent"], report["summary"]["failed"]) == (None, {}, {})
    counts = report["rows"]
    assert (counts["tickets"], counts["groups"], counts["macros"], counts["articles"]) == (8, 8, 10, 25)
    assert counts["comments"] > 16
    with Store(tmp_path / "home" / "deskhand.db") as store:
        notes = list(store.rows("select text from comments where public = 0"))
        assert {"text": "The driver remembers this one."} in notes
        (deleted,) = store.rows("select subject, raw from tickets where deleted = 1")
        assert deleted == {"subject": "", "raw": "{}"}


def test_both_recordings_are_the_same_account(tmp_path: Path) -> None:
    found = []
    for form in WRITERS:
        with Replay(RECORDINGS / form) as server:
            found.append([(one.method, one.url, one.body) for one in server.recorded])
    assert found[0] == found[1]


def test_recordings_hold_no_credentials() -> None:
    for path in RECORDINGS.rglob("*.*"):
        assert "127.0.0.1" not in path.read_text(), path
        assert "Bearer ey" not in path.read_text(), path


def test_the_recorder_keeps_what_went_wrong_as_well(desk: Any) -> None:
    desk.fault("/api/v2/groups", 503)
    with Recorder(desk.url) as recorder:
        answer = requests.get(f"{recorder.url}/api/v2/groups", timeout=5)
    (kept,) = recorder.interactions
    assert (answer.status_code, kept.status, kept.url) == (503, 503, f"{ACCOUNT}/api/v2/groups")


def _save(folder: Path, *recorded: tuple[str, Any], headers: dict[str, Any] | None = None) -> Path:
    folder.mkdir(exist_ok=True)
    items = [
        {
            "request": {"body": {"encoding": "utf-8", "string": ""}, "method": "GET", "uri": HOST + path},
            "response": {
                "body": {"encoding": "UTF-8", "string": json.dumps(content)},
                "headers": headers or {},
                "status": {"code": 200, "message": "OK"},
            },
        }
        for path, content in recorded
    ]
    (folder / "tape.json").write_text(json.dumps({"http_interactions": items, "recorded_with": "betamax/0.8.0"}))
    return folder


def _ticket(number: int, **more: Any) -> dict[str, Any]:
    return {
        "url": f"{HOST}/api/v2/tickets/{number}.json",
        "id": number,
        "via": {"channel": "web", "source": {"from": {}, "to": {}, "rel": None}},
        "created_at": "2019-02-20T06:51:50Z",
        "updated_at": "2019-02-20T06:51:50Z",
        "subject": f"ticket {number}",
        "raw_subject": f"ticket {number}",
        "status": "open",
        "requester_id": 374673563333,
        "submitter_id": 374673563333,
        "satisfaction_rating": None,
        "fields": [],
        "generated_timestamp": 1550645510,
        **more,
    }


def _comment(number: int, **more: Any) -> dict[str, Any]:
    return {
        "id": number,
        "type": "Comment",
        "author_id": 374673563333,
        "body": "I am comment",
        "html_body": '<div class="zd-comment"><p dir="auto">I am comment</p></div>',
        "public": True,
        "attachments": [],
        "created_at": "2017-04-19T11:14:25Z",
        **more,
    }


def test_an_account_of_2019(tmp_path: Path) -> None:
    """Export by time; comments without `plain_body` and `meta`; a scrubbed ticket; headers as plain texts."""
    export = "/api/v2/incremental/tickets.json"
    gone = {"subject": "SCRUBBED", "raw_subject": "SCRUBBED", "description": "X", "updated_at": "2019-01-10T00:00:00Z"}
    organization = {"organization_id": "360857467053", "metric_set": {"id": 1, "ticket_id": 2}}
    comments = "/api/v2/tickets/2/comments.json"
    tape = _save(
        tmp_path / "tape",
        (f"{export}?start_time=1550000000", {
            "tickets": [_ticket(2, **organization), _ticket(3)], "count": 1000, "end_time": 1550645510,
            "next_page": f"{HOST}{export}?start_time=1550645510",
        }),
        (f"{export}?start_time=1550645510", {
            "tickets": [_ticket(3), _ticket(4, **gone)], "count": 2, "end_time": 1550645510, "end_of_stream": True,
            "next_page": f"{HOST}{export}?start_time=1550645510",
        }),
        (f"{comments}&include=", {"comments": [_comment(20)], "next_page": f"{HOST}{comments}?page=2", "count": 2}),
        (f"{comments}?page=2", {"comments": [_comment(21, author_id=-1, public=None)], "next_page": None, "count": 2}),
        ("/api/v2/users.json", {"users": [
            {"id": 374673563333, "name": "Anna", "email": None, "role": "end-user", "locale": "en-US"},
        ], "next_page": None, "previous_page": None, "count": 1}),
        headers={"X-Rate-Limit-Remaining": "391", "Transfer-Encoding": "chunked", "Content-Encoding": "gzip"},
    )  # fmt: skip
    report = sync_from(tape, tmp_path / "home")
    assert (report["error"], report["absent"]) == (None, {})
    with Store(tmp_path / "home" / "deskhand.db") as store:
        tickets = list(store.rows("select id, subject, deleted, organization_id from tickets order by id"))
        assert tickets == [
            {"id": "2", "subject": "ticket 2", "deleted": 0, "organization_id": "360857467053"},
            {"id": "3", "subject": "ticket 3", "deleted": 0, "organization_id": None},
            {"id": "4", "subject": "", "deleted": 1, "organization_id": None},
        ]
        comments_of_2 = list(store.rows("select id, author_id, public, text from comments order by id"))
        assert comments_of_2 == [
            {"id": "20", "author_id": "374673563333", "public": 1, "text": "I am comment"},
            {"id": "21", "author_id": "-1", "public": 0, "text": "I am comment"},
        ]
        assert [row["email"] for row in store.rows("select email from users where id = '374673563333'")] == [""]
    assert "/api/v2/tickets/3/comments.json" in "\n".join(report["missed"])


def test_a_recording_of_first_pages_only(tmp_path: Path) -> None:
    """What was read stays; lists that broke off take nothing out of use."""
    more = {"meta": {"has_more": True, "after_cursor": "x"}, "links": {"next": f"{HOST}/api/v2/groups?page[after]=x"}}
    cursor = "/api/v2/incremental/tickets/cursor.json"
    tape = _save(
        tmp_path / "tape",
        (f"{cursor}?start_time=0", {
            "tickets": [_ticket(1)], "after_cursor": "abc", "after_url": f"{HOST}{cursor}?cursor=abc",
            "before_cursor": None, "end_of_stream": False,
        }),
        ("/api/v2/groups.json", {"groups": [{"id": 1, "name": "TRK1"}], **more}),
        ("/api/v2/macros.json", {
            "macros": [{"id": 1, "title": "Hi", "actions": []}], "next_page": f"{HOST}/api/v2/macros?page=2",
        }),
    )  # fmt: skip
    report = sync_from(tape, tmp_path / "home")
    assert (report["error"], report["absent"]) == (None, {})
    assert {table: report["rows"][table] for table in ("tickets", "groups", "macros")} == {
        "tickets": 1, "groups": 1, "macros": 1,
    }  # fmt: skip
    assert {"tickets", "groups", "macros"} <= report["summary"]["skipped"].keys() | report["summary"]["failed"].keys()


def test_the_command_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    tape = _save(tmp_path / "tape", ("/api/v2/groups.json", {"groups": [{"id": 1, "name": "A"}], "next_page": None}))
    home = tmp_path / "home"
    assert main([str(tape), "--sync", "--home", str(home)]) == 0
    report = json.loads(capsys.readouterr().out)
    assert (report["rows"]["groups"], report["answered"], report["unused"]) == (1, 1, [])
    assert (home / "deskhand.db").exists()
    other = _save(tmp_path / "other", ("/api/v2/views.json", {"views": []}))
    assert main([str(other), "--sync"]) == 1, "nothing that a sync asks for"
    capsys.readouterr()
    broken = _save(tmp_path / "broken", ("/api/v2/groups.json", {"groups": [{"name": "no id"}], "next_page": None}))
    assert main([str(broken), "--sync"]) == 1
    assert "FatalError" in json.loads(capsys.readouterr().out)["error"]
    assert main([str(tmp_path / "nothing"), "--sync"]) == 2


def test_what_was_given_and_is_not_in_the_database_is_told(tmp_path: Path) -> None:
    tape = _save(tmp_path / "tape", ("/api/v2/groups.json", {"groups": [{"id": 1}, {"id": 2}], "next_page": None}))
    with Replay(tape) as server, Store(tmp_path / "deskhand.db") as store:
        requests.get(f"{server.url}/api/v2/groups.json", timeout=5)
        assert replay_module.absent(server.answered, store) == {"groups": ["1", "2"]}


def test_it_runs_as_a_file_from_anywhere(tmp_path: Path) -> None:
    tape = _save(tmp_path / "tape", ("/api/v2/groups.json", {"groups": [], "next_page": None}))
    command = [sys.executable, str(Path(replay_module.__file__)), str(tape)]
    with subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout
            url = process.stdout.readline().strip()
            assert requests.get(f"{url}/api/v2/groups", timeout=5).json() == {"groups": [], "next_page": None}
            assert requests.get(f"{url}/api/v2/users?x=1", timeout=5).status_code == 404
        finally:
            process.send_signal(2)
        assert process.wait(10) == 0
        assert process.stderr
        assert process.stderr.read().strip() == "GET /api/v2/users?x=1"
