"""What every answer of the server has in common: JSON, also where something went wrong."""

from __future__ import annotations

import logging
from typing import Any, TypeVar

from flask import Flask, request
from pydantic import BaseModel, ValidationError
from werkzeug.exceptions import HTTPException

from connectors.errors import DeskhandError, StoreError
from plugin.context import context

log = logging.getLogger(__name__)

RETRY_S = 30

Answer = tuple[dict[str, Any], int] | tuple[dict[str, Any], int, dict[str, str]]
Body = TypeVar("Body", bound=BaseModel)


class ApiError(Exception):
    """Ends a request with an error.

    Attributes:
        code: For programs, such as `not_found`.
        message: For people; never with a word of the ticket.
        status: Of HTTP.
        headers: Besides the usual ones.
    """

    def __init__(self, code: str, message: str, status: int, headers: dict[str, str] | None = None) -> None:
        super().__init__(message)
        self.code, self.message, self.status, self.headers = code, message, status, headers or {}


def failure(code: str, message: str, status: int, headers: dict[str, str] | None = None) -> Answer:
    """An error as every answer states it."""
    return {"error": {"code": code, "message": message}}, status, headers or {}


def body_of(model: type[Body], *, optional: bool = False) -> Body:
    """The request's JSON as a model.

    Args:
        optional: No body at all is the same as an empty object.

    Raises:
        ApiError: 415 for a body that is not declared as JSON, 422 for one that is no such object.
    """
    data = request.get_data()
    if not data and optional:
        return _valid(model, {})
    if data and not request.is_json:
        raise ApiError("unsupported_media_type", "the body must be JSON: Content-Type: application/json", 415)
    try:
        return _valid(model, _readable(request.get_json(silent=True)))
    except RecursionError:
        raise ApiError("invalid", "body: it is nested too deeply", 422) from None


def _valid(model: type[Body], value: Any) -> Body:
    try:
        return model.model_validate(value)
    except ValidationError as error:
        # What was sent is left out: it may be a customer's words.
        problems = [
            f"{'.'.join(map(str, item['loc'])) or 'body'}: {item['msg']}" for item in error.errors(include_input=False)
        ]
        raise ApiError("invalid", "; ".join(problems), 422) from None


def _readable(value: Any) -> Any:
    # JSON can hold half an emoji, which neither UTF-8 nor SQLite takes. The models are flat, so this is all there is.
    if not isinstance(value, dict):
        return value
    return {_encodable(key): _encodable(item) if isinstance(item, str) else item for key, item in value.items()}


def _encodable(text: str) -> str:
    return text.encode("utf-8", "replace").decode()


def register(app: Flask) -> None:
    """Makes errors of all kinds answer in JSON."""

    @app.errorhandler(ApiError)
    def ended(error: ApiError) -> Answer:
        return failure(error.code, error.message, error.status, error.headers)

    @app.errorhandler(HTTPException)
    def refused(error: HTTPException) -> Answer:
        code = (error.name or "error").lower().replace(" ", "_")
        # Such as Allow, which a 405 must have.
        headers = {name: value for name, value in error.get_headers() if name.lower() != "content-type"}
        return failure(code, error.description or error.name, error.code or 500, headers)

    @app.errorhandler(StoreError)
    def no_store(error: StoreError) -> Answer:
        # 503 makes the helpdesk send its webhook again later; nothing is lost. Zendesk does so only where it is told
        # when, in less than a minute.
        log.error("the store does not work: %s (%s)", error, error.hint)
        context(app).reopen()
        return failure(
            "unavailable", "the store does not work at the moment", 503, headers={"Retry-After": str(RETRY_S)}
        )

    @app.errorhandler(DeskhandError)
    def failed(error: DeskhandError) -> Answer:
        log.error("%s (%s)", error, error.hint)
        return failure("internal", "this failed; the log of the server says why", 500)
