"""A ticket's suggestion: where it stands, a draft on demand, and a draft anew with a fact that only the agent knows."""

from __future__ import annotations

import uuid
from typing import Any

from flask import Blueprint, Response, current_app, jsonify, request
from werkzeug.routing import IntegerConverter

from connectors.store.suggestions import SHOWN, WITHHELD, Suggestion
from plugin.api import schemas
from plugin.api.answers import Answer, ApiError, body_of
from plugin.context import Context, context
from plugin.switches import Switches
from trainer.replies.claims import BLANK

blueprint = Blueprint("suggestions", __name__)

MAX_FACTS = 10
_TICKET = "/tickets/<ticket:ticket_id>/suggestion"

WORDS: dict[str, str] = {
    "no_similar": "nothing like this ticket was answered before, and no article is about it",
    "unsure": "a draft was made, but most of it would probably have to be rewritten",
    "leak": "the draft held what looks like another customer's data, so it was thrown away",
    "language": "the draft was not in the customer's language",
    "empty": "the model wrote nothing that can be sent",
    "switched_off": "an administrator has switched drafts off for this group",
    "withheld": "no draft is shown for this ticket, to compare tickets with and without",
}
"""Why a suggestion is silent, for people: WORDS[reason]."""


class TicketId(IntegerConverter):
    """A ticket's number in an address. As long as a webhook's may be: Python reads no number of 5,000 digits."""

    regex = r"[0-9]{1,20}"


@blueprint.get(_TICKET)
def show(ticket_id: int) -> Response:
    """The suggestion of a ticket's newest customer turn, or where it is on its way."""
    response = jsonify(_state(context(current_app), str(ticket_id)))
    # For whoever asks again and again: while nothing has changed, the answer is an empty 304.
    response.add_etag()
    response.headers["Cache-Control"] = "private, no-cache"
    response.make_conditional(request)
    return response


@blueprint.post(_TICKET)
def ask(ticket_id: int) -> Answer:
    """Asks for a draft now; it is made by the worker, so poll with GET."""
    deskhand, wanted = context(current_app), body_of(schemas.Ask, optional=True)
    store, name = deskhand.store(), deskhand.helpdesk.name
    if wanted.fact:
        # An open job may have read the facts already: another one comes after it.
        _tell(deskhand, str(ticket_id), wanted.fact)
    elif store.inbox.open_for(name, str(ticket_id)):
        return _state(deskhand, str(ticket_id)), 202
    store.inbox.put(name, f"asked-{uuid.uuid4().hex}", str(ticket_id))
    return _state(deskhand, str(ticket_id)), 202


def _tell(deskhand: Context, ticket_id: str, fact: str) -> None:
    store, name = deskhand.store(), deskhand.helpdesk.name
    suggestion = store.suggestions.latest(name, ticket_id)
    if suggestion is None or suggestion.state == WITHHELD:
        raise ApiError("nothing_to_redraft", "there is no draft yet that a fact could change: ask for one first", 409)
    told = store.drafting.facts(name, ticket_id, suggestion.turn_id)
    if fact not in told and len(told) >= MAX_FACTS:
        raise ApiError("too_many_facts", f"{MAX_FACTS} facts were told already: edit the draft instead", 409)
    store.drafting.tell(name, ticket_id, suggestion.turn_id, fact)


def _state(deskhand: Context, ticket_id: str) -> dict[str, Any]:
    store, name = deskhand.store(), deskhand.helpdesk.name
    suggestion = store.suggestions.latest(name, ticket_id)
    answer = schemas.TicketSuggestion(ticket_id=ticket_id, state="none")
    if suggestion:
        answer.turn_id = suggestion.turn_id
        answer.note_posted = bool(suggestion.note_posted_at)
        answer.facts = store.drafting.facts(name, ticket_id, suggestion.turn_id)
    if store.inbox.open_for(name, ticket_id):
        answer.state, answer.partial = "drafting", store.drafting.text(name, ticket_id)
    elif error := store.inbox.failed_for(name, ticket_id):
        answer.state, answer.message = "failed", error
    elif suggestion:
        answer.route = _route(deskhand, suggestion)
        if suggestion.state == SHOWN:
            answer.state, answer.suggestion = "ready", _suggestion(suggestion)
        else:
            answer.state = "silent"
            answer.silence = "withheld" if suggestion.state == WITHHELD else suggestion.silence or "unsure"  # type: ignore[assignment]
            answer.message = WORDS.get(answer.silence, "")
    return answer.model_dump(mode="json")


def _suggestion(suggestion: Suggestion) -> schemas.Suggestion:
    return schemas.Suggestion.model_validate(
        _reply(suggestion)
        | {
            "id": suggestion.id,
            "language": suggestion.language,
            "model_version": suggestion.model_version,
            "created_at": suggestion.created_at,
            "confidence": suggestion.confidence,
            "alternatives": [_reply(one) | {"origin": one.origin} for one in suggestion.alternatives],
            "unused_facts": suggestion.unused_facts,
        }
    )


def _reply(reply: Any) -> dict[str, Any]:
    """What a draft and an alternative have in common."""
    blanks = [
        {"text": match.group(), "start": match.start(), "end": match.end()} for match in BLANK.finditer(reply.draft)
    ]
    return {"draft": reply.draft, "claims": reply.claims, "blanks": blanks, "sources": reply.sources}


def _route(deskhand: Context, suggestion: Suggestion) -> schemas.Route | None:
    route = suggestion.route
    if route is None:
        return None
    ticket = deskhand.store().history.ticket(suggestion.helpdesk, suggestion.ticket_id)
    least = Switches.of(deskhand.settings.plugin, deskhand.store()).min_route_probability
    return schemas.Route.model_validate(
        {
            "group_id": route.group_id,
            "group_name": route.group_name,
            "probability": route.probability,
            "reasons": route.reasons,
            "alternatives": route.alternatives,
            "applied": bool(ticket and ticket.group_id == route.group_id),
            "doubt": route.doubt(least),
            "priority": route.priority,
            "tags": route.tags,
        }
    )
