"""The comments of the tickets that are due: in bulk where that is quicker, then ticket by ticket what is left."""

from __future__ import annotations

import logging
from collections import Counter

from connectors.errors import ForbiddenError, NotFoundError, RetriableError, SkippableError
from connectors.helpdesk import Helpdesk
from connectors.records import Thread
from connectors.store.database import Store
from connectors.sync.bulk import OVERLAP_S, bulk_pages, plan
from connectors.sync.summary import Progress, SyncSummary

log = logging.getLogger(__name__)

_STREAM = "comments"
# A ticket that does not answer may be a broken ticket; three in a row are the helpdesk or the network.
_FAILURES_IN_A_ROW = 3
# What a helpdesk counts as a comment may differ from what it lists. Where so many tickets that disagreed turn out to
# have been complete, its count is no longer believed.
_TRIALS = 20
_PAGES_TO_TRY = 2


class CommentSync:
    """Reads what `store.due` lists.

    Args:
        summary: Counted into.
        progress: As for `connectors.sync.engine.sync`.
    """

    def __init__(self, helpdesk: Helpdesk, store: Store, summary: SyncSummary, progress: Progress) -> None:
        self._helpdesk = helpdesk
        self._store = store
        self._summary = summary
        self._progress = progress
        self._name = helpdesk.name
        self._total = 0
        self._done = 0

    def run(self) -> None:
        """Reads until nothing is due but what cannot be had for now.

        Raises:
            RetriableError: The helpdesk does not answer any more.
        """
        self._total = self._store.due.count(self._name)
        since = self._bulk_start() if self._total and self._helpdesk.bulk_comments else None
        self._read_singly(None if since is None else self._try_bulk(since))

    def _bulk_start(self) -> int | None:
        if under_way := self._store.cursors.get(self._name, _STREAM):
            return int(under_way.split(" ", 1)[0])
        return plan(self._helpdesk, self._store)

    def _try_bulk(self, since: int) -> int | None:
        """Reads all comments since a moment; returns it, or None where the helpdesk does not give them that way."""
        try:
            self._read_bulk(since)
        except (SkippableError, ForbiddenError) as error:
            # Not on this plan or not for this credential; ticket by ticket takes longer and gives the same.
            log.warning("comments in bulk cannot be had: %s", error)
            self._store.cursors.forget(self._name, _STREAM)
            return None
        return since

    def _read_bulk(self, since: int) -> None:
        """The cursor is kept with the moment that the pass began at, so that a killed run goes on."""
        stored = self._store.cursors.get(self._name, _STREAM)
        cursor = stored.split(" ", 1)[1] if stored else None
        read = 0
        for page in self._helpdesk.pages(_STREAM, cursor, since=since):
            with self._store.transaction():
                self._summary.changed.update(self._store.mirror.save(self._name, page.records))
                self._store.cursors.save(self._name, _STREAM, f"{since} {page.cursor}")
            self._summary.pages += 1
            read += len(page.records)
            self._progress("comments in bulk", read, read if page.done else None)
        self._settle(since, counted=True)
        self._store.cursors.forget(self._name, _STREAM)

    def _settle(self, since: int, *, counted: bool) -> None:
        settled = self._store.due.settle(self._name, since, counted=counted)
        self._summary.comments_settled += settled
        self._done += settled
        self._progress(_STREAM, self._done, self._total)

    def _read_singly(self, since: int | None) -> None:
        failures = trials = complete = read = 0
        gone: list[str] = []
        for ticket_id in self._store.due.ids(self._name):
            if since is not None and trials == _TRIALS and complete == _TRIALS:
                log.info("the helpdesk's number of comments is not what it lists; not compared any more")
                self._settle(since, counted=False)
                trials += 1
            if not self._store.due.is_due(self._name, ticket_id):
                continue
            try:
                changed = self._read(ticket_id)
            except NotFoundError:
                # Deleted between the export and now; the next export says so.
                gone.append(ticket_id)
                if len(gone) == _FAILURES_IN_A_ROW and not read and since is None:
                    since = self._read_bulk_after_all()
            except RetriableError as error:
                failures += 1
                if failures >= _FAILURES_IN_A_ROW:
                    raise
                self._summary.failed.setdefault(_STREAM, str(error))
                log.warning("the comments of ticket %s are left for the next run: %s", ticket_id, error)
            else:
                failures, read = 0, read + 1
                if trials < _TRIALS and changed is not None:
                    trials, complete = trials + 1, complete + (changed == 0)
            self._done += 1
            self._progress(_STREAM, self._done, self._total)
        if gone and not read and since is None:
            self._read_bulk_after_all()
        for ticket_id in gone:
            if self._store.due.is_due(self._name, ticket_id):
                self._store.due.drop(self._name, ticket_id)

    def _read_bulk_after_all(self) -> int | None:
        """Where no ticket's own list can be had, its comments may come in bulk all the same; returns since when.

        Only where that takes a page or two: single tickets that were deleted look just like it.
        """
        starts = self._store.due.starts(self._name)
        if not self._helpdesk.bulk_comments or not starts:
            return None
        since = max(0, starts[0] - OVERLAP_S)
        if bulk_pages(self._store.due.changed_since(self._name, since)) > _PAGES_TO_TRY:
            return None
        return self._try_bulk(since)

    def _read(self, ticket_id: str) -> int | None:
        """Reads one ticket's comments; returns how many were new or changed, None where none were here before.

        Raises:
            NotFoundError: The ticket is gone.
        """
        had = self._store.due.stored(self._name, ticket_id)
        try:
            comments, authors = self._helpdesk.comments(ticket_id)
        except ForbiddenError as error:
            # Some accounts hide single tickets. It stays due: the next run asks again.
            self._summary.skipped.setdefault(_STREAM, str(error))
            log.warning("skipped the comments of ticket %s: %s", ticket_id, error)
            return None
        changed = 0
        with self._store.transaction():
            # Where it is no longer due, the worker has read them since, and later than we did.
            if self._store.due.is_due(self._name, ticket_id):
                changed = self._store.mirror.save_thread(self._name, Thread(ticket_id, tuple(comments), tuple(authors)))
        self._summary.changed += Counter(comments=changed)  # zeros drop out
        self._summary.comments_fetched += 1
        return changed if had else None
