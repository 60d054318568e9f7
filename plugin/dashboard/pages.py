"""All pages of the dashboard, as one blueprint to register."""

from __future__ import annotations

from typing import NoReturn

from flask import abort
from flask.blueprints import BlueprintSetupState

from plugin.dashboard import curation, filters, inbox, login, models, overview, quality, settings, site, suggestions

blueprint = site.blueprint

for page in (login, overview, inbox, suggestions, quality, models, curation, settings):
    blueprint.register_blueprint(page.blueprint)


@blueprint.record
def add_filters(state: BlueprintSetupState) -> None:
    """Templates of other blueprints do without them."""
    state.app.jinja_env.filters.update(filters.ALL)


@blueprint.get("/<path:rest>")
def missing(rest: str) -> NoReturn:
    """Any other address under `/admin`: a page that says so, for those who are logged in."""
    abort(404, "There is no such page.")
