"""Consent, the first pair of tokens and the ones after it: against the sandbox, and with processes that are killed."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
import requests
from flask import request

from connectors.errors import ConfigError, CredentialError, ForbiddenError, RetriableError
from connectors.http.client import Http
from connectors.sandbox.server import Sandbox
from connectors.settings import HelpdeskSettings
from connectors.zendesk import oauth
from connectors.zendesk.auth import authorizer
from connectors.zendesk.token_pair import Pair, PairFile

ME = "/api/v2/users/me.json"
REDIRECT = "http://127.0.0.1:8643/callback"
LIFE_S = 1800
PROCESSES = 8

# A process that asks who it is, once for each line it is given.
ASKER = """
import json, sys
from pathlib import Path
from connectors.http.client import Http
from connectors.settings import HelpdeskSettings
from connectors.zendesk.auth import authorizer
home, settings = Path(sys.argv[1]), HelpdeskSettings(**json.loads(sys.argv[2]))
client = Http(settings.base_url, authorizer(settings, home))
print("ready", flush=True)
for line in sys.stdin:
    print(client.get("/api/v2/users/me.json")["user"]["id"], flush=True)
"""
# The same, killed before or after its nth call of a function.
KILLED = """
import fcntl, os, pathlib, requests, signal, sys
when, where, nth = sys.argv[3], sys.argv[4], int(sys.argv[5])
owner, name = {"lock": (fcntl, "flock"), "write": (os, "pwrite"), "sync": (os, "fsync"), "ask": (requests, "post"),
               "rename": (pathlib.Path, "replace")}[where]
call, calls = getattr(owner, name), []
def watched(*args, **more):
    calls.append(1)
    if len(calls) == nth and when == "before":
        os.kill(os.getpid(), signal.SIGKILL)
    result = call(*args, **more)
    if len(calls) == nth:
        os.kill(os.getpid(), signal.SIGKILL)
    return result
setattr(owner, name, watched)
"""


class Clock:
    """The sandbox's present: the real one, and as much later as a test wants."""

    later_s = 0.0

    def __call__(self) -> float:
        return time.time() + self.later_s


@dataclass
class Account:
    """The running helpdesk, a home that is signed in to it, and what was asked of its token endpoint."""

    sandbox: Sandbox
    home: Path
    clock: Clock
    grants: list[dict[str, Any]] = field(default_factory=list)

    def settings(self, **changes: Any) -> HelpdeskSettings:
        known = {"url": self.sandbox.url, "auth": "authorization_code", "client_id": self.sandbox.client_id}
        return HelpdeskSettings(**(known | {"client_secret": self.sandbox.client_secret} | changes))

    @property
    def file(self) -> PairFile:
        return PairFile(self.home, "zendesk")

    def sign_in(self, scope: str = oauth.SCOPE, **changes: Any) -> Pair:
        settings = self.settings(**changes)
        consent = oauth.begin_consent(settings, REDIRECT, scope=scope)
        pair = oauth.exchange(settings, consent, consent.code_in(browse(consent.address)))
        self.file.store(pair)
        self.grants.clear()
        return pair

    def client(self, naps: list[float] | None = None, **changes: Any) -> Http:
        sleep = (naps if naps is not None else []).append
        return Http(self.sandbox.url, authorizer(self.settings(**changes), self.home), sleep=sleep)

    def start(self, script: str, *arguments: str) -> subprocess.Popen[str]:
        secret = {"client_secret": self.sandbox.client_secret}
        settings = json.dumps(self.settings().model_dump(mode="json", exclude={"token"}) | secret)
        command = [sys.executable, "-c", script, str(self.home), settings, *arguments]
        return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def fault(self, status: int, **more: Any) -> None:
        order = {"path": "/oauth/tokens", "status": status, **more}
        requests.post(f"{self.sandbox.url}/sandbox/faults", json=order, timeout=10).raise_for_status()


