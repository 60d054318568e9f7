"""What the blueprints share: settings, the helpdesk, a store per thread, the way into the inbox."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field

from flask import Flask

from connectors.helpdesk import Helpdesk
from connectors.settings import Settings
from connectors.store.database import Store
from plugin.counts import Counts
from plugin.intake import Intake

_KEY = "deskhand"


@dataclass
class Context:
    """The application's own things; `close` lets go of every thread's connection.

    Attributes:
        intake: The way into the inbox.
        counts: What happened and leaves no row of its own.
    """

    settings: Settings
    helpdesk: Helpdesk
    intake: Intake = field(default_factory=Intake)
    counts: Counts = field(init=False)
    _local: threading.local = field(default_factory=threading.local)
    _stores: list[Store] = field(default_factory=list)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def __post_init__(self) -> None:
        self.counts = Counts(self.store)

    def store(self) -> Store:
        """The calling thread's connection, opened at its first use."""
        store: Store | None = getattr(self._local, "store", None)
        if store is None:
            store = Store(self.settings.database_path)
            self._local.store = store
            with self._lock:
                self._stores.append(store)
        return store

    def reopen(self) -> None:
        """Lets go of the calling thread's connection: one that was opened on a read-only file would stay read-only."""
        store: Store | None = getattr(self._local, "store", None)
        if store is not None:
            self._local.store = None
            with self._lock:
                self._stores.remove(store)
            store.close()

    def close(self) -> None:
        """Closes all connections; the server must have stopped."""
        self.counts.flush()
        with self._lock:
            for store in self._stores:
                store.close()
            self._stores.clear()
        self._local = threading.local()


def attach(app: Flask, value: Context) -> None:
    """Puts the context on an application."""
    app.extensions[_KEY] = value


def context(app: Flask) -> Context:
    """The context of an application."""
    value = app.extensions[_KEY]
    assert isinstance(value, Context)
    return value
