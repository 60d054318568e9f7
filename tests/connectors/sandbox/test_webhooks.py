from __future__ import annotations

import json
import queue
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest
import requests
from flask.testing import FlaskClient

from connectors.sandbox.server import Sandbox
from connectors.sandbox.webhooks import sign

SECRET = "HRkRd4BeOAoUkfZr-mhauJT64rvBASlJRoIyPsd3zeA="
BODY = '{\n  "ticket_id": "{{ticket.id}}",\n  "comment_id": "{{ticket.latest_comment.id}}"\n}\n'
CUSTOMER_WROTE = [
    {"field": "role", "operator": "is", "value": "end_user"},
    {"field": "comment_is_public", "operator": "is", "value": "true"},
    {"field": "status", "operator": "less_than", "value": "solved"},
]


def test_the_documented_signature() -> None:
    signature = sign(SECRET, "2021-07-25T10:00:00Z", b'{"say": "hello"}')
    assert signature == "Rry/4TtIdFyawtXXp8QdI6tlAUUQ/5kL1OTp5qo/ZIk="


def make_trigger(
    client: Any, conditions: list[dict[str, Any]], body: str = BODY, endpoint: str = "http://127.0.0.1:9/"
) -> Any:
    hook = client.post("/api/v2/webhooks", json={"webhook": {"name": "hook", "endpoint": endpoint}}).json["webhook"]
    trigger = {
        "title": "notify",
        "conditions": {"all": conditions},
        "actions": [{"field": "notification_webhook", "value": [hook["id"], body]}],
    }
    answer = client.post("/api/v2/triggers.json", json={"trigger": trigger})
    assert answer.status_code == 201, answer.text
    return hook, answer.json["trigger"]


def deliveries(client: FlaskClient) -> list[dict[str, Any]]:
    return list(client.get("/sandbox/deliveries").json["deliveries"])


def test_webhooks_and_triggers_are_made_listed_and_deleted(client: FlaskClient) -> None:
    hook, trigger = make_trigger(client, CUSTOMER_WROTE)
    assert hook["status"] == "active"
    assert "secret" not in hook
    assert client.get("/api/v2/webhooks").json["webhooks"] == [hook]
    assert client.get(f"/api/v2/webhooks/{hook['id']}").json["webhook"] == hook
    secret = client.get(f"/api/v2/webhooks/{hook['id']}/signing_secret").json["signing_secret"]
    assert (secret["algorithm"], len(secret["secret"])) == ("SHA256", 44)
    assert client.get("/api/v2/triggers").json["triggers"] == [trigger]
    assert client.get(f"/api/v2/triggers/{trigger['id']}").json["trigger"]["conditions"]["all"] == CUSTOMER_WROTE
    assert client.delete(f"/api/v2/triggers/{trigger['id']}").status_code == 204
    assert client.delete(f"/api/v2/webhooks/{hook['id']}").status_code == 204
    assert client.get(f"/api/v2/webhooks/{hook['id']}/signing_secret").status_code == 404


def test_bad_webhooks_and_triggers(client: FlaskClient) -> None:
    for endpoint in ("ftp://x", "http://", ""):
        assert client.post("/api/v2/webhooks", json={"webhook": {"endpoint": endpoint}}).status_code == 422
    hook, _ = make_trigger(client, [])
    good = {"title": "t", "actions": [{"field": "notification_webhook", "value": [hook["id"], "{}"]}]}
    for change in (
        {"title": ""},
        {"actions": []},
        {"actions": [{"field": "status", "value": "solved"}]},
        {"actions": [{"field": "notification_webhook", "value": ["none", "{}"]}]},
        {"conditions": {"all": [{"field": "weather", "operator": "is", "value": "bad"}]}},
        {"conditions": {"all": [{"field": "status", "operator": "smells", "value": "bad"}]}},
    ):
        assert client.post("/api/v2/triggers", json={"trigger": good | change}).status_code == 422, change


