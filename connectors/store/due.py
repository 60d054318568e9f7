"""Which tickets' comments are still to be read, and how far they were read before.

A ticket that is new or changed is due. `comments_through` says up to which of its states (Unix seconds) its comments
are complete; None for a ticket whose comments were never read.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterator

from connectors import clock
from connectors.store.part import Part, batches

DUE, DUE_ALONE = 1, 2
"""Values of `comments_due`, beside 0: any way will do; only reading the ticket's own list shows what changed."""

_BATCH = 2000
# From when on a due ticket's comments are missing here.
_START = "coalesce(comments_through, cast(strftime('%s', created_at) as integer))"


class Due(Part):
    """The list of what to read, kept in the tickets' rows: a run that is killed finds it again."""

    def count(self, helpdesk: str) -> int:
        """How many tickets are due."""
        sql = "select count(*) as n from tickets where helpdesk = ? and comments_due > 0"
        return int(next(self._store.rows(sql, (helpdesk,)))["n"])

    def ids(self, helpdesk: str) -> Iterator[str]:
        """Tickets that are due, newest first: they matter most. Those that stay due come once a pass all the same."""
        sql = """select id, created_at from tickets where helpdesk = ? and comments_due > 0
                 and (created_at, id) < (?, ?) order by created_at desc, id desc limit ?"""
        last = ("~", "")
        while rows := list(self._store.rows(sql, (helpdesk, *last, _BATCH))):
            yield from (row["id"] for row in rows)
            last = (rows[-1]["created_at"], rows[-1]["id"])

    def starts(self, helpdesk: str) -> array[int]:
        """For each ticket that any way will do for: since when its comments are missing, Unix seconds, ascending."""
        sql = f"select {_START} as start from tickets where helpdesk = ? and comments_due = ? order by start"  # noqa: S608
        return array("q", (row["start"] for row in self._store.rows(sql, (helpdesk, DUE))))

    def changed_since(self, helpdesk: str, moment: int) -> int:
        """How many tickets changed at or after a moment (Unix seconds): what a bulk way from there would bring."""
        sql = "select count(*) as n from tickets where helpdesk = ? and updated_at >= ?"
        return int(next(self._store.rows(sql, (helpdesk, clock.from_epoch(moment))))["n"])

    def settle(self, helpdesk: str, since: int, *, counted: bool = True) -> int:
        """After the comments of all tickets since a moment were read: what was missing only since then is complete.

        Args:
            since: Unix seconds from which on the bulk way was read to its end.
            counted: Leave those due whose number of comments is not what the helpdesk says.

        Returns:
            How many tickets are no longer due.
        """
        compare = "and (comment_count is null or comment_count = {n})" if counted else ""
        number = "(select count(*) from comments c where c.helpdesk = tickets.helpdesk and c.ticket_id = tickets.id)"
        sql = f"""update tickets set comments_due = 0, comments_through = generated_at
                  where helpdesk = ? and id = ? and comments_due = ? and deleted = 0 and {_START} >= ?
                  and {number} > 0 {compare.format(n=number)}"""  # noqa: S608
        settled = 0
        # Batch by batch, so that a webhook never waits long for its turn to write.
        for batch in batches(self.ids(helpdesk), _BATCH):
            settled += self._store.many(sql, [(helpdesk, ticket_id, DUE, since) for ticket_id in batch])
        return settled

    def is_due(self, helpdesk: str, ticket_id: str) -> bool:
        """Whether the comments of a ticket are still missing or out of date."""
        sql = "select 1 as one from tickets where helpdesk = ? and id = ? and comments_due > 0"
        return self._store.row(sql, (helpdesk, ticket_id)) is not None

    def stored(self, helpdesk: str, ticket_id: str) -> int:
        """How many comments of a ticket are here."""
        sql = "select count(*) as n from comments where helpdesk = ? and ticket_id = ?"
        return int(next(self._store.rows(sql, (helpdesk, ticket_id)))["n"])

    def drop(self, helpdesk: str, ticket_id: str) -> None:
        """The helpdesk no longer has this ticket: nothing more to read for it."""
        self._store.execute("update tickets set comments_due = 0 where helpdesk = ? and id = ?", (helpdesk, ticket_id))

    def everything(self, helpdesk: str) -> None:
        """All comments are to be read again (`deskhand sync --full`); those stored stay until then."""
        sql = """update tickets set comments_due = ?, comments_through = null
                 where helpdesk = ? and deleted = 0"""
        self._store.execute(sql, (DUE, helpdesk))

    def waiting_customers(self, helpdesk: str, since: int) -> list[tuple[str, int]]:
        """Open tickets that changed at or after `since` (Unix seconds) and that a customer waits on, as far as we know.

        Returns:
            (id, generated_at), oldest change first. Not those whose newest public comment here is the team's.
        """
        newest = """select u.role from comments c left join users u on u.helpdesk = c.helpdesk and u.id = c.author_id
                    where c.helpdesk = t.helpdesk and c.ticket_id = t.id and c.public = 1
                    order by c.created_at desc, length(c.id) desc, c.id desc limit 1"""
        sql = f"""select id, generated_at from tickets t where helpdesk = ? and updated_at >= ? and deleted = 0
                  and status not in ('solved', 'closed', 'deleted')
                  and (comments_due > 0 or coalesce(({newest}), 'requester') != 'agent') order by updated_at, id"""  # noqa: S608
        rows = self._store.rows(sql, (helpdesk, clock.from_epoch(since)))
        return [(row["id"], row["generated_at"]) for row in rows]
