from __future__ import annotations

from collections.abc import Callable
from typing import Any

from flask import Flask
from flask.testing import FlaskClient

Get = Callable[..., Any]
EXPORT = "/api/v2/help_center/incremental/articles.json"


def test_incremental_articles(get: Get) -> None:
    page = get(EXPORT, start_time=0)
    assert set(page) == {"articles", "next_page", "end_time", "count"}
    assert [one["id"] for one in page["articles"]] == [901, 902]
    assert page["next_page"] is None
    article = page["articles"][0]
    assert "<strong>€6.91</strong>" in article["body"]
    assert "<table>" in article["body"]
    assert "<script>" not in article["body"], "raw HTML in the Markdown is escaped"
    assert "<h1>" not in article["body"]
    assert article["html_url"] == "http://localhost/hc/en/articles/901-prices"
    assert (article["locale"], article["label_names"], article["draft"]) == ("en", ["prices"], False)
    wanted = {"section_id", "created_at", "updated_at", "edited_at", "vote_sum", "title"}
    assert wanted <= set(article)


def test_pages_by_time_repeat_their_last_second(get: Get, client: FlaskClient) -> None:
    first = get(EXPORT, start_time=0, per_page=1)
    assert [one["id"] for one in first["articles"]] == [901]
    assert f"start_time={first['end_time']}" in first["next_page"]
    assert [one["id"] for one in client.get(first["next_page"]).json["articles"]] == [901]


def test_a_changed_article_comes_again(get: Get, client: FlaskClient, clock: Any) -> None:
    end = get(EXPORT, start_time=0)["end_time"]
    answer = client.put("/api/v2/help_center/articles/901.json", json={"article": {"body": "<p>Now €7.95</p>"}})
    assert answer.status_code == 200
    assert [one["body"] for one in get(EXPORT, start_time=end + 1)["articles"]] == ["<p>Now €7.95</p>"]
    article = get("/api/v2/help_center/articles/901")["article"]
    assert article["edited_at"] == article["updated_at"] == "2026-06-01T12:00:00Z"
    assert article["title"] == "About prices"
    clock.advance(60)
    path = "/api/v2/help_center/articles/901/translations/en"
    assert client.put(path, json={"translation": {"title": "Prices"}}).json["translation"]["title"] == "Prices"
    assert get("/api/v2/help_center/en/articles/901")["article"]["title"] == "Prices"
    assert "Now €7.95" in client.get("/hc/en/articles/901-prices").text


def test_refusals(client: FlaskClient) -> None:
    assert client.put("/api/v2/help_center/articles/901", json={"article": {"title": " "}}).status_code == 422
    assert client.put("/api/v2/help_center/articles/1", json={"article": {"title": "x"}}).status_code == 404
    assert client.put("/api/v2/help_center/articles/901/translations/nl", json={"translation": {}}).status_code == 404
    assert client.get("/api/v2/help_center/nl/articles/901").status_code == 404
    assert client.get("/api/v2/help_center/articles/1").status_code == 404


def test_lists(get: Get) -> None:
    assert get("/api/v2/help_center/sections.json")["sections"][0]["name"] == "Basics"
    assert get("/api/v2/help_center/en/articles")["count"] == 2
    assert get("/api/v2/help_center/nl/articles")["count"] == 0


def test_public_pages_need_no_login_and_run_no_scripts(app: Flask, client: FlaskClient) -> None:
    bare = app.test_client()
    index = bare.get("/hc/en")
    assert 'href="/hc/en/articles/901-prices"' in index.text
    client.put("/api/v2/help_center/articles/901", json={"article": {"body": "<p>x</p><script>alert(1)</script>"}})
    page = bare.get("/hc/en/articles/901-prices")
    assert page.mimetype == "text/html"
    assert "<h1>About prices</h1><p>x</p>" in page.text
    assert "<script" not in page.text
    assert "default-src 'none'" in page.headers["Content-Security-Policy"]
    for path in ("/hc/en/articles/1-x", "/hc/en/articles/x", "/hc/nl/articles/901"):
        assert bare.get(path).status_code == 404
    client.put("/api/v2/help_center/articles/901", json={"article": {"draft": True}})
    assert bare.get("/hc/en/articles/901-prices").status_code == 404
