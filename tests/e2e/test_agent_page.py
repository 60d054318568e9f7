"""The helpdesk around the app: the list of tickets, a ticket's page, notes and the composer."""

from __future__ import annotations

from typing import Any

import pytest
import requests

from connectors.sandbox.server import Sandbox

from .pages import expect, shot, show

pytestmark = pytest.mark.browser


def test_list_views_search_and_pages(page: Any, ticket: str) -> None:
    page.goto("/agent")
    row = page.locator(f".row[data-ticket='{ticket}']")
    expect(row).to_contain_text("Where is my parcel?")
    expect(row.locator(".status")).to_have_text("new")
    expect(row).to_have_class("row unread")
    row.click()
    page.wait_for_function("ticket => ticket in JSON.parse(localStorage.getItem('desk-seen') || '{}')", arg=ticket)
    page.goto("/agent")
    expect(row).to_have_class("row")
    shot(page, "list")
    page.goto("/agent?view=solved&q=Question")
    assert page.locator(".row").count() == 30
    expect(page.locator(".row").first).to_contain_text("Question 40")
    page.get_by_role("link", name="Older").click()
    page.wait_for_url("**page=2**")
    assert page.locator(".row").count() == 10
    page.get_by_label("Search tickets by words or number").fill("depot 17")
    page.keyboard.press("Enter")
    expect(page.locator(".row .subject")).to_have_text(["Question 17"])
    page.goto("/agent?view=solved")
    page.get_by_label("Group").select_option("CLM")
    page.wait_for_url("**group=2103**")
    assert page.locator(".row").count() == 13
    page.goto("/agent?q=nowhereword")
    expect(page.get_by_text("No ticket holds all of these words.")).to_be_visible()


def test_the_next_waiting_ticket_opens(page: Any, sandbox: Sandbox) -> None:
    page.goto("/agent")
    page.get_by_role("button", name="Open the next waiting ticket").click()
    page.wait_for_url("**/agent/tickets/101")
    expect(page.get_by_role("heading", name="Question 101")).to_be_visible()
    expect(page.locator("#waiting")).to_have_text("2")


def test_the_composer_keeps_what_is_typed_while_things_change(page: Any, sandbox: Sandbox, ticket: str) -> None:
    show(page, ticket)
    page.get_by_label("Your text").fill("Half a sent")
    page.locator("#field-group").select_option("CLM")
    expect(page.locator("#unsaved")).to_have_text("New group, saved when you submit")
    page.get_by_role("button", name="Customer").click()
    page.get_by_label("Write as Anna Smit").fill("I am still waiting")
    page.get_by_role("button", name="Send as the customer").click()
    expect(page.get_by_text("I am still waiting")).to_be_visible()
    expect(page.get_by_label("Your text")).to_have_value("Half a sent")
    expect(page.locator("#field-group")).to_have_value("2103")


def test_internal_notes_look_different_and_fields_are_saved(page: Any, ticket: str) -> None:
    show(page, ticket)
    page.get_by_text("Internal note", exact=True).click()
    page.get_by_label("Your text").fill("Driver says Tuesday")
    page.locator("#field-priority").select_option("high")
    page.get_by_role("button", name="Pending", exact=True).click()
    note = page.locator(".comment.note")
    expect(note).to_contain_text("Driver says Tuesday")
    expect(note).to_contain_text("Internal note")
    colour = "one => getComputedStyle(one).backgroundColor"
    assert note.locator(".bubble").evaluate(colour) != page.locator(".customer .bubble").evaluate(colour)
    expect(page.locator("#status-badge")).to_have_text("pending")
    expect(page.locator("#field-priority")).to_have_attribute("data-saved", "high")


def test_a_desk_without_an_app(page: Any, sandbox: Sandbox, ticket: str) -> None:
    installed = sandbox.app.config["SANDBOX_APP"]
    sandbox.app.config["SANDBOX_APP"] = None
    try:
        show(page, ticket)
        expect(page.get_by_text("No app installed")).to_be_visible()
        assert requests.get(f"{sandbox.url}/agent/app/iframe.html", timeout=10).status_code == 404
    finally:
        sandbox.app.config["SANDBOX_APP"] = installed


def test_an_unknown_ticket(page: Any) -> None:
    page.goto("/agent/tickets/999999")
    expect(page.get_by_text("There is no such ticket, or it was deleted.")).to_be_visible()
