"""The Flask application: a factory, a blueprint per concern."""

from __future__ import annotations

from flask import Flask

from connectors.helpdesk import Helpdesk
from connectors.settings import Settings
from plugin import health, metrics, webhook
from plugin.api import answers, gate, suggestions, version_1
from plugin.context import Context, attach
from plugin.dashboard import pages as dashboard


def create_app(settings: Settings, helpdesk: Helpdesk) -> Flask:
    """Builds the application.

    Args:
        settings: Of one home.
        helpdesk: Verifies webhooks; the worker, not the application, talks to it.
    """
    app = Flask("plugin", static_folder=None)
    app.config["MAX_CONTENT_LENGTH"] = settings.plugin.max_body_bytes
    attach(app, Context(settings, helpdesk))
    gate.attach(app, settings)
    app.url_map.converters["ticket"] = suggestions.TicketId
    for blueprint in (webhook.blueprint, version_1.blueprint, health.blueprint, metrics.blueprint, dashboard.blueprint):
        app.register_blueprint(blueprint)
    answers.register(app)
    return app
