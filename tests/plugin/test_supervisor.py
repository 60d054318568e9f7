"""Children that are kept alive: real processes, killed, failing and slow to end."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from connectors.errors import FatalError
from plugin.supervisor import Child, Supervisor

# Appends its process id to a file, then does as it is told.
PRELUDE = "import os, signal, sys, time\nopen(sys.argv[1], 'a').write(f'{os.getpid()}\\n')\n"
STAY = PRELUDE + "time.sleep(60)"
ORDERLY = PRELUDE + "signal.signal(15, lambda *_: (time.sleep(0.3), open(sys.argv[1] + '.done', 'w'), sys.exit(0)))\n"
ORDERLY += "open(sys.argv[1] + '.up', 'w')\ntime.sleep(60)"
STUBBORN = PRELUDE + "signal.signal(15, signal.SIG_IGN)\nopen(sys.argv[1] + '.up', 'w')\ntime.sleep(60)"


class Running:
    """A supervisor in a thread, and what its children wrote."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.asked = threading.Event()
        self.error: BaseException | None = None
        self._thread: threading.Thread | None = None

    def child(self, name: str, script: str) -> Child:
        return Child(name, [sys.executable, "-c", script, str(self.folder / name)])

    def start(self, *children: Child, stop_s: float = 5) -> Supervisor:
        supervisor = Supervisor(children, stop_s=stop_s, pause_s=lambda deaths: 0.05 * deaths)

        def run() -> None:
            try:
                supervisor.run(self.asked.is_set)
            except FatalError as error:
                self.error = error

        self._thread = threading.Thread(target=run)
        self._thread.start()
        return supervisor

    def pids(self, name: str) -> list[int]:
        path = self.folder / name
        return [int(line) for line in path.read_text().split()] if path.exists() else []

    def end(self) -> float:
        """Asks for the end; returns how long it took."""
        started = time.monotonic()
        self.asked.set()
        self.join()
        return time.monotonic() - started

    def join(self) -> None:
        if self._thread:
            self._thread.join(20)
            assert not self._thread.is_alive()


@pytest.fixture
def running(tmp_path: Path) -> Iterator[Running]:
    running = Running(tmp_path)
    yield running
    running.end()


def wait_for(what: Callable[[], object]) -> None:
    deadline = time.monotonic() + 15
    while not what():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def test_what_is_killed_is_started_again_as_often_as_it_takes(running: Running) -> None:
    running.start(running.child("a", STAY), running.child("b", STAY))
    for times in range(1, 6):
        wait_for(lambda times=times: len(running.pids("a")) == times)
        os.kill(running.pids("a")[-1], signal.SIGKILL)
    wait_for(lambda: len(running.pids("a")) == 6)
    assert len(running.pids("b")) == 1, "the other one is left alone"
    assert running.end() < 3
    assert not any(is_alive(pid) for pid in running.pids("a") + running.pids("b"))


def test_all_end_in_order_and_may_finish_what_they_are_at(running: Running) -> None:
    running.start(running.child("a", ORDERLY), running.child("b", ORDERLY))
    wait_for(lambda: (running.folder / "a.up").exists() and (running.folder / "b.up").exists())
    assert running.end() < 3
    assert (running.folder / "a.done").exists()
    assert (running.folder / "b.done").exists()


def test_who_does_not_end_in_time_is_killed(running: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    running.start(running.child("a", STUBBORN), stop_s=-4.5)
    wait_for((running.folder / "a.up").exists)
    assert running.end() < 3
    assert not is_alive(running.pids("a")[0])


def test_a_second_signal_ends_all_at_once(running: Running) -> None:
    supervisor = running.start(running.child("a", STUBBORN), stop_s=60)
    wait_for((running.folder / "a.up").exists)
    running.asked.set()
    time.sleep(0.3)
    supervisor.kill()
    running.join()
    assert not is_alive(running.pids("a")[0])


def test_what_cannot_start_ends_the_others_and_says_so(running: Running) -> None:
    running.start(running.child("worker 1", PRELUDE + "sys.exit(1)"), running.child("web 1", STAY))
    running.join()
    assert str(running.error) == "worker 1 cannot be started: ended with exit code 1"
    assert len(running.pids("worker 1")) == 3
    assert not is_alive(running.pids("web 1")[0])


def test_wrong_settings_are_not_tried_twice(running: Running) -> None:
    running.start(running.child("a", PRELUDE + "sys.exit(78)"))
    running.join()
    assert isinstance(running.error, FatalError)
    assert len(running.pids("a")) == 1


def test_children_hear_of_it_when_their_parent_is_killed(tmp_path: Path) -> None:
    """Their standard input is a pipe from it, which breaks however it ends."""
    child = PRELUDE + "sys.stdin.read()\nopen(sys.argv[1] + '.done', 'w')"
    parent = f"""
from plugin.supervisor import Child, Supervisor
import sys
Supervisor([Child("a", [sys.executable, "-c", {child!r}, sys.argv[1]])], stop_s=1).run(lambda: False)
"""
    path = tmp_path / "a"
    with subprocess.Popen([sys.executable, "-c", parent, str(path)]) as process:
        wait_for(path.exists)
        process.kill()
    wait_for((tmp_path / "a.done").exists)
