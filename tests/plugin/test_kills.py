"""kill -9 under load: real server processes, a real helpdesk on a socket; nothing is lost, nothing is posted twice.

The form that runs in the suite kills ten times. DESKHAND_KILLS=200 sets another number; the count is printed.
"""

from __future__ import annotations

import os
import random
import signal
import socket
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from connectors.settings import Settings, write_home
from connectors.store.database import Store
from connectors.zendesk.client import Zendesk
from plugin.supervisor import Child, Supervisor

NAME = "sandbox"
KILLS = int(os.environ.get("DESKHAND_KILLS", "10"))
QUESTIONS = (
    "Hi, where is my parcel? The tracking page has not moved for days. Kind regards, Deniz",
    "Hello, where is my parcel? Tracking has not moved since Monday. Kind regards, Ana",
    "Where is my parcel please? The tracking page does not change. Regards, Tom",
)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def wait_for(what: Callable[[], object], timeout_s: float) -> bool:
    deadline = time.monotonic() + timeout_s
    while not what():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.1)
    return True


class Server:
    """`deskhand serve` with two web processes and two workers, as a supervisor such as systemd would run it."""

    def __init__(self, home: Path, log: Path) -> None:
        self._home, self._log = home, log
        self.process: subprocess.Popen[bytes] | None = None
        self.start()

    def start(self) -> None:
        command = [sys.executable, "-m", "plugin", "serve", "--home", str(self._home), "--web", "2", "--workers", "2"]
        with self._log.open("ab") as log:
            self.process = subprocess.Popen(command, stdout=log, stderr=log)

    def children(self, kind: str) -> list[int]:
        """Process ids of what it runs as `serve` or `work`."""
        assert self.process
        pids = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text().split()
        with suppress(OSError):  # one of them has just ended
            return [int(pid) for pid in pids if f"\0{kind}\0" in Path(f"/proc/{pid}/cmdline").read_text()]
        return []

    def kill(self, what: str) -> bool:
        """SIGKILL for one of a kind, for all web processes, or for the parent, which is then started again."""
        assert self.process
        if what == "parent":
            self.process.kill()
            self.process.wait()
            # What it leaves behind hears of it by its standard input, and lets go of the port.
            assert wait_for(self._restarts, 20)
            return True
        victims = self.children("work" if what == "worker" else "serve")
        if what != "all web":
            victims = random.sample(victims, min(1, len(victims)))
        for pid in victims:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        return bool(victims)

    def _restarts(self) -> bool:
        self.start()
        assert self.process
        return not wait_for(lambda: self.process and self.process.poll() is not None, 1.5)

    def stop(self) -> int:
        assert self.process
        self.process.terminate()
        return self.process.wait(60)


@pytest.fixture
def home(trained: Settings, zendesk: Zendesk, desk: Any) -> Path:
    """A home whose version is live, with the helpdesk's own secret, and leases of a few seconds."""
    # A helpdesk comes back seconds later, not at once.
    desk.sandbox.app.extensions["sandbox"].sender._backoff_s = 1.0
    port = free_port()
    secret = zendesk.install_webhook(f"http://127.0.0.1:{port}/webhooks/{NAME}")
    config = {"name": NAME, "url": desk.sandbox.url, "auth": "bearer"}
    hidden = {"webhook_secret": secret, "sidebar_token": "t"}
    plugin = {"port": port, "lease_s": 5, "stop_s": 20}
    write_home(
        trained.home,
        {"helpdesk": config, "plugin": plugin},
        {"helpdesk": {"token": desk.sandbox.token}, "plugin": hidden},
    )
    return trained.home


@pytest.fixture
def server(home: Path, tmp_path: Path) -> Iterator[Server]:
    server = Server(home, tmp_path / "server.log")
    yield server
    assert server.process
    server.process.kill()
    server.process.wait()
    print((tmp_path / "server.log").read_text()[-6000:])