def test_only_customers_words_fire_the_trigger(client: FlaskClient) -> None:
    make_trigger(client, CUSTOMER_WROTE)
    number = client.post("/sandbox/open_next").json["ticket_id"]
    note = {"comment": {"body": "draft", "public": False}}
    client.put(f"/api/v2/tickets/{number}", json={"ticket": note})  # our own note must not come back to us
    client.put(f"/api/v2/tickets/{number}", json={"ticket": {"priority": "high"}})
    client.post(f"/sandbox/tickets/{number}/customer_reply", json={"body": "hello?"})
    client.post(f"/sandbox/tickets/{number}/solve_as_team")
    found = deliveries(client)
    assert [one["ticket_id"] for one in found] == [number, number]
    last = client.get(f"/api/v2/tickets/{number}/comments").json["comments"][2]
    assert found[1]["body"] == f'{{\n  "ticket_id": "{number}",\n  "comment_id": "{last["id"]}"\n}}\n'
    assert len({one["invocation_id"] for one in found}) == 2
    assert {one["status"] for one in found} == {"pending"}, "nobody sends in this test"


@pytest.mark.parametrize(
    ("condition", "fires"),
    [
        ({"field": "update_type", "operator": "is", "value": "Create"}, [True, False]),
        ({"field": "update_type", "operator": "is_not", "value": "Create"}, [False, True]),
        ({"field": "role", "operator": "is", "value": "agent"}, [False, True]),
        ({"field": "current_user", "operator": "is_not", "value": 5099}, [True, False]),
        ({"field": "comment_is_public", "operator": "is", "value": "false"}, [False, True]),
        ({"field": "comment_is_public", "operator": "is", "value": "not_relevant"}, [True, True]),
        ({"field": "status", "operator": "is", "value": "new"}, [True, False]),
        ({"field": "status", "operator": "greater_than", "value": "open"}, [False, True]),
        ({"field": "status", "operator": "changed"}, [False, True]),
        ({"field": "group_id", "operator": "is", "value": ""}, [True, False]),
        ({"field": "group_id", "operator": "is", "value": "2104"}, [False, True]),
        ({"field": "current_tags", "operator": "includes", "value": "deskhand x"}, [False, True]),
        ({"field": "current_tags", "operator": "not_includes", "value": "deskhand"}, [True, False]),
        ({"field": "subject_includes_word", "operator": "includes", "value": "question"}, [True, True]),
        ({"field": "via_id", "operator": "is", "value": "email"}, [True, True]),
    ],
)
def test_conditions(client: FlaskClient, condition: dict[str, Any], fires: list[bool]) -> None:
    make_trigger(client, [condition])
    number = client.post("/sandbox/open_next").json["ticket_id"]
    after_create = len(deliveries(client))
    change = {"comment": {"body": "x", "public": False}, "status": "pending", "group_id": 2104, "tags": ["deskhand"]}
    client.put(f"/api/v2/tickets/{number}", json={"ticket": change})
    assert [after_create == 1, len(deliveries(client)) - after_create == 1] == fires


def test_placeholders(client: FlaskClient) -> None:
    names = ("id", "url", "link", "updated_at_with_timestamp", "latest_comment.id", "status", "nonsense")
    make_trigger(client, [], body=json.dumps({name: f"{{{{ticket.{name}}}}}" for name in names}))
    number = client.post("/sandbox/open_next").json["ticket_id"]
    filled = json.loads(deliveries(client)[0]["body"])
    assert filled.pop("latest_comment.id").isdigit()
    assert filled == {
        "id": str(number),
        "url": f"localhost/agent/tickets/{number}",
        "link": f"http://localhost/agent/tickets/{number}",
        "updated_at_with_timestamp": "2026-06-01T12:00:00Z",
        "status": "New",
        "nonsense": "",
    }


def test_a_refused_update_fires_nothing(client: FlaskClient) -> None:
    make_trigger(client, [])
    client.put("/api/v2/tickets/1", json={"ticket": {"comment": {"body": "x"}, "group_id": 1}})
    client.put("/api/v2/tickets/2", json={"ticket": {"comment": {"body": "x"}}})
    assert deliveries(client) == []


