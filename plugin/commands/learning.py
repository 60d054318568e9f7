"""Commands that make and choose a model: curate, train, evaluate, list, promote, roll back."""

from __future__ import annotations

from pathlib import Path

import click

from plugin.commands.common import HOME, JSON, live_version, open_store, registry_of, settings_of


@click.command()
@HOME
@JSON
@click.option("--ticket", help="Say why this ticket is in or out.")
def curate(home: Path | None, as_json: bool, ticket: str | None) -> None:
    """Choose the examples to learn from, and say what was dropped and why."""
    from plugin.console import Bar, show, show_json
    from trainer.curate import curate as run

    settings = settings_of(home)
    name = settings.require_helpdesk().name
    with open_store(settings) as store:
        if ticket:
            verdicts = store.examples.verdict(name, ticket)
            if as_json:
                show_json([{"answer": one, "kept": kept, "reason": reason} for one, kept, reason in verdicts])
                return
            for comment_id, kept, reason in verdicts:
                show(f"answer {comment_id}: {'in' if kept else f'out, {reason}'}")
            if not verdicts:
                show("not looked at yet, or not solved: run deskhand curate without --ticket first")
            return
        with Bar() as bar:
            report = run(store, name, progress=lambda done: bar.update("curate", done, None))
    if as_json:
        show_json({"tickets": report.tickets, "kept": report.kept, "dropped": report.dropped})
        return
    show(f"{report.tickets} solved tickets, {report.kept} answers kept, {report.dropped.total()} dropped:")
    for reason, count in report.dropped.most_common():
        show(f"  {count:>6}  {reason}")


@click.command()
@HOME
@JSON
def train(home: Path | None, as_json: bool) -> None:
    """Curate, train and judge a new version. It goes live by: deskhand promote."""
    from connectors.lock import exclusive
    from plugin.console import Bar, print_report, say, show, show_json
    from trainer.curate import curate as run_curation
    from trainer.registry import Registry
    from trainer.train import train as run

    settings = settings_of(home)
    name = settings.require_helpdesk().name
    with exclusive(settings.home, "train"), open_store(settings) as store:
        report = run_curation(store, name)
        say(f"{report.kept} answers kept, {report.dropped.total()} dropped")
        with Bar() as bar:
            trained = run(
                store, name, Registry(settings.models_path), settings.trainer, settings.cache_path, progress=bar.update
            )
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
    """Show how a version (the live one) did on tickets that it had not seen."""
    from plugin.console import print_report, show_json
    from trainer.evaluate import read_report

    registry = registry_of(home)
    report = read_report(registry.path(version or live_version(registry)))
    if as_json:
        show_json(report.as_dict())
    else:
        print_report(report)


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
    if as_json:
        show_json({"live": asdict(live) if live else None, "versions": [asdict(manifest) for manifest in manifests]})
        return
    for manifest in manifests:
        mark = "*" if live and manifest.version == live.version else " "
        metrics = manifest.metrics
        show(
            f"{mark} {manifest.version}  {manifest.train_examples:>6} examples  replies by {manifest.reply_arm:<15} "
            f"edit effort {metrics['reply_effort']:.3f}  "
            f"routes by {manifest.route_arm:<8} {metrics['route_accuracy']:.1%}"
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
