"""Serves recorded HTTP interactions of a Zendesk account as if the account were on this machine.

    python -m tests.replay FOLDER            # or python tests/replay.py FOLDER: prints the address, serves until Ctrl-C
    python -m tests.replay FOLDER --sync     # syncs from it into a temporary home; prints a report as JSON
    python -m tests.replay FOLDER --sync --home DIR     # keeps the home, with the database in it

FOLDER is one file or a folder of files, of one account or of several, in any form that `cassettes` reads. The exit code
of `--sync` is 0 only if the sync ended without an error, was given something that was recorded, and has each record of
that in the database; `absent` in the report names what it has not.

- Any credential is accepted. Recorded 401 and 304 answers are left out where the same was answered in another way, too.
- A request is answered by the recording of the same method, path and parameters in any order. Else by one with the same
  path and position (`page`, `page[after]`, `cursor`) that has the most other parameters in common, else, where nothing
  asks for a position, by the first of the path. An export's `start_time` is a position where a recorded page leads to
  it, and means the next recorded page after that time. `.json` at the end of a path makes no difference.
- A request that was recorded several times is answered in that order; the last answer is repeated.
- Whoever asks for what follows the end of an export is given the end again, as far as it was recorded.
- What was never recorded is not found (404), and is listed in `missed`.
- Addresses of the recorded account become ours, in bodies and headers. Limits of the account's rate do not count here,
  and its clock has stopped: these headers are left out, and Retry-After is 0.
"""

from __future__ import annotations

import argparse
import http.server
import json
import re
import sys
import tempfile
import threading
from pathlib import Path
from types import TracebackType
from typing import Any, Self

if __package__:
    from .cassettes import Interaction, NoRecordingError, read
    from .tape import Tape, line, recorded_hosts, target
else:  # run as a file: tests/connectors must not hide the package of that name
    sys.path.insert(0, str(Path(__file__).parents[1]))
    from cassettes import Interaction, NoRecordingError, read
    from tape import Tape, line, recorded_hosts, target

from connectors.errors import DeskhandError
from connectors.settings import load_settings, write_home
from connectors.store.database import Store
from connectors.sync.engine import sync
from connectors.vendors import open_helpdesk

NOT_FOUND = json.dumps({"error": "RecordNotFound", "description": "Not found"}).encode()
_PACE = re.compile(r"(zendesk-|x-)?rate-?limit|date$|age$", re.IGNORECASE)


class Replay:
    """A running replay; also a context manager that closes it.

    Attributes:
        url: Where it listens.
        recorded: All that there is.
        missed: Requests that were never recorded, in the order in which they came.
        answered: What was given to which request.
    """

    def __init__(self, source: Path, *, port: int = 0) -> None:
        """Reads the recordings and listens.

        Raises:
            NoRecordingError: There are none.
        """
        interactions = read(source)
        self.recorded = interactions
        self.tape = Tape(interactions)
        self.missed: list[str] = []
        self.answered: list[tuple[str, Interaction]] = []
        self._lock = threading.Lock()
        replay = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                self.rfile.read(int(self.headers.get("Content-Length") or 0))
                status, headers, body = replay.answer(self.command, self.path)
                self.send_response(status)
                for name, value in (*headers, ("Content-Length", str(len(body)))):
                    self.send_header(name, value.encode("latin-1", "replace").decode("latin-1"))
                self.end_headers()
                self.wfile.write(b"" if self.command == "HEAD" else body)

            do_HEAD = do_POST = do_PUT = do_PATCH = do_DELETE = do_GET  # noqa: N815 - http.server looks for them

            def log_message(self, *_: object) -> None:
                """Nothing on stderr."""

        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", port), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        names = b"|".join(
            re.escape(name.encode())
            for host in recorded_hosts(interactions)
            for name in (host, host.removesuffix(":443").removesuffix(":80"))
        )
        # In JSON a slash may be written as '\/'; 'acme.zendesk.com.example.org' is somebody else.
        self._address = re.compile(rb"(?i)https?:((?:\\?/){2})(?:%s)(?::443|:80)?(?![\w:-]|\.\w)" % (names or b"$."))
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.01})
        self._thread.start()

    def answer(self, method: str, path: str) -> tuple[int, list[tuple[str, str]], bytes]:
        """Status, headers and body for a request."""
        with self._lock:
            found = self.tape.find("GET" if method == "HEAD" else method, path)
            if found is None:
                self.missed.append(line(method, path))
                return 404, [("Content-Type", "application/json; charset=utf-8")], NOT_FOUND
            self.answered.append((path, found))
        headers = [
            (name, "0" if name.lower() == "retry-after" else self._ours(value.encode()).decode())
            for name, value in found.headers
            if not _PACE.match(name)
        ]
        return found.status, headers, self._ours(found.body)

    def _ours(self, content: bytes) -> bytes:
        host = self.url.removeprefix("http://").encode()
        return self._address.sub(lambda match: b"http:" + match[1] + host, content)

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


