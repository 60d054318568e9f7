"""The first page: whether everything runs, what it does, and how good it is."""

from __future__ import annotations

import numpy as np
from flask import Blueprint, current_app, render_template

from connectors.errors import ModelError
from connectors.store.stream_runs import WHOLE, StreamRun
from plugin.context import context
from plugin.dashboard import charts, forms, site
from trainer.evaluation.judgement import interval
from trainer.registry import Live, Registry

blueprint = Blueprint("overview", __name__)

# An interval of fewer drafts says nothing that the mean does not.
_FEWEST = 10


@blueprint.get("/")
def show() -> str:
    """The page."""
    store, desk, period = site.store(), site.helpdesk(), forms.period()
    over_time = store.review.figures(desk, period.by, since=period.since)
    silences = store.review.silences(desk, since=period.since)
    runs = store.stream_runs.all(desk)
    live, problem = _live()
    return render_template(
        "dashboard/overview.html",
        period=period,
        total=store.review.total(desk, since=period.since),
        over_time=over_time,
        plots=[
            charts.over_time(
                "Acceptance", "Share of the drafts shown that were sent, as they were or edited. Higher is better.",
                over_time, [("accepted", lambda one: one.acceptance)],
            ),
            charts.over_time(
                "Edit effort", "Share of words between the draft and what was sent. Lower is better.",
                over_time, [("shown", lambda one: one.effort)],
            ),
        ],
        silences={why: count for why, count in silences.items() if why},
        suggested=sum(silences.values()),
        shadow=[
            (name, efforts, interval(np.asarray(efforts)) if len(efforts) >= _FEWEST else None)
            for name, efforts in zip(
                ("shown", "withheld"), store.review.efforts(desk, since=period.since), strict=True
            )
        ],
        whole=charts.WHOLE,
        streams=_streams(runs, store.cursors.synced_at(desk)),
        run=runs.get(WHOLE),
        inbox=store.inbox.counts(),
        overdue=store.inbox.overdue(60),
        workers=store.inbox.workers(within_s=60),
        live=live,
        problem=problem,
    )  # fmt: skip


def _live() -> tuple[Live | None, str]:
    """The live version, or why that cannot be told."""
    try:
        return Registry(context(current_app).settings.models_path).live(), ""
    except ModelError as error:
        return None, f"{error}: {error.hint}"


def _streams(runs: dict[str, StreamRun], synced: dict[str, str]) -> list[tuple[str, StreamRun | None, str]]:
    """(stream, its last run where one is known, when something was last stored), those with trouble first."""
    names = dict.fromkeys([*runs, *synced])
    found = [(name, runs.get(name), synced.get(name, "")) for name in names if name != WHOLE]
    return sorted(found, key=lambda one: one[1] is None or one[1].state != "failed")
