"""What `deskhand forget` says that it did, and what is left to do by hand."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING

from plugin.console import show, show_json

if TYPE_CHECKING:
    from trainer.curation.forget import Forgetting

_LISTED = 20


def show_forgetting(done: Forgetting, *, live: str | None, as_json: bool) -> None:
    """The result of a forgetting; `live` is the version that serves now."""
    if as_json:
        show_json(asdict(done.removed) | {"versions": done.versions, "live": live})
        return
    removed = done.removed
    if removed.already:
        show("This customer had been forgotten before.")
    show(f"Removed: {len(removed.tickets)} tickets with all that was made of them, {removed.examples} examples.")
    show("Drafts that were judged on their tickets, or made from them, are gone from the reports.")
    show("The next sync does not bring them back. In the helpdesk itself nothing was changed.")
    if removed.elsewhere:
        show(f"They had also written in tickets of others, their comments there are gone: {_list(removed.elsewhere)}")
    if removed.mentions:
        show(f"Their address still stands in tickets of others; look at them: {_list(removed.mentions)}")
    if not removed.overwritten:
        show("Another process still reads the old pages of the database: stop `deskhand serve` and run this again.")
    if done.versions:
        show(f"Trained on tickets of forgotten customers: {_list(done.versions)}")
        if live in done.versions:
            show(f"{live} is live. Text cannot be taken out of a trained model: run deskhand train, then promote.")
        show("Then remove their folders in models/. Backups and exports of yours are not touched by this command.")
    else:
        show("No version was trained on their tickets. Backups and exports of yours are not touched by this command.")


def _list(items: tuple[str, ...]) -> str:
    more = f" and {len(items) - _LISTED} more" if len(items) > _LISTED else ""
    return ", ".join(items[:_LISTED]) + more
