"""Commands that make and choose a model: curate, forget, train, evaluate, list, promote, roll back."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from plugin.commands.common import HOME, JSON, live_version, open_store, registry_of, settings_of

if TYPE_CHECKING:
    from trainer.evaluation.scores import Report
    from trainer.registry import Registry


@click.command()
@HOME
@JSON
@click.option("--ticket", help="Say why this ticket is in or out.")
def curate(home: Path | None, as_json: bool, ticket: str | None) -> None:
    """Choose the examples to learn from, and say what was dropped and why.

    What is not to be learned from at all: [trainer] exclude_tags, exclude_groups, exclude_agents, exclude_tickets.
    """
    from plugin.console import Bar
    from plugin.curation import show_report, show_ticket
    from trainer.curation.curate import curate as run

    settings = settings_of(home)
    name = settings.require_helpdesk().name
    with open_store(settings) as store:
        if ticket:
            show_ticket(store, name, ticket, as_json=as_json)
            return
        with Bar() as bar:
            report = run(store, name, settings.trainer, progress=lambda done: bar.update("curate", done, None))
        show_report(store, name, report, as_json=as_json)


@click.command()
@HOME
@JSON
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.argument("requester")
def forget(home: Path | None, as_json: bool, yes: bool, requester: str) -> None:
    """Remove a customer, by id or e-mail address, with all their tickets; a sync does not bring them back.

    Says which versions of the model were trained on their tickets. There is no way back but a backup.
    """
    from connectors.lock import exclusive
    from plugin.forgetting import show_forgetting
    from trainer.curation.forget import forget_customer
    from trainer.registry import Registry

    settings = settings_of(home)
    name = settings.require_helpdesk().name
    if not yes:
        click.confirm("Remove this customer and all their tickets from this installation?", abort=True, err=True)
    registry = Registry(settings.models_path)
    # A training under way has their tickets in its memory.
    with exclusive(settings.home, "train"), open_store(settings) as store:
        done = forget_customer(store, name, registry, requester)
    live = registry.live()
    show_forgetting(done, live=live.version if live else None, as_json=as_json)


@click.command()
@HOME
@JSON
def train(home: Path | None, as_json: bool) -> None:
    """Curate, train and judge a new version. It goes live by: deskhand promote."""
    from connectors.lock import exclusive
    from plugin.console import Bar, print_report, say, show, show_json
    from trainer.curation.curate import curate as run_curation
    from trainer.registry import Registry
    from trainer.train import train as run

    settings = settings_of(home)
    name = settings.require_helpdesk().name
    with exclusive(settings.home, "train"), open_store(settings) as store:
        report = run_curation(store, name, settings.trainer)
        say(f"{report.kept} answers kept, {report.dropped.total()} dropped")
        with Bar() as bar:
            trained = run(
                store, name, Registry(settings.models_path), settings.trainer, settings.cache_path,
                max_effort=settings.plugin.max_effort,
                progress=bar.update,
            )  # fmt: skip
    if as_json:
        show_json(trained.report.as_dict() | {"version": trained.manifest.version})
        return
    print_report(trained.report)
    show(f"{trained.manifest.version} is ready; it goes live by: deskhand promote {trained.manifest.version}")


@click.command()
@HOME
@JSON
@click.argument("version", required=False)
def evaluate(home: Path | None, as_json: bool, version: str | None) -> None:
    """Show how a version (the live one) did on tickets that it had not seen, and where the page is that shows it."""
    from plugin.console import print_report, show, show_json
    from trainer.evaluation.scores import read_report

    registry = registry_of(home)
    version = version or live_version(registry)
    report = read_report(registry.path(version))
    page = _page_of(registry, version, report)
    if as_json:
        show_json(report.as_dict() | {"version": version, "page": str(page) if page else None})
        return
    print_report(report)
    if page:
        show(f"\nThe same with plots and drafts to look at: {page}")


def _page_of(registry: Registry, version: str, report: Report) -> Path | None:
    """Where a version's page is, made anew where it is missing; None where that cannot be written."""
    from plugin.console import say
    from trainer.evaluation.page import PAGE, write_page
    from trainer.evaluation.scores import read_samples

    folder = registry.path(version)
    if (folder / PAGE).exists():
        return folder / PAGE
    try:
        return write_page(folder, report, read_samples(folder), registry.manifest(version))
    except OSError as error:
        say(f"{PAGE} cannot be written: {error.strerror}")
        return None


@click.command()
@HOME
@JSON
def models(home: Path | None, as_json: bool) -> None:
    """List the versions, newest first; the live one is marked."""
    from dataclasses import asdict

    from plugin.console import show, show_json

    registry = registry_of(home)
    live = registry.live()
    manifests = [registry.manifest(version) for version in registry.versions()]
    forgotten = registry.forgotten()
    if as_json:
        listed = [asdict(one) | {"forgotten_since": forgotten.get(one.version)} for one in manifests]
        show_json({"live": asdict(live) if live else None, "versions": listed})
        return
    for manifest in manifests:
        mark = "*" if live and manifest.version == live.version else " "
        metrics = manifest.metrics
        show(
            f"{mark} {manifest.version}  {manifest.train_examples:>6} examples  replies by {manifest.reply_arm:<15} "
            f"edit effort {metrics['reply_effort']:.3f}  "
            f"routes by {manifest.route_arm:<8} {metrics['route_accuracy']:.1%}"
            + ("  trained on tickets of a forgotten customer: retrain" if manifest.version in forgotten else "")
        )
    if not manifests:
        show("no versions yet; make one by: deskhand train")


@click.command()
@HOME
@click.argument("version")
def promote(home: Path | None, version: str) -> None:
    """Make a version the live one; the server picks it up by itself."""
    from plugin.console import show

    live = registry_of(home).promote(version, by="command line")
    show(f"{live.version} is live" + (f", before it {live.previous}" if live.previous else ""))


@click.command()
@HOME
def rollback(home: Path | None) -> None:
    """Make the version before the live one live again."""
    from plugin.console import show

    show(f"{registry_of(home).rollback(by='command line').version} is live again")