def browse(address: str, decision: str = "allow") -> str:
    """What a person does in a browser: opens the page, decides; returns the address they are sent to."""
    with requests.Session() as browser:
        page = browser.get(address, timeout=10)
        assert "Allow" in page.text
        asked = {key: values[0] for key, values in parse_qs(urlsplit(address).query).items()}
        answer = browser.post(address, data=asked | {"decision": decision}, timeout=10, allow_redirects=False)
        assert answer.status_code == 302
        return answer.headers["Location"]


@pytest.fixture
def account(seeded_desk: Path, tmp_path: Path) -> Iterator[Account]:
    clock = Clock()
    database = Path(shutil.copy(seeded_desk, tmp_path / "sandbox.db"))
    sandbox = Sandbox(database, SANDBOX_CLOCK=clock, SANDBOX_REQUESTS_PER_MIN=100_000)
    home = tmp_path / "home"
    home.mkdir()
    account = Account(sandbox, home, clock)

    def note() -> None:
        if request.path == "/oauth/tokens":
            account.grants.append(dict(request.json or {}))

    sandbox.app.before_request_funcs.setdefault(None, []).insert(0, note)
    with sandbox:
        yield account


@pytest.fixture
def signed_in(account: Account) -> Account:
    account.sign_in()
    return account


def ask_all(askers: list[subprocess.Popen[str]]) -> list[str]:
    """All processes ask at once; returns their answers."""
    for asker in askers:
        assert asker.stdin is not None
        asker.stdin.write("\n")
        asker.stdin.flush()
    return [str(asker.stdout and asker.stdout.readline()).strip() for asker in askers]


# ---- consent


def test_the_address_asks_for_no_more_than_is_needed(account: Account) -> None:
    consent = oauth.begin_consent(account.settings(), REDIRECT)
    asked = {key: values[0] for key, values in parse_qs(urlsplit(consent.address).query).items()}
    assert consent.address.startswith(f"{account.sandbox.url}/oauth/authorizations/new?")
    assert (asked["scope"], asked["response_type"], asked["redirect_uri"]) == ("read tickets:write", "code", REDIRECT)
    assert asked["code_challenge_method"] == "S256"
    assert 43 <= len(consent.verifier) <= 128
    assert consent.verifier not in consent.address
    other = oauth.begin_consent(account.settings(scope="tickets:read"), REDIRECT)
    assert "scope=tickets%3Aread" in other.address
    assert other.state != consent.state
    assert consent.state not in repr(consent)


def test_an_allowed_sign_in_gives_a_pair_that_works(account: Account) -> None:
    pair = account.sign_in()
    assert pair.scope == "read tickets:write"
    assert pair.expires_at is not None
    assert pair.expires_at - pair.obtained_at == LIFE_S
    assert account.client().get(ME)["user"]["email"] == "bot@desk.example"
    assert account.grants == [], "a fresh pair needs no renewing"


def test_the_scopes_are_enough_for_the_work_and_no_more(signed_in: Account) -> None:
    client = signed_in.client()
    client.get("/api/v2/incremental/tickets/cursor.json", {"start_time": 0})
    client.get("/api/v2/help_center/incremental/articles.json", {"start_time": 0})
    note = {"comment": {"body": "A note", "public": False}}
    client.send("PUT", "/api/v2/tickets/1.json", json={"ticket": note})
    with pytest.raises(ForbiddenError):
        client.send("POST", "/api/v2/triggers", json={"trigger": {}})


def test_a_code_that_was_refused_or_is_not_ours_is_told_apart(account: Account) -> None:
    consent = oauth.begin_consent(account.settings(), REDIRECT)
    with pytest.raises(CredentialError, match="nobody allowed it"):
        consent.code_in(browse(consent.address, "deny"))
    with pytest.raises(CredentialError, match="refused to ask"):
        consent.code_in(f"{REDIRECT}?error=server_error&state={consent.state}")
    other = browse(oauth.begin_consent(account.settings(), REDIRECT).address)
    strange = ["", "nonsense", f"{REDIRECT}?code=8d1f", f"{REDIRECT}?code=8d1f&state=", "http://[", other]
    strange += [f"{REDIRECT}?code=8d1f&state={consent.state}&state=x", f"{REDIRECT}?code=8d1f&state=ä"]
    for redirected in strange:
        with pytest.raises(CredentialError, match="not the answer") as caught:
            consent.code_in(redirected)
        assert "8d1f" not in str(caught.value)


