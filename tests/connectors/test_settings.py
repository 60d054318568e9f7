"""Settings: the files of a home, the environment over them, and what is said where they are wrong."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest
from pydantic import ValidationError

from connectors.errors import ConfigError
from connectors.settings import PluginSettings, Settings, TrainerSettings, default_home, load_settings, write_home

SECRET = "sekrit-8d1f"
HELPDESK = {"url": "https://acme.zendesk.com/"}


@pytest.fixture(autouse=True)
def _clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith("DESKHAND_")]:
        monkeypatch.delenv(name)


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return tmp_path / "home"


def save(home: Path, config: str = "", secrets: str = "") -> Path:
    home.mkdir(exist_ok=True)
    (home / "config.toml").write_text(config)
    (home / "secrets.toml").write_text(secrets)
    return home


def complaint(home: Path) -> ConfigError:
    with pytest.raises(ConfigError) as caught:
        load_settings(home)
    assert caught.value.hint
    return caught.value


def test_a_home_that_does_not_exist_has_the_defaults(home: Path) -> None:
    settings = load_settings(home)
    assert settings.trainer == TrainerSettings()
    assert settings.plugin == PluginSettings()
    assert not home.exists()
    with pytest.raises(ConfigError, match="no helpdesk is configured") as caught:
        settings.require_helpdesk()
    assert caught.value.hint == "run: deskhand init"


def test_what_was_written_is_read_back(home: Path) -> None:
    write_home(home, {"helpdesk": HELPDESK, "trainer": {"epochs": 2}}, {"helpdesk": {"token": SECRET}})
    settings = load_settings(home)
    assert settings.require_helpdesk().base_url == "https://acme.zendesk.com"
    assert settings.require_helpdesk().token.get_secret_value() == SECRET
    assert settings.trainer.epochs == 2
    assert settings.database_path == home / "deskhand.db"


def test_secrets_can_be_read_by_their_owner_only(home: Path) -> None:
    write_home(home, {}, {"helpdesk": {"token": SECRET}})
    secrets = home / "secrets.toml"
    secrets.chmod(0o644)  # somebody loosened it
    write_home(home, {}, {"helpdesk": {"token": SECRET}})
    assert stat.S_IMODE(secrets.stat().st_mode) == 0o600
    assert stat.S_IMODE(home.stat().st_mode) == 0o700
    assert {path.name for path in home.iterdir()} == {"config.toml", "secrets.toml"}


def test_secrets_are_private_from_their_first_byte_on(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    modes: list[int] = []
    fdopen = os.fdopen
    monkeypatch.setattr(os, "fdopen", lambda fd, *a, **k: (modes.append(os.fstat(fd).st_mode), fdopen(fd, *a, **k))[1])
    previous = os.umask(0)
    try:
        write_home(home, {}, {"helpdesk": {"token": SECRET}})
    finally:
        os.umask(previous)
    assert [stat.S_IMODE(mode) for mode in modes] == [0o600, 0o600]


def test_a_write_that_fails_leaves_the_old_secrets_whole(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_home(home, {"helpdesk": HELPDESK}, {"helpdesk": {"token": SECRET}})

    def full(_descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(ConfigError, match="No space left"):
        write_home(home, {"helpdesk": HELPDESK}, {"helpdesk": {"token": "other"}})
    assert load_settings(home).require_helpdesk().token.get_secret_value() == SECRET


def test_a_home_that_cannot_be_made_is_explained(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigError, match="cannot write"):
        write_home(tmp_path / "file" / "home", {}, {})


def test_secrets_never_show(home: Path) -> None:
    home = save(home, f"[helpdesk]\nurl = '{HELPDESK['url']}'", f"[helpdesk]\ntoken = '{SECRET}'")
    settings = load_settings(home)
    assert SECRET not in repr(settings) + str(settings) + settings.model_dump_json()


def test_the_environment_wins_setting_by_setting(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    save(home, "[trainer]\nlora_rank = 4\nepochs = 2")
    monkeypatch.setenv("DESKHAND_TRAINER__LORA_RANK", "8")
    assert load_settings(home).trainer == TrainerSettings(lora_rank=8, epochs=2)


def test_a_token_can_come_from_the_environment(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    save(home, f"[helpdesk]\nurl = '{HELPDESK['url']}'")
    monkeypatch.setenv("DESKHAND_HELPDESK__TOKEN", SECRET)
    assert load_settings(home).require_helpdesk().token.get_secret_value() == SECRET


def test_the_home_asked_for_is_used_whatever_the_environment_says(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DESKHAND_HOME", "/somewhere/else")
    assert load_settings(home).home == home


@pytest.mark.parametrize(("value", "expected"), [("~/desk", "~/desk"), ("a/b", "a/b"), ("", ".deskhand")])
def test_the_home_is_an_absolute_folder(value: str, expected: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DESKHAND_HOME", value)
    assert default_home() == Path(expected).expanduser().absolute()
    assert load_settings().home == default_home()


def test_all_problems_are_told_at_once_and_no_value_is(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    save(
        home,
        "[helpdesk]\nurl = 'acme'\ntimeout_s = -1\nauth = 'api_token'\n"
        "[trainer]\nlora_rank = 0\nlora_rnak = 8\n[tariner]\nx = 1",
        f"[helpdesk]\ntoken = ['{SECRET}']\n[plugin]\nport = 99999",
    )
    monkeypatch.setenv("DESKHAND_PLUGIN__MIN_CONFIDENCE", "1.5")
    monkeypatch.setenv("DESKHAND_TRIANER__EPOCHS", "2")
    error = complaint(home)
    lines = str(error).splitlines()
    named = {line.split("]")[0].strip(" [") for line in lines[1:]}
    assert named == {
        *("helpdesk.url", "helpdesk.timeout_s", "helpdesk.email", "helpdesk.token", "trainer.lora_rank"),
        *("trainer.lora_rnak", "tariner", "plugin.port", "plugin.min_confidence", "DESKHAND_TRIANER__EPOCHS"),
    }
    assert lines[0].startswith("10 problem(s)")
    assert SECRET not in f"{error!r}{error.hint}{error.__cause__}"
    assert error.exit_code == 78


@pytest.mark.parametrize(
    ("auth", "missing"),
    [
        ("bearer", {"token"}),
        ("api_token", {"email", "token"}),
        ("client_credentials", {"client_id", "client_secret"}),
        ("authorization_code", {"client_id"}),
    ],
)
def test_each_kind_of_credential_says_what_it_lacks(home: Path, auth: str, missing: set[str]) -> None:
    save(home, f"[helpdesk]\nurl = '{HELPDESK['url']}'\nauth = '{auth}'")
    named = {line.split("]")[0].partition(".")[2] for line in str(complaint(home)).splitlines()[1:]}
    assert named == missing


@pytest.mark.parametrize(
    ("kind", "auth"),
    [
        ("zendesk", "bearer"),
        *((kind, "token") for kind in ("freshdesk", "zammad", "request_tracker", "django_helpdesk", "files")),
    ],
)
def test_a_kind_brings_its_name_and_its_usual_credential(home: Path, kind: str, auth: str) -> None:
    place = "path = 'exported'" if kind == "files" else f"url = '{HELPDESK['url']}'"
    token = "" if kind == "files" else f"[helpdesk]\ntoken = '{SECRET}'"
    save(home, f"[helpdesk]\nkind = '{kind}'\n{place}", token)
    helpdesk = load_settings(home).require_helpdesk()
    assert (helpdesk.name, helpdesk.auth, helpdesk.base_url == "") == (kind, auth, kind == "files")


@pytest.mark.parametrize(
    ("config", "named"),
    [
        ("kind = 'zammad'", {"url", "token"}),
        ("kind = 'zammad'\nurl = 'x'\nauth = 'bearer'", {"url", "auth"}),
        ("kind = 'zendesk'\nurl = 'https://a.example'\nauth = 'token'", {"auth"}),
        ("kind = 'files'", {"path"}),
        ("kind = 'files'\npath = 'x'\nauth = 'bearer'", {"auth"}),
        ("kind = 'trello'\nurl = 'https://a.example'", {"kind", "token"}),
        ("kind = ['zendesk']\nname = ''\nauth = 3\nscope = 'Read;'", {"kind", "auth", "scope"}),
        ("name = 'Acme'\nurl = 'https://a.example'\nauth = 'token'", {"name", "auth"}),
    ],
)
def test_what_does_not_fit_the_kind_is_said_by_field(home: Path, config: str, named: set[str]) -> None:
    save(home, f"[helpdesk]\n{config}")
    error = complaint(home)
    assert {line.split("]")[0].partition(".")[2] for line in str(error).splitlines()[1:]} == named


def test_how_a_kind_is_signed_in_to_is_said(home: Path) -> None:
    save(home, f"[helpdesk]\nkind = 'zammad'\nurl = '{HELPDESK['url']}'\nauth = 'authorization_code'")
    assert "'authorization_code' is not how zammad is signed in to: token" in str(complaint(home))


@pytest.mark.parametrize(("path", "expected"), [("exported", "{home}/exported"), ("/srv/x", "/srv/x"), ("~/x", "~/x")])
def test_the_folder_of_files_is_in_the_home_unless_it_is_absolute(home: Path, path: str, expected: str) -> None:
    save(home, f"[helpdesk]\nkind = 'files'\npath = '{path}'")
    folder = load_settings(home).require_helpdesk().folder(home)
    assert folder == Path(expected.format(home=home)).expanduser()


@pytest.mark.parametrize(("setting", "fits", "not_"), [("poll_s", "0.5", "0"), ("min_free_share", "0.9", "0.95")])
def test_the_figures_have_their_limits(home: Path, setting: str, fits: str, not_: str) -> None:
    known = f"[helpdesk]\nurl = '{HELPDESK['url']}'\ntoken = 'x'\n{setting} = "
    save(home, known + fits)
    assert getattr(load_settings(home).require_helpdesk(), setting) == float(fits)
    save(home, known + not_)
    assert setting in str(complaint(home))


@pytest.mark.parametrize("token", ["abc\\n", "ab c", "ab\u2026c"])
def test_a_token_that_no_header_can_carry_is_refused_without_showing_it(home: Path, token: str) -> None:
    save(home, f"[helpdesk]\nurl = '{HELPDESK['url']}'", f'[helpdesk]\ntoken = "{SECRET}{token}"')
    assert SECRET not in str(complaint(home))


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (f"[helpdesk]\ntoken = {SECRET}".encode(), "is not valid TOML"),
        (b"[helpdesk]\ntoken = '\xff\xfe'", "is not in UTF-8"),
    ],
)
def test_a_file_that_cannot_be_read_is_named_but_not_quoted(home: Path, content: bytes, words: str) -> None:
    save(home)
    (home / "secrets.toml").write_bytes(content)
    error = complaint(home)
    assert f"{home}/secrets.toml {words}" in str(error)
    assert SECRET not in str(error)


def test_a_folder_in_place_of_a_file_is_explained(home: Path) -> None:
    (home / "config.toml").mkdir(parents=True)
    assert "cannot read" in str(complaint(home))


def test_a_section_in_the_environment_that_is_no_json_is_explained(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DESKHAND_HELPDESK", "{" + SECRET)
    error = complaint(home)
    assert "helpdesk" in str(error)
    assert SECRET not in str(error)


def test_the_home_cannot_be_set_in_the_home(home: Path) -> None:
    save(home, "home = '/elsewhere'")
    assert "DESKHAND_HOME" in complaint(home).hint


def test_settings_cannot_be_changed_under_a_running_process(home: Path) -> None:
    settings: Settings = load_settings(home)
    with pytest.raises(ValidationError, match="frozen"):
        settings.trainer.epochs = 9  # type: ignore[misc]
