"""Logging in and out."""

from __future__ import annotations

import hmac
import secrets

from flask import Blueprint, make_response, redirect, render_template, request, url_for
from werkzeug.wrappers import Response

from plugin.dashboard import accounts, site

blueprint = Blueprint("login", __name__)

# Before there is a session, the form is tied to this browser by a cookie of its own: nobody else can log it in.
_FORM_COOKIE = "deskhand_login"


@blueprint.get("/login")
def show() -> Response:
    """The form."""
    return _form()


@blueprint.post("/login")
def log_in() -> Response:
    """Checks name and password, and begins a session."""
    cookie, given = request.cookies.get(_FORM_COOKIE, ""), request.form.get("csrf", "")
    if not cookie or not hmac.compare_digest(cookie.encode(), given.encode()):
        return _form("This form was too old. Please try again.", status=400)
    name = request.form.get("name", "").strip()
    attempt = accounts.log_in(site.store(), name, request.form.get("password", ""), request.remote_addr or "")
    if attempt.wait_s:
        minutes = -(-attempt.wait_s // 60)
        unit = "minute" if minutes == 1 else "minutes"
        answer = _form(f"Too many attempts. Try again in {minutes} {unit}.", status=429)
        answer.headers["Retry-After"] = str(attempt.wait_s)
        return answer
    if not attempt.session_id:
        return _form("The name or the password is wrong.", status=401)
    answer = make_response(redirect(_next() or url_for("admin.overview.show"), 303))
    _set(answer, site.COOKIE, attempt.session_id, "Lax")
    answer.delete_cookie(_FORM_COOKIE, path="/admin")
    return answer


@blueprint.post("/logout")
def log_out() -> Response:
    """Ends the session."""
    site.store().admins.end(request.cookies.get(site.COOKIE, ""))
    answer = make_response(redirect(url_for("admin.login.show", said="out"), 303))
    answer.delete_cookie(site.COOKIE, path="/admin")
    return answer


def _form(problem: str = "", *, status: int = 200) -> Response:
    token = request.cookies.get(_FORM_COOKIE) or secrets.token_urlsafe(32)
    page = render_template(
        "dashboard/login.html",
        problem=problem,
        token=token,
        name=request.form.get("name", ""),
        next=_next(),
        nobody=not site.store().admins.all(),
    )
    answer = make_response(page, status)
    _set(answer, _FORM_COOKIE, token, "Strict")
    return answer


def _set(answer: Response, name: str, value: str, same_site: str) -> None:
    answer.set_cookie(name, value, path="/admin", httponly=True, samesite=same_site, secure=site.is_secure())


def _next() -> str:
    """Where to go after the login: a page of ours, or empty."""
    wanted = request.values.get("next", "")
    plain = wanted.isascii() and wanted.isprintable() and "\\" not in wanted
    return wanted if plain and wanted.startswith("/admin/") and "//" not in wanted else ""
