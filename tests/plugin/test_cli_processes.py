"""The command as a process of its own: how quickly it says what it can do, and how it ends."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
import requests

from connectors.settings import Settings
from connectors.store.database import Store

DESKHAND = [sys.executable, "-m", "plugin"]


def start(*arguments: str, home: Path) -> subprocess.Popen[str]:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("DESKHAND_")}
    return subprocess.Popen(
        [*DESKHAND, *arguments], env=environment | {"DESKHAND_HOME": str(home)}, text=True,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip


@pytest.mark.parametrize("arguments", [["--help"], ["serve", "--help"], ["inbox", "--help"], ["--version"]])
def test_help_is_answered_without_loading_anything_heavy(arguments: list[str]) -> None:
    script = f"""
import sys
from plugin.cli import main
sys.argv[1:] = {arguments!r}
try:
    main()
except SystemExit as ended:
    assert ended.code == 0, ended.code
heavy = ("torch", "transformers", "pydantic", "sklearn", "numpy", "flask", "sqlite_utils", "rich", "requests")
print([name for name in heavy if name in sys.modules])
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1] == "[]"


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 0)])
def test_the_server_ends_cleanly_when_it_is_told_to(settings: Settings, number: signal.Signals, code: int) -> None:
    with start("serve", home=settings.home) as process:
        assert process.stderr is not None
        line = process.stderr.readline()
        assert line.startswith("listening on http://127.0.0.1:"), line + process.stderr.read()
        assert requests.get(f"{line.split()[-1]}/healthz", timeout=10).status_code == 200
        process.send_signal(number)
        out, err = process.communicate(timeout=30)
    assert (process.returncode, out) == (code, "")
    assert "Traceback" not in err
    assert ("the same command goes on from here" in err) == (number == signal.SIGINT)


def test_several_web_processes_answer_on_one_address_and_end_together(settings: Settings) -> None:
    with start("serve", "--web", "2", "--workers", "0", home=settings.home) as process:
        assert process.stderr is not None
        line = process.stderr.readline()
        assert line.startswith("listening on http://127.0.0.1:"), line + process.stderr.read()
        url = line.split()[-1]
        assert requests.get(f"{url}/healthz", timeout=30).status_code == 200, "it waits until one of them is up"
        process.send_signal(signal.SIGTERM)
        out, err = process.communicate(timeout=30)
    assert (process.returncode, out) == (0, "")
    assert "Traceback" not in err
    with pytest.raises(requests.ConnectionError):
        requests.get(f"{url}/healthz", timeout=5)


def test_a_worker_alone_shows_itself_and_ends_when_it_is_told_to(settings: Settings) -> None:
    with start("work", home=settings.home) as process, Store(settings.database_path) as store:
        assert process.stderr is not None
        assert process.stderr.readline().startswith("working; ")
        deadline = time.monotonic() + 20
        while not store.inbox.workers() and time.monotonic() < deadline:
            time.sleep(0.1)
        assert [(one.name, one.pid) for one in store.inbox.workers()] == [("worker-1", process.pid)]
        process.send_signal(signal.SIGTERM)
        _, err = process.communicate(timeout=30)
        assert store.inbox.workers() == []
    assert process.returncode == 0
    assert "Traceback" not in err


def test_a_second_signal_does_not_wait_for_the_job_at_hand(settings: Settings, desk: Any) -> None:
    with Store(settings.database_path) as store, start("work", home=settings.home) as process:
        ticket_id = desk.open_ticket()
        desk.fault(f"tickets/{ticket_id}", 503, times=100, delay_s=5)
        store.inbox.put("sandbox", "d-1", ticket_id)
        deadline = time.monotonic() + 20
        while not store.inbox.counts()["leased"] and time.monotonic() < deadline:
            time.sleep(0.1)
        process.send_signal(signal.SIGTERM)
        time.sleep(0.5)
        assert process.poll() is None, "it is at a job"
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=3)
        assert store.inbox.counts()["leased"] == 1
    assert process.returncode == 128 + signal.SIGTERM


def test_an_error_is_two_lines_on_stderr_and_an_exit_code(settings: Settings) -> None:
    (settings.home / "config.toml").write_text("[helpdesk\n")
    with start("models", "--json", home=settings.home) as process:
        out, err = process.communicate(timeout=60)
    assert (process.returncode, out) == (78, "")
    assert err.startswith(f"Error: {settings.home}/config.toml is not valid TOML")
    assert len(err.splitlines()) == 2


def test_what_is_piped_on_is_json_and_nothing_else(settings: Settings, versions: list[str]) -> None:
    with start("-v", "models", "--json", home=settings.home) as process:
        out, err = process.communicate(timeout=60)
    assert process.returncode == 0, err
    assert [one["version"] for one in json.loads(out)["versions"]] == versions[::-1]
