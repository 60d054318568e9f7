"""What passages are made from, and which of it changed since."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from urllib.parse import urlsplit

from connectors.records import Article
from connectors.store.part import Part


@dataclass(frozen=True, slots=True)
class Due:
    """A source whose passages are out of date: an article, or a ticket's examples, that changed or are gone."""

    seq: int
    kind: str
    source_id: str


@dataclass(frozen=True, slots=True)
class Published:
    """An article that may be read by somebody; `brand` and `audience` are as `Passage` has them."""

    article: Article
    brand: str
    audience: str


class PassageSources(Part):
    """Articles and examples as sources of passages. Triggers note every change of them as due."""

    def version(self) -> int:
        """Changes whenever articles or examples do, in constant time."""
        row = self._store.row("select seq from sqlite_sequence where name = 'passage_due'")
        return int(row["seq"]) if row else 0

    def due(self, helpdesk: str, limit: int) -> list[Due]:
        """Sources that changed since their passages were made, in the order in which they did."""
        sql = "select seq, kind, source_id from passage_due where helpdesk = ? order by seq limit ?"
        return [Due(**row) for row in self._store.rows(sql, (helpdesk, limit))]

    def settle(self, due: Iterable[Due]) -> None:
        """These are done. What changed again since `due` told them has another number, and stays due."""
        self._store.many("delete from passage_due where seq = ?", [(one.seq,) for one in due])

    def settle_until(self, helpdesk: str, version: int) -> None:
        """All is done that was due at this version."""
        self._store.execute("delete from passage_due where helpdesk = ? and seq <= ?", (helpdesk, version))

    def articles(self, helpdesk: str, ids: Sequence[str] | None = None) -> list[Published]:
        """Published articles, all or those of some ids.

        Who may read an article is in Zendesk's `user_segment_id`, null for everybody, and where any of several groups
        may, in `user_segment_ids` (developer.zendesk.com, Help Center API: Articles, User Segments). The brand that it
        belongs to is told by its address only.
        """
        brands = self._brands_by_host(helpdesk)
        sql = f"""select id, title, text, url, locale, updated_at,
                     case when json_valid(raw) then json_extract(raw, '$.user_segment_id') end as segment,
                     case when json_valid(raw) then json_extract(raw, '$.user_segment_ids') end as segments
                  from articles where helpdesk = ? and draft = 0 {_among(ids)} order by id"""  # noqa: S608
        found = []
        for row in self._store.rows(sql, (helpdesk, *(ids or ()))):
            segments = json.loads(row["segments"]) if isinstance(row["segments"], str) else []
            audience = {str(one) for one in (row["segment"], *segments) if one is not None}
            article = Article(row["id"], row["title"], row["text"], row["url"], row["locale"], row["updated_at"])
            found.append(Published(article, brands.get(_host(row["url"]), ""), " ".join(sorted(audience))))
        return found

    def _brands_by_host(self, helpdesk: str) -> dict[str, str]:
        sql = """select id, url, case when json_valid(raw) then json_extract(raw, '$.host_mapping') end as mapped
                 from brands where helpdesk = ?"""
        found: dict[str, str] = {}
        for row in self._store.rows(sql, (helpdesk,)):
            mapped = f"//{row['mapped']}" if isinstance(row["mapped"], str) else ""
            for host in filter(None, {_host(row["url"]), _host(mapped)}):
                # An address that two brands share tells nothing.
                found[host] = row["id"] if host not in found else ""
        return found

    def brands_of_tickets(self, helpdesk: str, ids: Sequence[str] | None = None) -> dict[str, str]:
        """Ticket id -> brand id, of all tickets or of some, as far as they have one."""
        sql = f"select id, brand_id from tickets where helpdesk = ? and brand_id is not null {_among(ids)}"  # noqa: S608
        return {row["id"]: row["brand_id"] for row in self._store.rows(sql, (helpdesk, *(ids or ())))}


def _among(ids: Sequence[str] | None) -> str:
    return "" if ids is None else f"and id in ({','.join('?' * len(ids))})"


def _host(url: str | None) -> str:
    try:
        return urlsplit(url or "").hostname or ""
    except ValueError:
        return ""
