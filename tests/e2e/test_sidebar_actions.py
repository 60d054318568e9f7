"""What an agent does with a suggestion: insert it, copy it, rate it, edit it, and all of it without a mouse."""

from __future__ import annotations

from typing import Any

import pytest
import requests

from connectors.sandbox.server import Sandbox

from .fake_plugin import DRAFT, FakePlugin, ready, without
from .pages import expect, shot, show

pytestmark = pytest.mark.browser


def customer_writes(sandbox: Sandbox, ticket: str, body: str) -> None:
    answer = requests.post(f"{sandbox.url}/sandbox/tickets/{ticket}/customer_reply", json={"body": body}, timeout=10)
    assert answer.status_code == 201


def test_insert_puts_the_draft_at_the_cursor(page: Any, plugin: FakePlugin, ticket: str) -> None:
    plugin.answers[ticket] = ready()
    plugin.feedback.clear()
    app = show(page, ticket, "ready")
    composer = page.get_by_label("Your text")
    composer.fill("before  after")
    composer.evaluate("one => one.setSelectionRange(7, 7)")
    app.get_by_role("button", name="Insert into the reply").click()
    expect(composer).to_have_value(f"before {DRAFT} after")
    expect(app.get_by_role("status")).to_have_text("Inserted into the reply. Read it before you send it.")
    expect(app.locator(".actions .primary")).to_have_text("Inserted")
    shot(page, "inserted")
    assert ("s-t1", "inserted", "") in plugin.feedback
    page.reload()
    expect(composer).to_have_value(f"before {DRAFT} after")


def test_copy(page: Any, plugin: FakePlugin, ticket: str) -> None:
    plugin.answers[ticket] = ready()
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    app = show(page, ticket, "ready")
    app.get_by_role("button", name="Copy").click()
    expect(app.get_by_role("status")).to_have_text("Copied to the clipboard.")
    page.get_by_label("Your text").focus()
    page.keyboard.press("Control+v")
    expect(page.get_by_label("Your text")).to_have_value(DRAFT)


def test_thumb_down_asks_for_reasons(page: Any, plugin: FakePlugin, ticket: str) -> None:
    plugin.answers[ticket] = ready()
    plugin.feedback.clear()
    app = show(page, ticket, "ready")
    app.get_by_role("button", name="Not useful").click()
    assert plugin.feedback == []
    app.get_by_role("button", name="Wrong tone").click()
    app.get_by_role("button", name="Other").click()
    app.get_by_label("In a few words").fill("too long")
    shot(page, "reasons")
    app.get_by_role("button", name="Send").click()
    expect(app.get_by_role("status")).to_have_text("Thank you, noted.")
    assert plugin.feedback == [("s-t1", "thumb_down", "wrong tone; other: too long")]
    app.get_by_role("button", name="Useful", exact=True).click()
    expect(app.get_by_role("button", name="Useful", exact=True)).to_have_attribute("aria-pressed", "true")
    expect(app.get_by_role("button", name="Not useful")).to_have_attribute("aria-pressed", "false")


def test_an_edited_draft_survives_a_new_message(page: Any, sandbox: Sandbox, plugin: FakePlugin, ticket: str) -> None:
    plugin.answers[ticket] = ready()
    app = show(page, ticket, "ready")
    draft = app.get_by_label("Suggested reply, you can edit it")
    draft.fill("My own words")
    plugin.answers[ticket] = ready("t2", "Hi Anna,\n\nA newer draft.", claims=[], blanks=[])
    customer_writes(sandbox, ticket, "Hello? Anybody?")
    expect(page.get_by_text("Hello? Anybody?")).to_be_visible()
    expect(app.get_by_text("The customer wrote again.").last).to_be_visible()
    page.wait_for_timeout(1800)
    expect(draft).to_have_value("My own words")
    shot(page, "customer-wrote-again")
    app.get_by_role("button", name="Refresh").click()
    expect(draft).to_have_value("Hi Anna,\n\nA newer draft.")
    app.get_by_text("Your earlier text").click()
    app.get_by_role("button", name="Use this text").click()
    expect(draft).to_have_value("My own words")


def test_an_untouched_draft_is_replaced_by_the_next_turns(
    page: Any, sandbox: Sandbox, plugin: FakePlugin, ticket: str
) -> None:
    plugin.answers[ticket] = ready()
    app = show(page, ticket, "ready")
    # The message is on the page before its webhook has reached the plugin, which answers with the old turn once more.
    plugin.answers[ticket] = [ready(), without("drafting", "t2"), ready("t2", "Newer.", claims=[], blanks=[])]
    customer_writes(sandbox, ticket, "One more thing")
    expect(app.get_by_role("status")).to_have_text("Reading the ticket…")
    expect(app.get_by_label("Suggested reply, you can edit it")).to_have_value("Newer.")


def test_keyboard_alone_from_draft_to_solved(page: Any, plugin: FakePlugin, ticket: str, sandbox: Sandbox) -> None:
    plugin.answers[ticket] = ready()
    app = show(page, ticket, "ready")
    draft = app.get_by_label("Suggested reply, you can edit it")
    insert = app.get_by_role("button", name="Insert into the reply")

    def press_until(locator: Any, key: str) -> None:
        for _ in range(40):
            page.keyboard.press(key)
            if locator.evaluate("one => one === one.ownerDocument.activeElement && one.ownerDocument.hasFocus()"):
                return
        raise AssertionError(f"{key} does not lead to {locator}")

    press_until(draft, "Tab")
    page.keyboard.press("Control+Home")
    page.keyboard.type("Re: ")
    press_until(insert, "Tab")
    outline = insert.evaluate("one => getComputedStyle(one).outlineStyle + getComputedStyle(one).outlineWidth")
    assert outline == "solid2px"
    page.keyboard.press("Enter")
    expect(page.get_by_label("Your text")).to_have_value(f"Re: {DRAFT}")
    solved = page.get_by_role("button", name="Solved", exact=True)
    press_until(solved, "Shift+Tab")
    page.keyboard.press("Enter")
    expect(page.locator("#status-badge")).to_have_text("solved")
    expect(page.locator(".comment.reply")).to_contain_text("Re: Hi Anna,")
    expect(page.locator(".comment.reply")).to_contain_text("<b>safe</b>")
    expect(page.get_by_label("Your text")).to_have_value("")