class Receiver:
    """A server that takes notes and answers what it is told to."""

    def __init__(self) -> None:
        self.got: queue.Queue[tuple[dict[str, str], bytes]] = queue.Queue()
        self.answers: list[int] = []
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                self.send_response(outer.answers.pop(0) if outer.answers else 200)
                self.send_header("Content-Length", "0")
                self.end_headers()
                outer.got.put(({key.lower(): value for key, value in self.headers.items()}, body))

            def log_message(self, *_: Any) -> None:
                pass

        self.server = HTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}/hook"
        self.thread = threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.02})
        self.thread.start()

    def close(self) -> None:
        self.server.shutdown()
        self.thread.join()
        self.server.server_close()


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    receiver = Receiver()
    yield receiver
    receiver.close()


@pytest.fixture
def sandbox(database: Path, clock: Any) -> Iterator[Sandbox]:
    with Sandbox(database, SANDBOX_CLOCK=clock, SANDBOX_WEBHOOK_BACKOFF_S=0.01) as sandbox:
        yield sandbox


def settled(sandbox: Sandbox) -> dict[str, Any]:
    until = time.monotonic() + 5
    while time.monotonic() < until:
        found = requests.get(f"{sandbox.url}/sandbox/deliveries", timeout=5).json()["deliveries"]
        if found and all(one["status"] != "pending" for one in found):
            return dict(found[-1])
        time.sleep(0.02)
    raise AssertionError("the delivery did not settle")


def test_signed_delivery_over_a_real_socket(sandbox: Sandbox, receiver: Receiver) -> None:
    client = sandbox.app.test_client()
    client.environ_base["HTTP_AUTHORIZATION"] = f"Bearer {sandbox.token}"
    hook, _ = make_trigger(client, CUSTOMER_WROTE, endpoint=receiver.url)
    secret = client.get(f"/api/v2/webhooks/{hook['id']}/signing_secret").json["signing_secret"]["secret"]
    receiver.answers = [503]
    requests.post(f"{sandbox.url}/sandbox/open_next", timeout=5).raise_for_status()
    (first, body), (second, again) = (receiver.got.get(timeout=5) for _ in range(2))
    assert body == again
    assert body.endswith(b"}\n"), "raw bytes, pretty-printed, with the newline at the end"
    for headers in (first, second):
        timestamp = headers["x-zendesk-webhook-signature-timestamp"]
        assert timestamp == "2026-06-01T12:00:00Z"
        assert headers["x-zendesk-webhook-signature"] == sign(secret, timestamp, body)
        assert headers["x-zendesk-webhook-id"] == hook["id"]
        assert headers["x-zendesk-account-id"] == "3600001"
    key = "x-zendesk-webhook-invocation-id"
    assert first[key] == second[key], "a retry is the same invocation"
    delivery = settled(sandbox)
    assert (delivery["status"], delivery["attempts"], delivery["response_status"]) == ("delivered", 2, 200)
    assert delivery["finished_at"]


@pytest.mark.parametrize(("answers", "attempts"), [([500] * 5, 5), ([403], 1)])
def test_failures_are_recorded(sandbox: Sandbox, receiver: Receiver, answers: list[int], attempts: int) -> None:
    client = sandbox.app.test_client()
    client.environ_base["HTTP_AUTHORIZATION"] = f"Bearer {sandbox.token}"
    make_trigger(client, [], endpoint=receiver.url)
    receiver.answers = list(answers)
    client.post("/sandbox/open_next")
    delivery = settled(sandbox)
    assert (delivery["status"], delivery["attempts"]) == ("failed", attempts)
    assert delivery["error"] == f"HTTP {answers[0]}"


def test_nobody_listens(sandbox: Sandbox) -> None:
    client = sandbox.app.test_client()
    client.environ_base["HTTP_AUTHORIZATION"] = f"Bearer {sandbox.token}"
    make_trigger(client, [], endpoint="http://127.0.0.1:9/")
    client.post("/sandbox/open_next")
    delivery = settled(sandbox)
    assert (delivery["status"], delivery["attempts"], delivery["error"]) == ("failed", 5, "ConnectionError")


def test_what_waits_is_sent_after_a_restart(app: Any, client: FlaskClient, receiver: Receiver) -> None:
    make_trigger(client, [], endpoint=receiver.url)
    client.post("/sandbox/open_next")
    with Sandbox(app.extensions["sandbox"].database) as sandbox:
        assert settled(sandbox)["status"] == "delivered"
