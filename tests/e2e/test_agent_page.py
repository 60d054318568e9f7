"""The agent's page and the sidebar app in a real browser, against a real sandbox and a plugin API that tests play."""

from __future__ import annotations

import os
import sqlite3
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import requests
import waitress
import yaml
from flask import Flask, Response, jsonify, request
from waitress import wasyncore

from connectors.sandbox.server import Sandbox

playwright_api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
CHROMIUM = Path("/usr/bin/chromium")
FLAGS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
ROOT = Path(__file__).parents[2]
APP = ROOT / "plugin" / "zendesk_app"
TOKEN = "installation-token-that-no-page-may-see"
WAIT_MS = 8000

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(not CHROMIUM.exists(), reason=f"no browser at {CHROMIUM}: apt install chromium"),
]

DRAFT = (
    "Hi Anna,\n\nYour parcel is in Ghent 📦 & <b>safe</b>. It arrives on 14 April.\n\n"
    "You get €6.95 back by [date].\n\nWarm regards,\nMarit"
)


def span(text: str) -> dict[str, Any]:
    return {"text": text, "start": DRAFT.index(text), "end": DRAFT.index(text) + len(text)}


def route(**changes: Any) -> dict[str, Any]:
    return {
        "group_id": "2101",
        "group_name": "TRK1",
        "probability": 0.83,
        "reasons": ["7 of 8 similar tickets went there"],
        "alternatives": [["2103", "CLM", 0.09]],
        "applied": True,
    } | changes


def ready(turn: str = "t1", draft: str = DRAFT, **changes: Any) -> dict[str, Any]:
    suggestion = {
        "id": f"s-{turn}",
        "draft": draft,
        "language": "en",
        "model_version": "v20261124-lora",
        "created_at": "2026-11-24T05:00:00Z",
        "claims": [
            {**span("14 April"), "supported": False, "source": ""},
            {**span("€6.95"), "supported": True, "source": "prices"},
        ],
        "blanks": [span("[date]")],
        "sources": [
            {
                "kind": "article",
                "id": "1",
                "title": "Delivery times",
                "url": "https://fernway.example/hc/1",
                "excerpt": "Belgium next working day.",
                "updated_at": "2026-03-12T00:00:00Z",
            },
            {
                "kind": "ticket",
                "id": "6001",
                "title": "wedding is SATURDAY",
                "url": "javascript:alert(1)",
                "excerpt": "It is not lost.",
                "updated_at": "2026-09-09T00:00:00Z",
            },
        ],
        "confidence": None,
    }
    answer = {"state": "ready", "message": "", "turn_id": turn, "note_posted": True}
    return answer | {"suggestion": suggestion | changes, "route": route()}


def without(state: str, turn: str = "t1", **changes: Any) -> dict[str, Any]:
    answer = {"state": state, "message": "", "turn_id": turn, "note_posted": False, "suggestion": None, "route": None}
    return answer | changes


@dataclass
class FakePlugin:
    """Answers what the test sets, and remembers what it was told."""

    answers: dict[str, Any] = field(default_factory=dict)
    on_post: dict[str, Any] = field(default_factory=dict)
    feedback: list[tuple[str, str, str]] = field(default_factory=list)
    authorizations: set[str | None] = field(default_factory=set)
    asked: list[tuple[str, str]] = field(default_factory=list)
    url: str = ""

    def app(self) -> Flask:
        app = Flask("fake_plugin")

        @app.route("/api/v1/tickets/<ticket_id>/suggestion", methods=["GET", "POST"])
        def suggestion(ticket_id: str) -> Any:
            self.authorizations.add(request.headers.get("Authorization"))
            self.asked.append((request.method, ticket_id))
            if request.method == "POST":
                self.answers[ticket_id] = self.on_post[ticket_id]
                return jsonify({"ticket_id": ticket_id, **without("drafting")}), 202
            answer = self.answers.get(ticket_id, without("none"))
            if isinstance(answer, list):  # one after the other, the last one for good
                answer = answer.pop(0) if len(answer) > 1 else answer[0]
            if isinstance(answer, int):
                return jsonify(error={"code": "trouble", "message": "Said by the server"}), answer
            return jsonify({"ticket_id": ticket_id, **answer})

        @app.post("/api/v1/suggestions/<suggestion_id>/feedback")
        def feedback(suggestion_id: str) -> Any:
            data = request.get_json()
            self.feedback.append((suggestion_id, data["action"], data["reason"]))
            return Response(status=204)

        @app.get("/elsewhere")
        def elsewhere() -> Any:
            return Response(status=302, headers={"Location": "http://127.0.0.1:9/"})

        return app


