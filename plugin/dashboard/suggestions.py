"""Suggestions: a list to filter, and each draft beside what was sent."""

from __future__ import annotations

from flask import Blueprint, abort, render_template, request

from connectors.store.outcomes import KINDS, Outcome
from connectors.store.review import UNANSWERED
from connectors.store.suggestions import Suggestion
from plugin.dashboard import forms, site
from trainer.curation.signatures import Signatures
from trainer.evaluation.differences import compare
from trainer.text import own_words

blueprint = Blueprint("suggestions", __name__, url_prefix="/suggestions")

_SIZE = 25


@blueprint.get("")
def show() -> str:
    """The list. Only ids stand in its address, never a text."""
    store, desk, page = site.store(), site.helpdesk(), forms.page()
    groups = {group.id: group.name for group in store.history.groups(desk)}
    models = store.review.models(desk)
    ticket = request.args.get("ticket", "").strip()
    chosen = {
        "group": forms.choice("group", groups),
        "model": forms.choice("model", models),
        "outcome": forms.choice("outcome", (*KINDS, UNANSWERED)),
        "ticket": ticket if ticket.isalnum() and len(ticket) <= 40 else "",
    }
    listed = store.review.listed(desk, **chosen, page=page, size=_SIZE)
    return render_template(
        "dashboard/suggestions.html",
        listed=listed[:_SIZE],
        more=len(listed) > _SIZE,
        page=page,
        chosen=chosen,
        groups=groups,
        models=models,
        outcomes=(*KINDS, UNANSWERED),
        agents=names_of_agents(),
    )


@blueprint.get("/<suggestion_id>")
def detail(suggestion_id: str) -> str:
    """One suggestion, beside what was sent instead."""
    store, desk = site.store(), site.helpdesk()
    suggestion = store.suggestions.get(suggestion_id)
    if suggestion is None or suggestion.helpdesk != desk:
        abort(404, "There is no such suggestion.")
    outcome = store.outcomes.get(suggestion_id)
    ticket = store.history.ticket(desk, suggestion.ticket_id)
    asked, sent = _texts(suggestion, outcome)
    draft, answer = compare(suggestion.draft, sent) if suggestion.draft and sent else ([], [])
    groups = {group.id: group.name for group in store.history.groups(desk)}
    return render_template(
        "dashboard/suggestion.html",
        suggestion=suggestion,
        outcome=outcome,
        ticket=ticket,
        asked=asked,
        sent=sent,
        draft=draft,
        answer=answer,
        group=groups.get(outcome.group_id, outcome.group_id) if outcome else "",
        agent=names_of_agents().get(outcome.agent_id, outcome.agent_id) if outcome else "",
        feedback=store.suggestions.feedback(suggestion_id),
    )


def names_of_agents() -> dict[str, str]:
    """Names of the team by id."""
    return {agent.id: agent.name for agent in site.store().history.agents(site.helpdesk())}


def _texts(suggestion: Suggestion, outcome: Outcome | None) -> tuple[str, str]:
    """What the customer wrote, and what was sent, as the matching compared it; empty where it is gone."""
    store, desk = site.store(), site.helpdesk()
    comments = {turn.comment.id: turn.comment for turn in store.history.turns(desk, suggestion.ticket_id)}
    asked = comments.get(suggestion.turn_id)
    sent = comments.get(outcome.sent_comment_id) if outcome else None
    text = Signatures.of_desk(store, desk).strip(sent.author_id, own_words(sent.text)) if sent else ""
    return own_words(asked.text) if asked else "", text
