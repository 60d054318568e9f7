"""What every test in a browser does with a page: wait for something, open a ticket, keep a picture.

Where playwright is not installed, importing this skips the test file that does so.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

expect = pytest.importorskip("playwright.sync_api", reason="playwright is not installed").expect
# How long something may take to appear on a busy machine; nobody waits so long where it does.
expect.set_options(timeout=15_000)


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
