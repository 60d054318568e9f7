"""The examples of docs/import.md do what it says."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Any

import pytest

from connectors.files.mapping import FIELDS
from connectors.records import Group, Thread, Ticket
from connectors.settings import HelpdeskSettings

DOCS = Path(__file__).parents[3] / "docs"
PAGE = (DOCS / "import.md").read_text(encoding="utf-8")
_FENCE = re.compile(r"^ *```(?P<kind>\w+) (?P<name>[^\n]+)\n(?P<text>.*?)^ *```", re.MULTILINE | re.DOTALL)


def example(heading: str) -> dict[str, str]:
    """The files in a section, by name."""
    section = PAGE.split(f"## {heading}\n", 1)[1].split("\n## ", 1)[0]
    return {found["name"]: found["text"] for found in _FENCE.finditer(section)}


@pytest.fixture
def put(folder: Any) -> Any:
    def put(heading: str) -> Any:
        files = example(heading)
        assert files
        for name, text in files.items():
            (folder.path / name).write_text(text, encoding="utf-8")
        return folder

    return put


def test_files_as_they_should_be(put: Any) -> None:
    folder = put("Files as they should be")
    assert [(one.id, one.status, one.tags) for one in folder.of(Ticket)] == [
        ("1001", "solved", ("delay", "vip")),
        ("1002", "open", ()),
    ]
    assert [[turn.public for turn in one.comments] for one in folder.of(Thread)] == [[True, False, True], [True]]


def test_another_helpdesks_export(put: Any) -> None:
    folder = put("Another helpdesk's export")
    late, broken = folder.of(Ticket)
    assert (late.id, late.status, late.created_at) == ("4711", "solved", "2026-04-01T07:00:00Z")
    assert (late.tags, late.priority, late.group_id) == (("Verzug", "VIP"), "normal", "Sendungen")
    assert (late.fields, broken.fields) == ((("Frachtführer", "DPX"),), ())
    turns = folder.of(Thread)[0].comments
    assert [(turn.public, turn.author_id) for turn in turns] == [
        (True, "anna@mail.example"),
        (False, "agent"),
        (True, "agent"),
    ]


def test_one_row_a_ticket(put: Any) -> None:
    folder = put("One row a ticket")
    assert [len(one.comments) for one in folder.of(Thread)] == [2, 1]
    assert [one.name for one in folder.of(Group)] == ["sync", "fix-problems"]


def test_every_column_is_in_the_table() -> None:
    for table in ("tickets", "comments", "users", "groups", "macros", "articles", "satisfaction_ratings"):
        row = next(line for line in PAGE.splitlines() if line.startswith(f"| `{table}` |"))
        named = set(re.findall(r"`(\w+)`", row.split("|", 3)[3])) - {"good", "bad"}
        assert named == set(FIELDS[table]) - {"raw", "generated_at"}
        required = {name for name, kind in FIELDS[table].items() if kind.endswith("*")}
        assert set(re.findall(r"`(\w+)`\*", row)) == required


@pytest.mark.parametrize("page", ["import.md", "adding-a-helpdesk.md"])
def test_the_settings_are_settings(page: str) -> None:
    text = (DOCS / page).read_text(encoding="utf-8")
    (found,) = [one["text"] for one in _FENCE.finditer(text) if one["name"] == "config.toml"]
    helpdesk = tomllib.loads(found)["helpdesk"]
    assert HelpdeskSettings(**helpdesk, **({} if helpdesk["kind"] == "files" else {"token": "x"}))
