"""What is exported comes back as it was, whatever the texts hold."""

from __future__ import annotations

import itertools
import json
import shutil
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from connectors.errors import ConfigError
from connectors.files.client import Files
from connectors.files.export import export
from connectors.records import (
    Article,
    Attachment,
    Brand,
    Comment,
    Group,
    Macro,
    Organization,
    Record,
    Satisfaction,
    Ticket,
    TicketField,
    TicketMetrics,
    User,
)
from connectors.settings import HelpdeskSettings
from connectors.store.database import Store
from connectors.store.history import TABLES
from connectors.sync.engine import sync

AT = "2026-04-01T09:00:00Z"
# SQLite's texts end at a NUL, and half an emoji is no text anywhere.
TEXTS = st.text(st.characters(blacklist_characters="\0", blacklist_categories=("Cs",)), max_size=40) | st.sampled_from(
    ['a,"b";c', "\r", "a\r\nb\n", "=1+1", "[x]", "true", " ", "\ufeff", "\u2028", "null", "007"]
)
NewStore = Callable[[], Store]


def records(text: str, other: str) -> list[Record]:
    return [
        Organization("o1", text, {"k": other}),
        Brand("b1", other, "https://x", False, {}),
        User("u1", text, "a@mail.example", "requester", "nl", {"phone": None}),
        User("u2", other, "", "agent", "", {}),
        Group("g1", text or "x", other, True, {}),
        TicketField("f1", text or "x", "tagger", True, (other, "a,b"), {}),
        Macro("m1", text or "x", other, False, {"n": 1.5}),
        Article("a1", text, other, "https://y", "en", AT, True, {}),
        Ticket(
            "007", text, "closed", "u1", AT, AT, 1775034099, group_id="g1", assignee_id="u2", brand_id="b1",
            priority="high", channel="mail", tags=("a, b", *((other,) if other else ())), satisfaction="good",
            organization_id="o1", url="https://z", merged=True, comment_count=2,
            fields=(("f1", other), ("f2", 3), ("f3", 2.5), ("f4", True), ("f5", ["x", "y"])), raw={"t": text},
        ),
        Ticket("8", "", "open", "u1", AT, AT, 1775034000),
        Comment("c1", "007", "u1", True, text, AT, (Attachment("x", other, "image/png", 5, True),), {"b": text}),
        Comment("c2", "007", "u2", False, other, AT),
        TicketMetrics("007", 1, None, 5, 60, AT, {"z": []}),
        Satisfaction("s1", "007", "good", text, AT, {}),
    ]  # fmt: skip


def snapshot(store: Store, helpdesk: str) -> dict[str, list[dict[str, Any]]]:
    tables = (*TABLES, "ticket_field_values")
    found = {
        table: sorted(store.rows(f"select * from {table} where helpdesk = ?", (helpdesk,)), key=str) for table in tables
    }
    for ticket in found["tickets"]:
        del ticket["comments_due"], ticket["comments_through"]
    return found


@pytest.fixture
def new_store(empty_store: Path, tmp_path: Path) -> Callable[[], Store]:
    made: list[Store] = []

    def new_store() -> Store:
        path = tmp_path / f"{len(made)}.db"
        made.append(Store(Path(shutil.copy(empty_store, path))))
        return made[-1]

    yield new_store
    for store in made:
        store.close()


def imported(folder: Path, store: Store, helpdesk: str = "acme") -> None:
    files = Files(HelpdeskSettings(kind="files", path=folder, name=helpdesk))
    sync(files, store)
    files.close()


@pytest.mark.parametrize("form", ["jsonl", "csv"])
def test_all_tables_come_back_as_they_were(form: Any, new_store: NewStore, tmp_path: Path) -> None:
    before, after = new_store(), new_store()
    before.mirror.save("acme", records("Hi,\r\n'a' \"b\"", "=1+1"))
    before.mirror.save("other", [Ticket("9", "not ours", "open", "u", AT, AT, 1)])
    written = export(before, "acme", tmp_path / "out", form)
    assert written == {
        "groups": 1, "brands": 1, "ticket_fields": 1, "organizations": 1, "users": 2, "macros": 1, "articles": 1,
        "tickets": 2, "comments": 2, "ticket_metrics": 1, "satisfaction_ratings": 1,
    }  # fmt: skip
    imported(tmp_path / "out", after)
    assert all(snapshot(before, "acme").values())
    assert snapshot(after, "acme") == snapshot(before, "acme")
    assert snapshot(after, "other")["tickets"] == []


def test_any_text_comes_back_as_it_was(new_store: NewStore, tmp_path: Path) -> None:
    before, after = new_store(), new_store()
    numbers = itertools.count()

    @settings(max_examples=20, deadline=None)
    @given(text=TEXTS, other=TEXTS, form=st.sampled_from(["jsonl", "csv"]))
    def comes_back(text: str, other: str, form: Any) -> None:
        # Two stores for all: each example has a helpdesk of its own in them.
        name = f"acme{next(numbers)}"
        before.mirror.save(name, records(text, other))
        export(before, name, tmp_path / name, form)
        imported(tmp_path / name, after, name)
        assert snapshot(after, name) == snapshot(before, name)

    comes_back()


def test_deleted_tickets_are_left_out(new_store: NewStore, tmp_path: Path) -> None:
    store = new_store()
    store.mirror.save("acme", records("Secret", "x"))
    store.mirror.save("acme", [Ticket("007", "", "deleted", "u1", AT, AT, 1775034100, deleted=True)])
    assert export(store, "acme", tmp_path / "out")["tickets"] == 1
    rows = [json.loads(line) for line in (tmp_path / "out/tickets.jsonl").read_text().splitlines()]
    assert [row["id"] for row in rows] == ["8"]
    assert not (tmp_path / "out/comments.jsonl").exists()


def test_many_rows_come_in_batches(new_store: NewStore, tmp_path: Path) -> None:
    store = new_store()
    store.mirror.save("acme", [Ticket(f"{n:04}", "x", "open", "u", AT, AT, n) for n in range(1203)])
    assert export(store, "acme", tmp_path / "out", "csv") == {"tickets": 1203}
    lines = (tmp_path / "out/tickets.csv").read_text().splitlines()
    assert len(set(lines)) == 1204


def test_only_the_owner_can_read_it(new_store: NewStore, tmp_path: Path) -> None:
    store = new_store()
    store.mirror.save("acme", records("a", "b"))
    export(store, "acme", tmp_path / "out")
    for path in ((tmp_path / "out"), *(tmp_path / "out").iterdir()):
        assert not stat.S_IMODE(path.stat().st_mode) & 0o077


def test_a_folder_with_something_in_it_is_left_alone(new_store: NewStore, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="not empty"):
        export(new_store(), "acme", tmp_path)
    (tmp_path / "file").write_text("x")
    with pytest.raises(ConfigError, match="cannot write"):
        export(new_store(), "acme", tmp_path / "file")
