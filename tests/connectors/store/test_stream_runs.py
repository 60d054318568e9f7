"""How the last sync of each stream ended."""

from __future__ import annotations

from connectors.store.database import Store
from connectors.store.stream_runs import WHOLE

DESK = "zendesk"


def test_each_sync_replaces_what_is_known_of_its_streams(store: Store) -> None:
    assert store.stream_runs.all(DESK) == {}
    failed = {"users": "answered 429"}
    store.stream_runs.save(DESK, ["groups", "macros", "users"], skipped={"macros": "may not be read"}, failed=failed)
    states = {name: (run.state, run.why) for name, run in store.stream_runs.all(DESK).items()}
    assert states == {
        WHOLE: ("ok", ""), "groups": ("ok", ""), "macros": ("skipped", "may not be read"),
        "users": ("failed", "answered 429"),
    }  # fmt: skip
    store.stream_runs.save(DESK, ["users"], skipped={}, failed={})
    assert {run.state for run in store.stream_runs.all(DESK).values()} == {"ok", "skipped"}
    assert store.stream_runs.all("other") == {}


def test_a_sync_that_was_stopped_says_so_and_keeps_the_rest(store: Store) -> None:
    store.stream_runs.save(DESK, ["groups"], skipped={}, failed={})
    store.stream_runs.stopped(DESK, "the credential is not accepted")
    runs = store.stream_runs.all(DESK)
    assert (runs[WHOLE].state, runs[WHOLE].why) == ("failed", "the credential is not accepted")
    assert runs["groups"].state == "ok"