@pytest.fixture(scope="module")
def plugin() -> Iterator[FakePlugin]:
    fake = FakePlugin()
    sockets: dict[int, Any] = {}
    server = waitress.create_server(fake.app(), host="127.0.0.1", port=0, map=sockets, threads=4)
    fake.url = f"http://127.0.0.1:{server.effective_port}"
    stopping = threading.Event()

    def serve() -> None:
        while not stopping.is_set():
            wasyncore.loop(timeout=1.0, use_poll=True, map=sockets, count=1)

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    yield fake
    stopping.set()
    server.pull_trigger()
    thread.join(5)
    server.task_dispatcher.shutdown(timeout=5)
    wasyncore.close_all(sockets, ignore_all=True)


def write_company(folder: Path) -> None:
    (folder / "tickets").mkdir(parents=True)
    agents = [("marit", 5001, "Marit de Boer"), ("priya", 5003, "Priya Nair"), ("deskhand", 5099, "Deskhand")]
    frame = {
        "brand": {"id": 1, "name": "Fernway Parcels", "subdomain": "fernway", "locale": "en"},
        "groups": [
            {"id": 2101, "name": "TRK1", "description": "Where is my parcel"},
            {"id": 2103, "name": "CLM", "description": "Claims"},
        ],
        "agents": [
            {"key": key, "id": number, "name": name, "email": f"{key}@fernway.example", "groups": ["TRK1", "CLM"]}
            for key, number, name in agents
        ],
    }
    (folder / "company.yaml").write_text(yaml.safe_dump(frame, sort_keys=False))
    start = datetime(2026, 4, 1, 9, tzinfo=UTC)

    def ticket(number: int) -> dict[str, Any]:
        at = start + timedelta(hours=number)
        ask = {"from": "requester", "at": at, "body": f"Where is parcel {number}?"}
        reply = {"from": "marit", "at": at + timedelta(minutes=9), "body": f"Hi,\n\nIt is in depot {number}."}
        return {
            "id": number,
            "created": at,
            "subject": f"Question {number}",
            "group": "TRK1" if number % 3 else "CLM",
            "requester": {"name": f"Customer {number}", "email": f"c{number}@mail.example"},
            "comments": [ask, reply],
        }

    solved = [ticket(number) for number in range(1, 41)]
    held = [ticket(number) for number in range(101, 104)]
    (folder / "tickets" / "2026-04.yaml").write_text(yaml.safe_dump(solved, sort_keys=False))
    (folder / "tickets" / "future-1.yaml").write_text(yaml.safe_dump(held, sort_keys=False))


@pytest.fixture(scope="module")
def sandbox(tmp_path_factory: pytest.TempPathFactory, plugin: FakePlugin) -> Iterator[Sandbox]:
    folder = tmp_path_factory.mktemp("sandbox")
    write_company(folder / "company")
    app = {"assets": APP, "settings": {"api_host": plugin.url}, "secure_settings": {"token": TOKEN}}
    database = folder / "sandbox.db"
    limits = {"SANDBOX_REQUESTS_PER_MIN": 9000, "SANDBOX_UPDATES_PER_MIN": 9000}
    with Sandbox(database, SANDBOX_COMPANY=folder / "company", SANDBOX_APP=app, **limits) as running:
        yield running


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with playwright_api.sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=str(CHROMIUM), args=FLAGS)
        yield chromium
        chromium.close()


@pytest.fixture
def new_page(browser: Any, sandbox: Sandbox) -> Iterator[Callable[..., Any]]:
    contexts, problems = [], []

    def make(width: int = 1280, height: int = 800, *, clock: bool = False, **options: Any) -> Any:
        context = browser.new_context(viewport={"width": width, "height": height}, base_url=sandbox.url, **options)
        contexts.append(context)
        context.set_default_timeout(WAIT_MS)
        if clock:
            context.clock.install()
        page = context.new_page()
        page.on("pageerror", lambda error: problems.append(str(error)))
        # A content policy that blocks something shows as a console error.
        page.on("console", lambda line: problems.append(line.text) if "Content Security" in line.text else None)
        return page

    yield make
    for context in contexts:
        context.close()
    assert problems == []


