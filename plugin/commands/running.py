"""Commands that put a model to use: suggest, serve, the demo, the sidebar app."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

import click

from plugin.commands.common import HOME, JSON, connect, environment_home, open_store, settings_of


@click.command()
@HOME
@JSON
@click.argument("ticket_id")
def suggest(home: Path | None, as_json: bool, ticket_id: str) -> None:
    """Draft a reply for a ticket and print it; nothing is written to the helpdesk."""
    from dataclasses import asdict

    from connectors.records import Thread
    from plugin.console import show, show_json
    from plugin.note import unsupported
    from trainer.predictor import Predictor

    settings = settings_of(home)
    with closing(connect(settings)) as helpdesk, open_store(settings) as store:
        ticket = helpdesk.ticket(ticket_id)
        comments, authors = helpdesk.comments(ticket_id)
        store.mirror.save_conversation(helpdesk.name, ticket, Thread(ticket_id, tuple(comments), tuple(authors)))
        suggestion = Predictor.load(settings, store).suggest(
            ticket,
            store.history.user(helpdesk.name, ticket.requester_id),
            store.history.turns(helpdesk.name, ticket_id),
            store.history.agents(helpdesk.name),
        )
    if as_json:
        show_json(asdict(suggestion))
        return
    show(suggestion.draft or "(silent: no draft was good enough to show)")
    if doubts := unsupported(suggestion):
        show(f"\nCheck: {', '.join(doubts)}")
    if suggestion.route:
        show(f"\nRoute: {suggestion.route.group_name} ({suggestion.route.probability:.0%})")
    show(f"{suggestion.latency_s:.1f} s, {suggestion.model_version}")


@click.command()
@HOME
def serve(home: Path | None) -> None:
    """Take webhooks, draft, write notes back; ends cleanly on Ctrl-C or SIGTERM."""
    import signal
    import sys

    from plugin.console import say
    from plugin.serving import Serving

    settings = settings_of(home)

    def terminate(*_: object) -> None:
        # Who supervises us asked for the end: that is success. By way of an exception, as Ctrl-C is.
        sys.exit(0)

    signal.signal(signal.SIGTERM, terminate)
    with Serving(settings, connect(settings), connect(settings)) as serving:
        say(f"listening on {serving.url}")
        serving.wait()


@click.command()
@HOME
@click.option("--once", is_flag=True, help="Do not stay up; exit 0 only if a note and a route arrived.")
@click.option("--port", default=8642, show_default=True, help="Of the plugin.")
@click.option("--helpdesk-port", default=8650, show_default=True, help="Of the sandbox helpdesk.")
@click.option("--retrain", is_flag=True, help="Train again, even if a version is live.")
def demo(home: Path | None, once: bool, port: int, helpdesk_port: int, retrain: bool) -> None:
    """Run everything on a sample company: helpdesk, sync, training, a new ticket, a suggestion."""
    import signal

    from plugin.demo import DEMO_HOME, run_demo

    # `kill` then does what Ctrl-C does: servers end cleanly, and the next run goes on.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    run_demo(
        home or environment_home() or DEMO_HOME, once=once, port=port, helpdesk_port=helpdesk_port, retrain=retrain
    )


@click.group()
def app() -> None:
    """The app for the helpdesk's sidebar."""


@app.command()
@click.option(
    "--output", type=click.Path(dir_okay=False, path_type=Path), default=Path("deskhand-app.zip"), show_default=True
)
def package(output: Path) -> None:
    """Make the zip that an admin uploads to Zendesk; the same files give the same bytes."""
    from plugin.app_package import write_package
    from plugin.console import show

    show(f"{write_package(output)} files in {output}")
