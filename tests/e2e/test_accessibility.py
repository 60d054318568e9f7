"""Narrow screens, dark mode, and what axe finds."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from .fake_plugin import DRAFT, FakePlugin, alternative, ready, route, without
from .pages import expect, shot, show

ROOT = Path(__file__).parents[2]

pytestmark = pytest.mark.browser


@pytest.mark.parametrize("width", [320, 390])
def test_narrow_pages_do_not_scroll_sideways(
    new_page: Callable[..., Any], plugin: FakePlugin, ticket: str, width: int
) -> None:
    plugin.answers[ticket] = ready(draft=f"{DRAFT}\n{'long' * 40}", alternatives=[alternative("x")])
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
    app.get_by_text("Tell it a fact and redraft").click()
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
    app = show(page, ticket, "ready")
    app.get_by_text("Tell it a fact and redraft").click()
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
        "ready": ready(alternatives=[alternative("x")], unused_facts=["Friday"]) | {"facts": ["Ghent", "Friday"]},
        "drafting": without("drafting", partial="Hi Anna,", route=route()),
        "none": without("none", route=route()),
        "silent": without("silent", silence="no_similar"),
        "error": 503,
    }.items():
        plugin.answers[ticket] = answer
        app = show(page, ticket, state)
        if state == "drafting":
            app.get_by_text("Hi Anna,").wait_for()
        if state == "silent":
            app.get_by_text("Tell it a fact and redraft").click()
        if state == "ready":
            app.get_by_role("button", name="Not useful").click()
            app.get_by_role("button", name="Other").click()
            page.get_by_role("button", name="Customer").click()
            check(page.main_frame, "ticket")
        check(page.frames[1], state)
