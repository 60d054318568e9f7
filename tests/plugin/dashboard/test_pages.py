"""What stands on the pages, and what their buttons do."""

from __future__ import annotations

import logging
import time
from typing import Any

import pytest
from flask.testing import FlaskClient

from connectors.errors import StoreError
from connectors.records import Deletion
from connectors.settings import Settings
from connectors.store.database import Store
from plugin.switches import Switches
from trainer.registry import Registry

from .conftest import DESK, Post
from .filling import ANEW, SPECIAL


@pytest.fixture
def read(client: FlaskClient) -> Any:
    """A page's text; anything but 200 fails."""

    def read(path: str, status: int = 200) -> str:
        answer = client.get(path)
        assert answer.status_code == status, path
        return str(answer.get_data(as_text=True))

    return read


PAGES = ("/", "/inbox", "/suggestions", "/quality", "/models", "/curation", "/settings")


def test_an_empty_store_has_pages_that_say_what_to_do(read: Any, store: Store) -> None:
    store.execute("delete from examples")
    store.execute("delete from cursors")
    pages = {path: read(f"/admin{path}") for path in PAGES}
    assert "deskhand sync" in pages["/"]
    assert "No worker runs at the moment" in pages["/"]
    assert "deskhand serve" in pages["/inbox"]
    assert "Nothing here" in pages["/suggestions"]
    assert "Ten answered drafts" in pages["/quality"]
    assert "deskhand curate" in pages["/curation"]
    assert "Nothing was changed here yet" in pages["/settings"]


def test_the_overview_says_how_things_are(read: Any, filled: Store) -> None:
    page = read("/admin/?period=all")
    total = filled.review.total(DESK)
    assert f"of {total.shown} drafts shown" in page
    assert f"<dd>{total.acceptance:.0%}</dd>" in page
    assert "nothing like it was answered before" in page
    assert "answered 429: too many requests" in page
    assert page.index(">users<") < page.index(">groups<"), "trouble comes first"
    assert "at work on ticket 8001" in page
    assert "3 given up" in page
    assert page.count("<svg") > 4
    filled.stream_runs.stopped(DESK, "the credential is not accepted")
    filled.execute("update inbox set available_at = available_at - 100 where status = 'waiting'")
    page = read("/admin/?period=4w")
    assert "The last sync was stopped" in page
    assert "1 webhook has waited for more than a minute" in page


def test_dead_letters_are_tried_again(read: Any, post: Post, filled: Store) -> None:
    (first, *_) = filled.inbox.dead()
    assert "answered 500" in read("/admin/inbox")
    assert post(f"/admin/inbox/{first.id}/retry").location.endswith("said=retried")
    assert filled.inbox.counts()["dead"] == 2
    assert post(f"/admin/inbox/{first.id}/retry").location.endswith("said=gone")
    assert post(f"/admin/inbox/{10**30}/retry").location.endswith("said=gone")
    assert post("/admin/inbox/retry").status_code == 303
    assert filled.inbox.counts()["dead"] == 0


def test_the_list_is_filtered_and_bad_filters_are_none(read: Any, filled: Store) -> None:
    assert read("/admin/suggestions").count("<tr>") == 26
    assert "not used" in read("/admin/suggestions?outcome=ignored")
    edited = read("/admin/suggestions?outcome=edited&group=2104&page=1")
    assert "/admin/suggestions/s9001" in edited
    assert read(f"/admin/suggestions?ticket={SPECIAL}").count("<tr>") == 2
    for bad in ("outcome=x&group=9&model='", "page=-1", "page=99999999999", "page=%00", "ticket=%3Cscript%3E"):
        assert "<script>" not in read(f"/admin/suggestions?{bad}")
    assert "no such suggestion" in read("/admin/suggestions/none", 404)


def test_a_suggestion_stands_beside_what_was_sent_and_markup_is_text(read: Any, filled: Store) -> None:
    page = read(f"/admin/suggestions/s{SPECIAL}")
    assert '<del><span class="slot">[name]</span></del>' in page
    assert "&lt;b&gt;Oss&lt;/b&gt;" in page
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in page
    assert "&lt;i&gt;good&lt;/i&gt;" in page
    assert "{{ 7 * 7 }}" in page
    assert "<script>" not in page
    filled.mirror.save(DESK, [Deletion(SPECIAL, int(time.time()))])
    page = read(f"/admin/suggestions/s{SPECIAL}")
    assert "Its text is gone" in page
    assert "Oss" not in page
    assert "good" not in page


