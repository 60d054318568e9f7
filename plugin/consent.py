"""An agent's consent in a browser: the address to open, and the redirect that brings the answer (RFC 8252, 7.3)."""

from __future__ import annotations

import http.server
import os
import queue
import sys
import threading
import webbrowser
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from connectors.errors import ConfigError, CredentialError
from connectors.zendesk import oauth
from plugin.console import say

if TYPE_CHECKING:
    from collections.abc import Callable

    from connectors.settings import HelpdeskSettings
    from connectors.zendesk.oauth import Consent
    from connectors.zendesk.token_pair import Pair

# Fixed, since Zendesk sends the browser only to addresses that the OAuth client lists.
CALLBACK_PORT = 8643
_PATH = "/callback"
_PAGE = """<!doctype html><html lang="en"><meta charset="utf-8"><title>Deskhand</title>
<body style="font: 16px system-ui; margin: 15vh auto; max-width: 30em"><h1 style="font-size: 20px">{title}</h1>
<p>{text}</p></body></html>"""


def sign_in(
    settings: HelpdeskSettings, scope: str, *, port: int, wait_s: float, paste: Callable[[], str] | None = None
) -> Pair:
    """Has somebody of the team allow Deskhand to act as them; returns the first pair of tokens.

    Args:
        settings: With the OAuth client's id and, where it has one, its secret.
        scope: What to ask for, where the settings do not say.
        port: Of the address on this machine that the browser is sent back to; 0 takes a free one.
        wait_s: How long to wait for the answer.
        paste: Asks for the address that the browser was sent to: for a browser on another machine. None listens.

    Raises:
        ConfigError: The port is taken, or nobody answered in time.
        CredentialError: The answer is no, or not one to this sign-in.
        RetriableError: The helpdesk does not give a token at the moment.
    """
    if paste is not None:
        consent = oauth.begin_consent(settings, _redirect_uri(port or CALLBACK_PORT), scope=scope)
        say(f"Open this address in any browser and choose Allow:\n\n  {consent.address}\n")
        say(f"The browser is then sent to {consent.redirect_uri}, which may show an error; the address is what counts.")
        return oauth.exchange(settings, consent, consent.code_in(paste()))
    with _listening(port) as listener:
        consent = oauth.begin_consent(settings, _redirect_uri(listener.server_port), scope=scope)
        listener.consent = consent
        say(f"Open this address in a browser on this machine and choose Allow:\n\n  {consent.address}\n")
        say(f"The OAuth client must list {consent.redirect_uri} among its redirect URLs.")
        if _has_display():
            webbrowser.open(consent.address)
        try:
            redirected = listener.answers.get(timeout=wait_s)
        except queue.Empty:
            raise ConfigError(
                f"nobody answered in the browser within {wait_s:.0f} s",
                hint="run deskhand init again; --paste works with a browser on another machine",
            ) from None
    return oauth.exchange(settings, consent, consent.code_in(redirected))


def _redirect_uri(port: int) -> str:
    return f"http://127.0.0.1:{port}{_PATH}"


def _has_display() -> bool:
    # Without one, `webbrowser` may start a browser in this terminal.
    return sys.platform in ("darwin", "win32") or bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))


class _Listener(http.server.ThreadingHTTPServer):
    """Waits for the browser; in threads, since browsers open connections ahead of time and say nothing on them."""

    daemon_threads = True
    consent: Consent | None = None

    def __init__(self, port: int) -> None:
        self.answers: queue.Queue[str] = queue.Queue()
        super().__init__(("127.0.0.1", port), _Handler)


class _Handler(http.server.BaseHTTPRequestHandler):
    server: _Listener
    timeout = 10  # seconds for a browser to say what it wants

    def do_GET(self) -> None:
        consent = self.server.consent
        if consent is None or self.path.partition("?")[0] != _PATH:
            self._answer(404, "Not here", "This address only takes the answer to a sign-in.")
        elif not consent.is_answered_by(self.path):
            # Not the end of it: the right answer may still come.
            self._answer(400, "Not this sign-in", "This answer belongs to another sign-in. Use the newest address.")
        else:
            try:
                consent.code_in(self.path)
            except CredentialError:
                self._answer(200, "Not signed in", "The helpdesk said no. The terminal says what to do next.")
            else:
                self._answer(200, "Thank you", "Deskhand goes on in the terminal. You can close this page.")
            self.server.answers.put(self.path)

    def _answer(self, status: int, title: str, text: str) -> None:
        content = _PAGE.format(title=title, text=text).encode()
        self.send_response(status)
        self.send_header("Content-Type", "text/html; charset=utf-8")
        self.send_header("Content-Length", str(len(content)))
        self.send_header("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'")
        self.send_header("Cache-Control", "no-store")
        self.send_header("Referrer-Policy", "no-referrer")  # the code is in this page's address
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_: object) -> None:
        """Nothing: the address has the code in it."""


@contextmanager
def _listening(port: int) -> Iterator[_Listener]:
    try:
        listener = _Listener(port)
    except OSError as error:
        raise ConfigError(
            f"cannot listen on 127.0.0.1:{port}: {error.strerror}",
            hint="give another one by --callback-port, and list it among the OAuth client's redirect URLs",
        ) from None
    thread = threading.Thread(target=listener.serve_forever, kwargs={"poll_interval": 0.05}, name="callback")
    thread.start()
    try:
        yield listener
    finally:
        listener.shutdown()
        thread.join()
        listener.server_close()
