"""The sidebar app on the plugin's real server and a real store; the worker's part is played by the test."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from connectors.sandbox.server import Sandbox
from connectors.settings import load_settings, write_home
from connectors.store.database import Store
from connectors.store.suggestions import SHOWN, SILENT, Alternative, Claim, Route, Source, Suggestion
from connectors.vendors import open_helpdesk
from connectors.wsgi import BackgroundServer
from plugin.app import create_app
from plugin.context import context

from .pages import expect, shot, show

pytestmark = pytest.mark.browser

NAME = "sandbox"
LABEL = "Suggested reply, you can edit it"


@dataclass
class Real:
    """The plugin's store, and the token that the app was installed with."""

    store: Store
    token_id: int

    def suggest(self, ticket: str, state: str = SHOWN, draft: str = "", **changes: Any) -> None:
        """What the worker does when it is done."""
        values = {
            "helpdesk": NAME,
            "ticket_id": ticket,
            "turn_id": f"t-{ticket}",
            "model_version": "v1",
            "draft": draft,
        }
        route = Route("2101", "TRK1", 0.83, ("7 of 8 similar tickets went there",))
        suggestion = Suggestion(
            f"s-{ticket}", **(values | {"state": state, "language": "en", "route": route} | changes)
        )
        self.store.suggestions.save(suggestion)
        job = self.store.inbox.claim("test", lease_s=60)
        if job:
            self.store.inbox.finish(job, "test")


@pytest.fixture
def real(sandbox: Sandbox, tmp_path: Path) -> Iterator[Real]:
    config = {"helpdesk": {"name": NAME, "url": sandbox.url, "auth": "bearer"}}
    write_home(tmp_path / "home", config, {"helpdesk": {"token": sandbox.token}})
    settings = load_settings(tmp_path / "home")
    installed = sandbox.app.config["SANDBOX_APP"]
    app = create_app(settings, open_helpdesk(settings))
    with (
        Store(settings.database_path) as store,
        BackgroundServer(app, host="127.0.0.1", port=0, threads=4, name="plugin") as server,
    ):
        token_id, secret = store.tokens.create("sandbox")
        where = {"settings": {"api_host": server.url}, "secure_settings": {"token": secret}}
        sandbox.app.config["SANDBOX_APP"] = installed | where
        yield Real(store, token_id)
        sandbox.app.config["SANDBOX_APP"] = installed
    context(app).helpdesk.close()
    context(app).close()


def test_from_silence_by_a_fact_to_a_reply(page: Any, real: Real, ticket: str) -> None:
    real.suggest(ticket, SILENT, silence="no_similar")
    app = show(page, ticket, "silent")
    expect(app.locator(".notice h2")).to_contain_text("nothing like this was answered before")
    app.get_by_text("Tell it a fact and redraft").click()
    app.get_by_label("What does the draft not know?").fill("it is in Ghent")
    app.get_by_role("button", name="Redraft").click()
    app.locator("[data-state=drafting]").wait_for()
    assert real.store.drafting.facts(NAME, ticket, f"t-{ticket}") == ["it is in Ghent"]
    real.store.drafting.write(NAME, ticket, f"t-{ticket}", "Hi Anna,\n\nYour par")
    expect(app.locator(".partial")).to_have_text("Hi Anna,\n\nYour par")
    draft = "Hi Anna,\n\nYour parcel is in Ghent. It comes on 14 April, by [time].\n\n[your name]"
    at = draft.index("14 April")
    source = Source("article", "1", "Delivery times", "https://fernway.example/hc/1", "Next day.", "2026-03-12")
    real.suggest(
        ticket, draft=draft, claims=(Claim("14 April", at, at + 8, False),), sources=(source,),
        alternatives=(Alternative("It is on its way."),),
    )  # fmt: skip
    expect(app.get_by_label(LABEL)).to_have_value(draft.replace("[your name]", "Marit"))
    expect(app.locator("mark")).to_have_text(["14 April", "[time]"])
    expect(app.locator(".fact li")).to_have_text(["it is in Ghent"])
    expect(app.get_by_text("From 1 article.")).to_be_visible()
    shot(page, "real")
    app.get_by_role("button", name="Show the next of 2 suggestions").click()
    expect(app.get_by_label(LABEL)).to_have_value("It is on its way.")
    app.get_by_label(LABEL).fill("It is on its way, Anna.")
    app.get_by_role("button", name="Insert into the reply").click()
    expect(page.get_by_label("Your text")).to_have_value("It is on its way, Anna.")
    app.get_by_role("button", name="Useful", exact=True).click()
    expect(app.get_by_role("status")).to_have_text("Thank you, noted.")
    done = [(one["action"], one["reason"]) for one in real.store.suggestions.feedback(f"s-{ticket}")]
    assert sorted(done) == [("edited", "alternative 1"), ("inserted", "alternative 1"), ("thumb_up", "")]


def test_a_revoked_token_is_said(page: Any, real: Real, ticket: str) -> None:
    real.suggest(ticket, draft="Hi Anna")
    app = show(page, ticket, "ready")
    real.store.tokens.revoke(real.token_id)
    page.reload()
    app.locator("[data-state=error]").wait_for()
    expect(app.get_by_text("The token was refused.")).to_be_visible()
