"""`deskhand init`: a credential is tried before it is written down, and what was there is not lost."""

from __future__ import annotations

import base64
import http.server
import io
import json
import stat
import sys
import threading
import tomllib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, get_args

import click
import pytest
from click.testing import CliRunner
from sqlite_utils import Database

from connectors.errors import ConfigError, CredentialError, DeskhandError, SkippableError
from connectors.sandbox.database import issue_token
from connectors.settings import Auth, HelpdeskSettings, Kind, load_settings, write_home
from connectors.store.database import Store
from connectors.zendesk.client import Zendesk
from connectors.zendesk.token_pair import Pair, PairFile
from plugin.cli import deskhand
from plugin.setup import Answers, ask, connect

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
    def sign_in(secret: str = desk.sandbox.token, **changes: Any) -> None:
        how = {name: changes.pop(name) for name in ("public_url", "install_webhook", "sign_in") if name in changes}
        how = {"sign_in": no_browser} | how
        connect(home, {"url": desk.sandbox.url, "auth": "bearer"} | changes, secret, **how)

    return sign_in


def no_browser(*_: object) -> Pair:
    raise AssertionError("this needs no browser")


@pytest.fixture
def agents_token(desk: Any) -> str:
    """The token of somebody who is no admin."""
    db = Database(desk.sandbox.app.extensions["sandbox"].database)
    with db.conn:
        token = issue_token(db, 5001)
    db.close()
    return token


def allowed_by(desk: Any, scopes: list[str]) -> Callable[[HelpdeskSettings, str], Pair]:
    """A sign-in in the browser that has succeeded; notes what was asked for."""

    def sign_in(settings: HelpdeskSettings, scope: str) -> Pair:
        scopes.append(settings.scope or scope)
        db = Database(desk.sandbox.app.extensions["sandbox"].database)
        with db.conn:
            token = issue_token(db, 5099, scope=scopes[-1])
        db.close()
        return Pair(token, "refresh-token", None, scopes[-1], 0.0)

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
    with Store(settings.database_path) as store:
        (token,) = store.tokens.valid()
    assert stat.S_IMODE((home / "secrets.toml").stat().st_mode) == 0o600
    assert stat.S_IMODE(home.stat().st_mode) == 0o700
    assert desk.sandbox.token not in (home / "config.toml").read_text()
    assert sorted(path.name for path in home.parent.iterdir()) == ["home"], "the trial's folder is gone"
    said = capsys.readouterr()
    lines = said.out.splitlines()
    assert (lines[0], lines[-1], said.err) == ("Connected as admin (user 5099).", "Next: deskhand sync", "")
    assert lines[1] == f"It may read: {', '.join(Zendesk.streams)}."
    assert (len(lines), lines[2][:31]) == (5, "Token for the sidebar app, show")
    with Store(settings.database_path) as store:
        assert store.tokens.check(lines[3].strip()) == token.id
    assert not [path for path in home.glob("*.toml") if lines[3].strip() in path.read_text()]


def test_a_home_gets_one_token_however_often_it_is_connected(
    home: Path, sign_in: Callable[..., None], capsys: pytest.CaptureFixture[str]
) -> None:
    sign_in()
    sign_in()
    assert capsys.readouterr().out.count("Token for the sidebar app") == 1
    with Store(home / "deskhand.db") as store:
        (token,) = store.tokens.valid()
        store.tokens.revoke(token.id)
    sign_in()
    assert capsys.readouterr().out.count("Token for the sidebar app") == 1


def test_an_oauth_client_and_an_api_token_work_as_well(home: Path, sign_in: Callable[..., None], desk: Any) -> None:
    sign_in(auth="client_credentials", client_id=desk.sandbox.client_id, secret=desk.sandbox.client_secret)
    assert read(home, "secrets.toml")["helpdesk"] == {"client_secret": desk.sandbox.client_secret}
    sign_in(auth="api_token", email="bot@desk.example")
    assert read(home, "secrets.toml")["helpdesk"] == {"token": desk.sandbox.token}
    assert "client_id" not in read(home, "config.toml")["helpdesk"]
    load_settings(home)


