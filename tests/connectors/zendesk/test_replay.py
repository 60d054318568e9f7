"""The replay of recorded HTTP interactions: every form is read, every request finds its answer."""

from __future__ import annotations

import base64
import gzip
import json
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import requests
import yaml

from ...cassettes import NoRecordingError, read
from ...replay import NOT_FOUND, Replay

HOST = "https://acme.zendesk.com"
TICKETS = "/api/v2/incremental/tickets/cursor.json"
BODY = {"groups": [{"id": 1, "name": "Zürich 📦", "url": f"{HOST}/api/v2/groups/1.json"}], "next_page": None}
TEXT = json.dumps(BODY, ensure_ascii=False)
GZIPPED = gzip.compress(TEXT.encode())
URL = f"{HOST}/api/v2/groups.json"


def _vcrpy(body: Any, **headers: str) -> dict[str, Any]:
    answer = {"status": {"code": 200, "message": "OK"}, "headers": {k: [v] for k, v in headers.items()}, "body": body}
    return {"interactions": [{"request": {"method": "GET", "uri": URL}, "response": answer}], "version": 1}


def _betamax(body: Any, headers: dict[str, Any], uri: str = URL) -> dict[str, Any]:
    answer = {"body": body, "headers": headers, "status": {"code": 200, "message": "OK"}, "url": uri}
    request = {"body": {"encoding": "utf-8", "string": ""}, "headers": {}, "method": "GET", "uri": uri}
    return {"http_interactions": [{"request": request, "response": answer}], "recorded_with": "betamax/0.8.0"}


RUBY_1 = f"""---
- !ruby/struct:VCR::HTTPInteraction
  request: !ruby/struct:VCR::Request
    method: :get
    uri: https://agent%40acme.example:123456@acme.zendesk.com:443/api/v2/groups.json
    body: !!null
    headers: !!null
  response: !ruby/struct:VCR::Response
    status: !ruby/struct:VCR::ResponseStatus
      code: 200
      message: OK
    headers:
      content-length:
      - "7"
    body: {json.dumps(TEXT, ensure_ascii=False)}
    http_version: "1.1"
"""
RUBY = f"""---
http_interactions:
- request:
    method: get
    uri: {URL}
    body:
      encoding: US-ASCII
      string: ''
  response:
    status: {{code: 200, message: OK}}
    headers:
      Content-Encoding: [gzip]
      Set-Cookie: []
    body:
      encoding: ASCII-8BIT
      string: !binary |-
        {base64.b64encode(GZIPPED).decode()}
    http_version:
  recorded_at: Tue, 24 Apr 2012 01:04:49 GMT
recorded_with: VCR 2.1.0
"""
PYTHON_2 = f"""interactions:
- request:
    body: null
    headers: {{}}
    method: !!python/unicode 'GET'
    uri: {URL}
  response:
    body: {{string: !!python/unicode {json.dumps(TEXT, ensure_ascii=False)}}}
    headers: {{date: [2017-04-19]}}
    status: {{code: 200, message: OK}}
version: 1
"""
GO = {"version": 2, "interactions": [{
    "request": {"method": "GET", "url": URL, "form": {}, "body": ""},
    "response": {"status": "200 OK", "code": 200, "body": TEXT, "headers": {"Content-Type": ["application/json"]}},
}]}  # fmt: skip
PHP = [{
    "request": {"method": "GET", "url": URL, "headers": {"Host": "acme.zendesk.com"}},
    "response": {"status": {"http_version": "1.1", "code": "200", "message": "OK"}, "headers": {}, "body": TEXT},
}]  # fmt: skip
HAR = {"log": {"version": "1.2", "entries": [{
    "request": {"method": "GET", "url": URL, "headers": []},
    "response": {
        "status": 200, "statusText": "OK", "headers": [{"name": "Content-Type", "value": "application/json"}],
        "content": {"size": 9, "mimeType": "application/json", "text": base64.b64encode(TEXT.encode()).decode(),
                    "encoding": "base64"},
    },
}]}}  # fmt: skip
RAW_DEFLATE = zlib.compressobj(wbits=-zlib.MAX_WBITS)
RAW_DEFLATED = RAW_DEFLATE.compress(TEXT.encode()) + RAW_DEFLATE.flush()

