"""The webhook's door on a real socket: what is believed is stored before it is answered, the rest leaves no trace."""

from __future__ import annotations

import logging
import os
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import requests

from connectors.settings import Settings
from connectors.store.database import Store
from connectors.wsgi import BackgroundServer
from connectors.zendesk.client import Zendesk
from plugin.app import create_app
from plugin.context import context

Signed = Callable[..., dict[str, str]]
BODY = b'{"ticket_id": "7"}'
SECRET_WORDS = "Where is my parcel, deniz@mail.example wonders"


def post(url: str, body: bytes, headers: dict[str, str], helpdesk: str = "sandbox") -> requests.Response:
    return requests.post(f"{url}/webhooks/{helpdesk}", data=body, headers=headers, timeout=10)


def rows(store: Store) -> list[dict[str, Any]]:
    return list(store.rows("select delivery_id, ticket_id, status from inbox order by id"))


def test_a_signed_webhook_is_stored_and_answered(served: str, store: Store, signed: Signed) -> None:
    answer = post(served, BODY, signed(BODY))
    assert (answer.status_code, answer.json()) == (200, {"stored": True})
    assert rows(store) == [{"delivery_id": "d-1", "ticket_id": "7", "status": "waiting"}]


def test_the_same_delivery_again_is_answered_as_well_but_stored_once(served: str, store: Store, signed: Signed) -> None:
    headers = signed(BODY)
    post(served, BODY, headers)
    again = post(served, BODY, headers)
    assert (again.status_code, again.json()) == (200, {"stored": False})
    assert len(rows(store)) == 1


def test_a_delivery_that_is_sent_again_after_it_was_worked_through_stays_done(
    served: str, store: Store, signed: Signed
) -> None:
    headers = signed(BODY)
    post(served, BODY, headers)
    job = store.inbox.claim("w", lease_s=60)
    assert job is not None
    store.inbox.finish(job, "w")
    assert post(served, BODY, headers).json() == {"stored": False}
    assert [row["status"] for row in rows(store)] == ["done"]


def test_what_the_helpdesk_really_sends_is_believed(desk: Any, served: str, store: Store, zendesk: Zendesk) -> None:
    # The sandbox made up its own secret, so the plugin has to be told.
    secret = zendesk.install_webhook(f"{served}/webhooks/sandbox")
    zendesk._webhook_secret = secret
    ticket_id = desk.open_ticket()
    deadline = time.monotonic() + 10
    while not rows(store) and time.monotonic() < deadline:
        time.sleep(0.02)
    assert [row["ticket_id"] for row in rows(store)] == [ticket_id]


def wrong_secret(headers: dict[str, str], signed: Signed) -> dict[str, str]:
    return signed(BODY, secret="not-ours")


def absent(headers: dict[str, str], signed: Signed) -> dict[str, str]:
    return {name: value for name, value in headers.items() if not name.endswith("Signature")}


def without_timestamp(headers: dict[str, str], signed: Signed) -> dict[str, str]:
    return {name: value for name, value in headers.items() if not name.endswith("Timestamp")}


def of_another_body(headers: dict[str, str], signed: Signed) -> dict[str, str]:
    return signed(b'{"ticket_id": "8"}')


def recorded_long_ago(headers: dict[str, str], signed: Signed) -> dict[str, str]:
    return signed(BODY, age_s=301)


def from_the_future(headers: dict[str, str], signed: Signed) -> dict[str, str]:
    return signed(BODY, age_s=-400)


def old_with_a_fresh_timestamp(headers: dict[str, str], signed: Signed) -> dict[str, str]:
    stamp = "X-Zendesk-Webhook-Signature-Timestamp"
    return signed(BODY, age_s=301) | {stamp: headers[stamp]}


def not_ascii(headers: dict[str, str], signed: Signed) -> dict[str, str]:
    return headers | {"X-Zendesk-Webhook-Signature": "sïgnature"}


@pytest.mark.parametrize(
    "spoil",
    [
        wrong_secret,
        absent,
        without_timestamp,
        of_another_body,
        recorded_long_ago,
        from_the_future,
        old_with_a_fresh_timestamp,
        not_ascii,
    ],
)
def test_what_cannot_be_verified_is_refused_and_not_stored(
    spoil: Callable[..., dict[str, str]], served: str, store: Store, signed: Signed
) -> None:
    assert post(served, BODY, signed(BODY, delivery="honest")).status_code == 200
    answer = post(served, BODY, spoil(signed(BODY, delivery="forged"), signed))
    assert answer.status_code == 401
    assert answer.json() == {"error": {"code": "refused", "message": "the webhook could not be verified"}}
    assert [row["delivery_id"] for row in rows(store)] == ["honest"]


