"""What a sync tells while it runs, and what it did."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field

Progress = Callable[[str, int, int | None], None]
"""Called with a stream's name, how many records are done, and how many there are (None where nobody knows)."""


@dataclass
class SyncSummary:
    """What a sync did.

    Attributes:
        changed: New or newer records per table.
        skipped: Why a stream is not had: this account, plan or credential does not give it.
        failed: Why a stream was not finished this time; the next run goes on with it.
        comments_fetched: Tickets whose comments were read one by one.
        comments_settled: Tickets whose comments came in bulk.
        pages: Pages read, all streams together.
    """

    changed: Counter[str] = field(default_factory=Counter)
    skipped: dict[str, str] = field(default_factory=dict)
    failed: dict[str, str] = field(default_factory=dict)
    comments_fetched: int = 0
    comments_settled: int = 0
    pages: int = 0
    seconds: float = 0.0
