"""The dashboard in a real browser against the real server, with a filled store: every page, wide and narrow."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from connectors.settings import load_settings, write_home
from connectors.store.database import Store
from connectors.wsgi import BackgroundServer
from connectors.zendesk.client import Zendesk
from plugin.app import create_app
from plugin.context import context
from plugin.dashboard.accounts import set_password
from trainer.registry import Manifest, Registry

from ..plugin.dashboard.filling import SPECIAL, fill
from .conftest import WAIT_MS
from .pages import expect, shot
from .test_accessibility import axe_source

pytestmark = pytest.mark.browser

DESK, NAME, PASSWORD = "zendesk", "lena", "correct horse battery"
OLD, NEW = "v20261001-060000", "v20261124-081500"
PAGES = {
    "overview": "/admin/",
    "inbox": "/admin/inbox",
    "suggestions": "/admin/suggestions",
    "suggestion": f"/admin/suggestions/s{SPECIAL}",
    "quality": "/admin/quality",
    "models": "/admin/models",
    "model": f"/admin/models/{NEW}",
    "confirm": f"/admin/models/{OLD}/promote",
    "curation": "/admin/curation",
    "ticket": "/admin/curation/ticket?id=7001",
    "settings": "/admin/settings",
    "missing": "/admin/nothing",
}


def write_version(registry: Registry, name: str) -> None:
    folder = registry.folder / name
    folder.mkdir(parents=True)
    (folder / "report.html").write_text("<!doctype html><html lang=en><title>Report</title><h1>Report</h1>")
    manifest = Manifest(
        version=name, created_at="2026-11-24T08:15:00Z", helpdesk=DESK, base_model="bundled:smollm2-135m-instruct",
        encoder="bundled:all-minilm-l6-v2", reply_arm="tuned_retrieval", route_arm="stack", max_prompt_tokens=640,
        max_reply_tokens=220, min_similarity=0.3, data_hash="5f0c8f6ad2f94e33", prompt_hash="0aa1", train_examples=412,
        train_until="2026-11-20T00:00:00Z", metrics={"reply_effort": 0.61, "route_accuracy": 0.87},
        verdict="Fine-tuning was worth it: 61% of a reply is left to be changed, against 72% by the nearest reply.",
        files={},
    )  # fmt: skip
    Registry.finish(folder, manifest)


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    home = tmp_path_factory.mktemp("dashboard") / "home"
    config = {"helpdesk": {"url": "http://127.0.0.1:9"}, "plugin": {"port": 0}}
    write_home(home, config, {"helpdesk": {"token": "t"}, "plugin": {"webhook_secret": "s", "sidebar_token": "b"}})
    with Store(home / "deskhand.db") as store:
        fill(store, DESK)
        set_password(store, NAME, PASSWORD)
        store.switches.set("shadow_share", 0.05, "lena")
    registry = Registry(home / "models")
    for name in (OLD, NEW):
        write_version(registry, name)
    registry.promote(OLD, by="command line")
    registry.promote(NEW, by="command line")
    return home


@pytest.fixture(scope="module")
def server(home: Path) -> Iterator[str]:
    settings = load_settings(home)
    client = Zendesk(settings.require_helpdesk(), webhook_secret="s")
    app = create_app(settings, client)
    with BackgroundServer(app, host="127.0.0.1", port=0, threads=4, name="dashboard") as running:
        yield running.url
    context(app).close()
    client.close()


@pytest.fixture
def visit(browser: Any, server: str) -> Iterator[Callable[..., Any]]:
    """Opens a browser of any size, logged in; fails where a content policy blocks something or a script fails."""
    contexts: list[Any] = []
    problems: list[str] = []
    state: dict[str, Any] = {}

    def visit(width: int = 1280, height: int = 900, *, login: bool = True, **options: Any) -> Any:
        if login and state:
            options["storage_state"] = state
        made = browser.new_context(viewport={"width": width, "height": height}, base_url=server, **options)
        contexts.append(made)
        # axe and the server share a machine with the other tests.
        made.set_default_timeout(4 * WAIT_MS)
        page = made.new_page()
        page.on("pageerror", lambda error: problems.append(str(error)))
        page.on("console", lambda line: problems.append(line.text) if "Content Security" in line.text else None)
        if login and not state:
            log_in(page)
            state.update(made.storage_state())
        return page

    yield visit
    for made in contexts:
        made.close()
    assert problems == []


def log_in(page: Any, password: str = PASSWORD) -> None:
    page.goto("/admin/login")
    page.get_by_label("Name").fill(NAME)
    page.get_by_label("Password").fill(password)
    page.get_by_role("button", name="Log in").click()


def test_nobody_gets_in_without_the_password_and_everybody_where_they_wanted_to(visit: Callable[..., Any]) -> None:
    page = visit(login=False)
    page.goto("/admin/quality")
    expect(page).to_have_url("/admin/login?next=/admin/quality")
    shot(page, "dashboard-login")
    log_in_here = page.get_by_role("button", name="Log in")
    page.get_by_label("Name").fill(NAME)
    page.get_by_label("Password").fill("something else entirely")
    log_in_here.click()
    expect(page.get_by_role("alert")).to_have_text("The name or the password is wrong.")
    expect(page.get_by_label("Name")).to_have_value(NAME)
    page.get_by_label("Password").fill(PASSWORD)
    log_in_here.click()
    expect(page.get_by_role("heading", name="Quality")).to_be_visible()
    page.get_by_role("button", name="Log out").click()
    expect(page.get_by_role("status")).to_have_text("You are logged out.")
    page.go_back()
    page.reload()
    expect(page.get_by_label("Password")).to_be_visible()


@pytest.mark.parametrize(("width", "scheme"), [(1280, "light"), (390, "light"), (1280, "dark"), (390, "dark")])
def test_every_page_fits_and_axe_finds_nothing(visit: Callable[..., Any], width: int, scheme: str) -> None:
    source = axe_source()
    page = visit(width, color_scheme=scheme)
    problems: dict[str, list[str]] = {}
    for name, path in PAGES.items():
        page.goto(path)
        overflow = page.evaluate("() => document.documentElement.scrollWidth - document.documentElement.clientWidth")
        if overflow > 0:
            problems[name] = [f"scrolls sideways by {overflow} px"]
        if os.environ.get("DESKHAND_SHOTS"):
            folder = Path(os.environ["DESKHAND_SHOTS"])
            page.screenshot(path=str(folder / f"dashboard-{name}-{width}-{scheme}.png"), full_page=True)
        page.evaluate(source)
        found = page.evaluate("async () => (await axe.run(document, {preload: false})).violations")
        if found:
            problems[f"{name}, axe"] = [
                f"{one['id']}: {[node['html'][:120] for node in one['nodes']]}" for one in found
            ]
    assert problems == {}


def test_a_version_goes_live_by_the_keyboard_alone(visit: Callable[..., Any], home: Path) -> None:
    page = visit()
    page.goto("/admin/models")
    promote = page.get_by_role("link", name=f"Promote {OLD}")
    for _ in range(40):
        page.keyboard.press("Tab")
        if promote.evaluate("one => one === document.activeElement"):
            break
    ring = "one => getComputedStyle(one).outlineStyle"
    assert promote.evaluate(ring) == "solid", "where the focus is can be seen"
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name=f"Promote {OLD}?")).to_be_visible()
    page.get_by_role("button", name="Promote").focus()
    page.keyboard.press("Enter")
    expect(page.get_by_role("status")).to_contain_text("This version is live")
    assert Registry(home / "models").live().version == OLD  # type: ignore[union-attr]
    page.get_by_role("link", name=f"Roll back to {NEW}").click()
    page.get_by_role("button", name="Roll back").click()
    expect(page.get_by_role("row", name=NEW).first).to_contain_text("live")
    page.goto(f"/admin/models/{NEW}")
    page.get_by_role("link", name="Evaluation report").click()
    expect(page.get_by_role("heading", name="Report")).to_be_visible()


def test_a_wrong_setting_is_said_beside_its_field_and_the_rest_stays(visit: Callable[..., Any], home: Path) -> None:
    page = visit(390, 844)
    page.goto("/admin/settings")
    share = page.get_by_label("Shadow share, in percent")
    share.fill("a tenth")
    page.get_by_label("FIN").select_option("routes only")
    page.get_by_role("button", name="Save").click()
    expect(share).to_have_attribute("aria-invalid", "true")
    expect(share).to_have_value("a tenth")
    expect(page.get_by_text("Give a number from 0 to 100")).to_be_visible()
    expect(page.get_by_label("FIN")).to_have_value("route")
    shot(page, "dashboard-settings-wrong-390")
    share.fill("10")
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_role("status")).to_contain_text("Saved")
    with Store(home / "deskhand.db") as store:
        assert store.switches.all() == {"shadow_share": 0.1, "groups": {"2104": "route"}}


def test_a_dead_letter_goes_back_into_the_queue(visit: Callable[..., Any], home: Path) -> None:
    page = visit()
    page.goto("/admin/inbox")
    page.get_by_role("button", name="Try again, ticket 8002").click()
    expect(page.get_by_role("status")).to_have_text("Back in the queue.")
    expect(page.get_by_role("table", name="Open rows")).to_contain_text("8002")


def test_from_a_figure_to_a_draft_beside_what_was_sent(visit: Callable[..., Any]) -> None:
    page = visit()
    page.goto("/admin/")
    page.get_by_role("link", name="Suggestions").click()
    page.get_by_label("Outcome").select_option("edited")
    page.get_by_label("Group").select_option("FIN")
    page.get_by_role("button", name="Show").click()
    page.get_by_role("link", name=SPECIAL).click()
    expect(page.locator("del")).to_contain_text(["Marked so", "[name]"])
    expect(page.locator("ins").nth(1)).to_have_text("<b>Oss</b>")
    assert "parcel" not in page.url
