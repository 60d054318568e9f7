"""Versions: where they come from, how they were judged, and which one is live."""

from __future__ import annotations

from flask import Blueprint, abort, current_app, g, make_response, redirect, render_template, url_for
from werkzeug.wrappers import Response

from connectors.errors import ModelError
from plugin.context import context
from plugin.dashboard import site
from trainer.evaluation.page import PAGE
from trainer.registry import Live, Manifest, Registry

blueprint = Blueprint("models", __name__, url_prefix="/models")

# The report brings its own style, and nothing else.
_REPORT_POLICY = "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'; base-uri 'none'"


@blueprint.get("")
def show() -> str:
    """The list, newest first, and who promoted what."""
    registry = _registry()
    live, problem = _live(registry)
    versions: list[tuple[str, Manifest | None, str]] = []
    for version in registry.versions():
        try:
            versions.append((version, registry.facts(version), ""))
        except ModelError as error:
            versions.append((version, None, str(error)))
    return render_template(
        "dashboard/models.html",
        versions=versions,
        live=live,
        problem=problem,
        forgotten=registry.forgotten(),
        promotions=registry.promotions()[:20],
    )


@blueprint.get("/<version>")
def detail(version: str) -> str:
    """One version: lineage, metrics, and its report."""
    registry = _registry()
    manifest = _manifest(registry, version)
    live, _ = _live(registry)
    older = [one for one in registry.versions() if one < version]
    return render_template(
        "dashboard/model.html",
        manifest=manifest,
        live=live,
        before=older[0] if older else None,
        forgotten=registry.forgotten().get(version),
        has_report=(registry.path(version) / PAGE).is_file(),
        figures=next(
            (one for one in site.store().review.figures(site.helpdesk(), "model") if one.key == version), None
        ),
        promotions=[one for one in registry.promotions() if one.version == version],
    )


@blueprint.get("/<version>/report")
def report(version: str) -> Response:
    """The evaluation's own page. It stands for itself; the browser's way back leads here again."""
    registry = _registry()
    _manifest(registry, version)
    path = registry.path(version) / PAGE
    if not path.is_file():
        abort(404, f"There is no report of {version} yet. Make it on the server: deskhand evaluate {version}")
    answer = make_response(path.read_text(encoding="utf-8"))
    answer.headers["Content-Security-Policy"] = _REPORT_POLICY
    return answer


@blueprint.get("/<version>/promote")
def confirm(version: str) -> str:
    """Asks before a version is made the live one."""
    registry = _registry()
    live, problem = _live(registry)
    return render_template(
        "dashboard/confirm.html",
        action=url_for("admin.models.promote", version=version),
        manifest=_manifest(registry, version),
        live=live,
        problem=problem,
        is_rollback=False,
    )


@blueprint.post("/<version>/promote")
def promote(version: str) -> Response:
    """Makes a version the live one, its files checked."""
    registry = _registry()
    _manifest(registry, version)
    registry.promote(version, by=f"{g.session.admin}, in the dashboard")
    return redirect(url_for("admin.models.show", said="promoted"), 303)


@blueprint.get("/rollback")
def confirm_rollback() -> str:
    """Asks before the version before the live one is made live again."""
    registry = _registry()
    live, problem = _live(registry)
    if live is None or live.previous is None:
        abort(404, "There is no earlier version to go back to.")
    return render_template(
        "dashboard/confirm.html",
        action=url_for("admin.models.roll_back"),
        manifest=_manifest(registry, live.previous),
        live=live,
        problem=problem,
        is_rollback=True,
    )


@blueprint.post("/rollback")
def roll_back() -> Response:
    """Makes the version before the live one live again."""
    _registry().rollback(by=f"{g.session.admin}, in the dashboard")
    return redirect(url_for("admin.models.show", said="rolled-back"), 303)


def _registry() -> Registry:
    return Registry(context(current_app).settings.models_path)


def _live(registry: Registry) -> tuple[Live | None, str]:
    try:
        return registry.live(), ""
    except ModelError as error:
        return None, f"{error}: {error.hint}"


def _manifest(registry: Registry, version: str) -> Manifest:
    try:
        return registry.facts(version)
    except ModelError as error:
        abort(404, f"{error}.")
