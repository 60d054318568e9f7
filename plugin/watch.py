"""Polling, for helpdesks that post no webhooks: what changed goes into the inbox.

The worker reads each ticket itself and does nothing where the team has answered, so a look too many costs two requests.
"""

from __future__ import annotations

import logging
import time
from pathlib import Path

from connectors import clock
from connectors.errors import FatalError, LockedError, RetriableError
from connectors.helpdesk import Helpdesk
from connectors.lock import exclusive
from connectors.store.database import Store
from connectors.sync.engine import sync

log = logging.getLogger(__name__)

_STREAM = "tickets"
# What changed while nobody looked is taken up, but not the backlog of a month: drafts for it would help nobody.
LOOK_BACK_S = 24 * 3600
# A ticket's own time may be earlier than the moment at which it was seen.
_OVERLAP_S = 3600


class Watcher:
    """Looks for changed tickets.

    Args:
        home: Holds the lock that a sync by cron takes too.

    Raises:
        FatalError: Nothing was ever synced: the first look would take all open tickets for new ones.
    """

    def __init__(self, helpdesk: Helpdesk, store: Store, home: Path) -> None:
        last = store.cursors.synced_at(helpdesk.name).get(_STREAM)
        if last is None:
            raise FatalError("no tickets have been synced yet", hint="run: deskhand sync")
        self._helpdesk = helpdesk
        self._store = store
        self._home = home
        self._since = max(clock.to_epoch(last), int(time.time()) - LOOK_BACK_S) - _OVERLAP_S

    def look(self) -> int:
        """One look; returns how many tickets were put into the inbox.

        Raises:
            CredentialError, FatalError: A person has to change something. What passes by itself is logged.
        """
        try:
            with exclusive(self._home, "sync"):
                summary = sync(self._helpdesk, self._store, only=[_STREAM])
        except (LockedError, RetriableError) as error:
            log.warning("no look this time: %s", error)
            return 0
        if why := summary.skipped.get(_STREAM):
            raise FatalError(f"no tickets could be read: {why}", hint="run: deskhand doctor")
        name = self._helpdesk.name
        waiting = self._store.due.waiting_customers(name, self._since)
        with self._store.transaction():
            return sum(
                self._store.inbox.put(name, f"poll-{ticket_id}-{state}", ticket_id) for ticket_id, state in waiting
            )
