"""The API's refusals: a status and the body that Zendesk answers with."""

from __future__ import annotations

from typing import Any


class Refusal(Exception):  # noqa: N818 - the API's word for it would be 'error', which the bodies use
    """Ends a request with a status and a JSON body.

    Attributes:
        status: HTTP status.
        body: What goes out as JSON.
        headers: Extra headers, such as Retry-After.
    """

    def __init__(self, status: int, body: dict[str, Any], headers: dict[str, str] | None = None) -> None:
        super().__init__(f"{status} {body.get('error', '')}")
        self.status = status
        self.body = body
        self.headers = headers or {}


def not_found() -> Refusal:
    """404: no such record, or one that was deleted."""
    return Refusal(404, {"error": "RecordNotFound", "description": "Not found"})


def invalid_value(description: str) -> Refusal:
    """400: a parameter that cannot be used."""
    return Refusal(400, {"error": "InvalidValue", "description": description})


def record_invalid(field: str, description: str) -> Refusal:
    """422: the record would not be valid with this change."""
    details = {field: [{"description": description}]}
    return Refusal(422, {"error": "RecordInvalid", "description": "Record validation errors", "details": details})


def ticket_closed() -> Refusal:
    """422: a closed ticket takes no update."""
    return record_invalid("status", "Status: closed prevents ticket update")


def update_conflict() -> Refusal:
    """409: somebody changed the ticket since ``updated_stamp``."""
    text = "Safe Update prevented the update due to outdated ticket data. Please fetch the latest ticket data."
    return Refusal(409, {"error": "UpdateConflict", "description": text})


def forbidden() -> Refusal:
    """403: the user may not do this."""
    text = "You do not have access to this page. Please contact the account owner of this help desk for further help."
    return Refusal(403, {"error": "Forbidden", "description": text})


def invalid_endpoint() -> Refusal:
    """404: the account does not have this endpoint."""
    return Refusal(404, {"error": "InvalidEndpoint", "description": "Not found"})


def gone() -> Refusal:
    """410: the endpoint was withdrawn."""
    return Refusal(410, {"error": "Gone", "description": "This endpoint is no longer available"})


def too_many_requests(retry_after_s: int) -> Refusal:
    """429 with ``Retry-After`` in seconds."""
    text = "Number of allowed API requests per minute exceeded"
    body = {"error": "APIRateLimitExceeded", "description": text}
    return Refusal(429, body, {"Retry-After": str(retry_after_s)})