def test_a_stolen_code_is_of_no_use_without_the_verifier(account: Account) -> None:
    consent = oauth.begin_consent(account.settings(), REDIRECT)
    code = consent.code_in(browse(consent.address))
    with pytest.raises(CredentialError, match="the code is not accepted") as caught:
        oauth.exchange(account.settings(), replace(consent, verifier="another"), code)
    assert "deskhand init" in caught.value.hint
    assert code not in str(caught.value)


def test_a_public_client_needs_no_secret(account: Account) -> None:
    account.sign_in(client_secret="")
    account.clock.later_s += LIFE_S + 1
    assert account.client(client_secret="").get(ME)["user"]["role"] == "admin"
    assert ["client_secret" in grant for grant in account.grants] == [False]


def test_a_wrong_client_secret_is_told_apart_from_an_old_sign_in(signed_in: Account) -> None:
    signed_in.clock.later_s += LIFE_S + 1
    with pytest.raises(CredentialError, match="the OAuth client is not accepted") as caught:
        signed_in.client(client_secret="sekrit-8d1f").get(ME)
    assert caught.value.hint == "check client_id and client_secret"
    assert "sekrit" not in f"{caught.value!r}"


# ---- renewing


def test_a_pair_is_renewed_before_it_ends_and_stored_before_it_is_used(signed_in: Account) -> None:
    old = signed_in.file.read()
    signed_in.file.store(replace(old, expires_at=time.time() + 59, obtained_at=time.time() - LIFE_S + 59))
    used: list[str] = []

    def look() -> None:
        if request.path.startswith("/api"):
            used.append(signed_in.file.read().access_token)
            assert request.headers["Authorization"] == f"Bearer {used[-1]}"

    signed_in.sandbox.app.before_request_funcs[None].append(look)
    client = signed_in.client()
    client.get(ME)
    client.get(ME)
    assert used[0] == used[1] != old.access_token
    assert [grant["grant_type"] for grant in signed_in.grants] == ["refresh_token"]
    # Clients from before there were refresh tokens get them only where a life is asked for.
    assert (signed_in.grants[0]["expires_in"], signed_in.grants[0]["refresh_token_expires_in"]) == (1800, 2_592_000)


def test_a_token_that_ended_early_is_renewed_once_it_is_refused(signed_in: Account) -> None:
    client = signed_in.client()
    client.get(ME)
    signed_in.clock.later_s += LIFE_S + 1
    assert client.get(ME)["user"]["role"] == "admin"
    assert len(signed_in.grants) == 1


def test_what_another_process_renewed_is_used(signed_in: Account) -> None:
    one, other = signed_in.client(), signed_in.client()
    one.get(ME)
    other.get(ME)
    signed_in.clock.later_s += LIFE_S + 1
    one.get(ME)
    other.get(ME)
    assert len(signed_in.grants) == 1


def test_a_pair_of_another_process_that_is_due_again_is_renewed(signed_in: Account) -> None:
    one, other = signed_in.client(), signed_in.client()
    other.get(ME)
    signed_in.clock.later_s += LIFE_S + 1
    one.get(ME)
    signed_in.file.store(replace(signed_in.file.read(), expires_at=time.time()))
    signed_in.clock.later_s += LIFE_S + 1
    other.get(ME)
    assert len(signed_in.grants) == 2


def test_a_sign_in_that_has_ended_sends_to_init(signed_in: Account) -> None:
    pair = signed_in.file.read()
    oauth.refresh(signed_in.settings(), pair)  # somewhere else, from a copy of the home
    with pytest.raises(CredentialError, match="ended or was replaced") as caught:
        signed_in.client().get(ME)
    assert caught.value.hint == "run: deskhand init"
    assert signed_in.file.read() == pair
    assert pair.refresh_token not in f"{caught.value!r}{caught.value.__cause__!r}"


