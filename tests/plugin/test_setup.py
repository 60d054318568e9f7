"""`deskhand init`: a credential is tried before it is written down, and what was there is not lost."""

from __future__ import annotations

import stat
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from sqlite_utils import Database

from connectors.errors import ConfigError, CredentialError, DeskhandError
from connectors.sandbox.database import issue_token
from connectors.settings import load_settings, write_home
from plugin.setup import connect

GOOD: dict[str, dict[str, Any]] = {
    "config": {
        "helpdesk": {"name": "acme", "url": "https://acme.example", "auth": "bearer", "timeout_s": 5.0},
        "trainer": {"epochs": 7},
        "plugin": {"port": 9999, "agent_email": "old@desk.example"},
    },
    "secrets": {
        "helpdesk": {"token": "old-token"},
        "plugin": {"sidebar_token": "old-sidebar-token", "webhook_secret": "old-secret"},
    },
}

pytestmark = pytest.mark.usefixtures("no_environment")


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return tmp_path / "new" / "home"


@pytest.fixture
def sign_in(desk: Any, home: Path) -> Callable[..., None]:
    def sign_in(**changes: Any) -> None:
        answers = {
            "url": desk.sandbox.url,
            "auth": "bearer",
            "email": "",
            "client_id": "",
            "secret": desk.sandbox.token,
        }
        connect(home, **(answers | changes))

    return sign_in


def read(home: Path, name: str) -> dict[str, Any]:
    return tomllib.loads((home / name).read_text())


def files(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_a_new_home_is_whole_and_private(
    home: Path, sign_in: Callable[..., None], desk: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    sign_in()
    settings = load_settings(home)
    helpdesk = settings.require_helpdesk()
    assert helpdesk.base_url == desk.sandbox.url
    assert helpdesk.token.get_secret_value() == desk.sandbox.token
    assert settings.plugin.agent_email == "bot@desk.example"
    assert len(settings.plugin.sidebar_token.get_secret_value()) >= 32
    assert stat.S_IMODE((home / "secrets.toml").stat().st_mode) == 0o600
    assert stat.S_IMODE(home.stat().st_mode) == 0o700
    assert desk.sandbox.token not in (home / "config.toml").read_text()
    assert sorted(path.name for path in home.parent.iterdir()) == ["home"], "the trial's folder is gone"
    said = capsys.readouterr()
    assert (said.out, said.err) == ("Connected as admin (user 5099). Next: deskhand sync\n", "")


def test_two_homes_do_not_share_a_sidebar_token(home: Path, sign_in: Callable[..., None]) -> None:
    sign_in()
    first = read(home, "secrets.toml")["plugin"]["sidebar_token"]
    (home / "secrets.toml").unlink()
    sign_in()
    assert read(home, "secrets.toml")["plugin"]["sidebar_token"] != first


def test_an_oauth_client_and_an_api_token_work_as_well(home: Path, sign_in: Callable[..., None], desk: Any) -> None:
    sign_in(auth="client_credentials", client_id=desk.sandbox.client_id, secret=desk.sandbox.client_secret)
    assert read(home, "secrets.toml")["helpdesk"] == {"client_secret": desk.sandbox.client_secret}
    sign_in(auth="api_token", email="bot@desk.example")
    assert read(home, "secrets.toml")["helpdesk"] == {"token": desk.sandbox.token}
    assert "client_id" not in read(home, "config.toml")["helpdesk"]
    load_settings(home)


def test_an_agents_credential_works_with_a_warning(
    home: Path, sign_in: Callable[..., None], desk: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    db = Database(desk.sandbox.app.extensions["sandbox"].database)
    with db.conn:
        token = issue_token(db, 5001)
    db.close()
    sign_in(secret=token)
    said = capsys.readouterr()
    assert "Connected as agent (user 5001)" in said.out
    assert "not an admin's" in said.err
    assert home.exists()


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"secret": "refused-token"}, CredentialError),
        ({"auth": "client_credentials", "client_id": "x", "secret": "refused-token"}, CredentialError),
        ({"auth": "api_token", "email": "else@desk.example"}, CredentialError),
        ({"secret": "refused token"}, ConfigError),
        ({"secret": ""}, ConfigError),
        ({"url": "acme"}, ConfigError),
        ({"auth": "magic"}, ConfigError),
        ({"auth": "client_credentials", "client_id": ""}, ConfigError),
    ],
)
def test_a_wrong_answer_writes_nothing_and_leaves_no_trial(
    changes: dict[str, str], error: type[DeskhandError], home: Path, sign_in: Callable[..., None]
) -> None:
    write_home(home, GOOD["config"], GOOD["secrets"])
    before = files(home.parent)
    with pytest.raises(error) as caught:
        sign_in(**changes)
    assert files(home.parent) == before
    assert [path.name for path in home.parent.iterdir()] == ["home"]
    said = str(caught.value) + caught.value.hint
    assert "refused" not in said
    assert "trial" not in said, "that folder is gone"


def test_a_wrong_answer_at_the_first_time_leaves_no_home(home: Path, sign_in: Callable[..., None]) -> None:
    with pytest.raises(CredentialError):
        sign_in(secret="refused-token")
    assert files(home.parent) == {}
    assert not home.exists()


def test_a_new_credential_for_the_same_helpdesk_keeps_all_the_rest(
    home: Path, sign_in: Callable[..., None], desk: Any
) -> None:
    config = GOOD["config"] | {"helpdesk": GOOD["config"]["helpdesk"] | {"url": desk.sandbox.url}}
    write_home(home, config, GOOD["secrets"])
    sign_in()
    assert read(home, "config.toml") == {
        "helpdesk": {"name": "acme", "timeout_s": 5.0, "url": desk.sandbox.url, "auth": "bearer"},
        "trainer": {"epochs": 7},
        "plugin": {"port": 9999, "agent_email": "bot@desk.example"},
    }
    assert read(home, "secrets.toml") == {
        "helpdesk": {"token": desk.sandbox.token},
        "plugin": {"sidebar_token": "old-sidebar-token", "webhook_secret": "old-secret"},
    }


def test_another_helpdesk_does_not_take_over_the_name_of_the_first(home: Path, sign_in: Callable[..., None]) -> None:
    write_home(home, GOOD["config"], GOOD["secrets"])
    sign_in()
    assert load_settings(home).require_helpdesk().name == "zendesk"


def test_a_home_that_cannot_be_read_is_mended(home: Path, sign_in: Callable[..., None]) -> None:
    write_home(home, GOOD["config"], GOOD["secrets"])
    (home / "config.toml").write_text("[helpdesk\n")
    (home / "secrets.toml").write_bytes(b"\xff\xfe")
    sign_in()
    load_settings(home).require_helpdesk()


def test_a_home_that_cannot_be_written_is_explained(tmp_path: Path, desk: Any) -> None:
    (tmp_path / "file").write_text("not a folder")
    home = tmp_path / "file" / "home"
    with pytest.raises(ConfigError, match="Not a directory") as caught:
        connect(home, url=desk.sandbox.url, auth="bearer", email="", client_id="", secret=desk.sandbox.token)
    assert caught.value.hint