FORMS: dict[str, tuple[str, str | bytes]] = {
    "VCR.py": ("a.yaml", yaml.safe_dump(_vcrpy({"string": TEXT}), allow_unicode=True)),
    "VCR.py gzip": ("a.yml", yaml.safe_dump(_vcrpy({"string": GZIPPED}, **{"Content-Encoding": "gzip"}))),
    "VCR.py deflate": (
        "a.yaml",
        yaml.safe_dump(_vcrpy({"string": zlib.compress(TEXT.encode())}, **{"content-encoding": "deflate"})),
    ),
    "VCR.py raw deflate": (
        "a.yaml",
        yaml.safe_dump(_vcrpy({"string": RAW_DEFLATED}, **{"Content-Encoding": "deflate"})),
    ),
    "VCR.py decoded": (
        "a.json",
        json.dumps(_vcrpy({"string": TEXT}, **{"Content-Encoding": "gzip", "Content-Length": "7"})),
    ),
    "VCR.py JSON, base64": ("a.json", json.dumps(_vcrpy({"base64_string": base64.b64encode(GZIPPED).decode()}))),
    "VCR.py bytes as characters": ("a.json", json.dumps(_vcrpy({"string": GZIPPED.decode("latin-1")}))),
    "VCR.py parsed": ("a.json", json.dumps(_vcrpy(BODY))),
    "VCR.py of Python 2": ("a.yaml", PYTHON_2),
    "VCR.py in a file that is gzipped": ("a.yaml.gz", gzip.compress(yaml.safe_dump(_vcrpy({"string": TEXT})).encode())),
    "betamax": (
        "a.json",
        json.dumps(
            _betamax(
                {"base64_string": base64.b64encode(GZIPPED).decode(), "encoding": "UTF-8", "string": ""},
                {"Content-Encoding": "gzip", "Transfer-Encoding": "chunked", "X-Rate-Limit": "400"},
            )
        ),
    ),
    "betamax text": ("a.json", json.dumps(_betamax({"encoding": "utf-8", "string": TEXT}, {"Set-Cookie": []}))),
    "Ruby": ("a.yml", RUBY),
    "Ruby, VCR 1": ("a.yml", RUBY_1),
    "Go": ("a.yaml", yaml.safe_dump(GO)),
    "PHP": ("a.json", json.dumps(PHP)),
    "HAR": ("a.har", json.dumps(HAR)),
    "with a byte order mark": ("a.json", b"\xef\xbb\xbf" + json.dumps(_vcrpy({"string": TEXT})).encode()),
}  # fmt: skip


@pytest.mark.parametrize("form", FORMS)
def test_every_form_is_read(form: str, tmp_path: Path, replay: Callable[[Path], Replay]) -> None:
    name, content = FORMS[form]
    (tmp_path / name).write_bytes(content if isinstance(content, bytes) else content.encode())
    (tmp_path / "README.md").write_text("not a recording")
    (tmp_path / "other.json").write_text('{"interactions": 7}')
    (tmp_path / "broken.yaml").write_text("a: [")
    server = replay(tmp_path)
    answer = requests.get(f"{server.url}/api/v2/groups.json", timeout=5)
    assert answer.status_code == 200
    assert "Content-Encoding" not in answer.headers
    assert answer.json() == json.loads(TEXT.replace(HOST, server.url))
    assert server.missed == []


def test_a_folder_without_recordings_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text("{}")
    (tmp_path / "b.yaml").write_text("a: [")
    for path in (tmp_path, tmp_path / "a.json", tmp_path / "b.yaml"):
        with pytest.raises(NoRecordingError):
            read(path)