@pytest.mark.weights
def test_whatever_is_killed_every_ticket_gets_one_note(
    server: Server, home: Path, desk: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    moments = random.Random(os.environ.get("DESKHAND_SEED", "17"))
    tickets: list[str] = []
    done = threading.Event()

    def load() -> None:
        while not done.is_set():
            tickets.append(desk.open_ticket(moments.choice(QUESTIONS)))
            done.wait(moments.uniform(0.1, 0.9))

    customers = threading.Thread(target=load)
    with Store(home / "deskhand.db") as store:
        assert wait_for(lambda: len(store.inbox.workers()) == 2, 60), "both workers are up"
        customers.start()
        killed: Counter[str] = Counter()
        plan = ["worker", "web", "worker", "all web", "worker", "web"]
        while killed.total() < KILLS:
            # Most of all while somebody works, for a worker that waits has nothing to lose.
            wait_for(lambda: store.inbox.counts()["leased"], 5)
            time.sleep(moments.uniform(0, 2))
            what = "parent" if killed.total() % 10 == 6 else plan[killed.total() % len(plan)]
            killed[what] += server.kill(what)
        done.set()
        customers.join()

        def is_quiet() -> bool:
            counts, arrived = store.inbox.counts(), store.row("select count(distinct ticket_id) as n from inbox")
            return counts["waiting"] + counts["leased"] == 0 and arrived is not None and arrived["n"] == len(tickets)

        assert wait_for(is_quiet, 120), store.inbox.counts()
        counts = store.inbox.counts()
        deaths = next(store.rows("select sum(deaths) as n from inbox"))["n"]
        made = list(store.rows("select ticket_id, count(*) as n from suggestions group by ticket_id"))
    with capsys.disabled():
        what = ", ".join(f"{number} {name}" for name, number in sorted(killed.items()))
        print(f"\n{killed.total()} kills ({what}) during {len(tickets)} tickets; {deaths} jobs died with their worker")
    assert counts["dead"] == 0
    assert {row["ticket_id"]: row["n"] for row in made} == dict.fromkeys(tickets, 1)
    assert {ticket: len(desk.notes(ticket)) for ticket in tickets} == dict.fromkeys(tickets, 1)
    assert server.stop() == 0


# The worker as it is, but for what drafts: that ends the process, as a crash in a library or too little memory does.
POISONED = """
import os, signal, sys
from pathlib import Path
from connectors.settings import load_settings
from connectors.vendors import open_helpdesk
from plugin import working

class Poison:
    version = ""
    def __init__(self, *_): ...
    def __call__(self): os.kill(os.getpid(), signal.SIGKILL)

working.LivePredictor = Poison
settings = load_settings(Path(sys.argv[1]))
with working.Working(settings, open_helpdesk(settings)) as running:
    running.wait(lambda: False)
"""


def test_a_ticket_that_kills_every_worker_is_given_up_and_the_others_are_served(
    settings: Settings, desk: Any, store: Store, zendesk: Zendesk, suggestion: Callable[..., Any]
) -> None:
    healthy, poison = desk.open_ticket(), desk.open_ticket()
    store.suggestions.save(suggestion(ticket_id=healthy, turn_id=zendesk.comments(healthy)[0][-1].id))
    for number, ticket_id in enumerate((healthy, poison)):
        store.inbox.put(NAME, f"d-{number}", ticket_id)
    child = Child("worker 1", [sys.executable, "-c", POISONED, str(settings.home)])
    supervisor = Supervisor([child], stop_s=10, pause_s=lambda _: 0.0)
    done = threading.Event()
    thread = threading.Thread(target=supervisor.run, args=(done.is_set,))
    thread.start()

    def is_over() -> bool:
        store.execute("update inbox set available_at = 0 where status = 'waiting'")  # nobody waits for the pauses
        return store.inbox.counts()["waiting"] + store.inbox.counts()["leased"] == 0

    try:
        assert wait_for(is_over, 60)
    finally:
        done.set()
        thread.join()
    (letter,) = store.inbox.dead()
    assert (letter.ticket_id, letter.deaths, letter.error) == (poison, 5, "5 workers died on it")
    assert len(desk.notes(healthy)) == 1
    assert desk.notes(poison) == []
