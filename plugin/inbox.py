"""`deskhand inbox`: what waits, who works on it, what was given up and why."""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence
from dataclasses import asdict

from connectors.errors import FatalError
from connectors.store.database import Store
from connectors.store.inbox import DEAD, DONE, LEASED, WAITING, Entry, WorkerState
from plugin.console import REPORT_COLUMNS, show, show_json
from plugin.heartbeat import DEAD_AFTER_S


def show_inbox(store: Store, *, limit: int, as_json: bool) -> None:
    """Prints counts, workers, and the newest open jobs and dead letters.

    Args:
        limit: The most rows of each kind.
    """
    counts, workers = store.inbox.counts(), store.inbox.workers()
    waiting, dead = store.inbox.open(limit), store.inbox.dead(limit)
    if as_json:
        show_json(
            {
                "counts": counts,
                "workers": [asdict(worker) | {"alive": _is_alive(worker)} for worker in workers],
                "open": [asdict(entry) for entry in waiting],
                "dead": [asdict(entry) for entry in dead],
            }
        )
        return
    show(
        f"{counts[WAITING]} waiting, {counts[LEASED]} being worked on, {counts[DONE]} done, {counts[DEAD]} given up"
        + ("" if workers else "; no worker runs")
    )
    for worker in workers:
        show(f"{worker.name} on {worker.host}, process {worker.pid}: {_what_it_does(worker)}")
    _show_entries("Open", "came", waiting, counts[WAITING] + counts[LEASED])
    _show_entries("Dead letters", "given up", dead, counts[DEAD])
    if dead:
        show("To try them again: deskhand inbox retry ID... or --all")


def revive(store: Store, ids: Sequence[int] | None) -> int:
    """Puts dead letters back into the queue; returns how many.

    Args:
        ids: Which ones; None takes all.

    Raises:
        FatalError: One of the ids is no dead letter; then none is touched.
    """
    if ids is not None:
        states = store.inbox.statuses(ids)
        wrong = [f"{one} is {states.get(one, 'not there')}" for one in dict.fromkeys(ids) if states.get(one) != DEAD]
        if wrong:
            raise FatalError(f"not a dead letter: {', '.join(wrong)}", hint="see which ones there are: deskhand inbox")
    return store.inbox.revive(ids)


def _is_alive(worker: WorkerState) -> bool:
    return time.time() - worker.seen_s <= DEAD_AFTER_S


def _what_it_does(worker: WorkerState) -> str:
    if not _is_alive(worker):
        return f"has given no sign of life for {time.time() - worker.seen_s:.0f} s"
    what = f"works on ticket {worker.ticket_id}" if worker.ticket_id else "waits"
    return f"{what}, {worker.version or 'no model loaded yet'}"


def _show_entries(title: str, moment: str, entries: Sequence[Entry], total: int) -> None:
    from rich import box
    from rich.console import Console
    from rich.table import Table

    if not entries:
        return
    more = f", the newest {len(entries)} of {total}" if total > len(entries) else ""
    table = Table(title=f"{title}{more}", title_justify="left", box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0))
    for column in ("id", "ticket", "attempts"):
        table.add_column(column, justify="left" if column == "ticket" else "right")
    for column in (moment, "why"):
        table.add_column(column)
    for entry in entries:
        why = entry.error or ("is being worked on" if entry.status == LEASED else "")
        table.add_row(str(entry.id), entry.ticket_id, str(entry.attempts), entry.at, why)
    console = Console() if sys.stdout.isatty() else Console(width=REPORT_COLUMNS)
    console.print(table, markup=False)
