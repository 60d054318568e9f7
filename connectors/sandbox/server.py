"""The sandbox helpdesk as a Flask application and as a server that tests and the demo start in their own process."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self
from urllib.parse import unquote

from flask import Flask, Response, jsonify
from flask.json.provider import DefaultJSONProvider
from werkzeug.exceptions import HTTPException

from connectors.errors import ConfigError
from connectors.sandbox.agent_page import blueprint as agent_page
from connectors.sandbox.comment_api import comment_api
from connectors.sandbox.company import COMPANY_FOLDER, load_company
from connectors.sandbox.control import control
from connectors.sandbox.database import (
    create_tables,
    is_seeded,
    issue_client,
    issue_token,
    open_database,
    setting,
    transaction,
)
from connectors.sandbox.desk_api import desk_api
from connectors.sandbox.exports import exports
from connectors.sandbox.gate import accounts, add_headers, check, check_refused
from connectors.sandbox.help_center import articles_api, pages
from connectors.sandbox.limits import Faults, Limiter
from connectors.sandbox.oauth import oauth
from connectors.sandbox.plans import plan_settings
from connectors.sandbox.refusals import Refusal
from connectors.sandbox.search_api import search_api
from connectors.sandbox.seeding import seed
from connectors.sandbox.state import State, close_database
from connectors.sandbox.ticket_api import ticket_api
from connectors.sandbox.webhook_api import webhook_api
from connectors.sandbox.webhooks import Sender
from connectors.wsgi import BackgroundServer

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIEnvironment

DEFAULTS: dict[str, Any] = {
    "SANDBOX_COMPANY": COMPANY_FOLDER,  # folder to seed from
    "SANDBOX_SEED_LIMIT": None,  # only the newest so many solved tickets
    "SANDBOX_EXPORT_LAG_S": 60,  # the exports leave out what is younger
    "SANDBOX_PLAN": None,  # one of `plans.PLANS`: its rate limits, where no setting says otherwise
    # Rate limits; 0 means none.
    "SANDBOX_REQUESTS_PER_MIN": 700,  # the Enterprise plan's
    "SANDBOX_EXPORTS_PER_MIN": 30,  # with the high-volume add-on
    "SANDBOX_USER_EXPORTS_PER_MIN": None,  # None: as many as other exports
    "SANDBOX_SEARCH_EXPORTS_PER_MIN": 100,
    "SANDBOX_DELETED_LISTS_PER_MIN": 0,
    "SANDBOX_UPDATES_PER_MIN": 100,
    "SANDBOX_TICKET_UPDATES_PER_10_MIN": 30,  # per user and ticket
    "SANDBOX_REFUSED": {},  # regular expression, searched in path and query -> 403, 404 or 410
    "SANDBOX_LATENCY_S": 0.0,  # every API answer takes so much longer
    "SANDBOX_SLEEP": time.sleep,  # how it waits; with SANDBOX_CLOCK a benchmark runs in a time of its own
    "SANDBOX_WEBHOOK_BACKOFF_S": 1.0,  # pause after the first failed delivery; doubles
    "SANDBOX_WEBHOOK_TIMEOUT_S": 10.0,
    "SANDBOX_TOKEN_LIFE_S": 1800,  # at most so long an OAuth access token lives
    "SANDBOX_CLOCK": time.time,  # gives the present in Unix seconds
    "SANDBOX_APP": None,  # sidebar app beside a ticket: {"assets": its folder, "settings": {}, "secure_settings": {}}
}


def create_app(database: Path, **config: Any) -> Flask:
    """Build the application; a database file that does not exist yet is seeded, one that does is used as it is.

    Args:
        database: The sandbox's SQLite file.
        **config: Any of `DEFAULTS`, and Flask's own settings.

    Returns:
        The application. ``app.extensions["sandbox"]`` is its `State`, with a fresh bearer token and OAuth client; its
        sender is not started.

    Raises:
        ConfigError: The sample company is wrong, or a setting with SANDBOX_ in front is unknown or cannot be.
        FatalError: The file is not a sandbox database.
    """
    unknown = [name for name in config if name.startswith("SANDBOX_") and name not in DEFAULTS]
    if unknown:
        raise ConfigError(f"the sandbox has no setting {', '.join(unknown)}", hint=f"It has {', '.join(DEFAULTS)}.")
    app = _Application("connectors.sandbox")
    app.config.update({**DEFAULTS, **plan_settings(config.get("SANDBOX_PLAN")), **config})
    check_refused(app.config["SANDBOX_REFUSED"])
    clock = app.config["SANDBOX_CLOCK"]
    token, client = _prepare(Path(database), app.config)
    sender = Sender(
        Path(database),
        clock=clock,
        backoff_s=app.config["SANDBOX_WEBHOOK_BACKOFF_S"],
        timeout_s=app.config["SANDBOX_WEBHOOK_TIMEOUT_S"],
    )
    app.extensions["sandbox"] = State(Path(database), token, client, clock, Limiter(clock), Faults(), sender)
    app.before_request(check)
    app.after_request(add_headers)
    app.teardown_appcontext(close_database)
    app.register_error_handler(Refusal, _refuse)
    app.register_error_handler(HTTPException, _http_error)
    apis = (accounts, oauth, exports, ticket_api, comment_api, search_api, desk_api, articles_api, webhook_api)
    for blueprint in (*apis, pages, control, agent_page):
        app.register_blueprint(blueprint)
    return app


class _KeyOrder(DefaultJSONProvider):
    sort_keys = False


class _Application(Flask):
    json_provider_class = _KeyOrder

    def wsgi_app(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Take off the API's optional ``.json`` before routing; faults still match the path as it was asked for."""
        path = environ.get("PATH_INFO", "")
        query = environ.get("QUERY_STRING", "")
        environ["sandbox.target"] = path + (f"?{unquote(query)}" if query else "")
        if path.startswith("/api/v2/"):
            environ["PATH_INFO"] = path.removesuffix(".json")
        return super().wsgi_app(environ, start_response)


