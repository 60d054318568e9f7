"""`/metrics` in Prometheus' text format, read from the store at each scrape: right with any number of processes.

No ticket, no person, no text: groups, agents and customers are not labels. Names follow
https://prometheus.io/docs/practices/naming/.
"""

from __future__ import annotations

import ipaddress
import time
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, timedelta

from flask import Blueprint, Response, current_app, request
from prometheus_client import CollectorRegistry, Metric
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest

from connectors import clock
from connectors.errors import ModelError
from connectors.store.outcomes import AS_IS, EDITED, IGNORED
from plugin.api import gate
from plugin.api.answers import ApiError
from plugin.context import Context, context
from plugin.counts import API_ANSWERS, WEBHOOKS
from trainer.registry import Registry

blueprint = Blueprint("metrics", __name__)

LATENCY_BOUNDS_S = (0.5, 1.0, 2.0, 5.0, 10.0, 20.0, 40.0, 80.0)
RECENT_DAYS = 28
_FORWARDED = ("Forwarded", "X-Forwarded-For", "X-Real-IP")


@blueprint.get("/metrics")
def show() -> Response:
    """All of it; who may ask says `[plugin] metrics`."""
    deskhand = context(current_app)
    who = deskhand.settings.plugin.metrics
    if who == "off":
        raise ApiError("not_found", "metrics are switched off: [plugin] metrics", 404)
    if not (who == "local" and _is_local()):
        gate.admit()
    deskhand.counts.flush()
    registry = CollectorRegistry(auto_describe=False)
    registry.register(StoreCollector(deskhand))
    return Response(generate_latest(registry), content_type=CONTENT_TYPE_LATEST)


def _is_local() -> bool:
    """Whether this machine itself asks; a proxy on it asks for somebody else."""
    if any(name in request.headers for name in _FORWARDED):
        return False
    try:
        return ipaddress.ip_address(request.remote_addr or "").is_loopback
    except ValueError:
        return False


class StoreCollector:
    """Collects for one scrape, of one helpdesk."""

    def __init__(self, deskhand: Context) -> None:
        self._settings = deskhand.settings
        self._store = deskhand.store()
        self._name = deskhand.helpdesk.name
        self._now = time.time()

    def describe(self) -> Iterable[Metric]:
        """Nothing: else registering would collect once for the names alone."""
        return ()

    def collect(self) -> Iterator[Metric]:
        """All metrics."""
        yield from self._inbox()
        yield from self._suggestions()
        yield from self._outcomes()
        yield from self._sync()
        yield from self._model()
        yield from self._counters()

    def _inbox(self) -> Iterator[Metric]:
        queue = self._store.figures.queue(self._name)
        jobs = GaugeMetricFamily("deskhand_inbox_jobs", "Tickets in the inbox; dead: given up.", labels=["state"])
        for state, count in queue.states.items():
            jobs.add_metric([state], count)
        yield jobs
        age_s = self._age_s(queue.oldest_at) if queue.oldest_at else 0.0
        yield GaugeMetricFamily("deskhand_inbox_oldest_job_seconds", "Age of the oldest open job; 0: none.", age_s)

    def _suggestions(self) -> Iterator[Metric]:
        help_text = "Suggestions by what became of them, silent ones by why."
        counts = GaugeMetricFamily("deskhand_suggestions", help_text, labels=["state", "silence"])
        for (state, silence), count in self._store.figures.suggestions(self._name).items():
            counts.add_metric([state, silence], count)
        yield counts
        latency = self._store.figures.latency(self._name, LATENCY_BOUNDS_S)
        bounds = [*(str(bound) for bound in LATENCY_BOUNDS_S), "+Inf"]
        seconds = HistogramMetricFamily("deskhand_draft_seconds", "How long drafts took.")
        seconds.add_metric([], list(zip(bounds, latency.counts, strict=True)), latency.total_s)
        yield seconds
        yield self._share(
            "deskhand_coverage_ratio",
            f"Share of customer turns of {RECENT_DAYS} days with a draft that was good enough.",
            self._store.figures.coverage(self._name, self._since()),
        )
        feedback = GaugeMetricFamily("deskhand_feedback", "What agents did with suggestions.", labels=["action"])
        for action, count in self._store.figures.feedback(self._name).items():
            feedback.add_metric([action], count)
        yield feedback

    def _outcomes(self) -> Iterator[Metric]:
        counts = self._store.outcomes.counts(self._name, since=self._since())
        help_text = f"What became of suggestions that were answered within {RECENT_DAYS} days."
        outcomes = GaugeMetricFamily("deskhand_outcomes", help_text, labels=["kind"])
        for kind, count in counts.items():
            outcomes.add_metric([kind], count)
        yield outcomes
        shown = sum(counts[kind] for kind in (AS_IS, EDITED, IGNORED))
        yield self._share(
            "deskhand_acceptance_ratio",
            f"Share of the drafts shown that were sent, edited or as they were, in {RECENT_DAYS} days.",
            1 - counts[IGNORED] / shown if shown else None,
        )
        yield self._share(
            "deskhand_edit_effort_ratio",
            f"Mean share of words between the drafts shown and what was sent, in {RECENT_DAYS} days.",
            self._store.outcomes.effort(self._name, since=self._since()),
        )

    def _sync(self) -> Iterator[Metric]:
        lag = GaugeMetricFamily("deskhand_sync_lag_seconds", "Since a page of a stream was stored.", labels=["stream"])
        for stream, at in self._store.cursors.synced_at(self._name).items():
            lag.add_metric([stream], self._age_s(at))
        yield lag

    def _model(self) -> Iterator[Metric]:
        age = GaugeMetricFamily("deskhand_model_age_seconds", "Since the live model was trained.", labels=["version"])
        registry = Registry(self._settings.models_path)
        try:
            if live := registry.live():
                age.add_metric([live.version], self._age_s(registry.facts(live.version).created_at))
        except ModelError:
            pass  # a damaged version is what /readyz and the doctor tell; the other figures are still right
        yield age

    def _counters(self) -> Iterator[Metric]:
        families = {
            WEBHOOKS: CounterMetricFamily("deskhand_webhooks", "Webhooks by what was done.", labels=["outcome"]),
            API_ANSWERS: CounterMetricFamily("deskhand_api_answers", "The API's answers.", labels=["status"]),
        }
        for (name, label), value in self._store.counters.all().items():
            if family := families.get(name):
                family.add_metric([label], value)
        yield from families.values()

    def _share(self, name: str, help_text: str, value: float | None) -> Metric:
        """A gauge; without a sample where there is nothing to take a share of."""
        family = GaugeMetricFamily(name, help_text)
        if value is not None:
            family.add_metric([], value)
        return family

    def _since(self) -> str:
        return clock.to_iso(datetime.fromtimestamp(self._now, UTC) - timedelta(days=RECENT_DAYS))

    def _age_s(self, at: str) -> float:
        return max(0.0, self._now - clock.to_epoch(at))