@pytest.fixture
def page(new_page: Callable[..., Any]) -> Any:
    return new_page()


@pytest.fixture
def ticket(sandbox: Sandbox) -> str:
    """A new ticket of a customer; its number as text."""
    wanted = {"requester": {"name": "Anna Smit", "email": "anna@mail.example"}, "subject": "Where is my parcel?"}
    wanted |= {"comment": {"body": "It should have come on Monday.\n\nAnna"}}
    answer = requests.post(
        f"{sandbox.url}/api/v2/tickets.json",
        json={"ticket": wanted},
        headers={"Authorization": f"Bearer {sandbox.token}"},
        timeout=10,
    )
    assert answer.status_code == 201
    return str(answer.json()["ticket"]["id"])


def customer_writes(sandbox: Sandbox, ticket: str, body: str) -> None:
    answer = requests.post(f"{sandbox.url}/sandbox/tickets/{ticket}/customer_reply", json={"body": body}, timeout=10)
    assert answer.status_code == 201


def show(page: Any, ticket: str, state: str | None = None) -> Any:
    """Open a ticket; the app's frame, once it shows the state."""
    page.goto(f"/agent/tickets/{ticket}")
    app = page.frame_locator("#app-frame")
    if state:
        app.locator(f"[data-state={state}]").wait_for()
    return app


def shot(page: Any, name: str) -> None:
    """Keep a picture where DESKHAND_SHOTS names a folder, for people to look at."""
    folder = os.environ.get("DESKHAND_SHOTS")
    if folder:
        page.screenshot(path=str(Path(folder) / f"{name}.png"))


expect = playwright_api.expect


# ---- the app's states


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


def test_silent_says_so_and_shows_the_route(page: Any, plugin: FakePlugin, ticket: str) -> None:
    plugin.answers[ticket] = without("silent", route=route())
    app = show(page, ticket, "silent")
    words = "No suggestion: nothing similar enough has been answered before"
    expect(app.get_by_role("heading", name=words)).to_be_visible()
    expect(app.get_by_role("status")).to_have_text(words)
    expect(app.get_by_text("TRK1")).to_be_visible()
    expect(app.get_by_text("83% likely")).to_be_visible()
    shot(page, "silent")


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
    for _ in range(8):  # in steps, so that each poll's answer has time to come
        page.clock.fast_forward(20_000)
        page.wait_for_timeout(120)
    expect(app.get_by_role("heading", name="Still no draft after two minutes")).to_be_visible()
    plugin.answers[ticket] = ready()
    app.get_by_role("button", name="Retry").click()
    app.locator("[data-state=ready]").wait_for()


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


# ---- what the agent does with it


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


# ---- the helpdesk around it


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


@pytest.mark.parametrize("width", [320, 390])
def test_narrow_pages_do_not_scroll_sideways(
    new_page: Callable[..., Any], plugin: FakePlugin, ticket: str, width: int
) -> None:
    plugin.answers[ticket] = ready(draft=f"{DRAFT}\n{'long' * 40}")
    page = new_page(width, 780)
    overflow = "() => document.documentElement.scrollWidth - document.documentElement.clientWidth"
    page.goto("/agent?view=all")
    assert page.evaluate(overflow) <= 0
    shot(page, f"list-{width}")
    app = show(page, ticket)
    assert page.evaluate(overflow) <= 0
    shot(page, f"ticket-{width}")
    page.get_by_role("button", name="Deskhand").click()
    app.locator("[data-state=ready]").wait_for()
    app.get_by_role("button", name="Not useful").click()
    assert page.evaluate(overflow) <= 0
    assert page.frames[1].evaluate(overflow) <= 0
    small = page.frames[1].evaluate(
        "() => [...document.querySelectorAll('button, summary, a, input')].filter(one => one.offsetParent &&"
        " one.getBoundingClientRect().height < 24).map(one => one.outerHTML.slice(0, 80))"
    )
    assert small == []
    shot(page, f"app-{width}")
    app.get_by_role("button", name="Insert into the reply").click()
    expect(page.get_by_label("Your text")).to_be_visible()


