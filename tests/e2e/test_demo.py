"""The whole path, as a person starts it: `deskhand demo --once` in a process of its own, with a smaller training."""

from __future__ import annotations

import json
import os
import signal
import socket
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

pytestmark = [pytest.mark.e2e, pytest.mark.weights]

SMALL = {
    "DESKHAND_TRAINER__MAX_TRAIN_TICKETS": "40",
    "DESKHAND_TRAINER__EPOCHS": "1",
    "DESKHAND_TRAINER__LORA_LAYERS": "4",
    "DESKHAND_TRAINER__MAX_PROMPT_TOKENS": "220",
    "DESKHAND_TRAINER__MAX_REPLY_TOKENS": "90",
    "DESKHAND_TRAINER__REPLY_EVAL_TICKETS": "4",
    "DESKHAND_TRAINER__STALE_QUESTIONS": "2",
    "DESKHAND_TRAINER__ROUTER_MINUTES": "0",
    # So few tickets make no sure routes.
    "DESKHAND_TRAINER__ROUTER_PRECISION": "0",
    "DESKHAND_PLUGIN__MIN_ROUTE_PROBABILITY": "0",
}


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def command(home: Path, *options: str, port: int | None = None) -> list[str]:
    ports = ["--port", str(port or free_port()), "--helpdesk-port", str(free_port())]
    return [sys.executable, "-m", "plugin", "demo", "--home", str(home), *ports, *options]


def run(home: Path, *options: str, port: int | None = None) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command(home, *options, port=port),
        env=os.environ | SMALL,
        capture_output=True,
        text=True,
        timeout=900,
        check=False,
    )


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home in which a demo has been stopped by Ctrl-C in the middle of its training, and then run to its end."""
    folder = tmp_path_factory.mktemp("demo")
    with subprocess.Popen(
        command(folder, "--once"), env=os.environ | SMALL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as first:
        assert first.stderr is not None
        said = []
        for line in first.stderr:
            said.append(line)
            if "answers are worth learning from" in line:
                first.send_signal(signal.SIGINT)
                break
        rest = first.stderr.read()
        first.wait(timeout=60)
    assert first.returncode == 130, "".join(said) + rest
    assert "the same command goes on from here" in rest
    assert not list((folder / "models").glob("v*")), "a stopped training leaves no version"

    whole = run(folder, "--once")
    assert whole.returncode == 0, whole.stderr[-3000:]
    (folder / "stdout.txt").write_text(whole.stdout)
    (folder / "stderr.txt").write_text(whole.stderr)
    return folder


@pytest.fixture
def database(home: Path) -> Iterator[sqlite3.Connection]:
    connection = sqlite3.connect(home / "deskhand.db")
    connection.row_factory = sqlite3.Row
    yield connection
    connection.close()


def test_the_demo_says_what_it_did_and_where_to_look(home: Path) -> None:
    stdout = (home / "stdout.txt").read_text()
    assert "Verdict." in stdout
    assert "/agent/tickets/" in stdout
    for arm in ("nearest", "prompt_only", "retrieval", "tuned", "tuned_retrieval", "majority", "tfidf", "encoder"):
        assert arm in stdout


def test_an_internal_note_and_a_route_stand_in_the_helpdesk(home: Path) -> None:
    desk = sqlite3.connect(home / "sandbox.db")
    try:
        notes = desk.execute(
            "select c.ticket_id, c.public, c.html_body, t.group_id from comments c join tickets t on t.id = c.ticket_id"
            " where c.html_body like '%deskhand:%'"
        ).fetchall()
    finally:
        desk.close()
    assert notes
    assert all(public == 0 for _, public, _, _ in notes), "a draft must never be public"
    assert any(group is not None for *_, group in notes)
    assert len({ticket for ticket, *_ in notes}) == len(notes), "one note a customer turn"


def test_the_suggestion_and_its_webhook_are_in_the_store(database: sqlite3.Connection) -> None:
    shown = database.execute("select * from suggestions where note_posted_at is not null").fetchall()
    assert shown
    assert all(row["draft"] and json.loads(row["sources"]) for row in shown)
    assert {row["status"] for row in database.execute("select status from inbox")} == {"done"}


def test_a_version_is_live_and_whole(home: Path) -> None:
    live = json.loads((home / "models" / "live.json").read_text())
    manifest = json.loads((home / "models" / live["version"] / "manifest.json").read_text())
    assert manifest["data_hash"]
    assert "report.json" in manifest["files"]
    assert not list((home / "models").glob(".partial*"))


def test_nothing_personal_is_in_the_log(home: Path) -> None:
    log = (home / "deskhand.log").read_text() + (home / "stderr.txt").read_text()
    desk = sqlite3.connect(home / "sandbox.db")
    try:
        addresses = [row[0] for row in desk.execute("select email from users where role = 'end-user' and email != ''")]
    finally:
        desk.close()
    assert addresses
    assert not [address for address in addresses if address in log]


def test_a_second_run_goes_on_without_training_again(home: Path) -> None:
    again = run(home, "--once")
    assert again.returncode == 0, again.stderr[-3000:]
    assert "is live from an earlier run" in again.stderr


def test_a_second_demo_beside_the_first_is_refused(home: Path) -> None:
    with subprocess.Popen(
        command(home), env=os.environ | SMALL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
    ) as first:
        assert first.stderr is not None
        assert "Deskhand demo in" in first.stderr.readline()
        second = run(home, "--once")
        first.send_signal(signal.SIGINT)
        first.communicate(timeout=120)
    assert second.returncode == 1
    assert "another 'deskhand demo' is running" in second.stderr
    assert "Traceback" not in second.stderr


def test_a_taken_port_is_said_plainly(home: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        refused = run(home, "--once", port=taken.getsockname()[1])
    assert refused.returncode == 1
    assert "the port is taken" in refused.stderr
    assert "Traceback" not in refused.stderr


def test_half_a_home_is_made_whole(home: Path) -> None:
    (home / "secrets.toml").unlink()
    (home / "sandbox.db").unlink()
    for suffix in ("-wal", "-shm"):
        (home / f"sandbox.db{suffix}").unlink(missing_ok=True)
    started = time.monotonic()
    mended = run(home, "--once")
    assert mended.returncode == 0, mended.stderr[-3000:]
    assert time.monotonic() - started < 400
