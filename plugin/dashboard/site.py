"""What all pages share: who may see them, what a browser may do with them, and how errors look."""

from __future__ import annotations

import hmac
import logging
from typing import Any
from urllib.parse import urlsplit

from flask import Blueprint, Response, current_app, g, make_response, redirect, render_template, request, url_for
from jinja2 import ChoiceLoader, FileSystemLoader, PackageLoader
from werkzeug.exceptions import HTTPException
from werkzeug.wrappers import Response as BaseResponse

from connectors.errors import DeskhandError, StoreError
from connectors.store.database import Store
from plugin.context import context
from plugin.dashboard import accounts, forms

log = logging.getLogger(__name__)

COOKIE = "deskhand_admin"
_POLICY = (
    "default-src 'none'; style-src 'self'; img-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
)
_HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}
_OPEN = frozenset({"admin.static", "admin.login.show", "admin.login.log_in"})

Answer = str | BaseResponse | tuple[str, int]

blueprint = Blueprint("admin", __name__, url_prefix="/admin", static_folder="static", template_folder="templates")
# The plots are drawn by the evaluation's own macros.
blueprint.jinja_loader = ChoiceLoader(
    [FileSystemLoader(f"{blueprint.root_path}/templates"), PackageLoader("trainer.evaluation", "")]
)


def store() -> Store:
    """The calling thread's store."""
    return context(current_app).store()


def helpdesk() -> str:
    """The key of the helpdesk in the store."""
    return context(current_app).helpdesk.name


def is_secure() -> bool:
    """Whether the browser came by https: to us, or to the proxy that `public_url` names."""
    public = context(current_app).settings.plugin.public_url
    by_proxy = public is not None and public.scheme == "https" and request.host == urlsplit(str(public)).netloc
    return request.is_secure or by_proxy


@blueprint.before_request
def authenticate() -> BaseResponse | None:
    """Lets nobody in without a session, and takes no form that this session did not get from us."""
    if request.endpoint in _OPEN:
        return None
    session = store().admins.session(request.cookies.get(COOKIE, ""), idle_s=accounts.IDLE_S, lasts_s=accounts.LASTS_S)
    if session is None:
        # A form cannot be sent again after the login: its page is where to go on.
        here = request.path if request.method == "GET" else ""
        return redirect(url_for("admin.login.show", next=here or None), 303)
    g.session = session
    if request.method not in ("GET", "HEAD", "OPTIONS"):
        given = request.form.get("csrf", "")
        if not hmac.compare_digest(given.encode(), session.csrf.encode()):
            page = render_template(
                "dashboard/error.html", title="This form is too old", hint="Go back, load the page again and try again."
            )
            return make_response(page, 400)
    return None


@blueprint.after_request
def harden(response: Response) -> Response:
    """Tells the browser what these pages may do, and to keep none of them."""
    for name, value in _HEADERS.items():
        response.headers[name] = value
    response.headers.setdefault("Content-Security-Policy", _POLICY)
    is_style = request.endpoint == "admin.static"
    response.headers["Cache-Control"] = "no-cache" if is_style else "no-store"
    return response


@blueprint.context_processor
def shared() -> dict[str, Any]:
    """What every template may use."""
    session = g.get("session")
    return {
        "admin": session.admin if session else None,
        "csrf": session.csrf if session else "",
        "helpdesk": helpdesk(),
        "said": forms.notice(request.args.get("said", "")),
    }


@blueprint.errorhandler(HTTPException)
def refused(error: HTTPException) -> Answer:
    """A page for what is not there or not allowed."""
    return render_template("dashboard/error.html", title=error.name, hint=error.description), error.code or 500


@blueprint.errorhandler(StoreError)
def no_store(error: StoreError) -> Answer:
    """A page without the store, which would show who is logged in."""
    log.error("the store does not work: %s (%s)", error, error.hint)
    context(current_app).reopen()
    title = "The store does not work at the moment"
    return render_template("dashboard/error.html", title=title, hint="The log of the server says why."), 503


@blueprint.errorhandler(DeskhandError)
def failed(error: DeskhandError) -> Answer:
    """A page with the error's own words, which are made to be safe to show."""
    log.error("%s (%s)", error, error.hint)
    return render_template("dashboard/error.html", title=f"This failed: {error}", hint=error.hint), 500