@pytest.fixture
def replay() -> Iterator[Callable[[Path], Replay]]:
    """Opens replays that are closed at the end."""
    servers: list[Replay] = []

    def replay(path: Path) -> Replay:
        servers.append(Replay(path))
        return servers[-1]

    yield replay
    for server in servers:
        server.close()


Ask = Callable[..., requests.Response]


@pytest.fixture
def tape(tmp_path: Path, replay: Callable[[Path], Replay]) -> Callable[..., Replay]:
    """Replays answers, given as (address, content) with more parts of the answer where needed."""

    def tape(*recorded: tuple[Any, ...], host: str = HOST) -> Replay:
        items = []
        for address, content, *rest in recorded:
            method, _, path = address.rpartition(" ")
            more = rest[0] if rest else {}
            text = content if isinstance(content, str) else json.dumps(content)
            status = {"code": more.get("status", 200), "message": ""}
            answer = {"status": status, "headers": more.get("headers", {}), "body": {"string": text}}
            items.append({"request": {"method": method or "GET", "uri": host + path}, "response": answer})
        (tmp_path / "tape.json").write_text(json.dumps({"interactions": items}))
        return replay(tmp_path)

    return tape


def _ask(server: Replay, path: str, method: str = "GET") -> Any:
    answer = requests.request(method, server.url + path, timeout=5, allow_redirects=False)
    return answer.json() if answer.status_code != 404 else None


@pytest.mark.parametrize(
    "path",
    [
        "/api/v2/groups.json?page%5Bsize%5D=100&include=users",
        "/api/v2/groups?page[size]=100&include=users",
        "/api/v2//groups.json/?page[size]=100&include=users",
        "/api/v2/groups.json?page[size]=50",
        "/api/v2/groups.json?page=1&per_page=1000",
        "/api/v2/groups.json&include=users",
        "/api/v2/groups.json",
    ],
)
def test_unimportant_differences_of_requests_are_none(path: str, tape: Callable[..., Replay]) -> None:
    server = tape(("/api/v2/groups.json?include=users&page%5Bsize%5D=100", {"n": 1}))
    assert _ask(server, path) == {"n": 1}
    assert server.missed == []


def test_the_most_alike_is_taken_and_the_first_of_equals(tape: Callable[..., Replay]) -> None:
    path = "/api/v2/groups.json"
    server = tape((f"{path}?a=1", 1), (f"{path}?a=1&b=2", 2), (f"{path}?b=2&c=3", 3), (path, 4), (f"{path}?b=2&a=1", 5))
    assert _ask(server, path) == 4, "exactly the one asked for"
    assert [_ask(server, f"{path}?a=1&b=2") for _ in range(2)] == [2, 5], "the same in another order"
    assert _ask(server, f"{path}?b=2&c=3&d=4") == 3
    assert _ask(server, f"{path}?a=1&d=4") == 1
    assert _ask(server, f"{path}?z=1") == 1
    assert _ask(server, path, "POST") is None


def test_the_same_request_is_answered_in_the_recorded_order(tape: Callable[..., Replay]) -> None:
    path = "/api/v2/tickets/1"
    server = tape((path, 1), (f"PUT {path}.json", 9), (f"{path}.json", 2))
    assert [_ask(server, path) for _ in range(4)] == [1, 2, 2, 2]
    assert _ask(server, path, "PUT") == 9
    assert server.tape.unused() == []


@pytest.mark.parametrize("query", ["page=2", "page[after]=x", "cursor=x", "page[after]=y&page[size]=1"])
def test_a_page_that_was_not_recorded_is_not_there(query: str, tape: Callable[..., Replay]) -> None:
    # Another page in its place would be the same rows for ever.
    server = tape(("/api/v2/groups.json?page[size]=1", {"meta": {"has_more": True}}))
    answer = requests.get(f"{server.url}/api/v2/groups.json?{query}", timeout=5)
    assert (answer.status_code, answer.content) == (404, NOT_FOUND)
    assert server.missed == [f"GET /api/v2/groups.json?{query}"]


