"""How the last sync of each stream ended, for people who did not see its output."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import asdict, dataclass, field

from connectors import clock
from connectors.store.part import Part

OK, SKIPPED, FAILED = "ok", "skipped", "failed"
WHOLE = ""
"""Stands for the run itself, where it was stopped before its end."""


@dataclass(frozen=True, slots=True)
class StreamRun:
    """The last run of a stream.

    Attributes:
        state: `ok`; `skipped`, this account or credential does not give it; or `failed`, the next run goes on with it.
        why: What was wrong; empty where it is `ok`.
    """

    helpdesk: str
    stream: str
    state: str
    why: str = ""
    ended_at: str = field(default_factory=clock.now)


class StreamRuns(Part):
    """One row a stream, replaced by each sync."""

    def save(
        self, helpdesk: str, streams: Collection[str], *, skipped: Mapping[str, str], failed: Mapping[str, str]
    ) -> None:
        """Keeps how a sync that came to its end went; `skipped` and `failed` say why, by stream."""
        runs = [StreamRun(helpdesk, WHOLE, OK)]
        for stream in streams:
            state = FAILED if stream in failed else SKIPPED if stream in skipped else OK
            runs.append(StreamRun(helpdesk, stream, state, failed.get(stream, skipped.get(stream, ""))))
        self._store.upsert("stream_runs", [asdict(run) for run in runs], ("helpdesk", "stream"))

    def stopped(self, helpdesk: str, why: str) -> None:
        """Keeps that a sync was stopped; what its streams have had stays."""
        self._store.upsert("stream_runs", [asdict(StreamRun(helpdesk, WHOLE, FAILED, why))], ("helpdesk", "stream"))

    def all(self, helpdesk: str) -> dict[str, StreamRun]:
        """The last run by stream; `WHOLE` is the run itself. Empty before the first sync."""
        rows = self._store.rows("select * from stream_runs where helpdesk = ? order by rowid", (helpdesk,))
        return {row["stream"]: StreamRun(**row) for row in rows}