@pytest.mark.parametrize(
    "body",
    [b"", b"no json", b"[]", b"7", b"{}", b'{"ticket_id": null}', b'{"ticket_id": "../users/me"}', b"\xff\xfe",
     b'{"ticket_id": "' + b"9" * 21 + b'"}', b'{"ticket_id": ' + b"9" * 5000 + b"}"],
)  # fmt: skip
def test_a_signed_body_that_names_no_ticket_is_refused(body: bytes, served: str, store: Store, signed: Signed) -> None:
    assert post(served, body, signed(body)).status_code == 401
    assert rows(store) == []


def test_without_a_secret_in_the_settings_nothing_is_believed(settings: Settings, store: Store, signed: Signed) -> None:
    app = create_app(settings, Zendesk(settings.require_helpdesk(), webhook_secret=""))
    with BackgroundServer(app, host="127.0.0.1", port=0, threads=1, name="plugin") as server:
        assert post(server.url, BODY, signed(BODY, secret="")).status_code == 401
    context(app).close()
    assert rows(store) == []


def test_another_helpdesk_is_not_known_here(served: str, store: Store, signed: Signed) -> None:
    answer = post(served, BODY, signed(BODY), helpdesk="freshdesk")
    assert (answer.status_code, answer.json()["error"]["code"]) == (404, "unknown_helpdesk")
    assert rows(store) == []


def test_a_body_over_the_limit_is_refused_unread(served: str, store: Store, signed: Signed) -> None:
    within = b'{"ticket_id": "7", "x": "' + b"x" * 900_000 + b'"}'
    assert post(served, within, signed(within)).status_code == 200
    over = b'{"ticket_id": "8", "x": "' + b"x" * 1_000_001 + b'"}'
    answer = post(served, over, signed(over, delivery="d-2"))
    assert answer.status_code == 413
    assert set(answer.json()["error"]) == {"code", "message"}
    chunked = requests.post(
        f"{served}/webhooks/sandbox", data=iter([over]), headers=signed(over, delivery="d-3"), timeout=10
    )
    assert chunked.status_code == 413, "nor without a length given beforehand"
    assert [row["ticket_id"] for row in rows(store)] == ["7"]


def test_reading_the_address_is_not_allowed(served: str) -> None:
    answer = requests.get(f"{served}/webhooks/sandbox", timeout=10)
    assert (answer.status_code, answer.json()["error"]["code"]) == (405, "method_not_allowed")


@contextmanager
def as_nobody() -> Iterator[Path]:
    """A folder of somebody without rights: root would be let in everywhere."""
    root = os.geteuid() == 0
    if root:
        os.seteuid(65534)
    folder = Path(tempfile.mkdtemp())
    try:
        yield folder
    finally:
        folder.chmod(0o700)
        shutil.rmtree(folder)
        if root:
            os.seteuid(0)


def test_a_store_that_cannot_be_written_makes_the_helpdesk_come_back(
    settings: Settings, zendesk: Zendesk, signed: Signed, caplog: pytest.LogCaptureFixture
) -> None:
    with as_nobody() as home:
        path = home / "deskhand.db"
        Store(path).close()
        path.chmod(0o444)
        app = create_app(settings.model_copy(update={"home": home}), zendesk)
        with BackgroundServer(app, host="127.0.0.1", port=0, threads=1, name="plugin") as server:
            refused = post(server.url, BODY, signed(BODY))
            for file in home.iterdir():  # SQLite's own files beside it have got its mode
                file.chmod(0o644)
            accepted = post(server.url, BODY, signed(BODY))
        context(app).close()
        with Store(path) as store:
            kept = rows(store)
    assert refused.status_code == 503
    assert 0 < int(refused.headers["Retry-After"]) < 60
    assert refused.json()["error"]["code"] == "unavailable"
    assert str(home) not in refused.text, "where things lie is for the log"
    assert str(path) in caplog.text
    assert (accepted.status_code, [row["delivery_id"] for row in kept]) == (200, ["d-1"])


def test_neither_words_nor_secrets_get_into_logs_or_answers(
    served: str, desk: Any, signed: Signed, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    body = b'{"text": "' + SECRET_WORDS.encode() + b'"}'
    answers = [
        post(served, body, signed(body)),
        post(served, body, signed(body, secret="guessed-secret")),
        post(served, body, signed(body), helpdesk="deniz"),
        post(served, body + b"x" * 1_000_001, signed(body)),
    ]
    assert [answer.status_code for answer in answers] == [401, 401, 404, 413]
    assert "the signature does not match" in caplog.text
    assert "the body has no ticket_id" in caplog.text
    said = caplog.text + "".join(answer.text for answer in answers)
    for hidden in ("parcel", "mail.example", "webhook-secret", "guessed-secret", "deskhand_token", desk.sandbox.token):
        assert hidden not in said
