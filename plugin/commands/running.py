"""Commands that put a model to use: suggest, serve, work, the demo, the sidebar app."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

import click

from plugin.commands.common import HOME, JSON, connect, environment_home, open_store, settings_of

if TYPE_CHECKING:
    from connectors.settings import Settings
    from plugin.stopping import StopSignals

SUPERVISED = click.option("--supervised", is_flag=True, hidden=True, help="End when standard input ends.")


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
@click.option("--web", type=click.IntRange(1, 64), help="Processes that take requests; the setting where left out.")
@click.option("--workers", type=click.IntRange(0, 64), help="Processes that draft; 0 leaves them to `deskhand work`.")
@click.option("--fd", type=int, hidden=True, help="A socket that listens already, of our supervisor.")
@SUPERVISED
def serve(home: Path | None, web: int | None, workers: int | None, fd: int | None, supervised: bool) -> None:
    """Take webhooks, draft, write notes back; ends cleanly on Ctrl-C or SIGTERM, and at once on a second one.

    One web process and one worker run as threads of one process; more of either run as processes of their own, which
    are started again when they die.
    """
    from plugin.stopping import StopSignals

    settings = settings_of(home)
    settings.require_helpdesk()
    chosen = {name: value for name, value in (("web_processes", web), ("workers", workers)) if value is not None}
    settings = settings.model_copy(update={"plugin": settings.plugin.model_copy(update=chosen)})
    with StopSignals() as asked:
        if settings.plugin.web_processes > 1 or settings.plugin.workers > 1:
            from plugin.supervisor import run_processes

            verbose = click.get_current_context().find_root().params["verbose"]
            run_processes(settings, asked, verbose=verbose)
        else:
            if supervised:
                asked.also_at_end_of_input()
            _serve_here(settings, asked, fd)


def _serve_here(settings: Settings, asked: StopSignals, fd: int | None) -> None:
    import socket

    from plugin.console import say
    from plugin.serving import Serving

    listener = None if fd is None else socket.socket(fileno=fd)
    for_worker = connect(settings) if settings.plugin.workers else None
    with Serving(settings, connect(settings), for_worker, listener=listener) as serving:
        if listener is None:
            say(f"listening on {serving.url}")
        serving.wait(asked)


@click.command()
@HOME
@SUPERVISED
def work(home: Path | None, supervised: bool) -> None:
    """Draft for what `deskhand serve` takes in; as many of these as the machine has room for models.

    For one worker, or workers that `serve` starts itself, this is not needed.
    """
    from plugin.console import say
    from plugin.stopping import StopSignals
    from plugin.working import Working

    settings = settings_of(home)
    settings.require_helpdesk()
    with StopSignals() as asked:
        if supervised:
            asked.also_at_end_of_input()
        with Working(settings, connect(settings)) as working:
            if not supervised:
                say("working; Ctrl-C ends it when the job at hand is done")
            working.wait(asked)


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