def test_a_process_that_runs_on_takes_up_a_new_sign_in(signed_in: Account) -> None:
    client = signed_in.client()
    client.get(ME)
    oauth.refresh(signed_in.settings(), signed_in.file.read())
    with pytest.raises(CredentialError):
        client.get(ME)
    signed_in.sign_in()
    assert client.get(ME)["user"]["role"] == "admin"
    assert signed_in.grants == []


def test_a_refresh_token_lasts_thirty_days(signed_in: Account) -> None:
    signed_in.clock.later_s += 30 * 86_400 - 60
    signed_in.client().get(ME)
    signed_in.clock.later_s += 30 * 86_400 + 60
    with pytest.raises(CredentialError, match="ended or was replaced"):
        signed_in.client().get(ME)


def test_a_pair_without_a_refresh_token_sends_to_init(signed_in: Account) -> None:
    signed_in.file.store(replace(signed_in.file.read(), refresh_token=""))
    signed_in.client().get(ME)
    signed_in.clock.later_s += LIFE_S + 1
    with pytest.raises(CredentialError, match="cannot be renewed") as caught:
        signed_in.client().get(ME)
    assert caught.value.hint == "run: deskhand init"
    assert signed_in.grants == []


@pytest.mark.parametrize("status", [429, 500, 503])
def test_a_busy_token_endpoint_is_asked_again_with_the_same_pair(status: int, signed_in: Account) -> None:
    signed_in.clock.later_s += LIFE_S + 1
    signed_in.fault(status, retry_after="3")
    naps: list[float] = []
    signed_in.client(naps).get(ME)
    assert naps == [3.0]
    assert len({grant["refresh_token"] for grant in signed_in.grants}) == 1


@pytest.mark.parametrize("status", [307, 404])
def test_another_server_at_the_address_is_no_reason_to_sign_in_again(status: int, signed_in: Account) -> None:
    signed_in.clock.later_s += LIFE_S + 1
    signed_in.fault(status)
    with pytest.raises(CredentialError, match=f"answered {status}") as caught:
        signed_in.client().get(ME)
    assert caught.value.hint == "check the helpdesk's address"


@pytest.mark.parametrize(
    "body", [b"<html>", b"[]", {"token_type": "bearer"}, {"access_token": "t", "expires_in": "soon"}]
)
def test_an_answer_without_a_token_leaves_the_old_pair(body: object, signed_in: Account, scripted: Any) -> None:
    pair = replace(signed_in.file.read(), expires_at=0.0)
    signed_in.file.store(pair)
    scripted.says(body)
    settings = signed_in.settings(url=scripted.url)
    with pytest.raises(CredentialError, match="without a token"):
        authorizer(settings, signed_in.home)(False)
    assert signed_in.file.read() == pair


def test_a_home_is_needed(account: Account) -> None:
    with pytest.raises(ConfigError, match="needs a home"):
        authorizer(account.settings())


def test_a_disk_that_is_full_costs_no_pair(signed_in: Account, monkeypatch: pytest.MonkeyPatch) -> None:
    signed_in.clock.later_s += LIFE_S + 1

    def full(*_: object) -> int:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as disk:
        disk.setattr(os, "pwrite", full)
        with pytest.raises(ConfigError, match="No space left"):
            signed_in.client().get(ME)
    assert signed_in.grants == [], "the old pair was not spent"
    assert signed_in.client().get(ME)["user"]["role"] == "admin"


# ---- several processes


def test_eight_processes_renew_once_each_time_it_is_due(signed_in: Account) -> None:
    askers = [signed_in.start(ASKER) for _ in range(PROCESSES)]
    try:
        assert [str(asker.stdout and asker.stdout.readline()).strip() for asker in askers] == ["ready"] * PROCESSES
        assert ask_all(askers) == ["5099"] * PROCESSES
        assert signed_in.grants == []
        for times in (1, 2, 3):  # refused by the helpdesk
            signed_in.clock.later_s += LIFE_S + 1
            assert ask_all(askers) == ["5099"] * PROCESSES
            assert len(signed_in.grants) == times
        assert len({grant["refresh_token"] for grant in signed_in.grants}) == 3
    finally:
        for asker in askers:
            asker.communicate(timeout=10)


