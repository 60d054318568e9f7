"""How fast a Zendesk account is synced, beside what is the least possible and beside the way of one request a ticket.

    python tests/benchmarks/sync.py                          the tables of docs/benchmarks.md, about 15 minutes
    python tests/benchmarks/sync.py --only quick --tickets 100000
    python tests/benchmarks/sync.py --only memory --tickets 1000000 --comments 1

The account is synthetic (`accounts.py`); the sandbox serves it from a process of its own. Latency and rate limits pass
in a time of their own: both processes share a clock that is set forward instead of waiting, so that an hour of rate
limits costs no hour, while all that is computed takes the time it takes. Reported seconds are the sum of both.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import mmap
import os
import resource
import struct
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from connectors.settings import HelpdeskSettings
from connectors.store.database import Store
from connectors.sync.engine import sync
from connectors.zendesk.client import Zendesk

PLANS = {"team": (200, 10), "enterprise": (700, 10), "high_volume": (2500, 30)}
"""Requests a minute of the account, and of the incremental exports, as the sandbox has them from Zendesk's docs."""
LATENCIES_S = (0.02, 0.2)
PAGE = 1000


class SharedClock:
    """A present that several processes share, and that is set forward instead of waited for.

    Args:
        path: A file that holds the seconds it is ahead of the machine's clock; None has nothing to share.
    """

    def __init__(self, path: Path) -> None:
        if not path.exists():
            path.write_bytes(struct.pack("d", 0.0))
        self._file = path.open("r+b")
        self._map = mmap.mmap(self._file.fileno(), 8)

    @property
    def ahead_s(self) -> float:
        return float(struct.unpack("d", self._map[:8])[0])

    def sleep(self, seconds: float) -> None:
        """Only ever one of the processes is at work, so nothing is lost between reading and writing."""
        self._map[:8] = struct.pack("d", self.ahead_s + max(0.0, seconds))

    def time(self) -> float:
        return time.time() + self.ahead_s

    def monotonic(self) -> float:
        return time.monotonic() + self.ahead_s


def serve(database: Path, clock_path: Path, latency_s: float, plan: str) -> None:
    """The sandbox, in a process of its own; prints address and token, ends with its standard input."""
    from connectors.sandbox.server import Sandbox

    clock = SharedClock(clock_path)
    limits: dict[str, Any] = {"SANDBOX_PLAN": plan} if plan else {f"SANDBOX_{n}_PER_MIN": 0 for n in _LIMITS}
    config = {"SANDBOX_CLOCK": clock.time, "SANDBOX_SLEEP": clock.sleep, "SANDBOX_LATENCY_S": latency_s, **limits}
    with Sandbox(database, **config) as sandbox:
        print(json.dumps({"url": sandbox.url, "token": sandbox.token}), flush=True)
        sys.stdin.read()


_LIMITS = ("REQUESTS", "EXPORTS", "USER_EXPORTS", "SEARCH_EXPORTS", "UPDATES")


@contextlib.contextmanager
def sandbox(database: Path, latency_s: float, plan: str) -> Iterator[tuple[dict[str, str], SharedClock]]:
    with tempfile.TemporaryDirectory() as folder:
        clock_path = Path(folder) / "clock"
        clock = SharedClock(clock_path)
        command = [sys.executable, __file__, "--serve", str(database), str(clock_path), str(latency_s), plan]
        with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as server:
            assert server.stdout
            try:
                yield json.loads(server.stdout.readline()), clock
            finally:
                server.communicate()


@dataclass
class Run:
    """One sync of a whole account. `seconds` are on the shared clock, `computed_s` of them really passed."""

    requests: int
    seconds: float
    computed_s: float
    tickets: int
    comments: int
    second_requests: int
    database_mb: float


def run(database: Path, latency_s: float, plan: str, *, bulk: bool = True, twice: bool = True) -> Run:
    with sandbox(database, latency_s, plan) as (address, clock), tempfile.TemporaryDirectory() as folder:
        settings = HelpdeskSettings(url=address["url"], token=address["token"])  # type: ignore[arg-type]
        desk = Zendesk(settings, sleep=clock.sleep, monotonic=clock.monotonic)
        desk.bulk_comments = bulk
        path = Path(folder) / "deskhand.db"
        with Store(path) as store, contextlib.closing(desk):
            started, really = clock.monotonic(), time.monotonic()
            summary = sync(desk, store)
            seconds, computed = clock.monotonic() - started, time.monotonic() - really
            assert not summary.skipped, summary.skipped
            assert not summary.failed, summary.failed
            assert store.due.count(desk.name) == 0
            requests = desk.http.requests_made
            if twice:
                sync(desk, store)
            counts = store.history.counts(desk.name)
            second = desk.http.requests_made - requests
        size = path.stat().st_size / 1e6
    return Run(requests, seconds, computed, counts["tickets"], counts["comments"], second, size)


