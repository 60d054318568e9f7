"""`deskhand sync`: what it prints and how it ends."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Collection
from dataclasses import asdict
from typing import TYPE_CHECKING

from connectors.errors import DeskhandError, FatalError, RetriableError, StoreError
from connectors.helpdesk import Helpdesk
from connectors.lock import exclusive
from connectors.settings import Settings
from connectors.store.database import Store
from connectors.sync.engine import chosen, sync
from connectors.sync.preview import preview
from connectors.sync.summary import SyncSummary
from plugin.console import show, show_json

if TYPE_CHECKING:
    from plugin.console import Bar


def run(
    settings: Settings,
    helpdesk: Helpdesk,
    bar: Bar,
    *,
    full: bool,
    since: int,
    only: Collection[str],
    as_json: bool,
) -> None:
    """Syncs, compares what was sent with what was suggested, and prints the summary.

    Exits with 75 where a stream or ticket could not be finished this time.

    Raises:
        LockedError: Another sync is at work in this home.
        FatalError: No tickets could be read at all.
    """
    with exclusive(settings.home, "sync"), Store(settings.database_path) as store, bar:
        summary = _sync(helpdesk, store, bar, full=full, since=since, only=only)
        outcomes = _match(store, helpdesk.name)
        counts = store.history.counts(helpdesk.name)
    if as_json:
        show_json(vars(summary) | {"stored": counts, "outcomes": outcomes} | traffic(helpdesk))
    else:
        _show(summary, counts)
        if outcomes:
            said = ", ".join(f"{count} {kind.replace('_', ' ')}" for kind, count in outcomes.most_common())
            show(f"what became of {outcomes.total()} suggestions: {said}")
        sent = traffic(helpdesk)
        show(
            f"{sent['requests_made']:.0f} requests, {sent['retries']:.0f} repeated, {sent['waited_s']:.0f} s waited, "
            f"{summary.seconds:.1f} s in all"
        )
    if why := summary.skipped.get("tickets"):
        raise FatalError(f"no tickets could be read: {why}", hint="use an admin's credential: deskhand init")
    if summary.failed:
        sys.exit(RetriableError.exit_code)


def _sync(helpdesk: Helpdesk, store: Store, bar: Bar, *, full: bool, since: int, only: Collection[str]) -> SyncSummary:
    """Syncs, and keeps how it went for the dashboard."""
    name = helpdesk.name
    try:
        summary = sync(helpdesk, store, full=full, since=since, only=only, progress=bar.update)
    except StoreError:
        raise  # nothing can be kept there now
    except DeskhandError as error:
        store.stream_runs.stopped(name, str(error))
        raise
    store.stream_runs.save(name, chosen(helpdesk, only), skipped=summary.skipped, failed=summary.failed)
    return summary


def _match(store: Store, helpdesk: str) -> Counter[str]:
    # Imported here: it brings numpy and scikit-learn, and `deskhand --help` and the streams need neither.
    from trainer.outcomes import match

    return match(store, helpdesk)


def traffic(helpdesk: Helpdesk) -> dict[str, float]:
    """Requests, retries and seconds of waiting so far; zeros for a helpdesk without a network."""
    http = getattr(helpdesk, "http", None)
    return {name: getattr(http, name, 0) for name in ("requests_made", "retries", "waited_s")}


def _show(summary: SyncSummary, counts: dict[str, int]) -> None:
    for table, stored in counts.items():
        if stored or summary.changed[table]:
            show(f"{table:<22} {summary.changed[table]:>8} new or changed, {stored:>8} stored")
    if summary.comments_settled or summary.comments_fetched:
        show(f"comments of {summary.comments_settled} tickets came in bulk, of {summary.comments_fetched} one by one")
    for stream, why in summary.skipped.items():
        show(f"{stream:<22} skipped: {why}")
    for stream, why in summary.failed.items():
        show(f"{stream:<22} not finished, run it again: {why}")


def show_preview(
    settings: Settings, helpdesk: Helpdesk, *, full: bool, since: int, only: Collection[str], as_json: bool
) -> None:
    """Prints what a sync would read."""
    with Store(settings.database_path) as store:
        plans = preview(helpdesk, store, full=full, since=since, only=only)
    if as_json:
        show_json([asdict(plan) for plan in plans])
        return
    for plan in plans:
        if plan.problem:
            show(f"{plan.stream:<22} would be skipped: {plan.problem}")
            continue
        records = "" if plan.records is None else f", {plan.records} there"
        requests = "" if plan.requests is None else f", at most {plan.requests} requests"
        show(f"{plan.stream:<22} from: {plan.starts}{records}{requests}")
