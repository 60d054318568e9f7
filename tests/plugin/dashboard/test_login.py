"""Who gets in, how long for, and what a browser is told about the pages."""

from __future__ import annotations

import re
from typing import Any

import pytest
from click.testing import CliRunner
from flask import Flask
from flask.testing import FlaskClient

from connectors.settings import Settings
from connectors.store.database import Store
from plugin.cli import deskhand
from plugin.dashboard import accounts, site

from .conftest import NAME, PASSWORD, Post


def sign_in(client: FlaskClient, password: str = PASSWORD, name: str = NAME, **more: str) -> Any:
    page = client.get("/admin/login").get_data(as_text=True)
    token = re.search(r'name="csrf" value="([^"]+)"', page)
    assert token
    form = {"csrf": token[1], "name": name, "password": password} | more
    return client.post("/admin/login", data=form)


def test_every_address_but_the_login_wants_a_session(app: Flask, anybody: FlaskClient) -> None:
    rules = [rule for rule in app.url_map.iter_rules() if rule.rule.startswith("/admin")]
    assert len(rules) >= 20
    for rule in rules:
        values = dict.fromkeys(rule.arguments, "1")
        path = app.url_map.bind("localhost").build(rule.endpoint, values)
        for method in rule.methods & {"GET", "POST"} if rule.methods else ():
            answer = anybody.open(path, method=method)
            answer.close()
            if rule.endpoint in site._OPEN:
                assert answer.status_code in (200, 400, 404), path
            else:
                assert (answer.status_code, answer.location.split("?")[0]) == (303, "/admin/login"), path
            assert "deskhand_admin=" not in str(answer.headers)


def test_a_login_begins_a_session_that_a_logout_ends(anybody: FlaskClient, store: Store) -> None:
    answer = sign_in(anybody)
    assert (answer.status_code, answer.location) == (303, "/admin/")
    cookie = next(line for line in answer.headers.getlist("Set-Cookie") if line.startswith(site.COOKIE))
    assert {"HttpOnly", "SameSite=Lax", "Path=/admin"} <= set(cookie.split("; "))
    assert "Secure" not in cookie, "by http, a secure cookie would never come back"
    page = anybody.get("/admin/")
    assert page.status_code == 200
    token = re.search(r'name="csrf" value="([^"]+)"', page.get_data(as_text=True))
    assert token
    stolen = anybody.get_cookie(site.COOKIE, path="/admin")
    assert stolen is not None
    assert anybody.post("/admin/logout", data={"csrf": token[1]}).status_code == 303
    anybody.set_cookie(site.COOKIE, stolen.value, path="/admin")
    assert anybody.get("/admin/").status_code == 303


def test_by_https_cookies_are_secure(anybody: FlaskClient) -> None:
    answer = anybody.get("/admin/login", base_url="https://desk.example")
    assert "Secure" in answer.headers["Set-Cookie"]


@pytest.mark.parametrize(
    ("wanted", "got"),
    [
        ("/admin/quality", "/admin/quality"),
        ("//evil.example", "/admin/"),
        ("/admin/..//evil.example", "/admin/"),
        ("https://evil.example/admin/", "/admin/"),
        ("/admin/\\evil", "/admin/"),
    ],
)
def test_a_login_leads_to_pages_of_ours_only(anybody: FlaskClient, wanted: str, got: str) -> None:
    assert sign_in(anybody, next=wanted).location == got


def test_guessing_is_slowed_down_and_the_server_lets_in_again(
    anybody: FlaskClient, settings: Settings, no_environment: None
) -> None:
    for _ in range(accounts.MOST_PER_NAME):
        answer = sign_in(anybody, "wrong")
        assert answer.status_code == 401
        assert "wrong." in answer.get_data(as_text=True)
    blocked = sign_in(anybody)
    assert (blocked.status_code, int(blocked.headers["Retry-After"]) > 800) == (429, True)
    assert sign_in(anybody, name="somebody").status_code == 401
    new = "another good password"
    result = CliRunner().invoke(
        deskhand, ["admin", "passwd", NAME, "--home", str(settings.home)], input=f"{new}\n{new}\n"
    )
    assert result.exit_code == 0, result.output
    assert new not in result.output
    assert sign_in(anybody, new).status_code == 303