def test_an_agents_credential_works_and_is_called_what_it_is(
    home: Path, sign_in: Callable[..., None], agents_token: str, capsys: pytest.CaptureFixture[str]
) -> None:
    sign_in(agents_token)
    assert capsys.readouterr().out.startswith("Connected as agent (user 5001).\n")
    assert home.exists()


def test_what_cannot_be_read_is_said_with_the_reason_and_is_no_hindrance(
    home: Path, sign_in: Callable[..., None], desk: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    desk.fault("/brands", 403, times=9)
    desk.fault("/macros", 404, times=9)
    sign_in()
    said = capsys.readouterr()
    readable, *denied = said.out.splitlines()[1:-3]
    assert readable == f"It may read: {', '.join(one for one in Zendesk.streams if one not in ('brands', 'macros'))}."
    assert [line.split(": ")[0] for line in denied] == ["It cannot read brands", "It cannot read macros"]
    assert "403" in denied[0]
    assert said.err == ""
    load_settings(home)


def test_a_credential_without_the_tickets_is_of_little_use(
    home: Path, sign_in: Callable[..., None], desk: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    desk.fault("/tickets", 403, times=9)
    sign_in()
    said = capsys.readouterr()
    assert "It cannot read tickets: " in said.out
    assert "nothing to learn from" in said.err


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
        ({"auth": "token"}, ConfigError),
        ({"kind": "zammad"}, ConfigError),
        ({"kind": "magic"}, ConfigError),
        ({"public_url": "deskhand.example"}, ConfigError),
        ({"install_webhook": True}, ConfigError),
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
    with Store(home / "deskhand.db") as store:
        assert store.tokens.all() == [], "the one in secrets.toml will do"


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
        connect(home, {"url": desk.sandbox.url, "auth": "bearer"}, desk.sandbox.token, sign_in=no_browser)
    assert caught.value.hint


# ---- other kinds


class _Desk(http.server.BaseHTTPRequestHandler):
    """Knows one key: an agent's at Freshdesk's paths, who may read groups only; a customer's at Zendesk's."""

    def do_GET(self) -> None:
        path, key = self.path.partition("?")[0], base64.b64encode(b"a-key:X").decode()
        known = {"/api/v2/agents/me": {"id": 7, "contact": {"name": "Bo", "email": "bo@desk.example"}}}
        known["/api/v2/groups"] = []  # type: ignore[assignment]
        known["/api/v2/users/me.json"] = {"user": {"id": 9, "name": "Deniz", "role": "end-user"}}
        is_known = self.headers.get("Authorization") in (f"Basic {key}", "Bearer a-key")
        status = (200 if path in known else 403) if is_known else 401
        content = json.dumps(known.get(path, {})).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_: object) -> None:
        """Nothing on stderr."""


@pytest.fixture
def other_desk() -> Iterator[str]:
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), _Desk)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


def test_a_customers_credential_is_refused(other_desk: str, home: Path) -> None:
    with pytest.raises(CredentialError, match="belongs to a customer"):
        connect(home, {"url": other_desk, "auth": "bearer"}, "a-key", sign_in=no_browser)
    assert not home.exists()


def test_another_kind_is_connected_by_its_key(other_desk: str, home: Path) -> None:
    asked = ["init", "--home", str(home), "--kind", "freshdesk", "--url", other_desk, "--token-stdin"]
    refused = CliRunner().invoke(deskhand, asked, input="wrong-key\n")
    assert (refused.exit_code, "wrong-key" in refused.output, home.exists()) == (1, False, False)
    result = CliRunner().invoke(deskhand, asked, input="a-key\n")
    assert result.exit_code == 0, result.output
    lines = result.stdout.splitlines()
    assert lines[:2] == ["Connected as agent (user 7).", "It may read: groups."]
    assert any(line.startswith("It cannot read tickets: ") for line in lines)
    settings = load_settings(home)
    assert (settings.require_helpdesk().name, settings.require_helpdesk().auth) == ("freshdesk", "token")
    assert settings.plugin.agent_email == "bo@desk.example"
    assert "a-key" not in result.output


# ---- an agent's consent


