"""Signed webhooks: deliveries wait in SQLite until a thread has posted them.

Headers and signature are those of https://developer.zendesk.com/documentation/webhooks/verifying/.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import logging
import threading
import time
from collections.abc import Callable
from pathlib import Path

import requests
from sqlite_utils import Database

from connectors.sandbox.database import Row, iso, one, open_database, scalar, setting

log = logging.getLogger(__name__)

ATTEMPTS = 5
TIMEOUT_S = 10.0
_WORTH_A_RETRY = {409, 429, *range(500, 600)}


def sign(secret: str, timestamp: str, body: bytes) -> str:
    """The signature header: base64 of HMAC-SHA256 over timestamp and raw body, in this order.

    The order in Zendesk's older example (body, then timestamp) is wrong; this one verifies its numbers.
    """
    digest = hmac.new(secret.encode(), timestamp.encode() + body, hashlib.sha256).digest()
    return base64.b64encode(digest).decode()


class Sender:
    """Posts pending deliveries, oldest first, up to five times each with growing pauses.

    Args:
        database: The sandbox's file; the thread opens its own connection.
        clock: The sandbox's present, for the signature's timestamp; pauses run on real time.
        backoff_s: Pause after the first failure; it doubles with each further one.
        timeout_s: How long a receiver may take.
    """

    def __init__(
        self,
        database: Path,
        *,
        clock: Callable[[], float] = time.time,
        backoff_s: float = 1.0,
        timeout_s: float = TIMEOUT_S,
    ) -> None:
        self._database, self._clock = database, clock
        self._backoff_s, self._timeout_s = backoff_s, timeout_s
        self._wake, self._stopping = threading.Event(), threading.Event()
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Start the thread; deliveries left over from an earlier run go first."""
        self._stopping.clear()
        self._thread = threading.Thread(target=self._run, name="sandbox-webhooks", daemon=True)
        self._thread.start()

    def wake(self) -> None:
        """Say that there may be something to send."""
        self._wake.set()

    def stop(self) -> None:
        """End the thread after the post that is under way; what is left stays pending."""
        self._stopping.set()
        self._wake.set()
        if self._thread is not None:
            self._thread.join(self._timeout_s + 5)
            self._thread = None

    def _run(self) -> None:
        db = open_database(self._database)
        try:
            with requests.Session() as session:
                session.trust_env = False  # a proxy of the environment must not see local hooks
                while not self._stopping.is_set():
                    self._wake.clear()
                    self._send_due(db, session)
                    if self._stopping.is_set():  # stop() may have set the event that was just cleared
                        return
                    next_s = scalar(db, "select min(next_attempt_s) from deliveries where status = 'pending'")
                    self._wake.wait(None if next_s is None else max(0.01, next_s - time.time()))
        finally:
            db.close()

    def _send_due(self, db: Database, session: requests.Session) -> None:
        due = "select * from deliveries where status = 'pending' and next_attempt_s <= ? order by id limit 1"
        while not self._stopping.is_set():
            delivery = one(db, due, [time.time()])
            if delivery is None:
                return
            self._attempt(db, session, delivery)

    def _attempt(self, db: Database, session: requests.Session, delivery: Row) -> None:
        webhook = one(db, "select * from webhooks where id = ?", [delivery["webhook_id"]])
        if webhook is None:
            return self._settle(db, delivery, "failed", None, "the webhook was deleted")
        body = delivery["body"].encode()
        timestamp = iso(self._clock())
        headers = {
            "Content-Type": "application/json; charset=utf-8",
            "User-Agent": "Zendesk Webhook",
            "X-Zendesk-Account-Id": str(setting(db, "account_id")),
            "X-Zendesk-Webhook-Id": webhook["id"],
            "X-Zendesk-Webhook-Invocation-Id": delivery["invocation_id"],
            "X-Zendesk-Webhook-Signature": sign(webhook["secret"], timestamp, body),
            "X-Zendesk-Webhook-Signature-Timestamp": timestamp,
        }
        try:
            response = session.post(
                webhook["endpoint"], data=body, headers=headers, timeout=self._timeout_s, allow_redirects=False
            )
        except requests.RequestException as error:
            return self._failed(db, delivery, None, type(error).__name__, again=True)
        if response.ok and response.status_code < 300:
            return self._settle(db, delivery, "delivered", response.status_code, None)
        again = response.status_code in _WORTH_A_RETRY
        return self._failed(db, delivery, response.status_code, f"HTTP {response.status_code}", again=again)

    def _failed(self, db: Database, delivery: Row, status: int | None, error: str, *, again: bool) -> None:
        attempts = delivery["attempts"] + 1
        if not again or attempts >= ATTEMPTS:
            log.warning("webhook delivery %s gave up after %s attempt(s): %s", delivery["id"], attempts, error)
            return self._settle(db, delivery, "failed", status, error)
        pause_s = self._backoff_s * 2 ** (attempts - 1)
        change = {"attempts": attempts, "response_status": status, "error": error}
        db.table("deliveries").update(delivery["id"], change | {"next_attempt_s": time.time() + pause_s})
        return None

    def _settle(self, db: Database, delivery: Row, outcome: str, status: int | None, error: str | None) -> None:
        change = {"status": outcome, "attempts": delivery["attempts"] + 1, "response_status": status, "error": error}
        db.table("deliveries").update(delivery["id"], change | {"finished_at": iso(self._clock())})