def test_threads_that_find_it_due_by_the_clock_renew_once(signed_in: Account) -> None:
    signed_in.file.store(replace(signed_in.file.read(), expires_at=time.time()))
    clients = [signed_in.client() for _ in range(PROCESSES)]
    with ThreadPoolExecutor(PROCESSES) as pool:
        found = list(pool.map(lambda client: client.get(ME)["user"]["id"], clients))
    assert found == [5099] * PROCESSES
    assert len(signed_in.grants) == 1


POINTS = [
    ("after", "lock", 1),
    ("after", "write", 1),
    ("after", "sync", 1),
    ("before", "ask", 1),
    ("after", "rename", 1),
    ("before", "sync", 3),
    ("after", "sync", 3),
]


@pytest.mark.parametrize(("when", "where", "nth"), POINTS, ids=lambda value: str(value))
def test_a_process_killed_anywhere_but_in_the_window_leaves_a_usable_pair(
    when: str, where: str, nth: int, signed_in: Account
) -> None:
    signed_in.clock.later_s += LIFE_S + 1
    killed = signed_in.start(KILLED + ASKER, when, where, str(nth))
    killed.communicate("\n", timeout=30)
    assert killed.returncode == -signal.SIGKILL
    for later_s in (0, LIFE_S + 1):
        signed_in.clock.later_s += later_s
        assert signed_in.client().get(ME)["user"]["role"] == "admin"
    assert {path.name for path in signed_in.home.iterdir()} == {"oauth-zendesk.json", "oauth-zendesk.lock"}


@pytest.mark.parametrize(("when", "where"), [("after", "ask"), ("before", "rename")])
def test_a_process_killed_in_the_window_costs_the_sign_in_and_says_so(
    when: str, where: str, signed_in: Account
) -> None:
    """The one window: the helpdesk has voided the old pair, the new one has no name yet."""
    signed_in.clock.later_s += LIFE_S + 1
    killed = signed_in.start(KILLED + ASKER, when, where, "1")
    killed.communicate("\n", timeout=30)
    assert killed.returncode == -signal.SIGKILL
    with pytest.raises(CredentialError) as caught:
        signed_in.client().get(ME)
    assert caught.value.hint == "run: deskhand init"


@pytest.mark.parametrize("by", [signal.SIGINT, signal.SIGTERM])
def test_ctrl_c_while_the_helpdesk_answers_loses_no_pair(by: signal.Signals, account: Account, scripted: Any) -> None:
    """SIGTERM as `deskhand serve` takes it, as an exception."""
    account.file.store(Pair("old", "old-refresh", 0.0, "read", 0.0))
    scripted.says({"access_token": "new", "refresh_token": "new-refresh", "expires_in": 1800}, delay_s=0.5)
    script = "import signal, sys\nsignal.signal(signal.SIGTERM, lambda *_: sys.exit(0))\n" + ASKER
    account.settings = lambda **_: HelpdeskSettings(  # type: ignore[method-assign]
        url=scripted.url, auth="authorization_code", client_id="desk"
    )
    process = account.start(script)
    assert process.stdin is not None
    process.stdin.write("\n")
    process.stdin.flush()
    scripted.wait_for(1)
    process.send_signal(by)
    with suppress(BrokenPipeError):
        process.communicate(timeout=10)
    assert process.returncode in (0, -signal.SIGINT)
    assert account.file.read().refresh_token == "new-refresh"
    assert len(scripted.requests) == 1, "it ended without another request"


def test_a_process_that_hangs_with_the_lock_does_not_hang_the_others(signed_in: Account) -> None:
    signed_in.clock.later_s += LIFE_S + 1
    with signed_in.file.locked(), pytest.raises(RetriableError, match="has held"):
        authorizer(signed_in.settings(timeout_s=0.05), signed_in.home)(True)