def test_an_agents_consent_is_kept_beside_the_settings(home: Path, sign_in: Callable[..., None], desk: Any) -> None:
    scopes: list[str] = []
    how = {"auth": "authorization_code", "client_id": "desk", "secret": "", "sign_in": allowed_by(desk, scopes)}
    sign_in(**how)
    assert scopes == ["read tickets:write"]
    path = home / "oauth-zendesk.json"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    token = PairFile(home, "zendesk").read().access_token
    assert not any(token in (home / name).read_text() for name in ("config.toml", "secrets.toml"))
    assert "helpdesk" not in read(home, "secrets.toml") or read(home, "secrets.toml")["helpdesk"] == {}
    assert [one.name for one in home.parent.iterdir()] == ["home"]
    client = Zendesk(load_settings(home).require_helpdesk(), home=home)
    assert client.me().name == "Deskhand"
    client.close()


def test_consent_that_was_given_again_replaces_the_pair_of_the_same_name(
    home: Path, sign_in: Callable[..., None], desk: Any
) -> None:
    write_home(home, {"helpdesk": {"name": "acme", "url": desk.sandbox.url, "scope": "read"}}, {})
    PairFile(home, "acme").store(Pair("old", "old", None, "", 0.0))
    scopes: list[str] = []
    how = {"auth": "authorization_code", "client_id": "desk", "secret": "", "sign_in": allowed_by(desk, scopes)}
    sign_in(**how)
    assert PairFile(home, "acme").read().access_token != "old"
    assert scopes == ["read"], "what the settings say goes"


def test_consent_of_a_customer_is_refused(home: Path, sign_in: Callable[..., None], desk: Any) -> None:
    def customer(*_: object) -> Pair:
        return Pair("of-nobody", "r", None, "", 0.0)

    with pytest.raises(CredentialError):
        sign_in(auth="authorization_code", client_id="desk", secret="", sign_in=customer)
    assert not home.exists()


# ---- the webhook


PUBLIC = "https://deskhand.acme.example/"


