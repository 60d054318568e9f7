"""What every connector to a helpdesk with an HTTP API has: its `Http`, its secrets, and reading a page of records."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, ClassVar, TypedDict, TypeVar, Unpack

from connectors.errors import FatalError
from connectors.http.client import Http
from connectors.http.waits import Wait
from connectors.settings import HelpdeskSettings

T = TypeVar("T")


class Options(TypedDict, total=False):
    """What a connector takes beside its settings.

    Attributes:
        webhook_secret: What its webhooks are signed with; empty where there are none.
        webhook_max_age_s: Older webhooks are refused, where they say when they were sent.
        home: The installation's folder, for what a sign-in has to keep.
        sleep, monotonic: The clock that is waited by.
        on_wait: Called about once a second while a rate limit or a retry is waited for.
    """

    webhook_secret: str
    webhook_max_age_s: float
    home: Path | None
    sleep: Callable[[float], None]
    monotonic: Callable[[], float]
    on_wait: Callable[[Wait], None] | None


class HttpHelpdesk:
    """The common part of a connector; the vendor's class adds the methods of `connectors.helpdesk.Helpdesk`.

    Args:
        authorize: Gives the `Authorization` header's value, see `Http`.
        family: Which of several account-wide rate limits a path counts towards.

    Attributes:
        title: The vendor, in messages.
        http: For one thread, so the connector is, too.
    """

    title: ClassVar[str]
    streams: tuple[str, ...] = ()
    bulk_comments = False
    bulk_page_price = 1.0

    def __init__(
        self,
        settings: HelpdeskSettings,
        authorize: Callable[[bool], str],
        *,
        family: Callable[[str], str] = lambda _path: "",
        **options: Unpack[Options],
    ) -> None:
        self.name = settings.name
        self.base_url = settings.base_url
        self.http = Http(
            settings.base_url,
            authorize,
            timeout_s=settings.timeout_s,
            reserve=settings.min_free_share,
            family=family,
            on_wait=options.get("on_wait"),
            sleep=options.get("sleep", time.sleep),
            monotonic=options.get("monotonic", time.monotonic),
        )
        self._webhook_secret = options.get("webhook_secret", "")
        self._webhook_max_age_s = options.get("webhook_max_age_s", 300.0)

    def close(self) -> None:
        """Lets go of connections."""
        self.http.close()

    def _no_stream(self, stream: str) -> FatalError:
        return FatalError(f"{self.title} has no stream '{stream}'", hint=f"streams: {', '.join(self.streams)}")


def read_records(read: Callable[[dict[str, Any]], T], items: Iterable[Any] | None, what: str) -> tuple[T, ...]:
    """Maps a page's rows; one that cannot be read ends the run, since behind the cursor it would be lost for good.

    Raises:
        FatalError: Names the record, and never quotes it.
    """
    found = []
    for item in items or ():
        try:
            found.append(read(item))
        except (LookupError, TypeError, ValueError, AttributeError) as error:
            why = f"it has no {error}" if isinstance(error, KeyError) else type(error).__name__
            which = item.get("id", "without an id") if isinstance(item, dict) else "without an id"
            # The error's own words may hold what the field held.
            raise FatalError(
                f"{what}: record {which} is not in the shape we know ({why})",
                hint="the API has changed: upgrade Deskhand",
            ) from None
    return tuple(found)
