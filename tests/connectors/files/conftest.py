"""A folder that tests put files into, and the connector that reads it."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from connectors.errors import ConfigError
from connectors.files.client import Files
from connectors.records import Page
from connectors.settings import HelpdeskSettings

TICKETS = """id,subject,status,requester_id,created_at,updated_at,group_id,tags
1,Late,solved,c1,2026-04-01T09:00:00Z,2026-04-02T09:00:00Z,TRK,"delay,vip"
2,Broken,open,c2,2026-04-03T09:00:00Z,2026-04-03T09:00:00Z,CLM,
"""
COMMENTS = """ticket_id,author_id,public,text,created_at
2,c2,true,"It came broken,
in two halves",2026-04-03T09:00:00Z
1,marit,true,It is in Tilburg.,2026-04-01T10:00:00Z
1,c1,true,Where is it?,2026-04-01T09:00:00Z
1,marit,no,Driver J. left it behind the shed,2026-04-01T09:30:00Z
"""


class Folder:
    """The folder; `put` writes, `files` opens a fresh connector."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._opened: list[Files] = []

    def put(self, **files: str | bytes | list[dict[str, Any]]) -> Folder:
        """Writes files: `tickets_csv="..."` is tickets.csv; lists become JSON lines."""
        for name, content in files.items():
            if isinstance(content, list):
                content = "".join(json.dumps(row) + "\n" for row in content)
            if isinstance(content, str):
                content = content.encode()
            stem, _, ending = name.rpartition("_")
            (self.path / f"{stem}.{ending}").write_bytes(content)
        return self

    def append(self, name: str, text: str) -> None:
        with (self.path / name).open("a", encoding="utf-8", newline="") as file:
            file.write(text)

    def put_csv(self, name: str, rows: list[dict[str, Any]], **form: Any) -> None:
        with (self.path / name).open("w", encoding="utf-8", newline="") as file:
            writer = csv.DictWriter(file, list(rows[0]), **form)
            writer.writeheader()
            writer.writerows(rows)

    def files(self) -> Files:
        settings = HelpdeskSettings(kind="files", path=self.path)
        self._opened.append(Files(settings, home=self.path))
        return self._opened[-1]

    def read(self, stream: str = "tickets", cursor: str | None = None, *, since: int = 0) -> list[Page]:
        """All pages of a stream, by a fresh connector."""
        pages = list(self.files().pages(stream, cursor, since=since))
        assert [page.done for page in pages] == [False] * (len(pages) - 1) + [True]
        return pages

    def of(self, kind: type, stream: str = "tickets", cursor: str | None = None, **options: Any) -> list[Any]:
        """The records of a kind in a stream."""
        pages = self.read(stream, cursor, **options)
        return [record for page in pages for record in page.records if isinstance(record, kind)]

    def close(self) -> None:
        for files in self._opened:
            files.close()


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Folder]:
    path = tmp_path / "export"
    path.mkdir()
    folder = Folder(path)
    yield folder
    folder.close()


@pytest.fixture
def company(folder: Folder) -> Folder:
    """Two tickets in our own columns, their comments in no order."""
    return folder.put(tickets_csv=TICKETS, comments_csv=COMMENTS)


@pytest.fixture
def problems() -> Callable[[Folder], list[str]]:
    """What is said to be wrong with a folder, a line each."""

    def problems(folder: Folder) -> list[str]:
        with pytest.raises(ConfigError) as caught:
            folder.read()
        assert caught.value.hint
        return str(caught.value).splitlines()

    return problems