def test_the_webhook_is_installed_and_its_secret_kept(
    home: Path, sign_in: Callable[..., None], desk: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    sign_in(public_url=PUBLIC, install_webhook=True)
    settings = load_settings(home)
    assert str(settings.plugin.public_url) == PUBLIC
    (webhook,) = desk.call("GET", "/api/v2/webhooks")["webhooks"]
    assert webhook["endpoint"] == "https://deskhand.acme.example/webhooks/zendesk"
    signing = desk.call("GET", f"/api/v2/webhooks/{webhook['id']}/signing_secret")["signing_secret"]["secret"]
    assert settings.plugin.webhook_secret.get_secret_value() == signing
    assert "webhook_secret" not in read(home, "config.toml")["plugin"]
    said = capsys.readouterr()
    assert "calls https://deskhand.acme.example/webhooks/zendesk" in said.out
    assert signing not in said.out + said.err


def test_the_address_is_kept_without_a_webhook(home: Path, sign_in: Callable[..., None], desk: Any) -> None:
    sign_in(public_url=PUBLIC)
    assert str(load_settings(home).plugin.public_url) == PUBLIC
    assert desk.call("GET", "/api/v2/webhooks")["webhooks"] == []
    sign_in(install_webhook=True)
    assert len(desk.call("GET", "/api/v2/webhooks")["webhooks"]) == 1, "the address of the earlier run is known"


def test_the_wider_scope_is_asked_for_only_while_it_is_needed(
    home: Path, sign_in: Callable[..., None], desk: Any
) -> None:
    how = {"auth": "client_credentials", "client_id": desk.sandbox.client_id, "secret": desk.sandbox.client_secret}
    sign_in(**how, public_url=PUBLIC, install_webhook=True)
    assert len(desk.call("GET", "/api/v2/webhooks")["webhooks"]) == 1
    client = Zendesk(load_settings(home).require_helpdesk())
    with pytest.raises(SkippableError, match="403"):
        client.install_webhook("https://else.example/webhooks/zendesk")
    client.close()
    scopes: list[str] = []
    how = {"auth": "authorization_code", "client_id": "desk", "secret": "", "sign_in": allowed_by(desk, scopes)}
    sign_in(**how, public_url="https://new.example", install_webhook=True)
    assert scopes == ["read tickets:write webhooks:write triggers:write"]
    assert len(desk.call("GET", "/api/v2/webhooks")["webhooks"]) == 2


def test_a_webhook_that_cannot_be_installed_leaves_the_helpdesk_connected(
    home: Path, sign_in: Callable[..., None], agents_token: str
) -> None:
    with pytest.raises(DeskhandError):
        sign_in(agents_token, public_url=PUBLIC, install_webhook=True)
    settings = load_settings(home)
    assert settings.require_helpdesk().token.get_secret_value() == agents_token
    assert settings.plugin.webhook_secret.get_secret_value() == ""


# ---- questions and answers


def test_what_was_given_is_not_asked_for() -> None:
    given = Answers("zendesk", url="https://a.example", auth="client_credentials", client_id="desk")
    sys_in, sys.stdin = sys.stdin, io.StringIO("a-secret\nanother line\n")
    try:
        helpdesk, secret = ask(given, token_stdin=True)
        assert sys.stdin.read() == "another line\n", "the rest is for later questions"
    finally:
        sys.stdin = sys_in
    assert helpdesk == {
        "kind": "zendesk",
        "url": "https://a.example",
        "auth": "client_credentials",
        "client_id": "desk",
    }
    assert secret == "a-secret"


@pytest.mark.parametrize(
    ("kind", "typed", "expected", "secret"),
    [
        ("zendesk", "URL\n\ndesk\ns-1\n", {"auth": "client_credentials", "client_id": "desk"}, "s-1"),
        ("zendesk", "URL\napi_token\na@b.example\ns-1\n", {"auth": "api_token", "email": "a@b.example"}, "s-1"),
        ("zendesk", "URL\nauthorization_code\ndesk\n\n", {"auth": "authorization_code", "client_id": "desk"}, ""),
        ("zammad", "URL\ns-1\n", {"auth": "token"}, "s-1"),
        ("files", "exported\n", {"path": "exported"}, ""),
    ],
)
def test_each_kind_asks_for_what_it_needs(kind: str, typed: str, expected: dict[str, str], secret: str) -> None:
    found: list[Any] = []

    @click.command()
    def command() -> None:
        found.append(ask(Answers(kind), token_stdin=False))

    result = CliRunner().invoke(command, input=typed.replace("URL", "https://a.example"))
    assert result.exit_code == 0, result.output
    place = {} if kind == "files" else {"url": "https://a.example"}
    assert found == [({"kind": kind} | place | expected, secret)]
    assert result.stdout == "", "questions are not results"
    assert "s-1" not in result.output


def test_secrets_come_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DESKHAND_HELPDESK__TOKEN", "t-1")
    monkeypatch.setenv("DESKHAND_HELPDESK__CLIENT_SECRET", "c-1")
    for auth, expected in (("bearer", "t-1"), ("authorization_code", "c-1")):
        given = Answers("zendesk", url="https://a.example", auth=auth, client_id="desk")
        assert ask(given, token_stdin=False)[1] == expected


def test_a_script_can_connect_by_the_environment_alone(home: Path, desk: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    known = {"URL": desk.sandbox.url, "AUTH": "client_credentials", "CLIENT_ID": desk.sandbox.client_id}
    for name, value in (known | {"CLIENT_SECRET": desk.sandbox.client_secret}).items():
        monkeypatch.setenv(f"DESKHAND_HELPDESK__{name}", value)
    result = CliRunner().invoke(deskhand, ["init", "--home", str(home)])
    assert result.exit_code == 0, result.output
    assert desk.sandbox.client_secret not in result.output
    assert read(home, "secrets.toml")["helpdesk"] == {"client_secret": desk.sandbox.client_secret}


def test_the_choices_are_those_of_the_settings() -> None:
    (init,) = [command for name, command in deskhand.commands.items() if name == "init"]
    choices = {option.name: set(option.type.choices) for option in init.params if hasattr(option.type, "choices")}
    assert choices == {"kind": set(get_args(Kind)), "auth": set(get_args(Auth))}


def test_no_secret_can_be_given_as_an_argument() -> None:
    (init,) = [command for name, command in deskhand.commands.items() if name == "init"]
    valued = {option.name for option in init.params if not getattr(option, "is_flag", False)}
    assert not {name for name in valued if name and ("secret" in name or "token" in name or "password" in name)}
