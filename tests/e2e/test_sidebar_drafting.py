"""While a draft is written, other replies to choose from, and a draft anew with a fact."""

from __future__ import annotations

from typing import Any

import pytest
import requests

from connectors.sandbox.server import Sandbox

from .fake_plugin import DRAFT, FakePlugin, alternative, ready, without
from .pages import expect, shot, show

pytestmark = pytest.mark.browser

LABEL = "Suggested reply, you can edit it"
# Every text that the status region ever had: what a screen reader would say.
LISTEN = """() => {
    const status = document.getElementById('status');
    window.said = [];
    new MutationObserver(() => window.said.push(status.textContent)).observe(status, {childList: true, subtree: true});
}"""


def customer_writes(sandbox: Sandbox, ticket: str, body: str) -> None:
    answer = requests.post(f"{sandbox.url}/sandbox/tickets/{ticket}/customer_reply", json={"body": body}, timeout=10)
    assert answer.status_code == 201


def test_what_is_written_so_far_shows_and_is_for_looking_only(page: Any, plugin: FakePlugin, ticket: str) -> None:
    plugin.answers[ticket] = without("none")
    plugin.on_post[ticket] = without("drafting")
    app = show(page, ticket, "none")
    page.frames[1].evaluate(LISTEN)
    app.get_by_role("button", name="Draft a reply").click()
    app.locator("[data-state=drafting]").wait_for()
    partial = app.locator(".partial")
    for part in ("Hi Anna,", "Hi Anna,\n\nYour parcel", "Hi Anna,\n\nYour parcel is in Ghent <b>now"):
        plugin.answers[ticket] = without("drafting", partial=part)
        expect(partial).to_have_text(part)
        assert app.locator("textarea, [contenteditable]").count() == 0
        assert app.get_by_role("button", name="Insert into the reply").count() == 0
    expect(partial).to_have_attribute("aria-busy", "true")
    assert partial.evaluate("one => one.closest('[role=status], [aria-live]')") is None
    shot(page, "writing")
    plugin.answers[ticket] = ready()
    expect(app.get_by_label(LABEL)).to_have_value(DRAFT)
    assert app.locator(".partial").count() == 0
    said = page.frames[1].evaluate("() => window.said.filter(Boolean)")
    assert said == ["Loading…", "Reading the ticket…", "Writing the draft…", "Draft ready."], (
        "each once, no token by token"
    )


def test_polls_are_as_far_apart_as_agreed(page: Any, plugin: FakePlugin, ticket: str) -> None:
    plugin.answers[ticket] = without("drafting", partial="Hi")
    show(page, ticket, "drafting")
    plugin.asked.clear()
    page.wait_for_timeout(4000)
    assert 2 <= plugin.asked.count(("GET", ticket)) <= 6, "every 0.7 s and the time of the answer"


def test_next_shows_other_replies_and_keeps_what_was_changed(page: Any, plugin: FakePlugin, ticket: str) -> None:
    spans = [{"text": "[date]", "start": 3, "end": 9}]
    sources = [{"kind": "ticket", "id": "9", "title": "Ghent again", "url": "", "excerpt": "x", "updated_at": ""}]
    others = [
        alternative("By [date].", blanks=spans, sources=sources),
        alternative("Written\n[your name]", "draft", blanks=[{"text": "[your name]", "start": 8, "end": 19}]),
    ]
    plugin.answers[ticket] = ready(alternatives=others)
    plugin.feedback.clear()
    app = show(page, ticket, "ready")
    draft, following = app.get_by_label(LABEL), app.get_by_role("button", name="Show the next of 3 suggestions")
    expect(app.locator(".place")).to_have_text("1 of 3 · best")
    draft.fill("My own words")
    following.focus()
    page.keyboard.press("Enter")
    expect(draft).to_have_value("By [date].")
    expect(following).to_be_focused()
    expect(app.get_by_role("status")).to_have_text("2 of 3")
    expect(app.locator(".place")).to_have_text("2 of 3 · an earlier reply of your team")
    expect(app.locator(".check-item")).to_have_text(["Fill in: [date]"])
    expect(app.get_by_text("Ghent again").first).to_be_visible()
    expect(app.get_by_text("From 1 similar answered ticket.")).to_be_visible()
    shot(page, "next")
    app.get_by_role("button", name="Insert into the reply").click()
    expect(page.get_by_label("Your text")).to_have_value("By [date].")
    page.keyboard.press("Tab")
    following.click()
    expect(draft).to_have_value("Written\nMarit")
    expect(app.locator(".place")).to_have_text("3 of 3 · written by the model")
    following.click()
    expect(draft).to_have_value("My own words")
    app.get_by_role("button", name="Insert into the reply").click()
    expect(app.get_by_role("status")).to_have_text("Inserted into the reply. Read it before you send it.")
    page.wait_for_timeout(300)
    done = [("s-t1", "inserted", "alternative 1"), ("s-t1", "inserted", ""), ("s-t1", "edited", "")]
    assert plugin.feedback == done


def test_one_reply_has_no_next(page: Any, plugin: FakePlugin, ticket: str) -> None:
    plugin.answers[ticket] = ready()
    app = show(page, ticket, "ready")
    assert not app.get_by_text("Next", exact=True).is_visible()
    expect(app.locator(".place")).to_have_text("")


