"""Forgetting a customer, in the database, in what is known of the models and in what shows how they did."""

from __future__ import annotations

import tempfile
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

from connectors.errors import ModelError
from connectors.store.database import Store
from connectors.store.forgotten import Forgotten, forget, tickets_of
from trainer.evaluation.page import write_page
from trainer.evaluation.scores import SAMPLES, read_report, read_samples, write_samples
from trainer.registry import DOCUMENTS, Registry


@dataclass(frozen=True, slots=True)
class Forgetting:
    """What was done; `versions` are those, newest first, whose weights have seen the customer's tickets."""

    removed: Forgotten
    versions: tuple[str, ...]


def forget_customer(store: Store, helpdesk: str, registry: Registry, who: str) -> Forgetting:
    """Removes a customer, by id or e-mail address, from the database and from the versions' samples of held-out turns.

    A training that was cut off does not go on from where it was. Versions trained on their tickets are marked: no text
    can be taken out of trained weights again, only a version that was trained without it is free of it.

    Raises:
        NotFoundError: Nobody in the database has this id or address.
        FatalError: It is somebody of the team.
    """
    # Before the database: a crash in between leaves a mark too many or a sample too few, and the second time all is
    # done. The other way round nobody would know any longer which tickets were theirs.
    tickets = {} if _is_of_the_team(store, helpdesk, who) else dict(tickets_of(store, helpdesk, who))
    if tickets:
        trained = [version for version in registry.versions() if registry.trained_on(version, tickets)]
        registry.mark_forgotten(trained)
        registry.clear_work()  # a training that was cut off would go on from their texts
        for version in registry.versions():
            forget_samples(registry, version, tickets.keys())
    removed = forget(store, helpdesk, who)
    marked = registry.forgotten()
    return Forgetting(removed, tuple(version for version in registry.versions() if version in marked))


def forget_samples(registry: Registry, version: str, tickets: Collection[str]) -> None:
    """Takes tickets, and drafts made from them, out of a version's `samples.json`, and renders `report.html` anew.

    The figures stay. A version whose report cannot be read loses both files.
    """
    folder = registry.path(version)
    if not any((folder / name).exists() for name in DOCUMENTS):
        return
    samples = read_samples(folder)
    gone = frozenset(tickets)
    # Of drafts made from their tickets as well: the team's words to them may stand in there.
    kept = [one for one in samples if one.ticket_id not in gone and gone.isdisjoint(one.sources)]
    if samples and len(kept) == len(samples):
        return
    try:
        write_page(folder, read_report(folder), kept, registry.manifest(version))
        # The samples last: while they are there, a second time does it all. The scratch folder has the name that the
        # next training clears away, should this be the moment of a power cut.
        with tempfile.TemporaryDirectory(prefix=".partial-", dir=registry.folder) as scratch:
            write_samples(Path(scratch), kept)
            (Path(scratch) / SAMPLES).replace(folder / SAMPLES)
    except ModelError:
        for name in DOCUMENTS:
            (folder / name).unlink(missing_ok=True)


def _is_of_the_team(store: Store, helpdesk: str, who: str) -> bool:
    who = who.strip()
    return any(who == agent.id or who.lower() == agent.email.lower() for agent in store.history.agents(helpdesk))
