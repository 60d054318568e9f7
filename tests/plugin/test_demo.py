"""The small steps of the demo; the whole of it runs in tests/e2e."""

from __future__ import annotations

import json
import logging
import shutil
import stat
import threading
import time
from pathlib import Path
from typing import Any

import pytest
import requests

from connectors.errors import FatalError
from connectors.lock import exclusive
from connectors.settings import Settings, load_settings
from connectors.store.database import Store
from plugin import demo
from trainer.registry import Registry

pytestmark = pytest.mark.usefixtures("no_environment")


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return tmp_path / "demo"


def test_it_connects_as_an_owner_would_and_can_do_so_again(desk: Any, home: Path) -> None:
    first = demo._connect(home, desk.sandbox, 9876)
    assert first == load_settings(home)
    assert first.require_helpdesk().base_url == desk.sandbox.url
    assert (first.plugin.port, first.trainer.epochs) == (9876, demo.QUICK["epochs"])
    assert stat.S_IMODE((home / "secrets.toml").stat().st_mode) == 0o600
    (hook,) = desk.call("GET", "/api/v2/webhooks")["webhooks"]
    assert hook["endpoint"] == "http://127.0.0.1:9876/webhooks/sandbox"
    again = demo._connect(home, desk.sandbox, 9876)
    assert again.plugin.webhook_secret == first.plugin.webhook_secret
    assert len(desk.call("GET", "/api/v2/webhooks")["webhooks"]) == 1


def test_the_app_stands_beside_the_ticket_and_its_token_does_not(desk: Any, home: Path) -> None:
    settings = demo._connect(home, desk.sandbox, 9876)
    demo._install_app(desk.sandbox, settings)
    page = requests.get(f"{desk.sandbox.url}/agent/tickets/{desk.open_ticket()}", timeout=10)
    assert page.status_code == 200
    assert "app-frame" in page.text
    first = desk.sandbox.app.config["SANDBOX_APP"]["secure_settings"]["token"]
    assert first not in page.text
    demo._install_app(desk.sandbox, settings)
    second = desk.sandbox.app.config["SANDBOX_APP"]["secure_settings"]["token"]
    with Store(settings.database_path) as store:
        assert store.tokens.check(first) is None, "the token of an earlier run is gone with it"
        assert store.tokens.check(second)


def test_it_syncs_with_the_same_connector_as_for_a_real_account(
    desk: Any, home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    settings = demo._connect(home, desk.sandbox, 9876)
    demo._sync(settings)
    assert "16 tickets, 32 comments, 1 articles" in capsys.readouterr().err
    with Store(settings.database_path) as store:
        assert store.history.counts("sandbox")["tickets"] == 16


def test_a_version_of_an_earlier_run_is_not_trained_again(
    settings: Settings, versions: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    Registry(settings.models_path).promote(versions[0], by="demo")
    demo._train(settings, retrain=False)
    assert f"{versions[0]} is live from an earlier run" in capsys.readouterr().err
    assert sorted(Registry(settings.models_path).versions()) == versions


def test_without_its_helpdesk_a_mirror_is_thrown_away(settings: Settings, desk: Any) -> None:
    (settings.home / "deskhand.db-wal").touch()
    shutil.copy(settings.home.parent / "sandbox.db", settings.home / "sandbox.db")
    demo._drop_orphans(settings.home)
    assert settings.database_path.exists()
    (settings.home / "sandbox.db").unlink()
    demo._drop_orphans(settings.home)
    assert list(settings.home.glob("deskhand.db*")) == []
    assert (settings.home / "models").exists()
    demo._drop_orphans(settings.home)


def test_waiting_tickets_are_opened_until_there_are_none(desk: Any) -> None:
    assert demo._open_next(desk.sandbox) == "26"
    assert desk.ticket("26")["status"] == "new"
    with pytest.raises(FatalError, match="all waiting tickets of the sample company are open") as caught:
        demo._open_next(desk.sandbox)
    assert "delete the demo's folder" in caught.value.hint


def test_it_waits_until_the_plugin_is_done_and_finds_note_and_route(desk: Any) -> None:
    ticket_id = desk.open_ticket()
    done = threading.Event()

    def work() -> None:
        desk.change(ticket_id, comment={"body": "Suggested reply", "public": False}, group_id=2104)
        done.set()

    later = threading.Timer(0.7, work)
    later.start()
    assert demo._await_answer(desk.sandbox, ticket_id, lambda _: done.is_set()) == (True, "FIN")
    later.join()


def test_it_does_not_wait_for_ever(desk: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(demo, "ANSWER_WITHIN_S", 0.6)
    ticket_id = desk.open_ticket()
    assert demo._await_answer(desk.sandbox, ticket_id, lambda _: False) == (False, "")
    desk.answer(ticket_id)
    assert demo._await_answer(desk.sandbox, ticket_id, lambda _: False) == (False, ""), "a public answer is no note"


def test_a_route_without_a_note_is_silence_and_not_waited_for(desk: Any) -> None:
    ticket_id = desk.open_ticket()
    desk.change(ticket_id, group_id=2101)
    started = time.monotonic()
    assert demo._await_answer(desk.sandbox, ticket_id, lambda _: True) == (False, "TRK1")
    assert time.monotonic() - started < 10


def test_the_log_goes_into_a_file_and_comes_back(tmp_path: Path) -> None:
    before = list(logging.getLogger().handlers)
    with demo._own_log(tmp_path):
        logging.getLogger("plugin").warning("Zürich")
    with pytest.raises(KeyboardInterrupt), demo._own_log(tmp_path):
        raise KeyboardInterrupt
    assert logging.getLogger().handlers == before
    assert (tmp_path / "deskhand.log").read_text(encoding="utf-8").endswith("WARNING plugin: Zürich\n")


def test_the_closing_words_say_where_to_look(desk: Any, capsys: pytest.CaptureFixture[str]) -> None:
    demo._closing_words(desk.sandbox, "26", 90)
    out = capsys.readouterr().out
    assert "Done in 1.5 min" in out
    assert f"{desk.sandbox.url}/agent/tickets/26" in out


def test_a_second_demo_in_the_same_home_is_refused(desk: Any, home: Path) -> None:
    with exclusive(home, "demo"), pytest.raises(FatalError, match="another 'deskhand demo' is running"):
        demo.run_demo(home, once=True, port=0, helpdesk_port=0, retrain=False)
    assert [path.name for path in home.iterdir()] == ["demo.lock"]
    assert json.dumps(demo.QUICK), "the quick profile can be written to config.toml"
