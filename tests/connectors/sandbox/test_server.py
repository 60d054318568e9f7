from __future__ import annotations

import sqlite3
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
import requests

from connectors.errors import ConfigError, FatalError
from connectors.sandbox.database import open_database, scalar
from connectors.sandbox.server import Sandbox, create_app

ME = "/api/v2/users/me.json"


def test_start_answer_stop(database: Path) -> None:
    sandbox = Sandbox(database)
    with sandbox:
        answer = requests.get(sandbox.url + ME, headers={"Authorization": f"Bearer {sandbox.token}"}, timeout=5)
        assert answer.json()["user"]["role"] == "admin"
        assert answer.json()["user"]["url"].startswith(sandbox.url)
        assert answer.headers["X-Rate-Limit"] == "700"
        url = sandbox.url
    sandbox.stop()
    with pytest.raises(requests.ConnectionError):
        requests.get(url + ME, timeout=5)
    assert not [one for one in threading.enumerate() if one.name.startswith("sandbox") or "waitress" in one.name]
    with sandbox:  # and once more
        assert requests.get(sandbox.url + ME, timeout=5).status_code == 401


def test_a_kept_alive_connection_does_not_hold_up_the_end(database: Path) -> None:
    with requests.Session() as session, Sandbox(database) as sandbox:
        assert session.get(sandbox.url + "/hc/en", timeout=5).status_code == 200


def test_a_taken_port_is_explained(database: Path) -> None:
    with Sandbox(database) as first:
        second = Sandbox(database, port=first.port)
        with pytest.raises(FatalError, match="cannot listen") as caught:
            second.start()
        assert "port" in caught.value.hint
        second.stop()


def test_an_existing_file_is_used_as_it_is(database: Path) -> None:
    first = create_app(database)
    client = first.test_client()
    assert client.post("/sandbox/open_next").json["ticket_id"] == 102
    second = create_app(database)
    assert second.test_client().post("/sandbox/open_next").json["ticket_id"] == 103
    for app in (first, second):
        headers = {"Authorization": f"Bearer {first.extensions['sandbox'].token}"}
        assert app.test_client().get(ME, headers=headers).status_code == 200


def test_seed_limit_takes_the_newest(company_folder: Path, tmp_path: Path, clock: Any) -> None:
    app = create_app(tmp_path / "new/s.db", SANDBOX_COMPANY=company_folder, SANDBOX_SEED_LIMIT=2, SANDBOX_CLOCK=clock)
    state = app.test_client().get("/sandbox/state").json
    assert state["tickets"] == {"solved": 2}
    assert state["live_pool"]["left"] == 24


def test_a_bad_company_leaves_nothing_half_done(company_folder: Path, tmp_path: Path) -> None:
    path = tmp_path / "s.db"
    with pytest.raises(ConfigError):
        create_app(path, SANDBOX_COMPANY=tmp_path / "nowhere")
    app = create_app(path, SANDBOX_COMPANY=company_folder)
    assert app.test_client().get("/sandbox/state").json["live_pool"]["left"] == 24


def test_a_crash_while_seeding_leaves_nothing(
    company_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from connectors.sandbox import seeding

    def crash(*_: Any) -> None:
        raise KeyboardInterrupt

    path = tmp_path / "s.db"
    monkeypatch.setattr(seeding.History, "write", crash)
    with pytest.raises(KeyboardInterrupt):
        create_app(path, SANDBOX_COMPANY=company_folder)
    db = open_database(path)
    assert db.table_names() == []
    db.close()


def test_other_files_are_left_alone(tmp_path: Path) -> None:
    other = tmp_path / "other.db"
    with sqlite3.connect(other) as connection:
        connection.execute("create table tickets (id)")
    connection.close()
    with pytest.raises(FatalError, match="another program"):
        create_app(other)
    text = tmp_path / "text.db"
    text.write_text("just words " * 1000)
    with pytest.raises(FatalError, match="cannot be read"):
        create_app(text)


def test_unknown_settings_are_refused(database: Path) -> None:
    with pytest.raises(ConfigError, match="SANDBOX_SPEED"):
        create_app(database, SANDBOX_SPEED=9)


def test_parallel_writers_lose_nothing(database: Path) -> None:
    with Sandbox(database) as sandbox:
        headers = {"Authorization": f"Bearer {sandbox.token}"}

        def note(number: int) -> int:
            change = {"ticket": {"comment": {"body": f"note {number}", "public": False}}}
            return requests.put(f"{sandbox.url}/api/v2/tickets/5", json=change, headers=headers, timeout=20).status_code

        with ThreadPoolExecutor(6) as pool:
            assert set(pool.map(note, range(24))) == {200}
    db = open_database(database)
    assert scalar(db, "select count(*) from comments where ticket_id = 5 and body like 'note %'") == 24
    assert scalar(db, "select count(distinct audit_id) from comments where ticket_id = 5") == 24 + 5
    db.close()
