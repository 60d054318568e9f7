"""The command line. Heavy modules are imported inside the commands, so that `--help` answers at once."""

from __future__ import annotations

from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import click

if TYPE_CHECKING:
    from connectors.helpdesk import Helpdesk
    from connectors.settings import Settings
    from connectors.store.database import Store
    from plugin.console import Bar
    from trainer.registry import Registry

HOME = click.option(
    "--home",
    type=click.Path(file_okay=False, path_type=Path),
    help="Folder of the installation; DESKHAND_HOME, else .deskhand, where it is left out.",
)
JSON = click.option("--json", "as_json", is_flag=True, help="Print the result as JSON.")


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


@deskhand.command()
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
        home or _environment_home() or DEMO_HOME, once=once, port=port, helpdesk_port=helpdesk_port, retrain=retrain
    )


@deskhand.command()
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
        _home(home),
        helpdesk,
        secret,
        sign_in=partial(sign_in, port=callback_port, wait_s=wait_s, paste=pasted if paste else None),
        public_url=public_url,
        install_webhook=install_webhook,
    )


@deskhand.command()
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

    settings = _settings(home)
    moment = int(since.replace(tzinfo=UTC).timestamp()) if since else 0
    bar = Bar()
    with closing(_helpdesk(settings, bar)) as helpdesk:
        if dry_run:
            syncing.show_preview(settings, helpdesk, full=full, since=moment, only=only, as_json=as_json)
        else:
            syncing.run(settings, helpdesk, bar, full=full, since=moment, only=only, as_json=as_json)


@deskhand.command()
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

    settings = _settings(home)
    findings = []
    for finding in examine(settings, lambda: _helpdesk(settings)):
        findings.append(finding)
        if not as_json:
            show(f"{finding.state:<6} {finding.what:<22} {finding.message}".rstrip())
            if finding.hint:
                show(f"{'':<29} {finding.hint}")
    if as_json:
        show_json([asdict(finding) for finding in findings])
    if any(finding.state == "wrong" for finding in findings):
        sys.exit(1)


@deskhand.command()
@HOME
@JSON
@click.option("--ticket", help="Say why this ticket is in or out.")
def curate(home: Path | None, as_json: bool, ticket: str | None) -> None:
    """Choose the examples to learn from, and say what was dropped and why."""
    from plugin.console import Bar, show, show_json
    from trainer.curate import curate as run

    settings = _settings(home)
    name = settings.require_helpdesk().name
    with _store(settings) as store:
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


@deskhand.command()
@HOME
@JSON
def train(home: Path | None, as_json: bool) -> None:
    """Curate, train and judge a new version. It goes live by: deskhand promote."""
    from connectors.lock import exclusive
    from plugin.console import Bar, print_report, say, show, show_json
    from trainer.curate import curate as run_curation
    from trainer.registry import Registry
    from trainer.train import train as run

    settings = _settings(home)
    name = settings.require_helpdesk().name
    with exclusive(settings.home, "train"), _store(settings) as store:
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


@deskhand.command()
@HOME
@JSON
@click.argument("version", required=False)
def evaluate(home: Path | None, as_json: bool, version: str | None) -> None:
    """Show how a version (the live one) did on tickets that it had not seen."""
    from plugin.console import print_report, show_json
    from trainer.evaluate import read_report

    registry = _registry(home)
    report = read_report(registry.path(version or _live(registry)))
    if as_json:
        show_json(report.as_dict())
    else:
        print_report(report)


@deskhand.command()
@HOME
@JSON
def models(home: Path | None, as_json: bool) -> None:
    """List the versions, newest first; the live one is marked."""
    from dataclasses import asdict

    from plugin.console import show, show_json

    registry = _registry(home)
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


@deskhand.command()
@HOME
@click.argument("version")
def promote(home: Path | None, version: str) -> None:
    """Make a version the live one; the server picks it up by itself."""
    from plugin.console import show

    live = _registry(home).promote(version, by="command line")
    show(f"{live.version} is live" + (f", before it {live.previous}" if live.previous else ""))


@deskhand.command()
@HOME
def rollback(home: Path | None) -> None:
    """Make the version before the live one live again."""
    from plugin.console import show

    show(f"{_registry(home).rollback(by='command line').version} is live again")


@deskhand.command()
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

    settings = _settings(home)
    with closing(_helpdesk(settings)) as helpdesk, _store(settings) as store:
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
    show(suggestion.draft or "(silent: nothing similar enough has been answered before)")
    if doubts := unsupported(suggestion):
        show(f"\nCheck: {', '.join(doubts)}")
    if suggestion.route:
        show(f"\nRoute: {suggestion.route.group_name} ({suggestion.route.probability:.0%})")
    show(f"{suggestion.latency_s:.1f} s, {suggestion.model_version}")


@deskhand.command()
@HOME
def serve(home: Path | None) -> None:
    """Take webhooks, draft, write notes back; ends cleanly on Ctrl-C or SIGTERM."""
    import signal
    import sys

    from plugin.console import say
    from plugin.serving import Serving

    settings = _settings(home)

    def terminate(*_: object) -> None:
        # Who supervises us asked for the end: that is success. By way of an exception, as Ctrl-C is.
        sys.exit(0)

    signal.signal(signal.SIGTERM, terminate)
    with Serving(settings, _helpdesk(settings), _helpdesk(settings)) as serving:
        say(f"listening on {serving.url}")
        serving.wait()


@deskhand.command()
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

    settings = _settings(home)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    pause_s = every or settings.require_helpdesk().poll_s
    with closing(_helpdesk(settings)) as helpdesk, _store(settings) as store:
        watcher = Watcher(helpdesk, store, settings.home)
        while True:
            if found := watcher.look():
                say(f"{found} tickets to look at")
            if once:
                return
            time.sleep(pause_s)


@deskhand.command()
@HOME
@click.option("--form", type=click.Choice(["jsonl", "csv"]), default="jsonl", show_default=True)
@click.argument("folder", type=click.Path(file_okay=False, path_type=Path))
def export(home: Path | None, form: Literal["jsonl", "csv"], folder: Path) -> None:
    """Write what is stored as a folder of JSONL or CSV files, in the form that kind = "files" reads."""
    from connectors.files.export import export as run

    from plugin.console import show

    settings = _settings(home)
    with _store(settings) as store:
        for name, rows in run(store, settings.require_helpdesk().name, folder, form=form).items():
            show(f"{name:<22} {rows:>8} rows")


@deskhand.group()
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


def _is_terminal() -> bool:
    import sys

    return sys.stdin.isatty()


def _environment_home() -> Path | None:
    import os

    value = os.environ.get("DESKHAND_HOME")
    return Path(value).expanduser().resolve() if value else None


def _home(home: Path | None) -> Path:
    from connectors.settings import default_home

    return home.expanduser().resolve() if home else default_home()


def _settings(home: Path | None) -> Settings:
    from connectors.settings import load_settings

    return load_settings(_home(home))


def _store(settings: Settings) -> Store:
    from connectors.store.database import Store

    return Store(settings.database_path)


def _helpdesk(settings: Settings, bar: Bar | None = None) -> Helpdesk:
    from connectors.vendors import open_helpdesk

    return open_helpdesk(settings, on_wait=bar.waiting if bar else None)


def _registry(home: Path | None) -> Registry:
    from trainer.registry import Registry

    return Registry(_settings(home).models_path)


def _live(registry: Registry) -> str:
    from connectors.errors import ModelError

    live = registry.live()
    if live is None:
        raise ModelError("no model is live yet", hint="run: deskhand train")
    return live.version


def main() -> None:
    """The entry point."""
    deskhand()
