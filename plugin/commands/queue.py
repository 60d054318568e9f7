"""Commands about what came in and could not be done: inbox and its retry."""

from __future__ import annotations

from pathlib import Path

import click

from plugin.commands.common import HOME, JSON, open_store, settings_of


@click.group(invoke_without_command=True)
@HOME
@JSON
@click.option("--limit", type=click.IntRange(1), default=50, show_default=True, help="The most rows of each kind.")
@click.pass_context
def inbox(ctx: click.Context, home: Path | None, as_json: bool, limit: int) -> None:
    """Show what waits, who works on it, and what was given up and why; `retry` tries that again."""
    if ctx.invoked_subcommand:
        ctx.obj = home
        return
    from plugin.inbox import show_inbox

    with open_store(settings_of(home)) as store:
        show_inbox(store, limit=limit, as_json=as_json)


@inbox.command()
@HOME
@click.argument("ids", type=int, nargs=-1)
@click.option("--all", "everything", is_flag=True, help="All dead letters.")
@click.pass_context
def retry(ctx: click.Context, home: Path | None, ids: tuple[int, ...], everything: bool) -> None:
    """Put dead letters back into the queue, as if they had just come."""
    from plugin.console import show
    from plugin.inbox import revive

    if bool(ids) == everything:
        raise click.UsageError("name the ids of dead letters, or --all")
    with open_store(settings_of(home or ctx.obj)) as store:
        count = revive(store, None if everything else ids)
    show(f"{count} back in the queue")