def test_nothing_of_a_ticket_is_logged(read: Any, filled: Store, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    for path in (*PAGES, f"/suggestions/s{SPECIAL}", "/curation/ticket?id=7001"):
        read(f"/admin{path}")
    assert not any(word in caplog.text for word in (ANEW[:20], "Anna", "parcel", "Oss"))


def test_quality_by_group_and_model(read: Any, filled: Store) -> None:
    page = read("/admin/quality?period=1y")
    for text in ("By group", "TRK1", "By model", "v20261001-060000", "predicted edit effort"):
        assert text in page


def test_a_version_is_promoted_and_rolled_back_after_a_question(
    read: Any, post: Post, client: FlaskClient, settings: Settings, versions: list[str]
) -> None:
    registry = Registry(settings.models_path)
    old, new = versions
    assert "Roll back" not in read("/admin/models")
    assert f"Promote {old}?" in " ".join(read(f"/admin/models/{old}/promote").split())
    assert registry.live() is None, "looking changes nothing"
    assert client.post(f"/admin/models/{old}/promote").status_code == 400
    post(f"/admin/models/{old}/promote")
    post(f"/admin/models/{new}/promote")
    live = registry.live()
    assert live is not None
    assert (live.version, live.previous, live.promoted_by) == (new, old, "lena, in the dashboard")
    assert f"Roll back to {old}" in read("/admin/models")
    assert f"{new} is live now" in read("/admin/models/rollback")
    post("/admin/models/rollback")
    assert registry.live().version == old  # type: ignore[union-attr]
    assert [one.version for one in registry.promotions()] == [old, new, old]
    read("/admin/models/vnothing", 404)
    read("/admin/models/..%2Fsecrets/report", 404)
    assert post("/admin/models/vnothing/promote").status_code == 404


def test_a_version_whose_files_were_changed_does_not_go_live(
    post: Post, read: Any, settings: Settings, versions: list[str]
) -> None:
    registry = Registry(settings.models_path)
    with (registry.path(versions[0]) / "route.json").open("a") as file:
        file.write(" ")
    answer = post(f"/admin/models/{versions[0]}/promote")
    assert (answer.status_code, "was changed" in answer.get_data(as_text=True)) == (500, True)
    assert registry.live() is None
    assert "Promote" in read(f"/admin/models/{versions[0]}")
    (registry.folder / "live.json").write_text("{")
    assert "live.json cannot be read" in read("/admin/models")
    assert "live.json cannot be read" in read("/admin/")


def test_the_report_is_a_page_of_its_own(client: FlaskClient, settings: Settings, versions: list[str]) -> None:
    path = f"/admin/models/{versions[0]}/report"
    assert client.get(path).status_code == 404
    (settings.models_path / versions[0] / "report.html").write_text("<style>p{}</style><p>Verdict</p>")
    answer = client.get(path)
    assert (answer.status_code, "Verdict" in answer.get_data(as_text=True)) == (200, True)
    assert "script" not in answer.headers["Content-Security-Policy"]
    assert answer.headers["Cache-Control"] == "no-store"


def test_curation_gives_reasons(read: Any, filled: Store) -> None:
    page = read("/admin/curation")
    assert "Of 40 answered customer turns, 32 are learned from. 2 tickets judge" in page
    assert "count for less" in page
    assert read("/admin/curation?which=dropped&reason=0").count("rated bad by the customer") == 10
    assert "nothing" not in read("/admin/curation?reason=99")
    ticket = read("/admin/curation/ticket?id=7001")
    assert "sent as Deskhand had drafted it" in ticket
    assert "never learned from" in ticket
    assert "not in the database" in read("/admin/curation/ticket?id=404")
    read("/admin/curation/ticket?id=", 404)


def form(**changes: str) -> dict[str, str]:
    """The settings' form as it is loaded, and what somebody changes in it."""
    was = {
        "shadow_share": "0",
        "max_effort": "95",
        "min_route_probability": "40",
        "write_note": "1",
        "write_route": "1",
    }
    was |= {"group-2101": "draft", "group-2104": "draft", "chat_note": ""}
    sent = {name: value for name, value in was.items() if value} | changes
    return sent | {f"was-{name}": value for name, value in was.items()}


def test_settings_are_changed_and_who_did_it_is_kept(read: Any, post: Post, store: Store, settings: Settings) -> None:
    changes = form(shadow_share="2,5 %", chat_note="1", **{"group-2104": "route"})
    del changes["write_note"]
    assert post("/admin/settings", **changes).location.endswith("said=saved")
    now = Switches.of(settings.plugin, store)
    assert (now.shadow_share, now.chat_note, now.write_note, now.mode("2104")) == (0.025, True, False, "route")
    assert sorted(store.switches.all()) == ["chat_note", "groups", "shadow_share", "write_note"]
    page = read("/admin/settings")
    assert 'value="2.5"' in page
    assert "FIN: routes only" in page
    assert '<td data-label="by">lena</td>' in page
    # Somebody whose page is older changes another field: what was changed meanwhile stays.
    assert post("/admin/settings", **form(max_effort="80")).status_code == 303
    now = Switches.of(settings.plugin, store)
    assert (now.max_effort, now.shadow_share, now.mode("2104")) == (0.8, 0.025, "route")
    assert post("/admin/settings", **form()).location.endswith("said=unchanged")


@pytest.mark.parametrize("bad", ["101", "-1", "nan", "five", "", "1e9", "inf"])
def test_what_is_wrong_is_said_beside_its_field_and_nothing_is_lost(post: Post, store: Store, bad: str) -> None:
    answer = post("/admin/settings", **form(shadow_share=bad, max_effort="50"))
    page = answer.get_data(as_text=True)
    assert answer.status_code == 422
    assert 'id="shadow_share-wrong">Give a number from 0 to 100' in page
    assert f'name="shadow_share" value="{bad}"' in page
    assert 'name="max_effort" value="50"' in page
    assert store.switches.all() == {}


def test_a_mode_that_is_none_is_refused(post: Post, store: Store) -> None:
    answer = post("/admin/settings", **form(**{"group-2101": "everything"}))
    assert (answer.status_code, "Choose one of" in answer.get_data(as_text=True)) == (422, True)
    assert store.switches.all() == {}


def test_a_store_that_does_not_work_is_a_page_too(client: FlaskClient, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object, **__: object) -> None:
        raise StoreError("/home/x/deskhand.db: the disk is full")

    monkeypatch.setattr("connectors.store.review.Review.total", broken)
    answer = client.get("/admin/")
    assert (answer.status_code, "/home/x" in answer.get_data(as_text=True)) == (503, False)
    assert answer.headers["Cache-Control"] == "no-store"
