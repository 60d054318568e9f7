"""The knowledge base: what is published there, by `POST /api/v1/knowledge_bases/init`, which only reads.

It answers with all records of all tables (https://docs.zammad.org/en/latest/api/knowledgebase.html), and with the texts
of those translations that are asked for (`KnowledgeBasesController#init`). No address says which language a
translation is in, or where it is shown: both are left empty.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from markdownify import markdownify

from connectors import clock, values
from connectors.errors import SkippableError
from connectors.http.client import Http
from connectors.http_helpdesk import read_records
from connectors.records import Article, Page
from connectors.zammad.api import ROOT, Json

PATH = f"{ROOT}/knowledge_bases/init"
# How many texts are asked for at once.
TEXTS_PER_PAGE = 50


def articles(http: Http, now: str) -> Iterator[Page]:
    """What customers may read; a translation is an article of its own.

    Args:
        now: In the store's form: answers may be published, or archived, from a later time on.

    Raises:
        SkippableError: There is no knowledge base, or we may not read it.
    """
    tables = read(http)
    published = {key for key, item in _table(tables, "KnowledgeBaseAnswer") if _is_published(item, now)}
    wanted = [
        item for _, item in _table(tables, "KnowledgeBaseAnswerTranslation") if str(item.get("answer_id")) in published
    ]
    for start in range(0, len(wanted), TEXTS_PER_PAGE):
        some = wanted[start : start + TEXTS_PER_PAGE]
        answer = read(http, [item["content_id"] for item in some])
        texts = dict(_table(answer, "KnowledgeBaseAnswerTranslationContent"))
        found = read_records(lambda item, texts=texts: _article(item, texts), some, "articles")  # type: ignore[misc]
        yield Page(found, "", done=False, listed="articles")
    yield Page((), "", done=True, listed="articles")


def read(http: Http, content_ids: list[int] | None = None) -> Json:
    """The tables, with these texts.

    Raises:
        SkippableError: There is no knowledge base, or we may not read it: then the answer is an empty list.
    """
    body = {"answer_translation_content_ids": content_ids or []}
    tables = http.request("POST", PATH, json=body).json
    if not isinstance(tables, dict) or not tables.get("KnowledgeBase"):
        raise SkippableError("articles: there is no knowledge base for this credential")
    return tables


def _table(tables: Json, name: str) -> list[tuple[str, Json]]:
    rows: Any = tables.get(name)
    return [(str(key), row) for key, row in rows.items() if isinstance(row, dict)] if isinstance(rows, dict) else []


def _is_published(item: Json, now: str) -> bool:
    """As `CanBePublished` has it: archived beats published, and both may lie ahead."""
    published, archived = values.moment(item.get("published_at")), values.moment(item.get("archived_at"))
    return bool(published and published <= now) and not (archived and archived <= now)


def _article(item: Json, texts: dict[str, Json]) -> Article:
    body = values.text(texts.get(str(item["content_id"]), {}).get("body"))
    return Article(
        id=values.key(item),
        title=values.text(item.get("title")),
        text=values.plain(markdownify(body, heading_style="ATX", strip=["img"])),
        url="",
        locale="",
        updated_at=values.moment(item.get("updated_at")) or clock.from_epoch(0),
        raw=item,
    )
