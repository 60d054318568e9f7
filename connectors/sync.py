"""Sync: the helpdesk's streams into the store, a page and its cursor in one transaction.

A run that is killed anywhere goes on where it was: stored pages stay, the page under way comes again, and tickets whose
comments are still missing are marked in the store.
"""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from connectors.errors import ConfigError, ForbiddenError, LockedError, NotFoundError, SkippableError
from connectors.helpdesk import Helpdesk
from connectors.store.database import Store

log = logging.getLogger(__name__)

Progress = Callable[[str, int, int | None], None]
"""Called with a stream's name, how many records are done, and how many there are (None where nobody knows)."""


@dataclass
class SyncSummary:
    """What a sync did.

    Attributes:
        changed: New or newer records per stream.
        skipped: Why a stream was left out; for `comments`, why the first of the tickets was.
        comments_fetched: Tickets whose comments were read.
    """

    changed: dict[str, int] = field(default_factory=dict)
    skipped: dict[str, str] = field(default_factory=dict)
    comments_fetched: int = 0
    seconds: float = 0.0


def sync(helpdesk: Helpdesk, store: Store, *, full: bool = False, progress: Progress = lambda *_: None) -> SyncSummary:
    """Brings the store up to date.

    Args:
        full: Forget the cursors and read everything again; nothing stored is lost by it.

    Raises:
        CredentialError, RetriableError, FatalError: The run stops; what was stored stays, and the next run goes on. Not
            for a ForbiddenError: what this credential may not read is left out, the rest is had.
    """
    started = time.monotonic()
    summary = SyncSummary()
    if full:
        store.history.forget_cursors(helpdesk.name)
    for stream in helpdesk.streams:
        try:
            summary.changed[stream] = _sync_stream(helpdesk, store, stream, progress)
        except (SkippableError, ForbiddenError) as error:
            summary.skipped[stream] = str(error)
            log.warning("skipped %s: %s", stream, error)
    _sync_comments(helpdesk, store, progress, summary)
    summary.seconds = time.monotonic() - started
    return summary


def _sync_stream(helpdesk: Helpdesk, store: Store, stream: str, progress: Progress) -> int:
    changed = done = 0
    for page in helpdesk.pages(stream, store.history.cursor(helpdesk.name, stream)):
        with store.transaction():
            changed += store.history.save(helpdesk.name, page.records)
            store.history.save_cursor(helpdesk.name, stream, page.cursor)
        done += len(page.records)
        progress(stream, done, done if page.done else None)
    return changed


def _sync_comments(helpdesk: Helpdesk, store: Store, progress: Progress, summary: SyncSummary) -> None:
    due = store.history.tickets_due(helpdesk.name)
    for done, ticket_id in enumerate(due, start=1):
        try:
            comments, authors = helpdesk.comments(ticket_id)
        except NotFoundError:
            # Deleted between the export and now; the next export says so.
            store.history.comments_gone(helpdesk.name, ticket_id)
        except ForbiddenError as error:
            # Some accounts hide single tickets. It stays due: the next run asks again.
            summary.skipped.setdefault("comments", str(error))
            log.warning("skipped the comments of ticket %s: %s", ticket_id, error)
        else:
            with store.transaction():
                # Where it is no longer due, the worker has read them since, and later than we did.
                if store.history.is_due(helpdesk.name, ticket_id):
                    store.history.save_comments(helpdesk.name, ticket_id, comments, authors)
            summary.comments_fetched += 1
        progress("comments", done, len(due))


@contextmanager
def exclusive(home: Path, task: str) -> Iterator[None]:
    """Holds the lock of a task: one sync, one training, one demo at a time in a home.

    The operating system lets go of it when the process ends, however it ends, so there are no stale locks.

    Raises:
        LockedError: Somebody else holds it; the message names the process.
        ConfigError: The home cannot be written.
    """
    # fcntl is not there on Windows; importing it here keeps the rest of the module usable.
    import fcntl

    path = home / f"{task}.lock"
    try:
        home.mkdir(parents=True, exist_ok=True)
        file = path.open("a+", encoding="utf-8")
    except OSError as error:
        raise ConfigError(f"{path}: {error.strerror}", hint="check the folder's owner and mode") from error
    with file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            file.seek(0)
            owner = file.read().strip() or "unknown"
            raise LockedError(
                f"another 'deskhand {task}' is running in {home} (process {owner})",
                hint="wait for it, or stop it first",
            ) from None
        file.seek(0)
        file.truncate()
        file.write(str(os.getpid()))
        file.flush()
        yield
