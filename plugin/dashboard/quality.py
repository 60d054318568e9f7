"""How good the drafts were: by group, by model, over time, and whether their own predictions hold."""

from __future__ import annotations

from flask import Blueprint, render_template

from plugin.dashboard import charts, forms, site

blueprint = Blueprint("quality", __name__, url_prefix="/quality")


@blueprint.get("")
def show() -> str:
    """The page."""
    store, desk, period = site.store(), site.helpdesk(), forms.period()
    over_time = store.review.figures(desk, period.by, since=period.since)
    names = {group.id: group.name for group in store.history.groups(desk)} | {"": "no group"}
    found = charts.calibration(store.review.predictions(desk, since=period.since))
    return render_template(
        "dashboard/quality.html",
        period=period,
        tables=[
            ("By group", "group", store.review.figures(desk, "group", since=period.since), names),
            ("By model", "model", store.review.figures(desk, "model", since=period.since), {}),
            ("Over time", {"day": "day", "week": "week from", "month": "month"}[period.by], over_time, {}),
        ],
        plots=[
            charts.over_time(
                "Edit effort, shown and withheld", "Share of words between the draft and what was sent.", over_time,
                [("shown", lambda one: one.effort), ("withheld", lambda one: one.withheld_effort)],
            ),
            charts.over_time(
                "Routing", "Share of the suggested routes that are the group in which the ticket was answered.",
                over_time, [("right", lambda one: one.routing)],
            ),
        ],
        whole=charts.WHOLE,
        calibration=found[0] if found else None,
        axis=found[1] if found else None,
    )  # fmt: skip
