"""What a request needs of the running sandbox: its clock, its limits, its database connection, its user."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast
from urllib.parse import urlencode

from flask import current_app, g, request
from sqlite_utils import Database

from connectors.sandbox.database import Row, open_database
from connectors.sandbox.limits import Faults, Limiter
from connectors.sandbox.refusals import Refusal, forbidden, invalid_value
from connectors.sandbox.webhooks import Sender


@dataclass(frozen=True)
class State:
    """What the application keeps between requests.

    Attributes:
        database: The SQLite file.
        token: A bearer token of the account that Deskhand writes as, an admin.
        client: ``(client_id, client_secret)`` for ``POST /oauth/tokens``.
        clock: Gives the present in Unix seconds.
        limiter: The rate limits' windows.
        faults: Failures that tests ordered.
        sender: Posts the webhooks; started by the server.
    """

    database: Path
    token: str
    client: tuple[str, str]
    clock: Callable[[], float]
    limiter: Limiter
    faults: Faults
    sender: Sender


def state() -> State:
    """The running application's state."""
    return cast(State, current_app.extensions["sandbox"])


def now_s() -> float:
    """The sandbox's present in Unix seconds."""
    return state().clock()


def database() -> Database:
    """This request's connection; closed when the request ends."""
    if "db" not in g:
        g.db = open_database(state().database)
    return cast(Database, g.db)


def close_database(_error: BaseException | None = None) -> None:
    """Close this request's connection, if it opened one."""
    db = g.pop("db", None)
    if db is not None:
        db.close()


def user() -> Row:
    """Who is asking."""
    return cast(Row, g.user)


def require_admin() -> None:
    """Let only admins pass.

    Raises:
        Refusal: 403.
    """
    if user()["role"] != "admin":
        raise forbidden()


def base_url() -> str:
    """Scheme, host and port as the client named them."""
    return request.host_url.rstrip("/")


def link(path: str, **parameters: Any) -> str:
    """An absolute address on this server."""
    return f"{base_url()}{path}" + (f"?{urlencode(parameters)}" if parameters else "")


def integer(name: str, default: int | None = None, *, least: int | None = None, most: int | None = None) -> int | None:
    """A whole number from the query string.

    Args:
        name: The parameter.
        default: Where it is missing.
        least: Smaller numbers are refused.
        most: Greater numbers are cut down to it, as the API does with page sizes.

    Raises:
        Refusal: 400 where it is not a number or too small.
    """
    text = request.args.get(name)
    if text is None or text == "":
        return default
    try:
        value = int(float(text))
    except (ValueError, OverflowError) as error:
        raise invalid_value(f"{name} must be an integer") from error
    if least is not None and value < least:
        raise invalid_value(f"{name} must be at least {least}")
    return value if most is None else min(value, most)


def payload(key: str) -> dict[str, Any]:
    """The object under a key of the JSON body.

    Raises:
        Refusal: 400 where the body has none.
    """
    data = request.get_json(silent=True)
    inner = data.get(key) if isinstance(data, dict) else None
    if not isinstance(inner, dict):
        text = f"Parameter {key} is required"
        raise Refusal(400, {"error": {"title": "Invalid attribute", "message": text}})
    return inner
