"""The inbox: what waits, who works on it, and what was given up."""

from __future__ import annotations

from flask import Blueprint, redirect, render_template, url_for
from werkzeug.wrappers import Response

from plugin.dashboard import site

blueprint = Blueprint("inbox", __name__, url_prefix="/inbox")

_LISTED = 50


@blueprint.get("")
def show() -> str:
    """The page."""
    inbox = site.store().inbox
    return render_template(
        "dashboard/inbox.html",
        counts=inbox.counts(),
        open=inbox.open(_LISTED),
        dead=inbox.dead(_LISTED),
        workers=inbox.workers(),
        listed=_LISTED,
    )


@blueprint.post("/<int:row_id>/retry")
def retry(row_id: int) -> Response:
    """Puts one dead letter back into the queue."""
    revived = site.store().inbox.revive([row_id]) if row_id < 2**63 else 0
    return redirect(url_for("admin.inbox.show", said="retried" if revived else "gone"), 303)


@blueprint.post("/retry")
def retry_all() -> Response:
    """Puts all dead letters back."""
    revived = site.store().inbox.revive()
    return redirect(url_for("admin.inbox.show", said="retried" if revived else "gone"), 303)
