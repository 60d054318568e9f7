"""What `deskhand curate` prints: the report, and why a single ticket is in or out."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING

from plugin.console import say, show, show_json

if TYPE_CHECKING:
    from connectors.store.database import Store
    from trainer.curation.curate import CurationReport


def show_report(store: Store, helpdesk: str, report: CurationReport, *, as_json: bool) -> None:
    """What was kept, dropped and why; how much each agent's answers count."""
    if as_json:
        show_json(vars(report) | {"agents": [asdict(one) for one in report.agents]})
        return
    for problem in report.problems:
        say(f"config.toml, [trainer] {problem}")
    show(f"{report.tickets} solved tickets, {report.kept} answers kept, {report.dropped.total()} dropped:")
    for reason, count in report.dropped.most_common():
        show(f"  {count:>6}  {reason}")
    if report.languages:
        show("kept, by language: " + ", ".join(f"{name} {count}" for name, count in report.languages.most_common()))
    if report.own_drafts:
        show(f"{report.own_drafts} of them were sent as Deskhand had drafted them, and count for less")
    if report.doubted_groups:
        show(f"{report.doubted_groups} tickets probably stand in a wrong group: routing does not learn from them")
    if report.agents:
        names = {agent.id: agent.name for agent in store.history.agents(helpdesk)}
        show("\nagent                     answers  rated  good  came back  weight")
        for one in report.agents:
            good = f"{one.good / one.rated:.0%}" if one.rated else "-"
            name = names.get(one.agent_id, one.agent_id)[:24]
            show(f"{name:<24} {one.answers:>8} {one.rated:>6} {good:>5} {one.came_back:>10} {one.weight:>7.2f}")


def show_ticket(store: Store, helpdesk: str, ticket_id: str, *, as_json: bool) -> None:
    """Turn by turn why a ticket is in or out."""
    from trainer.curation.curate import explain

    examples = store.examples.of_ticket(helpdesk, ticket_id)
    if as_json:
        frozen = ticket_id in store.examples.frozen(helpdesk)
        fields = ("kept", "reason", "weight", "weight_reason", "language", "route_label")
        turns = [{"answer": one.comment_id} | {name: getattr(one, name) for name in fields} for one in examples]
        show_json({"ticket": ticket_id, "why": explain(store, helpdesk, ticket_id), "frozen": frozen, "answers": turns})
        return
    for one in examples:
        why = f": {one.weight_reason}" if one.weight_reason else ""
        show(f"answer {one.comment_id}: " + (f"in, weight {one.weight:.2f}{why}" if one.kept else f"out, {one.reason}"))
    if any(one.kept and not one.route_label for one in examples):
        show("it probably stands in a wrong group: routing does not learn from it")
    if ticket_id in store.examples.frozen(helpdesk):
        show("it judges every version, and is never trained on")
    if why := explain(store, helpdesk, ticket_id):
        show(why)
