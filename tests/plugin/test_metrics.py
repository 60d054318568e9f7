"""Metrics: the figures of the store at each scrape, for whom they are, and whom they do not name."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from flask.testing import FlaskClient
from prometheus_client.parser import text_string_to_metric_families

from connectors import clock
from connectors.settings import Settings
from connectors.store.database import Store
from connectors.store.outcomes import AS_IS, IGNORED, Outcome
from connectors.store.suggestions import SILENT, Suggestion
from plugin.context import context
from plugin.counts import API_ANSWERS, WEBHOOKS
from trainer.registry import Registry

HEADERS = {"Authorization": "Bearer deskhand_token-that-nobody-may-see"}


def scrape(app: FlaskClient) -> dict[tuple[str, ...], float]:
    """Values by name and the labels' values, labels by their names, as a Prometheus server reads them."""
    answer = app.get("/metrics", headers=HEADERS)
    assert answer.status_code == 200, answer.text
    assert answer.content_type.startswith("text/plain; version=")
    return {
        (sample.name, *(value for _, value in sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(answer.text)
        for sample in family.samples
    }


def test_an_empty_store_has_figures_and_no_shares(client: Callable[..., Any]) -> None:
    with client() as app:
        found = scrape(app)
    assert found["deskhand_inbox_jobs", "waiting"] == 0
    assert found["deskhand_inbox_oldest_job_seconds",] == 0
    assert found["deskhand_draft_seconds_count",] == 0
    assert ("deskhand_coverage_ratio",) not in found
    assert ("deskhand_acceptance_ratio",) not in found
    assert found["deskhand_sync_lag_seconds", "tickets"] >= 0


def test_what_happened_shows_at_the_next_scrape(
    client: Callable[..., Any],
    store: Store,
    suggestion: Callable[..., Suggestion],
    settings: Settings,
    versions: list[str],
) -> None:
    now = clock.now()
    for number in range(3):
        store.suggestions.save(suggestion(id=f"s{number}", ticket_id=f"{number}", created_at=now, latency_s=3.0))
    silent = suggestion(id="s9", ticket_id="9", created_at=now, state=SILENT, silence="leak", latency_s=30.0)
    store.suggestions.save(silent)
    for number, kind in enumerate((AS_IS, AS_IS, IGNORED)):
        store.outcomes.save([Outcome(f"s{number}", "sandbox", f"{number}", kind, number / 2, "c", "a", "g", now, 5)])
    store.suggestions.add_feedback("s1", "inserted")
    store.inbox.put("sandbox", "d-1", "7")
    store.inbox.put("sandbox", "d-2", "8")
    store.execute("update inbox set received_at = ? where delivery_id = 'd-2'", (clock.from_epoch(1_000_000),))
    store.execute("update inbox set status = 'dead' where delivery_id = 'd-1'")
    Registry(settings.models_path).promote(versions[0], by="a test")
    with client() as app:
        found = scrape(app)
    assert found["deskhand_inbox_jobs", "dead"] == 1
    assert found["deskhand_inbox_jobs", "waiting"] == 1
    assert found["deskhand_inbox_oldest_job_seconds",] > 1e9
    assert found["deskhand_suggestions", "", "shown"] == 3
    assert found["deskhand_suggestions", "leak", "silent"] == 1
    assert found["deskhand_draft_seconds_bucket", "2.0"] == 0
    assert found["deskhand_draft_seconds_bucket", "5.0"] == 3
    assert found["deskhand_draft_seconds_bucket", "+Inf"] == 4
    assert found["deskhand_draft_seconds_sum",] == 39
    assert found["deskhand_coverage_ratio",] == 0.75
    assert found["deskhand_outcomes", "as_is"] == 2
    assert found["deskhand_acceptance_ratio",] == pytest.approx(2 / 3)
    assert found["deskhand_edit_effort_ratio",] == pytest.approx(0.5)
    assert found["deskhand_feedback", "inserted"] == 1
    assert found["deskhand_model_age_seconds", versions[0]] > 0


def test_counts_of_several_processes_add_up(client: Callable[..., Any]) -> None:
    with client() as first, client() as second:
        for app in (first, second, second):
            assert app.post("/webhooks/sandbox", data=b"{}").status_code == 401
            assert app.get("/api/v1/tickets/7/suggestion").status_code == 401
        context(first.application).counts.flush()
        found = scrape(second)
    assert found["deskhand_webhooks_total", "refused"] == 3
    assert found["deskhand_api_answers_total", "401"] == 3


def test_counts_survive_a_store_that_is_away_for_a_while(client: Callable[..., Any], store: Store) -> None:
    with client() as app:
        counts = context(app.application).counts
        counts.add(WEBHOOKS, "stored")
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(counts, "_store", _broken)
            counts.flush()
        counts.add(API_ANSWERS, "200")
        counts.flush()
    assert store.counters.all() == {(WEBHOOKS, "stored"): 1, (API_ANSWERS, "200"): 1}


def _broken() -> Store:
    from connectors.errors import StoreError

    raise StoreError("the disk is full")


def test_a_token_is_needed_but_from_this_machine_where_the_setting_says_so(client: Callable[..., Any]) -> None:
    with client() as app:
        assert app.get("/metrics").status_code == 401
    with client(metrics="local") as app:
        assert app.get("/metrics").status_code == 200
        assert app.get("/metrics", headers={"X-Forwarded-For": "10.0.0.1"}).status_code == 401, (
            "a proxy asks for others"
        )
        assert app.get("/metrics", environ_base={"REMOTE_ADDR": "10.0.0.1"}).status_code == 401
        assert app.get("/metrics", environ_base={"REMOTE_ADDR": "::1"}).status_code == 200
        assert app.get("/metrics", environ_base={"REMOTE_ADDR": "10.0.0.1"}, headers=HEADERS).status_code == 200
    with client(metrics="off") as app:
        assert app.get("/metrics", headers=HEADERS).status_code == 404


def test_a_damaged_pointer_to_the_live_model_leaves_the_other_figures(
    client: Callable[..., Any], settings: Settings
) -> None:
    (settings.models_path / "live.json").write_text("{")
    with client() as app:
        found = scrape(app)
    assert found["deskhand_inbox_jobs", "waiting"] == 0
    assert not [name for name in found if name[0] == "deskhand_model_age_seconds"]


def test_nobody_is_named(client: Callable[..., Any], store: Store, suggestion: Callable[..., Suggestion]) -> None:
    store.suggestions.save(suggestion())
    store.suggestions.add_feedback("s-1", "thumb_down", "other: Deniz")
    with client() as app:
        text = app.get("/metrics", headers=HEADERS).text
    for hidden in ("Deniz", "TRK1", "2101", "14 April", "nobody-may-see", "s-1"):
        assert hidden not in text
