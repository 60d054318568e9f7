"""The Flask application: a factory, a blueprint per concern."""

from __future__ import annotations

import logging
from typing import Any

from flask import Flask
from werkzeug.exceptions import HTTPException

from connectors.errors import DeskhandError, StoreError
from connectors.helpdesk import Helpdesk
from connectors.settings import Settings
from plugin import health, sidebar, webhook
from plugin.context import Context, attach, context
from plugin.dashboard import pages as dashboard

log = logging.getLogger(__name__)


def create_app(settings: Settings, helpdesk: Helpdesk) -> Flask:
    """Builds the application.

    Args:
        settings: Of one home.
        helpdesk: Verifies webhooks; the worker, not the application, talks to it.
    """
    app = Flask("plugin", static_folder=None)
    app.config["MAX_CONTENT_LENGTH"] = settings.plugin.max_body_bytes
    attach(app, Context(settings, helpdesk))
    app.url_map.converters["ticket"] = sidebar.TicketId
    for blueprint in (webhook.blueprint, sidebar.blueprint, health.blueprint, dashboard.blueprint):
        app.register_blueprint(blueprint)

    @app.errorhandler(HTTPException)
    def refused(error: HTTPException) -> sidebar.Answer:
        code = (error.name or "error").lower().replace(" ", "_")
        return sidebar.failure(code, error.description or error.name, error.code or 500)

    @app.errorhandler(StoreError)
    def no_store(error: StoreError) -> tuple[dict[str, Any], int, dict[str, str]]:
        # 503 makes the helpdesk send its webhook again later; nothing is lost. Zendesk does so only where it is told
        # when, in less than a minute.
        log.error("the store does not work: %s (%s)", error, error.hint)
        context(app).reopen()
        body, status = sidebar.failure("unavailable", "the store does not work at the moment", 503)
        return body, status, {"Retry-After": "30"}

    @app.errorhandler(DeskhandError)
    def failed(error: DeskhandError) -> sidebar.Answer:
        log.error("%s (%s)", error, error.hint)
        return sidebar.failure("internal", "this failed; the log of the server says why", 500)

    return app