def test_pages_are_found_whatever_the_page_size(tape: Callable[..., Replay]) -> None:
    path = "/api/v2/groups.json"
    server = tape((f"{path}?page[size]=2", 1), (f"{path}?page[size]=2&page[after]=x", 2), (f"{path}?page=3", 3))
    assert _ask(server, f"{path}?page[after]=x&page[size]=100") == 2
    assert _ask(server, f"{path}?page=3&per_page=9") == 3


def test_a_recording_that_starts_in_the_middle_is_replayed_from_there(tape: Callable[..., Replay]) -> None:
    server = tape((f"{TICKETS}?cursor=m", {"after_cursor": "n"}), (f"{TICKETS}?cursor=n", {"end_of_stream": True}))
    assert _ask(server, f"{TICKETS}?start_time=0") == {"after_cursor": "n"}


def test_after_the_end_comes_the_end_again(tape: Callable[..., Replay]) -> None:
    last = {"after_cursor": "z", "end_of_stream": True}
    cut = {"after_cursor": "b", "end_of_stream": False}
    server = tape((f"{TICKETS}?start_time=1", last), ("/api/v2/incremental/users/cursor?start_time=1", cut))
    assert _ask(server, f"{TICKETS}?cursor=z&per_page=7") == last
    assert _ask(server, f"{TICKETS}?cursor=y") is None
    assert _ask(server, "/api/v2/incremental/users/cursor?cursor=b") is None


EVENTS = "/api/v2/incremental/ticket_events.json"


def _events(start: int, end: int, *, ends: bool) -> dict[str, Any]:
    return {"end_time": end, "end_of_stream": ends, "next_page": f"{HOST}{EVENTS}?start_time={end}", "start": start}


def test_exports_by_time(tape: Callable[..., Replay]) -> None:
    server = tape(
        (f"{EVENTS}?start_time=100", _events(100, 200, ends=False)),
        (f"{EVENTS}?start_time=230", _events(230, 300, ends=True)),
    )
    starts = [0, 100, 150, 200, 230, 300, 999]
    found = [_ask(server, f"{EVENTS}?start_time={start}&include=comment_events")["start"] for start in starts]
    # 200 is where the first page leads to: what comes after it is the second one. 999 is somebody's own start.
    assert found == [100, 100, 100, 230, 230, 230, 100]


def test_an_export_by_time_that_was_cut_off_ends_there(tape: Callable[..., Replay]) -> None:
    server = tape((f"{EVENTS}?start_time=100", _events(100, 200, ends=False)))
    assert _ask(server, f"{EVENTS}?start_time=200") is None


def test_the_help_center_with_and_without_a_language(tape: Callable[..., Replay]) -> None:
    server = tape(("/api/v2/help_center/en-us/articles.json", 1), ("/api/v2/help_center/incremental/articles.json", 2))
    assert _ask(server, "/api/v2/help_center/articles.json?page[size]=100") == 1
    assert _ask(server, "/api/v2/help_center/incremental/articles.json?start_time=0") == 2


@pytest.mark.parametrize(
    ("recorded", "replayed"),
    [
        (f"{HOST}/api/v2/a.json?page=2", "{url}/api/v2/a.json?page=2"),
        ("http://ACME.zendesk.com/a", "{url}/a"),
        (f"{HOST}:443/a", "{url}/a"),
        (HOST, "{url}"),
        (f"see {HOST}.", "see {url}."),
        (f"{HOST}.evil.example/a", f"{HOST}.evil.example/a"),
        (f"{HOST}:8443/a", f"{HOST}:8443/a"),
        ("https://other.zendesk.com/a", "https://other.zendesk.com/a"),
        ("https://cdn.acme.zendesk.com/a", "https://cdn.acme.zendesk.com/a"),
        ("help@acme.zendesk.com", "help@acme.zendesk.com"),
    ],
)
def test_only_the_accounts_addresses_become_ours(recorded: str, replayed: str, tape: Callable[..., Replay]) -> None:
    server = tape(("/api/v2/groups.json", {"at": recorded}, {"headers": {"X-At": [recorded]}}), ("/elsewhere", 1))
    answer = requests.get(f"{server.url}/api/v2/groups.json", timeout=5)
    wanted = replayed.format(url=server.url)
    assert (answer.json()["at"], answer.headers["X-At"]) == (wanted, wanted)


