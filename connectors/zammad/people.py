"""Users: whoever wrote or asked something, one by one as they turn up, and all of them as a stream.

`GET /api/v1/users` is sorted by id and cannot be asked for what changed (`UsersController`), so a sync only reads the
pages behind those that it knows; a changed name comes with `deskhand sync --full`, or with the user's next ticket.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from connectors.errors import FatalError, ForbiddenError, SkippableError
from connectors.http.client import Http
from connectors.http_helpdesk import read_records
from connectors.records import Page, Role, User
from connectors.zammad import api, mapping
from connectors.zammad.api import ROOT


class People:
    """Users of one Zammad, each asked for once."""

    def __init__(self, http: Http) -> None:
        self._http = http
        self._known: dict[str, User] = {}

    def me(self) -> User:
        """Whose credential it is."""
        return mapping.user(self._http.get(f"{ROOT}/users/me", api.expanded()))

    def find(self, user_id: str, role: Role) -> User:
        """A user.

        Args:
            role: For one that is gone, or that we may not read.
        """
        if user_id not in self._known:
            try:
                found = mapping.user(self._http.get(f"{ROOT}/users/{user_id}", api.expanded()))
            except (SkippableError, ForbiddenError):
                found = User(user_id, "", "", role)
            self._known[user_id] = found
        return self._known[user_id]

    def pages(self, cursor: str | None) -> Iterator[Page]:
        """The stream; a cursor is a page's number and the last id there."""
        number, newest = _read(cursor)
        number = self._step_back(number, newest)
        for items, at, last in api.pages(self._http, "/users", first=number):
            users = [replace(user) for user in read_records(mapping.user, items, "users") if user.id != "1"]
            self._known |= {user.id: user for user in users}
            fresh = tuple(user for user in users if int(user.id) > newest)
            newest = max([newest, *(int(item["id"]) for item in items)])
            yield Page(fresh, f"{at if last else at + 1} {newest}", done=last)

    def _step_back(self, number: int, newest: int) -> int:
        """Where users were deleted, those behind them have moved to earlier pages."""
        while number > 1:
            items = self._http.get_list(f"{ROOT}/users", api.expanded({"page": number, "per_page": api.PER_PAGE}))
            if items and int(items[0]["id"]) <= newest:
                break
            number -= 1
        return number


def _read(cursor: str | None) -> tuple[int, int]:
    if not cursor:
        return 1, 0
    try:
        number, newest = map(int, cursor.split(" "))
    except ValueError:
        raise FatalError("the cursor of the users is not one of ours", hint="run: deskhand sync --full") from None
    return number, newest
