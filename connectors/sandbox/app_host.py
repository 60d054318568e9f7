"""Hosts the sidebar app beside a ticket, as Zendesk does: serves its files and forwards its requests.

The app comes as a folder in the setting ``SANDBOX_APP``; nothing of it is imported. Its page runs in a frame without
an origin of its own, so that it can reach neither the agent's page nor this server except through messages.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import requests
from flask import Blueprint, Response, abort, current_app, jsonify, request, send_from_directory, url_for

from connectors.sandbox.refusals import Refusal, invalid_value

hosting = Blueprint("app_host", __name__, url_prefix="/agent")

TIMEOUT_S = 10.0
MAX_ANSWER_BYTES = 2_000_000
METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE")
_HEADERS = {"accept", "authorization", "content-type"}
_SDK = re.compile(r'src="https://static\.zdassets\.com/zendesk_app_framework_sdk/[^"]+"')
_SLOT = re.compile(r"\{\{\s*setting\.(\w+)\s*\}\}")


@dataclass(frozen=True)
class InstalledApp:
    """An app and its settings.

    Attributes:
        folder: Holds ``manifest.json`` and ``assets/``.
        settings: What the app's page may see.
        secure_settings: What only this server fills in.
    """

    folder: Path
    settings: dict[str, str] = field(default_factory=dict)
    secure_settings: dict[str, str] = field(default_factory=dict, repr=False)

    def manifest(self) -> dict[str, Any]:
        """The app's ``manifest.json``; empty where it cannot be read."""
        try:
            data = json.loads((self.folder / "manifest.json").read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return {}
        return data if isinstance(data, dict) else {}

    def page(self) -> str:
        """The file under ``assets/`` that the ticket sidebar shows."""
        sidebar = self.manifest().get("location", {}).get("support", {}).get("ticket_sidebar", "assets/iframe.html")
        url = sidebar.get("url", "assets/iframe.html") if isinstance(sidebar, dict) else sidebar
        return str(url).removeprefix("assets/")

    def base_url(self) -> str:
        """Scheme, host and port that the app's requests may go to; HTTPS where the setting names a bare host."""
        host = self.settings.get("api_host", "").strip().rstrip("/")
        return host if re.match(r"https?://", host, re.IGNORECASE) or not host else f"https://{host}"


def installed_app() -> InstalledApp | None:
    """The app of the setting ``SANDBOX_APP``, or None."""
    given = current_app.config.get("SANDBOX_APP")
    if not given:
        return None
    folder = Path(given["assets"])
    return InstalledApp(folder, dict(given.get("settings") or {}), dict(given.get("secure_settings") or {}))


@hosting.get("/app/<path:name>")
def app_file(name: str) -> Response:
    """A file of the app's ``assets/``; in its pages the SDK's address is replaced by the sandbox's own client."""
    app = installed_app()
    if app is None:
        abort(404)
    assets = (app.folder / "assets").resolve()
    if name.endswith(".html"):
        path = (assets / name).resolve()
        if not path.is_relative_to(assets) or not path.is_file():
            abort(404)
        client = url_for("agent.agent_page.static", filename="zaf_client.js")
        response = Response(_SDK.sub(f'src="{client}"', path.read_text(encoding="utf-8")), mimetype="text/html")
    else:
        response = send_from_directory(assets, name)
    origin = request.host_url.rstrip("/")
    # The frame has no origin: 'self' would be nothing, and module scripts need the CORS header.
    response.headers["Access-Control-Allow-Origin"] = "*"
    response.headers["Content-Security-Policy"] = (
        f"default-src 'none'; script-src {origin}; style-src {origin}; img-src {origin} data:; font-src {origin}; "
        "connect-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'self'"
    )
    response.headers["X-Content-Type-Options"] = "nosniff"
    response.headers["Cache-Control"] = "no-cache"
    return response


@hosting.post("/proxy")
def forward() -> Response:
    """Send one request of the app to its configured host and return ``{status, headers, body}``.

    The address is built from the configured host and the requested path, never taken from the request as it is.

    Raises:
        Refusal: 400 where the request is not one that may be forwarded; 502 and 504 where the host does not answer.
    """
    app = installed_app()
    data = request.get_json(silent=True)
    if app is None or not isinstance(data, dict):
        raise invalid_value("no app is installed, or the body is no JSON object")
    method = str(data.get("type") or data.get("method") or "GET").upper()
    if method not in METHODS:
        raise invalid_value(f"the method {method} cannot be forwarded")
    url = _target(app, str(data.get("url") or ""))
    headers = _headers(app, data)
    body = data.get("data")
    if body is not None and not isinstance(body, str):
        body = json.dumps(body)
    return jsonify(_fetch(method, url, headers, body))


def _target(app: InstalledApp, wanted: str) -> str:
    base = app.base_url()
    if not base:
        raise invalid_value("the app's setting api_host is empty")
    # 'https://{{setting.api_host}}/…' with a setting that already has its scheme
    wanted = re.sub(r"^https?://(?=\{\{\s*setting\.api_host\s*\}\})", "", wanted)
    filled = _SLOT.sub(lambda match: base if match[1] == "api_host" else app.settings.get(match[1], ""), wanted)
    try:
        target, allowed = urlsplit(filled), urlsplit(base)
        same = (target.scheme.lower(), target.hostname, target.port) == (
            *(allowed.scheme.lower(), allowed.hostname),
            allowed.port,
        )
    except ValueError as error:
        raise invalid_value("the address cannot be read") from error
    if not same or target.username or target.password:
        raise invalid_value("only the host of the app's setting api_host may be asked")
    if not target.path.startswith("/") or ".." in target.path.split("/"):
        raise invalid_value("the path cannot be forwarded")
    return f"{allowed.scheme}://{allowed.netloc}{target.path}" + (f"?{target.query}" if target.query else "")


def _headers(app: InstalledApp, data: dict[str, Any]) -> dict[str, str]:
    known = app.settings | (app.secure_settings if data.get("secure") else {})
    given = data.get("headers") if isinstance(data.get("headers"), dict) else {}
    headers = {
        str(name): _SLOT.sub(lambda match: known.get(match[1], ""), str(value))
        for name, value in (given or {}).items()
        if str(name).lower() in _HEADERS or str(name).lower().startswith("x-")
    }
    if data.get("contentType"):
        headers["Content-Type"] = str(data["contentType"])
    if any("\n" in value or "\r" in value for value in headers.values()):
        raise invalid_value("a header holds a line break")
    return headers


def _fetch(method: str, url: str, headers: dict[str, str], body: str | None) -> dict[str, Any]:
    with requests.Session() as session:
        session.trust_env = False  # neither a proxy nor a .netrc of this machine
        encoded = body.encode() if body is not None else None
        try:
            with session.request(
                method, url, headers=headers, data=encoded, timeout=TIMEOUT_S, allow_redirects=False, stream=True
            ) as answer:
                content = answer.raw.read(MAX_ANSWER_BYTES + 1, decode_content=True)
                status, kind = answer.status_code, answer.headers.get("Content-Type", "")
        except requests.Timeout as error:
            raise Refusal(504, {"error": {"code": "timeout", "message": "The app's host did not answer."}}) from error
        except (requests.RequestException, OSError) as error:
            text = "The app's host cannot be reached."
            raise Refusal(502, {"error": {"code": "unreachable", "message": text}}) from error
    if len(content) > MAX_ANSWER_BYTES:
        raise Refusal(502, {"error": {"code": "too_large", "message": "The app's host answered with too much."}})
    return {"status": status, "content_type": kind, "body": content.decode("utf-8", errors="replace")}
