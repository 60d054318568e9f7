"""What is learned from, what is not, and why: the last curation as it stands in the store."""

from __future__ import annotations

from flask import Blueprint, abort, render_template, request

from plugin.dashboard import forms, site
from plugin.dashboard.suggestions import names_of_agents
from trainer.curation.curate import explain

blueprint = Blueprint("curation", __name__, url_prefix="/curation")

_SIZE = 25


@blueprint.get("")
def show() -> str:
    """Counts by reason, and a list to look at."""
    examples, desk, page = site.store().examples, site.helpdesk(), forms.page()
    dropped, lighter = examples.reasons(desk), examples.weight_reasons(desk)
    which = forms.choice("which", ("kept", "dropped"))
    # A reason's place in the list stands in the address: a reason is a sentence.
    reasons = [*dropped, *lighter]
    chosen = forms.choice("reason", [str(place) for place in range(len(reasons))])
    listed = examples.listed(
        desk,
        kept={"kept": True, "dropped": False}.get(which),
        reason=reasons[int(chosen)] if chosen else "",
        page=page,
        size=_SIZE,
    )
    kept = examples.kept_counts(desk)
    return render_template(
        "dashboard/curation.html",
        kept=kept,
        whole=sum(kept.values()) + sum(dropped.values()),
        dropped=dropped,
        lighter=lighter,
        reasons=reasons,
        chosen=chosen,
        which=which,
        listed=listed[:_SIZE],
        more=len(listed) > _SIZE,
        page=page,
        agents=names_of_agents(),
        frozen=len(examples.frozen(desk)),
    )


@blueprint.get("/ticket")
def ticket() -> str:
    """Why one ticket is in or out, turn by turn."""
    ticket_id = request.args.get("id", "").strip()
    if not ticket_id or len(ticket_id) > 40:
        abort(404, "Give a ticket's id.")
    store, desk = site.store(), site.helpdesk()
    return render_template(
        "dashboard/curation_ticket.html",
        ticket_id=ticket_id,
        examples=store.examples.of_ticket(desk, ticket_id),
        why=explain(store, desk, ticket_id),
        is_frozen=ticket_id in store.examples.frozen(desk),
        agents=names_of_agents(),
    )