def test_dark_mode(new_page: Callable[..., Any], plugin: FakePlugin, ticket: str, tmp_path: Path) -> None:
    plugin.answers[ticket] = ready()
    page = new_page(color_scheme="dark")
    show(page, ticket, "ready")
    background = "() => getComputedStyle(document.body).backgroundColor"
    for frame in page.frames:
        channels = [int(part) for part in frame.evaluate(background)[4:-1].split(",")]
        assert max(channels) < 60, f"{frame.url} is not dark"
    page.screenshot(path=str(tmp_path / "dark.png"))
    assert (tmp_path / "dark.png").stat().st_size > 10_000
    shot(page, "dark")


def axe_source() -> str:
    folders = [ROOT / "node_modules" / "axe-core"]
    if os.environ.get("AXE_PATH"):
        folders.append(Path(os.environ["AXE_PATH"]))
    for folder in folders:
        if (folder / "axe.min.js").is_file():
            return (folder / "axe.min.js").read_text(encoding="utf-8")
    pytest.skip("no axe-core: npm install --no-save axe-core, or AXE_PATH=folder that holds axe.min.js")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing(new_page: Callable[..., Any], plugin: FakePlugin, ticket: str, scheme: str) -> None:
    source = axe_source()
    page = new_page(color_scheme=scheme)

    def check(frame: Any, where: str) -> None:
        frame.evaluate(source)
        # Without preload: it would fetch style sheets, which the app's content policy forbids.
        found = frame.evaluate("async () => (await axe.run(document, {iframes: false, preload: false})).violations")
        lines = [f"{one['id']}: {[node['html'][:120] for node in one['nodes']]}" for one in found]
        assert lines == [], where

    page.goto("/agent?view=all")
    check(page.main_frame, "list")
    for state, answer in {
        "ready": ready(),
        "none": without("none", route=route()),
        "silent": without("silent"),
        "error": 503,
    }.items():
        plugin.answers[ticket] = answer
        app = show(page, ticket, state)
        if state == "ready":
            app.get_by_role("button", name="Not useful").click()
            app.get_by_role("button", name="Other").click()
            page.get_by_role("button", name="Customer").click()
            check(page.main_frame, "ticket")
        check(page.frames[1], state)


# ---- the proxy forwards to one host only


def proxied(sandbox: Sandbox, url: str, **changes: Any) -> requests.Response:
    options = {"url": url, "type": "GET", "secure": True, "headers": {"Authorization": "Bearer {{setting.token}}"}}
    return requests.post(f"{sandbox.url}/agent/proxy", json=options | changes, timeout=10)


def test_the_proxy_fills_in_the_token(sandbox: Sandbox, plugin: FakePlugin) -> None:
    plugin.authorizations.clear()
    answer = proxied(sandbox, "https://{{setting.api_host}}/api/v1/tickets/1/suggestion")
    assert answer.json()["status"] == 200
    assert plugin.authorizations == {f"Bearer {TOKEN}"}
    plugin.authorizations.clear()
    proxied(sandbox, f"{plugin.url}/api/v1/tickets/1/suggestion", secure=False)
    assert plugin.authorizations == {"Bearer"}, "only secure requests get it"


def test_the_proxy_asks_nobody_else(sandbox: Sandbox, plugin: FakePlugin) -> None:
    host = plugin.url.removeprefix("http://")
    for url in (
        "http://127.0.0.1:9/",
        "https://{{setting.api_host}}.evil.example/api",
        f"http://{host}@evil.example/",
        f"http://user:secret@{host}/api",
        f"https://{host}/api",
        "file:///etc/passwd",
        "/api/v2/tickets.json",
        "http://[::1",
        f"{plugin.url}/../x",
        "https://{{setting.token}}/",
    ):
        assert proxied(sandbox, url).status_code == 400, url
    assert proxied(sandbox, f"{plugin.url}/api", type="TRACE").status_code == 400
    assert proxied(sandbox, f"{plugin.url}/elsewhere").json()["status"] == 302, "redirects are not followed"


def test_other_sites_cannot_act_through_the_page(sandbox: Sandbox, ticket: str) -> None:
    url = f"{sandbox.url}/agent/tickets/{ticket}"
    theirs = requests.post(url, json={"status": "solved"}, headers={"Origin": "https://evil.example"}, timeout=10)
    assert theirs.status_code == 403
    assert requests.post(url, data={"status": "solved"}, timeout=10).status_code == 400
