"""A helpdesk in memory: pages, counts and failures as a test lays them out; for the engine's own decisions."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from connectors.errors import NotFoundError
from connectors.records import Comment, Outlook, Page, Record, Ticket, User, WebhookEvent, WriteBack

START = 1_780_000_000  # 2026-05-28
AGENT = User("900", "Marit", "marit@desk.example", "agent")


def ticket(number: int, **changes: Any) -> Ticket:
    """Ticket n was opened n hours after the start."""
    from connectors import clock

    at = START + 3600 * number
    values = {
        "id": str(number), "subject": f"Question {number}", "status": "solved", "requester_id": "1",
        "created_at": clock.from_epoch(at), "updated_at": clock.from_epoch(at), "generated_at": at,
    }  # fmt: skip
    return Ticket(**(values | changes))


def comment(ticket_id: int, number: int, **changes: Any) -> Comment:
    """Comment k of ticket n, k seconds after its opening."""
    from connectors import clock

    values = {
        "id": f"{ticket_id}{number:02d}", "ticket_id": str(ticket_id), "author_id": "900", "public": True,
        "text": f"answer {number} to {ticket_id}", "created_at": clock.from_epoch(START + 3600 * ticket_id + number),
    }  # fmt: skip
    return Comment(**(values | changes))


@dataclass
class MemoryDesk:
    """Implements `Helpdesk`.

    Attributes:
        content: Per stream, the pages of records; `comments` is the bulk way.
        threads: Per ticket id, its comments one by one.
        failures: Per stream or ticket id, errors to raise in turn; None in between lets one call through.
        listed: Streams that list a table whole.
    """

    content: dict[str, list[list[Record]]] = field(default_factory=dict)
    threads: dict[str, list[Comment]] = field(default_factory=dict)
    failures: dict[str, list[Exception | None]] = field(default_factory=dict)
    listed: frozenset[str] = frozenset()
    bulk_comments: bool = True
    bulk_page_price: float = 2.0
    name: str = "zendesk"
    asked: list[str] = field(default_factory=list)

    @property
    def streams(self) -> tuple[str, ...]:
        return tuple(stream for stream in self.content if stream != "comments")

    def _fail(self, key: str) -> None:
        errors = self.failures.get(key)
        if errors and (error := errors.pop(0)):
            raise error

    def pages(self, stream: str, cursor: str | None, *, since: int = 0) -> Iterator[Page]:
        pages = self.content.get(stream, [])
        for number in range(int(cursor or 0), max(1, len(pages))):
            self.asked.append(f"{stream} {number} since {since}")
            self._fail(stream)
            records = pages[number] if number < len(pages) else []
            last = number >= len(pages) - 1
            listed = stream if stream in self.listed else ""
            yield Page(tuple(records), "0" if listed else str(number + (not last)), last, listed)

    def outlook(self, stream: str) -> Outlook:
        self._fail(stream)
        return Outlook(sum(len(page) for page in self.content[stream]), 100)

    def comments(self, ticket_id: str) -> tuple[list[Comment], list[User]]:
        self.asked.append(f"ticket {ticket_id}")
        self._fail(ticket_id)
        if ticket_id not in self.threads:
            raise NotFoundError(f"ticket {ticket_id} is gone")
        return self.threads[ticket_id], [AGENT]

    def ticket(self, ticket_id: str) -> Ticket:
        raise NotImplementedError

    def me(self) -> User:
        return AGENT

    def write_back(self, ticket: Ticket, update: WriteBack) -> bool:
        raise NotImplementedError

    def read_webhook(self, headers: Mapping[str, str], body: bytes) -> WebhookEvent:
        raise NotImplementedError

    def install_webhook(self, endpoint: str) -> str:
        raise NotImplementedError

    def close(self) -> None:
        pass

    @property
    def singles(self) -> list[str]:
        """Ids of the tickets whose comments were asked for one by one."""
        return [one.removeprefix("ticket ") for one in self.asked if one.startswith("ticket ")]


def account(tickets: int, comments: int = 2) -> MemoryDesk:
    """An account whose bulk way and ticket by ticket give the same."""
    threads = {str(n): [comment(n, k) for k in range(comments)] for n in range(1, tickets + 1)}
    pages: list[list[Record]] = [[one for thread in threads.values() for one in thread]]
    return MemoryDesk({"tickets": [[ticket(n) for n in range(1, tickets + 1)]], "comments": pages}, threads)
