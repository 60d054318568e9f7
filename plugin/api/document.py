"""The OpenAPI 3.1 document: the paths are written here, the schemas are those that check the requests.

Source: https://spec.openapis.org/oas/v3.1.1. Its schemas are JSON Schema 2020-12, which is what pydantic makes.
"""

from __future__ import annotations

import functools
from importlib import metadata
from typing import Any

from pydantic.json_schema import models_json_schema

from plugin.api import schemas

_REF = "#/components/schemas/{model}"
_REFUSED = {
    "401": "The token is missing, wrong or revoked.",
    "404": "There is no such thing.",
    "409": "It cannot be done as things stand; the message says why.",
    "413": "The body is too long.",
    "415": "The body is not declared as JSON.",
    "422": "The body is not what it should be; the message says where.",
    "429": "Too many requests with this token; `Retry-After` says how many seconds to wait.",
    "503": "The store does not work at the moment; try again later.",
}
_TICKET_ID = {
    "name": "ticket_id",
    "in": "path",
    "required": True,
    "description": "The helpdesk's number of the ticket.",
    "schema": {"type": "string", "pattern": "^[0-9]{1,20}$"},
}
_SUGGESTION_ID = {
    "name": "suggestion_id",
    "in": "path",
    "required": True,
    "description": "`suggestion.id` of a ticket's suggestion.",
    "schema": {"type": "string", "pattern": "^[A-Za-z0-9_-]{1,64}$"},
}
_ETAG = {"description": "Of this answer, for If-None-Match.", "schema": {"type": "string"}}
_IF_NONE_MATCH = {
    "name": "If-None-Match",
    "in": "header",
    "required": False,
    "description": "The ETag of the last answer: while nothing has changed, 304 comes without a body.",
    "schema": {"type": "string"},
}


@functools.cache
def document() -> dict[str, Any]:
    """The whole document; the same at every call."""
    answers = (schemas.TicketSuggestion, schemas.FeedbackCounts, schemas.Health, schemas.Error)
    _, given = models_json_schema(
        [*((one, "serialization") for one in answers), (schemas.Ask, "validation"), (schemas.Feedback, "validation")],
        ref_template=_REF,
    )
    return {
        "openapi": "3.1.1",
        "info": {
            "title": "Deskhand",
            "version": "1",
            "summary": "Suggested replies and routes for a helpdesk's tickets.",
            "description": f"Of Deskhand {metadata.version('deskhand')}. Nothing here sends anything to a customer.",
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "servers": [{"url": "/"}],
        "security": [{"token": []}],
        "tags": [{"name": "suggestions"}, {"name": "feedback"}, {"name": "operation"}],
        "paths": {f"/api/v1{path}": item for path, item in _paths().items()},
        "components": {
            "schemas": given["$defs"],
            "securitySchemes": {
                "token": {
                    "type": "http",
                    "scheme": "bearer",
                    "description": "Made by `deskhand token create NAME`; one for each installation.",
                }
            },
        },
    }


def _paths() -> dict[str, Any]:
    return {
        "/tickets/{ticket_id}/suggestion": {
            "parameters": [_TICKET_ID],
            "get": {
                "operationId": "showSuggestion",
                "tags": ["suggestions"],
                "summary": "Where the suggestion for the newest customer message stands.",
                "description": "While it is `drafting`, ask again every second or so.",
                "parameters": [_IF_NONE_MATCH],
                "responses": {
                    "200": _answer("TicketSuggestion", "Where it stands.", headers={"ETag": _ETAG}),
                    "304": {"description": "Nothing has changed."},
                    **_refused("401", "404", "429", "503"),
                },
            },
            "post": {
                "operationId": "askForSuggestion",
                "tags": ["suggestions"],
                "summary": "Asks for a draft now, or for another one with a fact.",
                "requestBody": _body("Ask", required=False),
                "responses": {
                    "202": _answer("TicketSuggestion", "It is on its way: poll with GET."),
                    **_refused("401", "404", "409", "413", "415", "422", "429", "503"),
                },
            },
        },
        "/suggestions/{suggestion_id}/feedback": {
            "parameters": [_SUGGESTION_ID],
            "get": {
                "operationId": "countFeedback",
                "tags": ["feedback"],
                "summary": "How often each thing was done with a suggestion.",
                "responses": {
                    "200": _answer("FeedbackCounts", "By action."),
                    **_refused("401", "404", "429", "503"),
                },
            },
            "post": {
                "operationId": "giveFeedback",
                "tags": ["feedback"],
                "summary": "Keeps what an agent did with a suggestion, or thinks of it.",
                "requestBody": _body("Feedback", required=True),
                "responses": {
                    "204": {"description": "It is kept."},
                    **_refused("401", "404", "413", "415", "422", "429", "503"),
                },
            },
        },
        "/health": {
            "get": {
                "operationId": "showHealth",
                "tags": ["operation"],
                "summary": "Whether drafts can be expected.",
                "responses": {
                    "200": _answer("Health", "They can."),
                    "503": _answer("Health", "They cannot; `reason` says why."),
                    **_refused("401", "429"),
                },
            },
        },
        "/openapi.json": {
            "get": {
                "operationId": "describe",
                "tags": ["operation"],
                "summary": "This document.",
                "security": [],
                "responses": {
                    "200": {
                        "description": "OpenAPI 3.1.",
                        "content": {"application/json": {"schema": {"type": "object"}}},
                    }
                },
            },
        },
    }


def _answer(model: str, description: str, **more: Any) -> dict[str, Any]:
    schema = {"$ref": _REF.format(model=model)}
    return {"description": description, "content": {"application/json": {"schema": schema}}, **more}


def _body(model: str, *, required: bool) -> dict[str, Any]:
    schema = {"$ref": _REF.format(model=model)}
    return {"required": required, "content": {"application/json": {"schema": schema}}}


def _refused(*codes: str) -> dict[str, Any]:
    answers = {code: _answer("Error", _REFUSED[code]) for code in codes}
    if "429" in answers:
        answers["429"]["headers"] = {"Retry-After": {"description": "Seconds.", "schema": {"type": "integer"}}}
    return answers
