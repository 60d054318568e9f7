"""Records what a sync asks a helpdesk and is answered, in the forms of VCR.py and of betamax.

    python -m tests.recorder tests/recordings     # makes the recordings of this repository again, from our sandbox

`Recorder` is a proxy on loopback: whatever is sent to it goes on to the helpdesk, and what comes back is kept, with the
helpdesk's address replaced by a made-up one. Credentials are not kept.
"""

from __future__ import annotations

import base64
import gzip
import http.server
import json
import sys
import tempfile
import threading
from collections.abc import Iterable
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import requests
import yaml

if __package__:
    from .cassettes import Interaction
else:  # run as a file: tests/connectors must not hide the package of that name
    sys.path.insert(0, str(Path(__file__).parents[1]))
    from cassettes import Interaction

from connectors.sandbox.server import Sandbox
from connectors.settings import HelpdeskSettings
from connectors.store.database import Store
from connectors.sync.engine import sync
from connectors.zendesk.client import Zendesk

ACCOUNT = "https://acme.zendesk.example"
TICKETS = 8
_SENT_ON = ("Authorization", "Content-Type", "Accept")
_KEPT = ("content-type", "ratelimit-limit", "ratelimit-remaining", "ratelimit-reset", "location", "retry-after")


class Recorder:
    """A running proxy; also a context manager that closes it.

    Attributes:
        url: Where it listens.
        interactions: What went through it, as if it had gone to `ACCOUNT`.
    """

    def __init__(self, helpdesk_url: str) -> None:
        self.interactions: list[Interaction] = []
        self._helpdesk = helpdesk_url.rstrip("/")
        recorder = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                kept = recorder.send(self.command, self.path, dict(self.headers), body)
                answer = kept.body.replace(ACCOUNT.encode(), recorder.url.encode())
                self.send_response(kept.status)
                for name, value in (*kept.headers, ("Content-Length", str(len(answer)))):
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(answer)

            do_POST = do_PUT = do_DELETE = do_GET  # noqa: N815 - the names that http.server looks for

            def log_message(self, *_: object) -> None:
                """Nothing on stderr."""

        self._server = http.server.HTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.01})
        self._thread.start()

    def send(self, method: str, path: str, headers: dict[str, str], body: bytes) -> Interaction:
        """Sends a request on and keeps it with its answer."""
        wanted = {name: headers[name] for name in _SENT_ON if name in headers}
        answer = requests.request(
            method, self._helpdesk + path, data=body, headers=wanted, allow_redirects=False, timeout=60
        )
        kept = Interaction(
            method=method,
            url=ACCOUNT + path,
            status=answer.status_code,
            headers=tuple((name, value) for name, value in answer.headers.items() if name.lower() in _KEPT),
            body=answer.content.replace(self._helpdesk.encode(), ACCOUNT.encode()),
        )
        self.interactions.append(kept)
        return kept

    def close(self) -> None:
        """Ends it; safe to call twice."""
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, _kind: type[BaseException] | None, _error: BaseException | None, _traceback: TracebackType | None
    ) -> None:
        self.close()


def write_vcr(interactions: Iterable[Interaction], path: Path) -> None:
    """Writes them as VCR.py does: YAML, each header a list, the body as text."""
    items = [
        {
            "request": {
                "body": None,
                "headers": {"Accept": ["application/json"]},
                "method": one.method,
                "uri": one.url,
            },
            "response": {
                "body": {"string": one.body.decode()},
                "headers": {name: [value] for name, value in one.headers},
                "status": {"code": one.status, "message": "OK" if one.status == 200 else ""},
            },
        }
        for one in interactions
    ]
    path.write_text(yaml.safe_dump({"interactions": items, "version": 1}, allow_unicode=True, width=10**6), "utf-8")


def write_betamax(interactions: Iterable[Interaction], path: Path) -> None:
    """Writes them as betamax does: JSON, gzipped bodies in base64 beside an empty text."""
    items = [
        {
            "recorded_at": "2026-04-30T12:00:00",
            "request": {
                "body": {"encoding": "utf-8", "string": ""},
                "headers": {"Accept": ["application/json"], "Authorization": ["Bearer <TOKEN>"]},
                "method": one.method,
                "uri": one.url,
            },
            "response": {
                "body": {
                    "base64_string": base64.b64encode(gzip.compress(one.body, mtime=0)).decode(),
                    "encoding": "utf-8",
                    "string": "",
                },
                "headers": {"Content-Encoding": ["gzip"], "Transfer-Encoding": ["chunked"]}
                | {name: [value] for name, value in one.headers},
                "status": {"code": one.status, "message": "OK" if one.status == 200 else ""},
                "url": one.url,
            },
        }
        for one in interactions
    ]
    content = {"http_interactions": items, "recorded_with": "betamax/0.9.0"}
    path.write_text(json.dumps(content, indent=1) + "\n", "utf-8")


def record_sandbox(folder: Path) -> list[Interaction]:
    """A sync of the sample company's newest tickets, some of which got a note, were deleted or solved again."""
    with Sandbox(folder / "sandbox.db", SANDBOX_SEED_LIMIT=TICKETS, SANDBOX_EXPORT_LAG_S=0) as sandbox:
        headers = {"Authorization": f"Bearer {sandbox.token}"}

        def call(method: str, path: str, body: Any = None) -> Any:
            answer = requests.request(method, sandbox.url + path, json=body, headers=headers, timeout=60)
            answer.raise_for_status()
            return answer.json() if answer.content else None

        tickets = call("GET", "/api/v2/incremental/tickets/cursor?start_time=0")["tickets"]
        deleted, noted = [one["id"] for one in tickets if one["status"] == "solved"][:2]
        call("DELETE", f"/api/v2/tickets/{deleted}")
        note = {"body": "The driver remembers this one.", "public": False}
        call("PUT", f"/api/v2/tickets/{noted}", {"ticket": {"comment": note, "priority": "high"}})
        with Recorder(sandbox.url) as recorder, Store(folder / "deskhand.db") as store:
            helpdesk = Zendesk(HelpdeskSettings(url=recorder.url, token=sandbox.token))
            try:
                sync(helpdesk, store)
            finally:
                helpdesk.close()
            return recorder.interactions


def main(folder: Path) -> None:
    """Makes the recordings in a folder again."""
    with tempfile.TemporaryDirectory() as scratch:
        interactions = record_sandbox(Path(scratch))
    for form, name, write in (("vcr", "sync.yaml", write_vcr), ("betamax", "sync.json", write_betamax)):
        (folder / form).mkdir(parents=True, exist_ok=True)
        write(interactions, folder / form / name)
    print(f"{len(interactions)} interactions")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