# Lists of an answer that are tables of ours, where they are what was asked for and not there beside it.
_TABLES = frozenset(
    {"tickets", "comments", "users", "groups", "organizations", "brands", "macros", "articles", "satisfaction_ratings"}
)


def sync_from(source: Path, home: Path) -> dict[str, Any]:
    """Syncs from recordings into a new home, as `deskhand sync` would; returns the report."""
    report: dict[str, Any] = {"error": None}
    with Replay(source) as server:
        write_home(home, {"helpdesk": {"kind": "zendesk", "url": server.url}}, {"helpdesk": {"token": "replayed"}})
        settings = load_settings(home)
        helpdesk = open_helpdesk(settings)
        with Store(settings.database_path) as store:
            try:
                report["summary"] = vars(sync(helpdesk, store))
            except DeskhandError as error:
                report["error"] = f"{type(error).__name__}: {error}"
            finally:
                helpdesk.close()
            report["rows"] = row_counts(store)
            report["absent"] = absent(server.answered, store)
        report |= {"answered": len(server.answered), "missed": server.missed, "unused": server.tape.unused()}
    return report


def row_counts(store: Store) -> dict[str, int]:
    """How many rows each table has; empty ones are left out."""
    tables = [row["name"] for row in store.rows("select name from sqlite_master where type = 'table' order by name")]
    counts = {
        table: next(iter(store.rows(f"select count(*) as n from [{table}]")))["n"]
        for table in tables
        if not table.startswith(("_", "sqlite_")) and "_fts" not in table
    }
    return {table: count for table, count in counts.items() if count}


def absent(answered: list[tuple[str, Interaction]], store: Store) -> dict[str, list[str]]:
    """Ids of records that were given and are not in the database, per table.

    Of a ticket that is deleted or was not recorded, comments and ratings are not expected.
    """
    tickets = {row["id"] for row in store.rows("select id from tickets where deleted = 0")}
    expected: dict[str, set[str]] = {}
    for path, interaction in answered:
        parts = target(path)[0].split("/")
        content = interaction.json if interaction.status == 200 else None
        for table in _TABLES.intersection(parts) if isinstance(content, dict) else ():
            for item in (one for one in content.get(table) or () if isinstance(one, dict) and "id" in one):
                owner = parts[-2] if table == "comments" else str(item.get("ticket_id", ""))
                if table not in ("comments", "satisfaction_ratings") or owner in tickets:
                    expected.setdefault(table, set()).add(str(item["id"]))
    found = {
        table: ids - {row["id"] for row in store.rows(f"select id from [{table}]")} for table, ids in expected.items()
    }
    return {table: sorted(ids) for table, ids in found.items() if ids}


def main(arguments: list[str] | None = None) -> int:
    """The command line; returns the exit code."""
    parser = argparse.ArgumentParser(description="Serve recorded HTTP interactions of a Zendesk account.")
    parser.add_argument("folder", type=Path, help="a recording, or a folder of them")
    parser.add_argument("--port", type=int, default=0, help="where to listen; any free one unless given")
    parser.add_argument("--sync", action="store_true", help="sync from it, and print a report")
    parser.add_argument("--home", type=Path, help="with --sync: the home to make, instead of one that is thrown away")
    wanted = parser.parse_args(arguments)
    try:
        if not wanted.sync:
            with Replay(wanted.folder, port=wanted.port) as server:
                print(server.url, flush=True)
                try:
                    threading.Event().wait()
                except KeyboardInterrupt:
                    print(*server.missed, sep="\n", file=sys.stderr)
            return 0
        with tempfile.TemporaryDirectory() as folder:
            report = sync_from(wanted.folder, wanted.home or Path(folder))
    except NoRecordingError as error:
        print(error, file=sys.stderr)
        return 2
    print(json.dumps(report, indent=2))
    return 1 if report["error"] or report["absent"] or not report["answered"] else 0


if __name__ == "__main__":
    sys.exit(main())