def test_escaped_slashes_and_redirects(tape: Callable[..., Replay]) -> None:
    escaped = json.dumps({"url": f"{HOST}/api/v2/a"}).replace("/", "\\/")
    moved = {"status": 302, "headers": {"Location": [f"{HOST}/api/v2/b?x=1"]}}
    server = tape(("/api/v2/a", escaped), ("/api/v2/c", {}, moved))
    assert _ask(server, "/api/v2/a") == {"url": f"{server.url}/api/v2/a"}
    answer = requests.get(f"{server.url}/api/v2/c", timeout=5, allow_redirects=False)
    assert (answer.status_code, answer.headers["Location"]) == (302, f"{server.url}/api/v2/b?x=1")


def test_a_name_replaced_in_the_requests_only(tape: Callable[..., Replay]) -> None:
    page = {"next_page": f"{HOST}/api/v2/groups.json?page=2", "logo": "https://acme.zdusercontent.com/x"}
    other = {"next_page": "https://acme.zendesk.org/api/v2/users.json?page=2"}
    server = tape(("/api/v2/groups.json", page), ("/api/v2/brands", other), host="https://subdomain.zendesk.com")
    assert _ask(server, "/api/v2/groups") == page | {"next_page": f"{server.url}/api/v2/groups.json?page=2"}
    assert _ask(server, "/api/v2/brands") == other, "not the next page of what was asked for"


def test_answers_about_the_credential_the_clock_and_the_pace_do_not_count(tape: Callable[..., Replay]) -> None:
    pace = {"X-Rate-Limit-Remaining": ["1"], "ratelimit-reset": ["51"], "zendesk-ratelimit-exports": ["total=30"]}
    server = tape(
        ("/api/v2/groups", {"error": "Couldn't authenticate you"}, {"status": 401}),
        ("/api/v2/groups?a=1", "", {"status": 304}),
        ("/api/v2/groups", {"n": 1}, {"headers": pace | {"Date": ["Wed, 19 Apr 2017 11:14:26 GMT"]}}),
        ("/api/v2/users", {}, {"status": 429, "headers": {"Retry-After": ["93"]}}),
        ("/api/v2/macros", {}, {"status": 401}),
    )
    answer = requests.get(f"{server.url}/api/v2/groups", timeout=5)
    assert (answer.status_code, answer.json()) == (200, {"n": 1})
    assert not [name for name in answer.headers if "limit" in name.lower()]
    assert "2017" not in answer.headers["Date"]
    assert requests.get(f"{server.url}/api/v2/users", timeout=5).headers["Retry-After"] == "0"
    assert requests.get(f"{server.url}/api/v2/macros", timeout=5).status_code == 401, "nothing else was recorded"


def test_several_files_are_one_account(tmp_path: Path, replay: Callable[[Path], Replay]) -> None:
    (tmp_path / "deeper").mkdir()
    for name, uri in (("a.json", URL), ("deeper/b.json", f"{HOST}/api/v2/users.json")):
        (tmp_path / name).write_text(json.dumps(_betamax({"encoding": "utf-8", "string": f'"{name}"'}, {}, uri)))
    (tmp_path / "c.yaml").write_text(yaml.safe_dump(_vcrpy({"string": '"c.yaml"'})))
    server = replay(tmp_path)
    assert [_ask(server, "/api/v2/groups") for _ in range(2)] == ["a.json", "c.yaml"], "in the order of their names"
    assert _ask(server, "/api/v2/users") == "deeper/b.json"
    assert len(server.answered) == 3