def floor(database: Path) -> int:
    """Pages that an account takes at the very least: every stream in pages as big as they may be."""
    import sqlite3

    with contextlib.closing(sqlite3.connect(f"file:{database}?mode=ro", uri=True)) as db:
        n = {t: db.execute(f"select count(*) from {t}").fetchone()[0] for t in ("tickets", "users", "audits", "groups")}
        others = [
            db.execute(f"select count(*) from {table}").fetchone()[0]
            for table in ("groups", "brands", "ticket_fields", "macros", "articles", "satisfaction_ratings")
        ]
        organizations = db.execute("select count(*) from organizations").fetchone()[0]
    pages: Callable[[int, int], int] = lambda count, size: max(1, -(-count // size))  # noqa: E731
    exports = pages(n["tickets"], PAGE) + pages(n["audits"], PAGE) + pages(organizations, PAGE)
    return exports + pages(n["users"], PAGE) + sum(pages(count, 100) for count in others)


def account(folder: Path, tickets: int, comments: int) -> Path:
    sys.path.insert(0, str(Path(__file__).parent))
    from accounts import fill

    path = folder / f"account-{tickets}-{comments}.db"
    if not path.exists():
        fill(path, tickets=tickets, comments_per_ticket=comments)
    return path


def compare(database: Path, plans: list[str], latencies: list[float]) -> Table:
    least = floor(database)
    table = Table(
        "plan", "latency", "way", "requests", "per 1,000 tickets", "x floor", "minutes", "tickets/s", "x quicker",
        "2nd run", title=f"A first sync, floor {least} requests; then a second one with nothing new",
    )  # fmt: skip
    for plan in plans:
        for latency_s in latencies:
            bulk = run(database, latency_s, plan)
            single = run(database, latency_s, plan, bulk=False, twice=False)
            assert (bulk.tickets, bulk.comments) == (single.tickets, single.comments), "both ways give the same"
            for way, one in (("bulk", bulk), ("one by one", single)):
                table.add_row(
                    plan or "no limits", f"{1000 * latency_s:.0f} ms", way, f"{one.requests:,}",
                    f"{1000 * one.requests / one.tickets:,.1f}", f"{one.requests / least:.2f}",
                    f"{one.seconds / 60:.1f}", f"{one.tickets / one.seconds:,.0f}",
                    f"{single.seconds / one.seconds:.1f}", f"{one.second_requests}" if way == "bulk" else "",
                )  # fmt: skip
    return table


def quick(database: Path, *, bulk: bool = True) -> Table:
    """No latency, no limits: what the machine can do, and how much memory the syncing process takes."""
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    one = run(database, 0.0, "", bulk=bulk)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    table = Table("tickets", "comments", "requests", "seconds", "tickets/s", "peak MB", "before MB", "database MB")
    table.title = "No latency, no limits, sandbox and sync on the same cores"
    table.add_row(
        f"{one.tickets:,}", f"{one.comments:,}", f"{one.requests:,}", f"{one.computed_s:.0f}",
        f"{one.tickets / one.computed_s:,.0f}", f"{peak / 1024:.0f}", f"{before / 1024:.0f}", f"{one.database_mb:,.0f}",
    )  # fmt: skip
    return table


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--serve", nargs=4, help=argparse.SUPPRESS)
    parser.add_argument("--only", choices=["compare", "quick", "memory"], help="one of the tables")
    parser.add_argument("--tickets", type=int, help="20,000 to compare, 100,000 for the rest")
    parser.add_argument("--comments", type=int, default=4, help="a ticket")
    parser.add_argument("--plans", nargs="*", default=list(PLANS), choices=list(PLANS))
    parser.add_argument("--folder", type=Path, default=Path(tempfile.gettempdir()) / "deskhand-benchmarks")
    arguments = parser.parse_args()
    if arguments.serve:
        database, clock_path, latency_s, plan = arguments.serve
        serve(Path(database), Path(clock_path), float(latency_s), plan)
        return
    arguments.folder.mkdir(exist_ok=True)
    console = Console(width=130)
    console.print(f"{os.cpu_count()} cores, {time.strftime('%Y-%m-%d')}, python {sys.version.split()[0]}")
    if arguments.only in (None, "quick", "memory"):
        console.print(quick(account(arguments.folder, arguments.tickets or 100_000, arguments.comments)))
    if arguments.only in (None, "compare"):
        database = account(arguments.folder, arguments.tickets or 20_000, arguments.comments)
        console.print(compare(database, arguments.plans, list(LATENCIES_S)))


if __name__ == "__main__":
    main()
