"""Commands between a helpdesk and the store: connect, look for what is wrong, sync, poll, export."""

from __future__ import annotations

from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

import click

from plugin.commands.common import HOME, JSON, connect, open_store, resolved_home, settings_of


@click.command()
@HOME
@click.option(
    "--kind",
    type=click.Choice(["zendesk", "freshdesk", "zammad", "request_tracker", "django_helpdesk", "files"]),
    default="zendesk",
    show_default=True,
    envvar="DESKHAND_HELPDESK__KIND",
    help="Which helpdesk; files: exported tickets in a folder.",
)
@click.option("--url", envvar="DESKHAND_HELPDESK__URL", help="Address of the helpdesk: https://acme.zendesk.com")
@click.option("--path", envvar="DESKHAND_HELPDESK__PATH", help="For files: the folder.")
@click.option(
    "--auth",
    type=click.Choice(["client_credentials", "authorization_code", "bearer", "api_token", "token"]),
    envvar="DESKHAND_HELPDESK__AUTH",
    help="How to sign in. Zendesk: an OAuth client by itself or by an agent's consent, an access token, or a legacy "
    "API token. All others: token.",
)
@click.option("--email", default="", envvar="DESKHAND_HELPDESK__EMAIL", help="For api_token: the agent's address.")
@click.option("--client-id", default="", envvar="DESKHAND_HELPDESK__CLIENT_ID", help="The OAuth client's identifier.")
@click.option(
    "--token-stdin", is_flag=True, help="Read the token or client secret from the standard input's first line."
)
@click.option(
    "--callback-port",
    type=click.IntRange(0, 65535),
    default=8643,
    show_default=True,
    help="For authorization_code: the OAuth client must list http://127.0.0.1:PORT/callback. 0 takes a free one.",
)
@click.option(
    "--paste", is_flag=True, help="For authorization_code with a browser on another machine: asks for the answer."
)
@click.option("--wait", "wait_s", default=300.0, show_default=True, help="Seconds to wait for the browser.")
@click.option(
    "--public-url", default="", envvar="DESKHAND_PLUGIN__PUBLIC_URL", help="How the helpdesk reaches Deskhand."
)
@click.option(
    "--install-webhook/--no-install-webhook",
    default=None,
    help="Have the helpdesk call Deskhand when a customer writes; needs --public-url. Asked for in a terminal.",
)
def init(
    home: Path | None,
    kind: str,
    url: str | None,
    path: str | None,
    auth: str | None,
    email: str,
    client_id: str,
    token_stdin: bool,
    callback_port: int,
    paste: bool,
    wait_s: float,
    public_url: str,
    install_webhook: bool | None,
) -> None:
    """Connect a helpdesk: asks for the credential, checks it, writes config.toml and secrets.toml.

    For scripts, every answer can be an option or the variable of its setting (DESKHAND_HELPDESK__URL). Secrets come
    from DESKHAND_HELPDESK__TOKEN or DESKHAND_HELPDESK__CLIENT_SECRET, or by --token-stdin.
    """
    from functools import partial

    from plugin.consent import sign_in
    from plugin.setup import Answers, ask, connect

    given = Answers(kind=kind, url=url, path=path, auth=auth, email=email, client_id=client_id)
    helpdesk, secret = ask(given, token_stdin=token_stdin)
    if install_webhook is None:
        install_webhook = bool(public_url) and _is_terminal() and click.confirm("Install the webhook?", err=True)
    pasted = partial(click.prompt, "Address that the browser was sent to", err=True)
    connect(
        resolved_home(home),
        helpdesk,
        secret,
        sign_in=partial(sign_in, port=callback_port, wait_s=wait_s, paste=pasted if paste else None),
        public_url=public_url,
        install_webhook=install_webhook,
    )


@click.command()
@HOME
@JSON
def doctor(home: Path | None, as_json: bool) -> None:
    """Look for what is wrong with the installation, and say how to mend it; writes nothing.

    Asks the helpdesk what this credential may read. Exit code 1: something has to be mended.
    """
    import sys
    from dataclasses import asdict

    from plugin.console import show, show_json
    from plugin.doctor import examine

    settings = settings_of(home)
    findings = []
    for finding in examine(settings, lambda: connect(settings)):
        findings.append(finding)
        if not as_json:
            show(f"{finding.state:<6} {finding.what:<22} {finding.message}".rstrip())
            if finding.hint:
                show(f"{'':<29} {finding.hint}")
    if as_json:
        show_json([asdict(finding) for finding in findings])
    if any(finding.state == "wrong" for finding in findings):
        sys.exit(1)


@click.command()
@HOME
@JSON
@click.option(
    "--since",
    type=click.DateTime(["%Y-%m-%d", "%Y-%m-%dT%H:%M:%S"]),
    help="Leave out what changed before (UTC). Counts for a first sync and with --full.",
)
@click.option("--only", multiple=True, metavar="STREAM", help="Only this stream; may be given several times.")
@click.option("--full", is_flag=True, help="Read everything again; nothing stored is lost.")
@click.option("--dry-run", is_flag=True, help="Say what would be read; read and write nothing.")
def sync(
    home: Path | None, as_json: bool, since: datetime | None, only: tuple[str, ...], full: bool, dry_run: bool
) -> None:
    """Bring tickets, comments, users, groups, macros, articles and the rest up to date.

    Safe to kill, and to run from cron: a run that finds another one at work says so and ends. Exit code 75: part of it
    could not be had this time, run it again.
    """
    from plugin import syncing
    from plugin.console import Bar

    settings = settings_of(home)
    moment = int(since.replace(tzinfo=UTC).timestamp()) if since else 0
    bar = Bar()
    with closing(connect(settings, bar)) as helpdesk:
        if dry_run:
            syncing.show_preview(settings, helpdesk, full=full, since=moment, only=only, as_json=as_json)
        else:
            syncing.run(settings, helpdesk, bar, full=full, since=moment, only=only, as_json=as_json)


@click.command()
@HOME
@click.option("--every", type=float, help="Seconds between two looks; [helpdesk] poll_s where it is left out.")
@click.option("--once", is_flag=True, help="One look, then end: for cron.")
def watch(home: Path | None, every: float | None, once: bool) -> None:
    """Look for new customer messages every so often, for helpdesks that post no webhooks.

    Beside `deskhand serve`, whose worker drafts for what is found.
    """
    import signal
    import sys
    import time

    from plugin.console import say
    from plugin.watch import Watcher

    settings = settings_of(home)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    pause_s = every or settings.require_helpdesk().poll_s
    with closing(connect(settings)) as helpdesk, open_store(settings) as store:
        watcher = Watcher(helpdesk, store, settings.home)
        while True:
            if found := watcher.look():
                say(f"{found} tickets to look at")
            if once:
                return
            time.sleep(pause_s)


@click.command()
@HOME
@click.option("--form", type=click.Choice(["jsonl", "csv"]), default="jsonl", show_default=True)
@click.argument("folder", type=click.Path(file_okay=False, path_type=Path))
def export(home: Path | None, form: Literal["jsonl", "csv"], folder: Path) -> None:
    """Write what is stored as a folder of JSONL or CSV files, in the form that kind = "files" reads."""
    from connectors.files.export import export as run
    from plugin.console import show

    settings = settings_of(home)
    with open_store(settings) as store:
        for name, rows in run(store, settings.require_helpdesk().name, folder, form=form).items():
            show(f"{name:<22} {rows:>8} rows")


def _is_terminal() -> bool:
    import sys

    return sys.stdin.isatty()
