"""Sync: the helpdesk's streams into the store, a page and its cursor in one transaction.

A run that is killed anywhere goes on where it was: stored pages stay, the page under way comes again, and tickets whose
comments are still missing are marked in the store.
"""

from __future__ import annotations

import logging
import time
from collections import Counter
from collections.abc import Collection

from connectors.errors import ConfigError, DeskhandError, ForbiddenError, RetriableError, SkippableError
from connectors.helpdesk import Helpdesk
from connectors.store.database import Store
from connectors.sync.comments import CommentSync
from connectors.sync.summary import Progress, SyncSummary

log = logging.getLogger(__name__)

COMMENTS = "comments"
# How many there are is asked for where it takes long enough for a person to want to know, and only the first time.
_COUNTED = frozenset({"tickets", "users"})
# One stream that does not answer may be a fault of that stream; the next one, too, is the helpdesk's or the network's.
_FAILURES_IN_A_ROW = 2


def sync(
    helpdesk: Helpdesk,
    store: Store,
    *,
    full: bool = False,
    since: int = 0,
    only: Collection[str] = (),
    progress: Progress = lambda *_: None,
) -> SyncSummary:
    """Brings the store up to date.

    Args:
        full: Forget the cursors and read everything again; nothing stored is lost by it.
        since: Unix seconds: what changed before is left out. For streams that were never synced, or with `full`.
        only: Streams to sync, `comments` among them; all where it is empty.

    Raises:
        ConfigError: `only` names something that is no stream.
        RetriableError: The helpdesk does not answer any more. A single stream or ticket that fails is in the summary
            instead, and the rest is had.
        CredentialError, FatalError: The run stops; what was stored stays, and the next run goes on. Not for a
            ForbiddenError: what this credential may not read is left out.
    """
    started = time.monotonic()
    wanted = chosen(helpdesk, only)
    summary = SyncSummary()
    if full:
        for stream in wanted:
            store.cursors.forget(helpdesk.name, stream)
        if COMMENTS in wanted:
            store.due.everything(helpdesk.name)
    failures = 0
    for stream in wanted:
        try:
            if stream == COMMENTS:
                CommentSync(helpdesk, store, summary, progress).run()
            else:
                _sync_stream(helpdesk, store, stream, since, progress, summary)
        except (SkippableError, ForbiddenError) as error:
            summary.skipped[stream] = str(error)
            log.warning("skipped %s: %s", stream, error)
        except RetriableError as error:
            failures += 1
            if failures >= _FAILURES_IN_A_ROW:
                raise
            summary.failed[stream] = str(error)
            log.warning("%s not finished: %s", stream, error)
        else:
            failures = 0
    summary.seconds = time.monotonic() - started
    return summary


def chosen(helpdesk: Helpdesk, only: Collection[str]) -> list[str]:
    """The streams to sync in their order, comments last.

    Raises:
        ConfigError: One of them is no stream of this helpdesk.
    """
    streams = [*helpdesk.streams, COMMENTS]
    if unknown := sorted(set(only) - set(streams)):
        raise ConfigError(f"no stream is called {', '.join(unknown)}", hint=f"there are: {', '.join(streams)}")
    return [stream for stream in streams if not only or stream in only]


def _sync_stream(
    helpdesk: Helpdesk, store: Store, stream: str, since: int, progress: Progress, summary: SyncSummary
) -> None:
    name = helpdesk.name
    cursor = store.cursors.get(name, stream)
    total = _total(helpdesk, stream) if stream in _COUNTED and cursor is None else None
    done = 0
    listed: set[str] = set()
    for page in helpdesk.pages(stream, cursor, since=since):
        with store.transaction():
            summary.changed.update(store.mirror.save(name, page.records))
            store.cursors.save(name, stream, page.cursor)
            if page.listed:
                listed |= {record.id for record in page.records if hasattr(record, "id")}
            if page.listed and page.done:
                summary.changed += Counter({page.listed: store.mirror.prune(name, page.listed, listed)})
        summary.pages += 1
        done += sum(hasattr(record, "id") for record in page.records)  # not what rides with them
        progress(stream, done, done if page.done else total)


def _total(helpdesk: Helpdesk, stream: str) -> int | None:
    try:
        return helpdesk.outlook(stream).records
    except DeskhandError:
        return None  # the pages themselves will say what is wrong
