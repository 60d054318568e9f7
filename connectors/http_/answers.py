"""What a helpdesk's answer is, and what it means where it is not what was asked for."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from connectors.errors import (
    CredentialError,
    DeskhandError,
    FatalError,
    ForbiddenError,
    NotFoundError,
    RefusedError,
    RetriableError,
    SlowAnswerError,
    StaleTicketError,
)

# Worth another attempt, as far as the answer goes.
PASSING = frozenset({429, 500, 502, 503, 504})


class UnreadableAnswerError(RetriableError):
    """Success, but with a body that is no JSON: cut short, or a gateway's page in place of the helpdesk's answer."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What a helpdesk answered with success.

    Attributes:
        headers: By name, in any case; for example `Link`.
        json: The body's value; None where the body is empty.
    """

    host: str
    status: int
    headers: Mapping[str, str] = field(repr=False)
    json: Any = field(repr=False)

    def as_object(self) -> dict[str, Any]:
        """The body as a JSON object; empty where the body is.

        Raises:
            FatalError: It is something else.
        """
        value = {} if self.json is None else self.json
        if not isinstance(value, dict):
            raise self._unexpected("object")
        return value

    def as_list(self) -> list[dict[str, Any]]:
        """The body as a JSON list of objects; empty where the body is.

        Raises:
            FatalError: It is something else.
        """
        value = [] if self.json is None else self.json
        if not isinstance(value, list) or not all(isinstance(one, dict) for one in value):
            raise self._unexpected("list of objects")
        return value

    def _unexpected(self, wanted: str) -> FatalError:
        return FatalError(f"{self.host} did not answer with a JSON {wanted}", hint="check the helpdesk's address")


def parsed(body: bytes, what: str) -> Any:
    """The JSON value of a body; None where that is empty.

    Raises:
        UnreadableAnswerError: It is no JSON.
        FatalError: It is nested too deeply to be read.
    """
    if not body.strip():
        return None
    try:
        return json.loads(body)
    except ValueError:  # its message may quote the body
        raise UnreadableAnswerError(f"{what} did not answer with JSON", hint="check the helpdesk's address") from None
    except RecursionError:
        raise FatalError(f"{what} answered with JSON that is nested too deeply", hint="check the address") from None


def refusal(status: int, what: str, retry_after_s: float | None) -> DeskhandError:
    """What an answer without success comes to; its body is not looked at, since it may hold customers' words."""
    what = f"{what} answered {status}"
    if status == 401:
        return CredentialError(f"{what}: the credential is not accepted", hint="run: deskhand init")
    if status == 403:
        return ForbiddenError(f"{what}: this credential may not do that", hint="use an admin's credential")
    if status in (404, 410):
        return NotFoundError(what)
    if status in (409, 412):
        return StaleTicketError(what)
    if status in PASSING:
        kind = SlowAnswerError if status == 504 else RetriableError
        return kind(what, hint="try again later", retry_after_s=retry_after_s)
    if status < 400:
        return FatalError(f"{what}, a redirect; not followed", hint="check the helpdesk's address")
    return RefusedError(what, hint="this is likely a bug in Deskhand or a changed API", status=status)
