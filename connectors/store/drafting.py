"""Drafts on their way: what is written so far, and what agents told for a customer turn."""

from __future__ import annotations

from connectors import clock
from connectors.store.part import Part

_ALIVE = "not exists (select 1 from tickets where helpdesk = ? and id = ? and deleted = 1)"


class Drafting(Part):
    """One unfinished draft a ticket; facts by turn. Both go when the ticket's text goes."""

    def write(self, helpdesk: str, ticket_id: str, turn_id: str, text: str) -> None:
        """Keeps what is written so far; nothing where the ticket was deleted meanwhile."""
        sql = f"""insert into drafting (helpdesk, ticket_id, turn_id, text) select ?, ?, ?, ? where {_ALIVE}
                  on conflict (helpdesk, ticket_id) do update
                  set turn_id = excluded.turn_id, text = excluded.text"""  # noqa: S608
        self._store.execute(sql, (helpdesk, ticket_id, turn_id, text, helpdesk, ticket_id))

    def text(self, helpdesk: str, ticket_id: str) -> str:
        """What is written so far; empty where nothing is."""
        sql = "select text from drafting where helpdesk = ? and ticket_id = ?"
        row = self._store.row(sql, (helpdesk, ticket_id))
        return str(row["text"]) if row else ""

    def clear(self, helpdesk: str, ticket_id: str) -> None:
        """The draft is finished, or given up."""
        self._store.execute("delete from drafting where helpdesk = ? and ticket_id = ?", (helpdesk, ticket_id))

    def tell(self, helpdesk: str, ticket_id: str, turn_id: str, fact: str) -> None:
        """Keeps a fact that an agent told for a turn's draft, once; nothing where the ticket was deleted meanwhile."""
        sql = f"""insert into told_facts (helpdesk, ticket_id, turn_id, fact, told_at) select ?, ?, ?, ?, ?
                  where {_ALIVE} and not exists (select 1 from told_facts
                      where helpdesk = ? and ticket_id = ? and turn_id = ? and fact = ?)"""  # noqa: S608
        key = (helpdesk, ticket_id, turn_id, fact)
        self._store.execute(sql, (*key, clock.now(), helpdesk, ticket_id, *key))

    def facts(self, helpdesk: str, ticket_id: str, turn_id: str) -> list[str]:
        """What agents told for a turn's draft, oldest first."""
        sql = "select fact from told_facts where helpdesk = ? and ticket_id = ? and turn_id = ? order by id"
        return [row["fact"] for row in self._store.rows(sql, (helpdesk, ticket_id, turn_id))]

    def forget(self, helpdesk: str, ticket_id: str) -> None:
        """Both are deleted, as the ticket's text is."""
        for table in ("drafting", "told_facts"):
            self._store.execute(
                f"delete from {table} where helpdesk = ? and ticket_id = ?",  # noqa: S608
                (helpdesk, ticket_id),
            )
