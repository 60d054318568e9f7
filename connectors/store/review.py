"""Suggestions with their outcomes, for reading: lists, counts and figures of the dashboard."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

from connectors.store.part import Part

By = Literal["day", "week", "month", "group", "model"]

_KEYS: dict[By, str] = {
    "day": "date(o.replied_at)",
    # The Monday of its week.
    "week": "date(o.replied_at, 'weekday 0', '-6 days')",
    "month": "date(o.replied_at, 'start of month')",
    "group": "o.group_id",
    "model": "s.model_version",
}
UNANSWERED = "unanswered"
"""Filter for suggestions that have no outcome (yet)."""


@dataclass(frozen=True, slots=True)
class Figures:
    """Outcomes that share a day, a week, a month, a group or a model.

    Attributes:
        effort: Mean edit effort of the drafts that were shown; None where none was.
        withheld_effort: The same of those that were withheld.
        routes, routed_right: Routes that were suggested, and how many of them are the group that the ticket was in when
            its outcome was found.
        reply_s: Mean seconds from a shown suggestion to the reply.
    """

    key: str
    as_is: int
    edited: int
    ignored: int
    withheld: int
    silent: int
    effort: float | None
    withheld_effort: float | None
    routes: int
    routed_right: int
    reply_s: float | None

    @property
    def shown(self) -> int:
        """How many drafts an agent could see."""
        return self.as_is + self.edited + self.ignored

    @property
    def acceptance(self) -> float | None:
        """Share of the drafts shown that were used, as they were or edited."""
        return (self.as_is + self.edited) / self.shown if self.shown else None

    @property
    def coverage(self) -> float | None:
        """Share of the answered turns for which there was a draft good enough to show; withheld ones count as such."""
        whole = self.shown + self.withheld + self.silent
        return (self.shown + self.withheld) / whole if whole else None

    @property
    def routing(self) -> float | None:
        """Share of the suggested routes that are where the ticket went."""
        return self.routed_right / self.routes if self.routes else None


@dataclass(frozen=True, slots=True)
class Listed:
    """A suggestion in a list; `kind` and what follows are its outcome's, None without one.

    Attributes:
        thumb: The last of `thumb_up` and `thumb_down`; None where nobody rated it.
    """

    id: str
    ticket_id: str
    created_at: str
    model_version: str
    state: str
    silence: str
    confidence: float | None
    group_id: str | None
    kind: str | None
    effort: float | None
    agent_id: str | None
    thumb: str | None


_FIGURES = """
    count(case when o.kind = 'as_is' then 1 end) as as_is, count(case when o.kind = 'edited' then 1 end) as edited,
    count(case when o.kind = 'ignored' then 1 end) as ignored,
    count(case when o.kind = 'withheld' then 1 end) as withheld,
    count(case when o.kind = 'silent' then 1 end) as silent,
    avg(case when o.kind in ('as_is', 'edited', 'ignored') then o.effort end) as effort,
    avg(case when o.kind = 'withheld' then o.effort end) as withheld_effort,
    count(json_extract(s.route, '$.group_id')) as routes,
    count(case when json_extract(s.route, '$.group_id') = o.group_id then 1 end) as routed_right,
    avg(case when o.kind in ('as_is', 'edited', 'ignored') then o.reply_s end) as reply_s"""


class Review(Part):
    """Reads suggestions and outcomes together."""

    def figures(self, helpdesk: str, by: By, *, since: str = "") -> list[Figures]:
        """Figures by key, for replies sent at or after `since`: times in order, others by how many there are."""
        order = "key" if by in ("day", "week", "month") else "count(*) desc, key"
        sql = f"""select {_KEYS[by]} as key, {_FIGURES} from outcomes o join suggestions s on s.id = o.suggestion_id
                  where o.helpdesk = ? and o.replied_at >= ? group by key order by {order}"""  # noqa: S608
        return [Figures(**row) for row in self._store.rows(sql, (helpdesk, since))]

    def total(self, helpdesk: str, *, since: str = "") -> Figures:
        """Figures of all replies sent at or after `since`."""
        sql = f"""select '' as key, {_FIGURES} from outcomes o join suggestions s on s.id = o.suggestion_id
                  where o.helpdesk = ? and o.replied_at >= ?"""  # noqa: S608
        return Figures(**next(iter(list(self._store.rows(sql, (helpdesk, since))))))

    def silences(self, helpdesk: str, *, since: str = "") -> dict[str, int]:
        """Suggestions made at or after `since`, by why they are silent, most first; `` for those that are not."""
        sql = """select case when state = 'silent' then coalesce(nullif(silence, ''), 'unknown') else '' end as why,
                     count(*) as n from suggestions where helpdesk = ? and created_at >= ?
                 group by why order by n desc, why"""
        return {row["why"]: row["n"] for row in self._store.rows(sql, (helpdesk, since))}

    def predictions(self, helpdesk: str, *, since: str = "", most: int = 20_000) -> list[tuple[float, float]]:
        """(predicted effort, real effort) of the newest outcomes, 0 to 1; withheld drafts count as well."""
        sql = """select 1 - s.confidence as predicted, o.effort from outcomes o
                 join suggestions s on s.id = o.suggestion_id
                 where o.helpdesk = ? and o.replied_at >= ? and o.effort is not null and s.confidence is not null
                 order by o.replied_at desc limit ?"""
        rows = self._store.rows(sql, (helpdesk, since, most))
        return [(float(row["predicted"]), float(row["effort"])) for row in rows]

    def efforts(self, helpdesk: str, *, since: str = "", most: int = 20_000) -> tuple[list[float], list[float]]:
        """Edit efforts of the newest drafts that were shown, and of those that were withheld."""
        sql = """select kind, effort from outcomes where helpdesk = ? and replied_at >= ? and effort is not null
                 order by replied_at desc limit ?"""
        rows = list(self._store.rows(sql, (helpdesk, since, most)))
        shown = [row["effort"] for row in rows if row["kind"] != "withheld"]
        return shown, [row["effort"] for row in rows if row["kind"] == "withheld"]

    def models(self, helpdesk: str) -> list[str]:
        """Versions that ever suggested something, newest first."""
        sql = "select distinct model_version as version from suggestions where helpdesk = ? order by version desc"
        return [row["version"] for row in self._store.rows(sql, (helpdesk,))]

    def listed(
        self,
        helpdesk: str,
        *,
        group: str = "",
        model: str = "",
        outcome: str = "",
        ticket: str = "",
        page: int = 1,
        size: int = 25,
    ) -> list[Listed]:
        """Suggestions, newest first; a page and one more, which says whether there is another.

        Args:
            outcome: A kind, or `UNANSWERED`. Every filter that is empty lets all through.
        """
        wheres, values = ["s.helpdesk = ?"], [helpdesk]
        for sql, value in (
            ("coalesce(o.group_id, t.group_id) = ?", group),
            ("s.model_version = ?", model),
            ("s.ticket_id = ?", ticket),
            ("o.kind = ?", "" if outcome == UNANSWERED else outcome),
        ):
            if value:
                wheres.append(sql)
                values.append(value)
        if outcome == UNANSWERED:
            wheres.append("o.suggestion_id is null")
        sql = f"""select s.id, s.ticket_id, s.created_at, s.model_version, s.state, s.silence, s.confidence,
                      coalesce(o.group_id, t.group_id) as group_id, o.kind, o.effort, o.agent_id,
                      (select f.action from feedback f where f.suggestion_id = s.id
                       and f.action in ('thumb_up', 'thumb_down') order by f.id desc limit 1) as thumb
                  from suggestions s left join outcomes o on o.suggestion_id = s.id
                  left join tickets t on t.helpdesk = s.helpdesk and t.id = s.ticket_id
                  where {" and ".join(wheres)} order by s.created_at desc, s.id limit ? offset ?"""  # noqa: S608
        rows: Sequence[dict[str, Any]] = list(self._store.rows(sql, (*values, size + 1, (page - 1) * size)))
        return [Listed(**row) for row in rows]
