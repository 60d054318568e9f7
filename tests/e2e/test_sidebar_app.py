"""The sidebar app: what it shows in each state of a suggestion, and how one state becomes the next."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from typing import Any

import pytest
import requests

from connectors.sandbox.server import Sandbox

from .fake_plugin import DRAFT, TOKEN, FakePlugin, ready, route, without
from .pages import expect, shot, show

pytestmark = pytest.mark.browser


def test_none_offers_a_draft_and_fetches_it(page: Any, plugin: FakePlugin, ticket: str) -> None:
    plugin.answers[ticket] = without("none", route=route(applied=False))
    plugin.on_post[ticket] = [without("drafting"), ready()]
    app = show(page, ticket, "none")
    expect(app.get_by_role("heading", name="Nothing drafted yet for the newest customer message")).to_be_visible()
    expect(app.get_by_text("Not set, you decide")).to_be_visible()
    shot(page, "none")
    app.get_by_role("button", name="Draft a reply").click()
    expect(app.get_by_role("status")).to_have_text("Reading the ticket…")
    shot(page, "drafting")
    app.locator("[data-state=ready]").wait_for()
    assert ("POST", ticket) in plugin.asked
    assert plugin.authorizations == {f"Bearer {TOKEN}"}


@pytest.mark.parametrize(
    ("silence", "words", "fact_helps"),
    [
        ("no_similar", "nothing like this was answered before", True),
        ("unsure", "the draft was not good enough to show", True),
        ("empty", "nothing came that could be sent", True),
        ("leak", "the draft was thrown away", False),
        ("language", "the draft was in another language", False),
        ("switched_off", "Drafts are switched off for this group", False),
        ("withheld", "No suggestion is shown for this ticket", False),
        ("a reason of a newer server", "the draft was not good enough to show", True),
    ],
)
def test_silent_says_why_and_shows_the_route(
    page: Any, plugin: FakePlugin, ticket: str, silence: str, words: str, fact_helps: bool
) -> None:
    plugin.answers[ticket] = without("silent", silence=silence, route=route())
    app = show(page, ticket, "silent")
    heading = app.locator(".notice h2")
    expect(heading).to_contain_text(words)
    expect(app.get_by_role("status")).to_have_text(heading.inner_text())
    expect(app.get_by_text("TRK1")).to_be_visible()
    expect(app.get_by_text("83% likely")).to_be_visible()
    assert app.get_by_text("Tell it a fact and redraft").count() == int(fact_helps)
    assert app.locator("textarea").count() == 0
    shot(page, f"silent-{silence.split()[0]}")


def test_failed_says_why_and_retry_asks_for_a_draft(page: Any, plugin: FakePlugin, ticket: str) -> None:
    plugin.answers[ticket] = without("failed", message="The model ran out of memory.")
    plugin.on_post[ticket] = ready()
    app = show(page, ticket, "failed")
    expect(app.get_by_text("The model ran out of memory.")).to_be_visible()
    app.get_by_role("button", name="Retry").click()
    app.locator("[data-state=ready]").wait_for()


def test_errors_say_what_happened(page: Any, plugin: FakePlugin, ticket: str) -> None:
    plugin.answers[ticket] = 404
    app = show(page, ticket, "error")
    for status, words in {
        401: "The token was refused.",
        404: "Deskhand does not know this ticket yet.",
        409: "That is not possible at the moment.",
        429: "Too many requests.",
        503: "The server has a problem (status 503).",
    }.items():
        plugin.answers[ticket] = status
        app.get_by_role("button", name="Retry").click()
        expect(app.get_by_text(words)).to_be_visible()
        expect(app.get_by_text("Said by the server")).to_be_visible()
        expect(app.get_by_role("status")).to_have_text("Deskhand could not be asked")
    shot(page, "error")
    plugin.answers[ticket] = ready()
    app.get_by_role("button", name="Retry").click()
    app.locator("[data-state=ready]").wait_for()


def test_a_plugin_that_is_down(page: Any, sandbox: Sandbox, ticket: str) -> None:
    installed = sandbox.app.config["SANDBOX_APP"]
    sandbox.app.config["SANDBOX_APP"] = installed | {"settings": {"api_host": "http://127.0.0.1:9"}}
    try:
        app = show(page, ticket, "error")
        expect(app.get_by_text("The app's host cannot be reached.")).to_be_visible()
    finally:
        sandbox.app.config["SANDBOX_APP"] = installed


def test_drafting_gives_up_after_two_minutes(new_page: Callable[..., Any], plugin: FakePlugin, ticket: str) -> None:
    plugin.answers[ticket] = without("drafting")
    page = new_page(clock=True)
    app = show(page, ticket, "drafting")
    for _ in range(14):  # in steps, so that each poll's answer has time to come
        page.clock.fast_forward(10_000)
        page.wait_for_timeout(120)
    expect(app.get_by_role("heading", name="Still no draft after two minutes")).to_be_visible()
    plugin.answers[ticket] = ready()
    app.get_by_role("button", name="Retry").click()
    app.locator("[data-state=ready]").wait_for()


def test_a_draft_that_arrives_later_shows_by_itself(
    page: Any, sandbox: Sandbox, plugin: FakePlugin, ticket: str
) -> None:
    plugin.answers[ticket] = without("none")
    app = show(page, ticket, "none")
    plugin.answers[ticket] = ready()
    note = {"ticket": {"comment": {"body": "Deskhand suggests a reply", "public": False}}}
    headers = {"Authorization": f"Bearer {sandbox.token}"}
    requests.put(f"{sandbox.url}/api/v2/tickets/{ticket}.json", json=note, headers=headers, timeout=10)
    app.locator("[data-state=ready]").wait_for()
    expect(page.locator(".comment.note")).to_contain_text("Deskhand suggests a reply")
    shot(page, "note")


def test_ready_marks_what_needs_a_person(page: Any, plugin: FakePlugin, ticket: str) -> None:
    plugin.answers[ticket] = ready()
    app = show(page, ticket, "ready")
    draft = app.get_by_label("Suggested reply, you can edit it")
    expect(draft).to_have_value(DRAFT)
    expect(draft).to_have_attribute("lang", "en")
    expect(app.locator("mark")).to_have_text(["14 April", "[date]"])
    expect(app.locator(".check-item")).to_have_text(
        ["\u201814 April\u2019 is not in the ticket or in an article", "Fill in: [date]"]
    )
    app.locator(".check-item").nth(1).click()
    page.keyboard.insert_text("Friday 17 April")
    expect(draft).to_have_value(DRAFT.replace("[date]", "Friday 17 April"))
    expect(app.locator("mark")).to_have_text(["14 April"])
    for _ in range(3):  # the browser undoes typing and replacing one by one
        if draft.input_value() != DRAFT:
            page.keyboard.press("Control+z")
    expect(draft).to_have_value(DRAFT)
    expect(app.locator("mark")).to_have_text(["14 April", "[date]"])
    heights = draft.evaluate("one => [one.scrollHeight, one.clientHeight]")
    assert heights[0] <= heights[1], "the draft has grown to its text"
    shot(page, "ready")


def test_ready_shows_sources_and_route(page: Any, plugin: FakePlugin, ticket: str) -> None:
    plugin.answers[ticket] = ready()
    app = show(page, ticket, "ready")
    expect(app.get_by_role("link", name="Delivery times")).to_have_attribute("href", "https://fernway.example/hc/1")
    expect(app.get_by_text("Article · updated 12 Mar 2026")).to_be_visible()
    assert app.locator("a", has_text="wedding").count() == 0, "only http(s) addresses become links"
    excerpt = app.get_by_text("Belgium next working day.")
    expect(excerpt).to_be_hidden()
    app.get_by_text("Excerpt").first.click()
    expect(excerpt).to_be_visible()
    expect(app.get_by_text("Already set on the ticket")).to_be_visible()
    expect(app.get_by_text("Or: CLM 9%")).to_be_visible()
    expect(app.get_by_text("Model v20261124-lora")).to_be_visible()
    assert TOKEN not in page.content()
    assert TOKEN not in page.frames[1].content()


def test_the_app_speaks_german_to_a_german_agent(page: Any, sandbox: Sandbox, plugin: FakePlugin, ticket: str) -> None:
    plugin.answers[ticket] = ready()
    database = sandbox.app.extensions["sandbox"].database
    connection = sqlite3.connect(database)
    with connection:
        connection.execute("update users set locale = 'de' where id = 5003")
    connection.close()
    page.goto("/agent")
    page.get_by_label("Signed in as").select_option("Priya Nair")
    expect(page.locator("#toast")).to_have_text("Signed in as Priya Nair.")
    app = show(page, ticket, "ready")
    expect(app.get_by_role("button", name="In die Antwort einfügen")).to_be_visible()
    expect(app.locator("html")).to_have_attribute("lang", "de")


def test_the_agents_own_name_is_filled_in(page: Any, plugin: FakePlugin, ticket: str) -> None:
    draft = "Hi Anna,\n\nWarm regards,\n[your name]\nFernway Parcels, until [date]"
    spans = [
        {"text": text, "start": draft.index(text), "end": draft.index(text) + len(text)}
        for text in ("[your name]", "[date]")
    ]
    plugin.answers[ticket] = ready("t1", draft, claims=[], blanks=spans)
    app = show(page, ticket, "ready")
    expect(app.locator("textarea")).to_have_value(draft.replace("[your name]", "Marit"))
    expect(app.get_by_text("Fill in: [date]")).to_be_visible()
    expect(app.get_by_text("Fill in: [your name]")).to_have_count(0)