def test_a_fact_makes_another_draft_and_the_earlier_text_stays(page: Any, plugin: FakePlugin, ticket: str) -> None:
    plugin.answers[ticket] = ready()
    plugin.facts.clear()
    told = {"facts": ["The parcel is in <b>Ghent", "Refund on Friday"]}
    newer = ready("t1", "It is in Ghent.", claims=[], blanks=[], unused_facts=["Refund on Friday"]) | told
    plugin.on_post[ticket] = [without("drafting", partial="It is"), newer]
    app = show(page, ticket, "ready")
    app.get_by_label(LABEL).fill("My own words")
    app.get_by_text("Tell it a fact and redraft").click()
    app.get_by_role("button", name="Redraft").click()
    expect(app.get_by_text("Write the fact first.")).to_be_visible()
    page.keyboard.type("  The parcel is in <b>Ghent ")
    shot(page, "fact")
    page.keyboard.press("Enter")
    expect(app.locator(".partial")).to_have_text("It is")
    expect(app.get_by_label(LABEL)).to_have_value("It is in Ghent.")
    assert plugin.facts == ["The parcel is in <b>Ghent"]
    expect(app.locator(".fact li")).to_have_text(["The parcel is in <b>Ghent", "Refund on Friday (not in the draft)"])
    shot(page, "redrafted")
    app.get_by_text("Your earlier text").click()
    app.get_by_role("button", name="Use this text").click()
    expect(app.get_by_label(LABEL)).to_have_value("My own words")


@pytest.mark.parametrize("status", [409, 429, 503])
def test_a_fact_that_was_not_taken_costs_neither_draft_nor_fact(
    page: Any, plugin: FakePlugin, ticket: str, status: int
) -> None:
    plugin.answers[ticket] = ready()
    plugin.on_post[ticket] = status
    app = show(page, ticket, "ready")
    app.get_by_label(LABEL).fill("My own words")
    app.get_by_text("Tell it a fact and redraft").click()
    fact = app.get_by_label("What does the draft not know?")
    fact.fill("It is in Ghent")
    app.get_by_role("button", name="Redraft").click()
    expect(app.locator(".problem")).to_contain_text("Said by the server")
    expect(fact).to_have_value("It is in Ghent")
    expect(app.get_by_label(LABEL)).to_have_value("My own words")


def test_a_redraft_that_fails_leaves_the_earlier_text(page: Any, plugin: FakePlugin, ticket: str) -> None:
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    plugin.answers[ticket] = ready()
    plugin.on_post[ticket] = [without("drafting"), without("failed", message="out of memory")]
    app = show(page, ticket, "ready")
    app.get_by_text("Tell it a fact and redraft").click()
    app.get_by_label("What does the draft not know?").fill("It is in Ghent")
    page.keyboard.press("Enter")
    app.locator("[data-state=failed]").wait_for()
    app.get_by_text("Your earlier text").click()
    expect(app.locator("blockquote")).to_have_text(DRAFT)
    app.get_by_role("button", name="Copy").click()
    expect(app.get_by_role("status")).to_have_text("Copied to the clipboard.")


def test_a_silent_ticket_can_be_told_a_fact(page: Any, plugin: FakePlugin, ticket: str) -> None:
    plugin.answers[ticket] = without("silent", silence="unsure")
    plugin.on_post[ticket] = [without("drafting"), ready()]
    app = show(page, ticket, "silent")
    app.get_by_text("Tell it a fact and redraft").click()
    app.get_by_label("What does the draft not know?").fill("It is in Ghent")
    app.get_by_role("button", name="Redraft").click()
    expect(app.get_by_label(LABEL)).to_have_value(DRAFT)


def test_a_fact_being_typed_is_not_taken_away_by_a_new_message(
    page: Any, sandbox: Sandbox, plugin: FakePlugin, ticket: str
) -> None:
    plugin.answers[ticket] = ready()
    app = show(page, ticket, "ready")
    app.get_by_text("Tell it a fact and redraft").click()
    fact = app.get_by_label("What does the draft not know?")
    fact.fill("It is in Gh")
    plugin.answers[ticket] = ready("t2", "Newer.", claims=[], blanks=[])
    customer_writes(sandbox, ticket, "Hello?")
    expect(app.get_by_role("button", name="Refresh")).to_be_visible()
    expect(fact).to_have_value("It is in Gh")


def test_a_slow_draft_for_a_new_message_is_waited_for(
    new_page: Any, sandbox: Sandbox, plugin: FakePlugin, ticket: str
) -> None:
    """Longer than the half minute that a webhook may take: the plugin says that it is at work."""
    plugin.answers[ticket] = ready()
    page = new_page(clock=True)
    app = show(page, ticket, "ready")
    plugin.answers[ticket] = without("drafting", "t1", partial="Hi")
    customer_writes(sandbox, ticket, "One more thing")
    for _ in range(8):
        page.clock.fast_forward(5_000)
        page.wait_for_timeout(120)
    expect(app.locator(".partial")).to_have_text("Hi")
    plugin.answers[ticket] = ready("t2", "Newer.", claims=[], blanks=[])
    page.clock.fast_forward(2_000)
    expect(app.get_by_label(LABEL)).to_have_value("Newer.")