def test_an_address_that_tries_many_names_is_slowed_down_too(store: Store, password_hash: str) -> None:
    store.admins.put(NAME, password_hash)
    for _ in range(accounts.MOST_PER_ADDRESS):
        store.admins.failed("from 10.0.0.1")
    assert accounts.log_in(store, NAME, PASSWORD, "10.0.0.1").wait_s > 0
    assert accounts.log_in(store, NAME, PASSWORD, "10.0.0.2").session_id


def test_a_form_without_its_token_does_nothing(client: FlaskClient, anybody: FlaskClient, filled: Store) -> None:
    for form in ({}, {"csrf": "of somebody else"}):
        assert client.post("/admin/inbox/retry", data=form).status_code == 400
        assert client.post("/admin/logout", data=form).status_code == 400
    assert filled.inbox.counts()["dead"] == 3
    assert client.get("/admin/").status_code == 200
    assert anybody.post("/admin/login", data={"name": NAME, "password": PASSWORD, "csrf": ""}).status_code == 400


def test_browsers_keep_nothing_and_run_nothing(client: FlaskClient, anybody: FlaskClient) -> None:
    for answer in (client.get("/admin/"), client.get("/admin/nothing"), anybody.get("/admin/login")):
        assert answer.headers["Cache-Control"] == "no-store"
        policy = answer.headers["Content-Security-Policy"]
        assert "default-src 'none'" in policy
        assert "frame-ancestors 'none'" in policy
        assert "script" not in policy
        assert "unsafe" not in policy
        assert (answer.headers["X-Frame-Options"], answer.headers["Referrer-Policy"]) == ("DENY", "no-referrer")
        text = answer.get_data(as_text=True)
        assert "<script" not in text
        assert "style=" not in text
    with client.get("/admin/static/admin.css") as style:
        assert (style.status_code, style.headers["X-Content-Type-Options"]) == (200, "nosniff")


def test_accounts_from_the_command_line(settings: Settings, store: Store, no_environment: None) -> None:
    def run(*arguments: str, typed: str = "") -> tuple[int, str]:
        result = CliRunner().invoke(deskhand, ["admin", *arguments, "--home", str(settings.home)], input=typed)
        return result.exit_code, result.output

    assert "none yet" in run("list")[1]
    twice = f"{PASSWORD}\n{PASSWORD}\n"
    assert run("add", "amir", typed=twice) == (
        0,
        "Password: \nRepeat for confirmation: \namir may open the dashboard\n",
    )
    code, said = run("add", "amir", typed=twice)
    assert (code, "already" in said) == (78, True)
    code, said = run("add", "lena", typed="short\nshort\n")
    assert (code, "at least 12 characters" in said) == (78, True)
    assert run("add", "../lena", typed=twice)[0] == 78
    assert "amir" in run("list")[1]
    account = store.admins.get("amir")
    assert account is not None
    assert account.password_hash.startswith("scrypt:")
    assert PASSWORD not in account.password_hash
    assert run("remove", "amir")[0] == 0
    assert run("remove", "amir")[0] == run("passwd", "amir", typed=twice)[0] == 78


def test_the_login_says_how_to_make_the_first_account(anybody: FlaskClient, store: Store) -> None:
    assert "deskhand admin add" not in anybody.get("/admin/login").get_data(as_text=True)
    store.admins.remove(NAME)
    assert "deskhand admin add NAME" in anybody.get("/admin/login").get_data(as_text=True)


def test_a_form_of_a_session_that_is_over_leads_to_the_login(post: Post, store: Store) -> None:
    store.execute("delete from admin_sessions")
    answer = post("/admin/settings", shadow_share="50")
    assert (answer.status_code, answer.location) == (303, "/admin/login")
    assert store.switches.all() == {}
