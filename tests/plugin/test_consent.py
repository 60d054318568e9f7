"""Signing in by a browser, from the command to the pair of tokens; the browser is played by `requests`."""

from __future__ import annotations

import os
import queue
import re
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
import requests

from connectors.errors import ConfigError, CredentialError
from connectors.settings import HelpdeskSettings, load_settings
from connectors.vendors import open_helpdesk
from connectors.zendesk import oauth
from connectors.zendesk.token_pair import Pair, PairFile
from plugin import consent
from plugin.consent import sign_in

pytestmark = pytest.mark.usefixtures("no_environment")

ADDRESS = re.compile(r"http://\S+/oauth/authorizations/new\?\S+")


def decide(address: str, decision: str = "allow") -> str:
    """The consent page in a browser; returns where it sends the browser, without going there."""
    assert "Allow deskhand" in requests.get(address, timeout=10).text
    asked = {key: values[0] for key, values in parse_qs(urlsplit(address).query).items()}
    answer = requests.post(address, data=asked | {"decision": decision}, timeout=10, allow_redirects=False)
    return answer.headers["Location"]


@pytest.fixture
def settings(desk: Any) -> HelpdeskSettings:
    client = {"client_id": desk.sandbox.client_id, "client_secret": desk.sandbox.client_secret}
    return HelpdeskSettings(url=desk.sandbox.url, auth="authorization_code", **client)


@pytest.fixture
def said(monkeypatch: pytest.MonkeyPatch) -> queue.Queue[str]:
    """What the terminal shows."""
    lines: queue.Queue[str] = queue.Queue()
    monkeypatch.setattr(consent, "say", lines.put)
    for name in ("DISPLAY", "WAYLAND_DISPLAY"):
        monkeypatch.delenv(name, raising=False)
    return lines


@contextmanager
def waiting(settings: HelpdeskSettings, said: queue.Queue[str], **more: Any) -> Iterator[tuple[str, list[Any]]]:
    """A sign-in under way; gives the address to open, and a list that gets the outcome."""
    outcome: list[Any] = []

    def run() -> None:
        try:
            outcome.append(sign_in(settings, oauth.SCOPE, **({"port": 0, "wait_s": 10.0} | more)))
        except (ConfigError, CredentialError) as error:
            outcome.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    try:
        found = ADDRESS.search(said.get(timeout=10))
        assert found
        yield found.group(), outcome
    finally:
        thread.join(15)


def test_the_redirect_brings_the_pair(settings: HelpdeskSettings, said: queue.Queue[str]) -> None:
    with waiting(settings, said) as (address, outcome):
        page = requests.get(decide(address), timeout=10)
        assert (page.status_code, "Deskhand goes on" in page.text) == (200, True)
        assert page.headers["Cache-Control"] == "no-store"
        assert page.headers["Referrer-Policy"] == "no-referrer"
    (pair,) = outcome
    assert isinstance(pair, Pair)
    assert pair.scope == oauth.SCOPE


def test_a_browser_that_asks_for_other_things_does_not_disturb(
    settings: HelpdeskSettings, said: queue.Queue[str]
) -> None:
    with waiting(settings, said) as (address, outcome):
        right = decide(address)
        home = "{0.scheme}://{0.netloc}".format(urlsplit(right))
        # Browsers open connections ahead of time and say nothing on them.
        with socket.create_connection(("127.0.0.1", int(urlsplit(right).port or 0))):
            assert requests.get(f"{home}/favicon.ico", timeout=5).status_code == 404
            assert requests.get(f"{home}/callback", timeout=5).status_code == 400
            assert requests.get(f"{home}/callback?code=8d1f&state=guessed", timeout=5).status_code == 400
            assert outcome == []
            assert requests.get(right, timeout=5).status_code == 200
    assert isinstance(outcome[0], Pair)


def test_no_is_an_answer(settings: HelpdeskSettings, said: queue.Queue[str]) -> None:
    with waiting(settings, said) as (address, outcome):
        assert "The helpdesk said no" in requests.get(decide(address, "deny"), timeout=10).text
    assert isinstance(outcome[0], CredentialError)
    assert "nobody allowed it" in str(outcome[0])


def test_nobody_answering_is_explained(settings: HelpdeskSettings, said: queue.Queue[str]) -> None:
    with pytest.raises(ConfigError, match=r"nobody answered in the browser within 0 s") as caught:
        sign_in(settings, "read", port=0, wait_s=0.05)
    assert "--paste" in caught.value.hint


def test_a_taken_port_is_explained(settings: HelpdeskSettings) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        with pytest.raises(ConfigError, match="cannot listen on") as caught:
            sign_in(settings, "read", port=taken.getsockname()[1], wait_s=0.05)
    assert "--callback-port" in caught.value.hint


def test_the_port_is_free_again_afterwards(settings: HelpdeskSettings, said: queue.Queue[str]) -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    for _ in range(2):
        with pytest.raises(ConfigError, match="nobody answered"):
            sign_in(settings, "read", port=port, wait_s=0.05)


