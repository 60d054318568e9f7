"""How quickly the webhook's door answers, and how many it takes, by the number of web processes.

    python tests/benchmarks/webhooks.py                       the table of docs/benchmarks.md, about two minutes
    python tests/benchmarks/webhooks.py --seconds 2 --processes 1,2

Real server processes (`deskhand serve --web N --workers 0`) on a home of their own; clients in a process of their own,
each with a connection that stays open, as a proxy in front has it. Every request is a signed webhook with a delivery id
of its own, and every one of them must be in the inbox afterwards. Two loads:

- steady: at a fixed rate, each request timed from the moment it was due: waiting in a queue counts;
- full: all clients as fast as they are answered, for the throughput.

Beside it, in the same run, what bounds it: the same server answering without storing anything (`/healthz`), and the
disk: SQLite committing one row at a time from one connection, with nothing around it.
"""

from __future__ import annotations

import argparse
import http.client
import json
import multiprocessing
import os
import subprocess
import sys
import tempfile
import threading
import time
import uuid
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from urllib.parse import urlsplit

import numpy as np
from rich.console import Console
from rich.table import Table

from connectors.settings import write_home
from connectors.store.database import Store
from connectors.zendesk.webhook import INVOCATION, SIGNATURE, TIMESTAMP, sign

SECRET = "benchmark-secret"
PATH = "/webhooks/zendesk"
WARM_UP_S = 3.0


@dataclass(frozen=True)
class Result:
    """Seconds of each request, requests a second, and answers that were no 200."""

    seconds: list[float]
    per_s: float
    refused: int

    def at(self, percent: float) -> str:
        return f"{1000 * float(np.percentile(self.seconds, percent)):.1f}"


def webhook() -> tuple[bytes, dict[str, str]]:
    """A signed webhook as Zendesk sends it."""
    body = json.dumps({"ticket_id": str(uuid.uuid4().int % 10**8)}).encode()
    at = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    headers = {SIGNATURE: sign(SECRET, at, body), TIMESTAMP: at, INVOCATION: uuid.uuid4().hex}
    return body, headers | {"Content-Type": "application/json"}


def client(url: str, stored: bool, due: list[float], ends_at: float, out: list[tuple[float, int]]) -> None:
    """One connection: a request at each due moment, or one after the other until the end where none are given."""
    parts = urlsplit(url)
    connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=30)
    moments = iter(due) if due else iter(time.monotonic, 0.0)
    for start in moments:
        if start >= ends_at:
            break
        time.sleep(max(0.0, start - time.monotonic()))
        if stored:
            body, headers = webhook()
            connection.request("POST", PATH, body, headers)
        else:
            connection.request("GET", "/healthz")
        answer = connection.getresponse()
        answer.read()
        out.append((time.monotonic() - start, answer.status))
    connection.close()


class Clients:
    """The clients' process: the server must not wait for them in the lock of one interpreter, nor they for it."""

    def __init__(self) -> None:
        context = multiprocessing.get_context("spawn")
        self._pipe, other = context.Pipe()
        self._process = context.Process(target=_serve_loads, args=(other,), daemon=True)
        self._process.start()

    def load(self, url: str, *, stored: bool, clients: int, seconds: float, per_s: float = 0.0) -> Result:
        """One load; `per_s` 0 is as fast as the clients are answered."""
        self._pipe.send((url, stored, clients, seconds, per_s))
        answers, took_s = self._pipe.recv()
        times = [one for one, status in answers if status == 200]
        return Result(times, len(times) / took_s, len(answers) - len(times))


def _serve_loads(pipe: Connection) -> None:
    while True:
        pipe.send(_load(*pipe.recv()))


def _load(url: str, stored: bool, clients: int, seconds: float, per_s: float) -> tuple[list[tuple[float, int]], float]:
    begins = time.monotonic() + 0.2
    out: list[tuple[float, int]] = []
    steps = range(int(seconds * per_s / clients))
    plans = [[begins + (number + clients * step) / per_s for step in steps] for number in range(clients)]
    threads = [threading.Thread(target=client, args=(url, stored, due, begins + seconds, out)) for due in plans]
    time.sleep(0.2)
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return out, time.monotonic() - begins


def bare_commits(folder: Path, seconds: float) -> Result:
    """Rows put into an inbox by one connection, a commit each: what the disk allows."""
    times = []
    with Store(folder / "bare.db") as store:
        begins = time.monotonic()
        while time.monotonic() < begins + seconds:
            start = time.monotonic()
            store.inbox.put("zendesk", uuid.uuid4().hex, "1")
            times.append(time.monotonic() - start)
        return Result(times, len(times) / (time.monotonic() - begins), 0)


class Server:
    """`deskhand serve` with so many web processes and no worker, on a home of its own."""

    def __init__(self, home: Path, processes: int) -> None:
        write_home(
            home,
            {"helpdesk": {"url": "https://nobody.example"}, "plugin": {"port": 0}},
            {"helpdesk": {"token": "t"}, "plugin": {"webhook_secret": SECRET, "sidebar_token": "t"}},
        )
        command = [sys.executable, "-m", "plugin", "serve", "--home", str(home)]
        command += ["--web", str(processes), "--workers", "0"]
        environment = {name: value for name, value in os.environ.items() if not name.startswith("DESKHAND_")}
        self._process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env=environment)
        assert self._process.stderr
        self.url = self._process.stderr.readline().split()[-1]
        threading.Thread(target=self._process.stderr.read, daemon=True).start()

    def __enter__(self) -> Server:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.terminate()
        self._process.wait(30)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--processes", default="1,2,4")
    parser.add_argument("--clients", type=int, default=8)
    parser.add_argument("--rate", type=float, default=50.0, help="webhooks a second of the steady load")
    parser.add_argument("--seconds", type=float, default=10.0, help="of each load")
    options = parser.parse_args()
    table = Table("web processes", "load", "requests", "a second", "p50 ms", "p99 ms", "max ms", "refused", "lost")

    def add(processes: str, what: str, result: Result, lost: str = "") -> None:
        figures = [f"{result.per_s:.0f}", result.at(50), result.at(99), result.at(100), str(result.refused), lost]
        table.add_row(processes, what, str(len(result.seconds)), *figures)

    clients = Clients()
    common = {"clients": options.clients, "seconds": options.seconds}
    with tempfile.TemporaryDirectory() as folder:
        add("", "commits of one connection", bare_commits(Path(folder), options.seconds))
        for count in options.processes.split(","):
            home = Path(folder) / count
            with Server(home, int(count)) as server, Store(home / "deskhand.db") as store:
                # All of them are up when the clients come.
                clients.load(server.url, stored=False, clients=options.clients, seconds=WARM_UP_S)
                for what, rate in ((f"steady, {options.rate:.0f} a second", options.rate), ("full", 0.0)):
                    before = store.inbox.counts()["waiting"]
                    result = clients.load(server.url, stored=True, per_s=rate, **common)
                    arrived = store.inbox.counts()["waiting"] - before
                    add(count, what, result, str(len(result.seconds) - arrived))
                add(count, "full, nothing stored", clients.load(server.url, stored=False, **common))
    Console(width=120).print(table)


if __name__ == "__main__":
    main()
