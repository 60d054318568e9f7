"""The command line: one command a task, in `plugin.commands`."""

from __future__ import annotations

from typing import Any

import click

from plugin.commands import connecting, learning, queue, running, tokens


class _Explained(click.Group):
    """Errors of the commands become messages and exit codes; in here, since click ends with 1 on Ctrl-C by itself."""

    def invoke(self, ctx: click.Context) -> Any:
        from plugin.console import errors_explained

        with errors_explained():
            return super().invoke(ctx)


@click.group(cls=_Explained, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.option("-v", "--verbose", is_flag=True, help="Log more, on stderr.")
@click.version_option(package_name="deskhand")
def deskhand(verbose: bool) -> None:
    """A trained junior agent for your helpdesk: suggests replies in your house style and routes tickets.

    The usual way: init, sync, train, promote, serve. To see it all at work first: demo.
    """
    from plugin.console import set_up_logging

    set_up_logging(verbose)


for command in (
    connecting.init, connecting.doctor, connecting.sync, connecting.watch, connecting.export,
    learning.curate, learning.train, learning.evaluate, learning.models, learning.promote, learning.rollback,
    learning.forget,
    running.suggest, running.serve, running.work, queue.inbox, running.demo, running.app,
    tokens.token,
):  # fmt: skip
    deskhand.add_command(command)


def main() -> None:
    """The entry point."""
    deskhand()