def test_a_browser_is_opened_where_there_is_a_display(
    settings: HelpdeskSettings, said: queue.Queue[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    opened: list[str] = []

    def browser(address: str) -> None:
        opened.append(address)
        requests.get(decide(address), timeout=10)

    monkeypatch.setattr(consent.webbrowser, "open", browser)
    if sys.platform == "linux":
        with pytest.raises(ConfigError):
            sign_in(settings, "read", port=0, wait_s=0.05)
        assert opened == []
    monkeypatch.setenv("DISPLAY", ":0")
    assert isinstance(sign_in(settings, "read", port=0, wait_s=5.0), Pair)
    assert len(opened) == 1


@pytest.mark.parametrize("pasted", ["right", "wrong"])
def test_the_address_can_be_pasted(pasted: str, settings: HelpdeskSettings, said: queue.Queue[str]) -> None:
    def paste() -> str:
        found = ADDRESS.search(said.get(timeout=5))
        assert found
        assert parse_qs(urlsplit(found.group()).query)["redirect_uri"] == ["http://127.0.0.1:8643/callback"]
        return f"  {decide(found.group())} " if pasted == "right" else "http://127.0.0.1:8643/callback?code=1&state=2"

    if pasted == "right":
        assert isinstance(sign_in(settings, "read", port=8643, wait_s=1, paste=paste), Pair)
    else:
        with pytest.raises(CredentialError, match="not the answer"):
            sign_in(settings, "read", port=8643, wait_s=1, paste=paste)


# ---- the whole way


@pytest.fixture
def start(desk: Any, tmp_path: Path) -> Iterator[Callable[..., subprocess.Popen[str]]]:
    """Runs `deskhand init` as from a script, the client's secret on its standard input."""
    running: list[subprocess.Popen[str]] = []

    def start(*arguments: str) -> subprocess.Popen[str]:
        known = {"--home": str(tmp_path / "home"), "--url": desk.sandbox.url, "--auth": "authorization_code"}
        known |= {"--client-id": desk.sandbox.client_id}
        command = [sys.executable, "-m", "plugin", "init", "--token-stdin", *arguments]
        command += [word for pair in known.items() for word in pair]
        clean = {name: value for name, value in os.environ.items() if "DISPLAY" not in name}
        pipes = dict.fromkeys(("stdin", "stdout", "stderr"), subprocess.PIPE)
        running.append(subprocess.Popen(command, text=True, env=clean, **pipes))
        assert running[-1].stdin is not None
        running[-1].stdin.write(f"{desk.sandbox.client_secret}\n")
        running[-1].stdin.flush()
        return running[-1]

    yield start
    for process in running:
        process.kill()
        process.communicate()


def address_in(process: subprocess.Popen[str]) -> str:
    assert process.stderr is not None
    shown = ""
    while not (found := ADDRESS.search(shown)):
        line = process.stderr.readline()
        assert line, shown
        shown += line
    return found.group()


@pytest.mark.parametrize("way", ["redirect", "paste"])
def test_init_signs_in_by_a_browser(
    way: str, start: Callable[..., subprocess.Popen[str]], desk: Any, tmp_path: Path
) -> None:
    webhook = ("--public-url", "https://deskhand.example", "--install-webhook")
    process = start(*webhook, *(["--paste"] if way == "paste" else ["--callback-port", "0"]))
    redirected = decide(address_in(process))
    if way == "paste":
        output, errors = process.communicate(f"{redirected}\n", timeout=30)
    else:
        assert requests.get(redirected, timeout=10).status_code == 200
        output, errors = process.communicate(timeout=30)
    assert process.returncode == 0, errors
    assert output.startswith("Connected as admin (user 5099).\nIt may read: ")
    assert output.endswith("Next: deskhand sync\n")

    home = tmp_path / "home"
    settings = load_settings(home)
    pair = PairFile(home, "zendesk").read()
    assert pair.scope == oauth.INSTALL_SCOPE
    assert len(desk.call("GET", "/api/v2/webhooks")["webhooks"]) == 1
    assert len(settings.plugin.webhook_secret.get_secret_value()) > 20
    for secret in (desk.sandbox.client_secret, pair.access_token, pair.refresh_token):
        assert secret not in output + errors
    desk.clock.later_s += 1801
    helpdesk = open_helpdesk(settings)
    assert helpdesk.me().role == "agent"
    helpdesk.close()
    assert PairFile(home, "zendesk").read().access_token != pair.access_token


def test_init_that_is_denied_writes_nothing(start: Callable[..., subprocess.Popen[str]], tmp_path: Path) -> None:
    process = start("--callback-port", "0")
    requests.get(decide(address_in(process), "deny"), timeout=10)
    output, errors = process.communicate(timeout=30)
    assert (process.returncode, output) == (1, "")
    assert "nobody allowed it" in errors
    assert "Traceback" not in errors
    assert sorted(path.name for path in tmp_path.iterdir()) == ["sandbox.db", "sandbox.db-shm", "sandbox.db-wal"]


def test_init_that_nobody_answers_ends(start: Callable[..., subprocess.Popen[str]], tmp_path: Path) -> None:
    process = start("--callback-port", "0", "--wait", "0.1")
    _, errors = process.communicate(timeout=30)
    assert process.returncode == 78
    assert "nobody answered" in errors
    assert not (tmp_path / "home.trial").exists()
