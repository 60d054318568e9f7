"""The names of the queues: no address of the API lists them, but its pages for people have a form to choose one from.

Where a site has switched these pages off (Django REST framework's `BrowsableAPIRenderer`), there are no names.
"""

from __future__ import annotations

from html.parser import HTMLParser

from connectors.django_helpdesk.tickets import PATH
from connectors.errors import DeskhandError, SkippableError
from connectors.http.answers import refusal
from connectors.http.transport import Call, Transport
from connectors.records import Group

INTAKE = "intake"
"""A queue of this name, in any case, is where tickets are that nobody has sorted yet."""


def read(base_url: str, authorization: str, *, timeout_s: float) -> list[Group]:
    """All queues that we may use.

    Raises:
        SkippableError: The site does not show that page.
        CredentialError, RetriableError: As `connectors.http.client.Http.request`, but nothing is tried twice.
    """
    transport = Transport(timeout_s=timeout_s, answer_timeout_s=120.0, max_bytes=16_000_000)
    what = f"GET {PATH} as a page"
    try:
        call = Call("GET", base_url + PATH, {"format": "api", "page_size": 1}, None, {"Accept": "text/html"})
        answer, body = transport.send(call, authorization, what)
    finally:
        transport.close()
    if isinstance(body, DeskhandError):
        raise body
    if answer.status_code in (404, 406):
        raise _not_shown(what)
    if answer.status_code >= 300:
        raise refusal(answer.status_code, what, None)
    page = _Page()
    page.feed(body.decode("utf-8", "replace"))
    if not page.found:
        raise _not_shown(what)
    return [Group(id=key, name=name.strip()) for key, name in page.queues.items()]


def intake(groups: list[Group]) -> frozenset[str]:
    """Ids of the queues of tickets that nobody has sorted yet."""
    return frozenset(group.id for group in groups if group.name.lower() == INTAKE)


def _not_shown(what: str) -> SkippableError:
    return SkippableError(
        f"groups: {what} has no list of queues",
        hint="let Django REST framework's BrowsableAPIRenderer be, and the user be allowed to add tickets",
    )


class _Page(HTMLParser):
    """Finds `<select name="queue">` and what it offers."""

    def __init__(self) -> None:
        super().__init__()
        self.found = False
        self.queues: dict[str, str] = {}
        self._inside = False
        self._option = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """See `HTMLParser`."""
        given = dict(attrs)
        if tag == "select":
            self._inside = given.get("name") == "queue"
            self.found = self.found or self._inside
        elif tag == "option" and self._inside:
            self._option = given.get("value") or ""
            if self._option:
                self.queues[self._option] = ""

    def handle_endtag(self, tag: str) -> None:
        """See `HTMLParser`."""
        if tag in ("select", "option"):
            self._option = ""
        if tag == "select":
            self._inside = False

    def handle_data(self, data: str) -> None:
        """See `HTMLParser`."""
        if self._option:
            self.queues[self._option] += data
