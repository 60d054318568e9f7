"""The help centre: articles and sections over the API, and the public pages that customers read."""

from __future__ import annotations

import json
from typing import Any

from flask import Blueprint, Response, jsonify, render_template_string, request
from markupsafe import Markup

from connectors.sandbox.database import Row, iso, one, rows, transaction
from connectors.sandbox.desk_records import article_json, section_json
from connectors.sandbox.listing import Select, page
from connectors.sandbox.markup import clean_html
from connectors.sandbox.refusals import not_found, record_invalid
from connectors.sandbox.state import base_url, database, integer, link, now_s, payload, require_admin

articles_api = Blueprint("articles", __name__, url_prefix="/api/v2/help_center")
pages = Blueprint("help_center", __name__, url_prefix="/hc")

_PAGE = """<!doctype html>
<html lang="{{ locale }}">
<meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>{{ title }} - {{ brand }} help centre</title>
<style>body{font:16px/1.6 system-ui,sans-serif;max-width:42rem;margin:2rem auto;padding:0 1rem;color:#1d2733}
a{color:#0b5cad}h1{line-height:1.2}footer{margin-top:3rem;color:#5c6875;font-size:.9rem}
table{border-collapse:collapse}td,th{border:1px solid #ccd3da;padding:.25rem .6rem}</style>
<nav><a href="/hc/{{ locale }}">{{ brand }} help centre</a></nav>
<main><h1>{{ title }}</h1>{{ body }}</main>
<footer>{{ footer }}</footer>
</html>
"""
_INDEX = """{% for section, articles in sections %}<h2>{{ section.name }}</h2><ul>
{% for one in articles %}<li><a href="/hc/{{ locale }}/articles/{{ one.id }}-{{ one.slug }}">{{ one.title }}</a></li>
{% endfor %}</ul>{% endfor %}"""


@articles_api.get("/incremental/articles")
def export_articles() -> Response:
    """Articles changed since ``start_time``, oldest change first; ``next_page`` is null at the end."""
    size = integer("per_page", 1000, least=1, most=1000) or 1000
    start_s = integer("start_time", 0, least=0) or 0
    select = "select * from articles where updated_s >= ? order by updated_s, id limit ?"
    found = rows(database(), select, [start_s, size])
    end_s = int(found[-1]["updated_s"]) if found else None
    more: list[Row] = []
    if end_s is not None:  # as in the other exports by time: the page goes on to the end of its last second
        more = rows(database(), "select * from articles where updated_s >= ? order by updated_s, id", [end_s])
        known = {row["id"] for row in found}
        found += [row for row in more if row["updated_s"] == end_s and row["id"] not in known]
        more = [row for row in more if row["updated_s"] > end_s]
    following = link(f"{request.path}.json", per_page=size, start_time=end_s) if more else None
    articles = [article_json(row, base_url()) for row in found]
    return jsonify(articles=articles, count=len(articles), end_time=end_s, next_page=following)


@articles_api.get("/articles")
@articles_api.get("/<locale>/articles")
def list_articles(locale: str = "") -> Response:
    """All articles, of one locale where it is named."""
    select = Select("articles", "? in ('', locale)", [locale])
    return jsonify(page("articles", select, lambda part: [article_json(row, base_url()) for row in part]))


@articles_api.get("/articles/<int:article_id>")
@articles_api.get("/<locale>/articles/<int:article_id>")
def show_article(article_id: int, locale: str = "") -> Response:
    """One article."""
    row = _article(article_id)
    if locale not in {"", row["locale"]}:
        raise not_found()
    return jsonify(article=article_json(row, base_url()))


@articles_api.put("/articles/<int:article_id>")
def put_article(article_id: int) -> Response:
    """Change an article's title, body (HTML), labels or draft flag.

    The real API changes title and body through the translation only; here the article takes them as well.
    """
    return jsonify(article=article_json(_change(article_id, payload("article")), base_url()))


@articles_api.put("/articles/<int:article_id>/translations/<locale>")
def put_translation(article_id: int, locale: str) -> Response:
    """Change title or body the way the real API does: ``{"translation": {"title", "body"}}``."""
    if locale != _article(article_id)["locale"]:
        raise not_found()
    row = _change(article_id, payload("translation"))
    translation: dict[str, Any] = {key: row[key] for key in ("title", "body", "locale", "created_at", "updated_at")}
    return jsonify(translation=translation | {"source_id": article_id, "source_type": "Article"})


@articles_api.get("/sections")
@articles_api.get("/<locale>/sections")
def list_sections(locale: str = "") -> Response:
    """The help centre's sections."""
    select = Select("sections", order=("position", "id"))
    return jsonify(page("sections", select, lambda part: [section_json(row, base_url()) for row in part]))


def _article(article_id: int) -> Row:
    row = one(database(), "select * from articles where id = ?", [article_id])
    if row is None:
        raise not_found()
    return row


def _change(article_id: int, wanted: dict[str, Any]) -> Row:
    require_admin()
    with transaction(database()):
        row = _article(article_id)
        change: Row = {key: str(wanted[key]) for key in ("title", "body") if wanted.get(key) is not None}
        if "title" in change and not change["title"].strip():
            raise record_invalid("title", "Title: cannot be blank")
        if change:
            change["edited_at"] = iso(now_s())
        if isinstance(wanted.get("label_names"), list):
            change["label_names"] = json.dumps([str(label) for label in wanted["label_names"]])
        if "draft" in wanted:
            change["draft"] = int(bool(wanted["draft"]))
        change |= {"updated_at": iso(now_s()), "updated_s": int(now_s())}
        database().table("articles").update(article_id, change)
    return row | change


@pages.get("/<locale>/articles/<slug>")
def article_page(locale: str, slug: str) -> Response:
    """The public page of an article, found by the number at the start of its name."""
    number = slug.partition("-")[0]
    row = one(
        database(),
        "select * from articles where id = ? and locale = ? and draft = 0",
        [int(number) if number.isdecimal() else -1, locale],
    )
    if row is None:
        raise not_found()
    # Bodies come from whoever may write articles; on a page of this origin scripts must not run.
    body = Markup(clean_html(row["body"])[0])  # noqa: S704 - reduced to an allow-list of tags
    return _page(locale, row["title"], body, f"Updated {row['updated_at'][:10]}")


@pages.get("/<locale>")
def index_page(locale: str) -> Response:
    """The help centre's front page: all published articles by section."""
    found = rows(database(), "select * from articles where draft = 0 and locale = ? order by id", [locale])
    by_section = [
        (section, [row for row in found if row["section_id"] == section["id"]])
        for section in rows(database(), "select * from sections order by position, id")
    ]
    listing = render_template_string(_INDEX, locale=locale, sections=[one for one in by_section if one[1]])
    return _page(locale, "How can we help?", Markup(listing), f"{len(found)} articles")  # noqa: S704 - escaped above


def _page(locale: str, title: str, body: Markup, footer: str) -> Response:
    brand = (one(database(), "select name from brands limit 1") or {"name": ""})["name"]
    text = render_template_string(_PAGE, locale=locale, title=title, body=body, footer=footer, brand=brand)
    response = Response(text, mimetype="text/html")
    response.headers["Content-Security-Policy"] = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'"
    return response