def _prepare(database: Path, config: Mapping[str, Any]) -> tuple[str, tuple[str, str]]:
    """Seed the database where that is still to do; returns a token and an OAuth client of Deskhand's account."""
    db = open_database(database)
    try:
        if not is_seeded(db):
            company = load_company(Path(config["SANDBOX_COMPANY"]))
            token = seed(db, company, limit=config["SANDBOX_SEED_LIMIT"], clock=config["SANDBOX_CLOCK"])
            writer_id = int(setting(db, "writer_id"))
            with transaction(db):
                return token, issue_client(db, writer_id)
        writer_id = int(setting(db, "writer_id"))
        with transaction(db):
            create_tables(db)
            db.execute("delete from tokens where expires_s <= ?", [config["SANDBOX_CLOCK"]()])
            return issue_token(db, writer_id), issue_client(db, writer_id)
    finally:
        db.close()


def _refuse(refusal: Refusal) -> Response:
    response = jsonify(refusal.body)
    response.status_code = refusal.status
    response.headers.update(refusal.headers)
    return response


def _http_error(error: HTTPException) -> Response:
    title = "InvalidEndpoint" if error.code == 404 else (error.name or "Error").replace(" ", "")
    response = jsonify(error=title, description="Not found" if error.code == 404 else error.description)
    response.status_code = error.code or 500
    return response


class Sandbox:
    """A running sandbox helpdesk; also a context manager that starts and stops it.

    Args:
        database: Its SQLite file; seeded where it does not exist, else used as it is.
        host: Interface to listen on. The sandbox's control endpoints answer on loopback only.
        port: 0 takes a free one.
        **config: As for `create_app`.

    Attributes:
        app: The Flask application.
        token: Bearer token of the account that Deskhand writes as, an admin.
        client_id: For ``POST /oauth/tokens``, with ``client_secret``.
        client_secret: See ``client_id``.
    """

    def __init__(self, database: Path, *, host: str = "127.0.0.1", port: int = 0, **config: Any) -> None:
        self.app = create_app(database, **config)
        self._state: State = self.app.extensions["sandbox"]
        self.token = self._state.token
        self.client_id, self.client_secret = self._state.client
        self._server = BackgroundServer(self.app, host=host, port=port, threads=8, name="sandbox")

    @property
    def port(self) -> int:
        """The port it listens on, once started."""
        return self._server.port

    @property
    def url(self) -> str:
        """Where it listens, such as ``http://127.0.0.1:8065``; right once started."""
        return self._server.url

    def start(self) -> Self:
        """Listen, and send webhooks; returns once connections are accepted.

        Raises:
            FatalError: The port is taken or may not be used.
        """
        self._server.start()
        self._state.sender.start()
        return self

    def stop(self) -> None:
        """End server and webhook sender and close all connections; safe to call twice."""
        self._state.sender.stop()
        self._server.stop()

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self, _kind: type[BaseException] | None, _error: BaseException | None, _traceback: TracebackType | None
    ) -> None:
        self.stop()
