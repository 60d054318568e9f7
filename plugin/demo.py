"""`deskhand demo`: the whole path on a sample company, with the real parts; only the helpdesk is a sandbox.

The steps are the ones an owner takes: connect, sync, train, promote, serve. Run again, it goes on from what is there.
"""

from __future__ import annotations

import gc
import logging
import resource
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import requests

from connectors.errors import FatalError
from connectors.lock import exclusive
from connectors.sandbox.server import Sandbox
from connectors.settings import Settings, load_settings, write_home
from connectors.store.database import Store
from connectors.sync.engine import sync
from connectors.vendors import open_helpdesk
from plugin.app_package import APP_FOLDER
from plugin.console import Bar, print_report, say, show
from plugin.serving import Serving
from plugin.syncing import traffic
from trainer.curation.curate import curate
from trainer.registry import Registry
from trainer.train import train

DEMO_HOME = Path(".deskhand-demo")
ANSWER_WITHIN_S = 240.0
MAX_TICKETS = 8
_INSTALLATION = "sandbox"

# The quick profile: fewer tickets, shorter sequences, fewer layers. `deskhand train` in this home uses the same.
QUICK = {
    "max_train_tickets": 130,
    "max_prompt_tokens": 400,
    "max_reply_tokens": 190,
    "lora_layers": 10,
    "epochs": 2,
    "learning_rate": 1e-3,
    "reply_eval_tickets": 24,
    "router_minutes": 0,
    "stale_questions": 4,
}


def run_demo(home: Path, *, once: bool, port: int, helpdesk_port: int, retrain: bool) -> None:
    """Runs the demo; stays up until Ctrl-C, or with `once` ends when a note and a route have arrived.

    Raises:
        LockedError: Another demo runs in this home.
        FatalError: A port is taken, or no note and route arrived.
    """
    home = home.expanduser().resolve()
    started = time.monotonic()
    with exclusive(home, "demo"), _own_log(home):
        say(f"Deskhand demo in {home}")
        _drop_orphans(home)
        helpdesk = Sandbox(
            home / "sandbox.db",
            port=helpdesk_port,
            # The sandbox may be asked as fast as this machine can; and nothing young is held back from the export.
            SANDBOX_REQUESTS_PER_MIN=100_000,
            SANDBOX_EXPORTS_PER_MIN=10_000,
            SANDBOX_UPDATES_PER_MIN=10_000,
            SANDBOX_EXPORT_LAG_S=0,
        )
        with helpdesk:
            settings = _connect(home, helpdesk, port)
            _install_app(helpdesk, settings)
            _sync(settings)
            _train(settings, retrain=retrain)
            with Serving(settings, open_helpdesk(settings), open_helpdesk(settings)) as serving:
                ticket_id = _first_answer(helpdesk, serving)
                _closing_words(helpdesk, ticket_id, time.monotonic() - started)
                if once:
                    return
                say("\nStaying up; Ctrl-C ends it, and the same command goes on from here.")
                try:
                    serving.wait()
                except KeyboardInterrupt:
                    say("\nStopping.")


def _drop_orphans(home: Path) -> None:
    """Where the sandbox's file is gone, the mirror of it is of a helpdesk that does not exist any more."""
    if not (home / "sandbox.db").exists():
        for path in home.glob("deskhand.db*"):
            path.unlink()


def _connect(home: Path, helpdesk: Sandbox, port: int) -> Settings:
    """Step 1: the home. Written anew each time, since ports and tokens may have changed."""
    say(f"\n1. The sandbox helpdesk runs on {helpdesk.url}")
    config = {
        "helpdesk": {"name": "sandbox", "url": helpdesk.url, "auth": "bearer"},
        "trainer": QUICK,
        "plugin": {"port": port, "agent_email": "deskhand@fernway.example"},
    }
    hidden: dict[str, dict[str, str]] = {"helpdesk": {"token": helpdesk.token}, "plugin": {}}
    write_home(home, config, hidden)
    client = open_helpdesk(load_settings(home))
    try:
        hidden["plugin"]["webhook_secret"] = client.install_webhook(f"http://127.0.0.1:{port}/webhooks/sandbox")
    finally:
        client.close()
    write_home(home, config, hidden)
    return load_settings(home)


def _install_app(helpdesk: Sandbox, settings: Settings) -> None:
    """Puts a new token into the sandbox's installation of the app; those of earlier runs are gone with their runs."""
    with Store(settings.database_path) as store:
        for token in store.tokens.valid():
            if token.name == _INSTALLATION:
                store.tokens.revoke(token.id)
        _, secret = store.tokens.create(_INSTALLATION)
    helpdesk.app.config["SANDBOX_APP"] = {
        "assets": APP_FOLDER,
        "settings": {"api_host": f"http://127.0.0.1:{settings.plugin.port}"},
        "secure_settings": {"token": secret},
    }


def _sync(settings: Settings) -> None:
    """Step 2: the same connector as for a real account."""
    say("\n2. Syncing its history")
    client = open_helpdesk(settings)
    with exclusive(settings.home, "sync"), Store(settings.database_path) as store, Bar() as bar:
        summary = sync(client, store, progress=bar.update)
        counts = store.history.counts(client.name)
    client.close()
    say(
        f"   {counts['tickets']} tickets, {counts['comments']} comments, {counts['articles']} articles, "
        f"{traffic(client)['requests_made']:.0f} requests, {summary.seconds:.1f} s"
    )


def _train(settings: Settings, *, retrain: bool) -> None:
    """Step 3: a quick training, unless a version is live from an earlier run."""
    registry = Registry(settings.models_path)
    live = registry.live()
    if live and not retrain:
        say(f"\n3. {live.version} is live from an earlier run (--retrain trains again)")
        # Retrieval looks into what curation keeps; in a home that was made whole again, that is to be made anew.
        with Store(settings.database_path) as store:
            curate(store, settings.require_helpdesk().name, settings.trainer)
        return
    say("\n3. Curating, training and judging (a quick profile; a real training uses everything)")
    started = time.monotonic()
    name = settings.require_helpdesk().name
    with exclusive(settings.home, "train"), Store(settings.database_path) as store:
        report = curate(store, name, settings.trainer)
        say(f"   {report.kept} answers are worth learning from, {report.dropped.total()} were dropped")
        with Bar() as bar:
            trained = train(
                store, name, registry, settings.trainer, settings.cache_path,
                max_effort=settings.plugin.max_effort,
                progress=bar.update,
            )  # fmt: skip
    registry.promote(trained.manifest.version, by="demo")
    say(
        f"   {trained.manifest.version} is live; fine-tuning took {trained.training.seconds:.0f} s, "
        f"with everything around it {time.monotonic() - started:.0f} s\n"
    )
    print_report(trained.report)
    # The training's weights and caches are not needed beside the server's own.
    gc.collect()


def _first_answer(helpdesk: Sandbox, serving: Serving) -> str:
    """Step 4: new tickets come in until one has got both a note and a route.

    Silence on a ticket is an answer too (nothing similar was solved before), so a second or third one may be needed.
    """
    say(f"\n4. The plugin listens on {serving.url}; a new ticket comes in")
    for _ in range(MAX_TICKETS):
        ticket_id = _open_next(helpdesk)
        say(f"   ticket {ticket_id} was opened; the webhook is on its way")
        started = time.monotonic()
        note, group = _await_answer(helpdesk, ticket_id, serving.is_done_with)
        if note and group:
            say(f"   after {time.monotonic() - started:.1f} s: an internal note, and the route {group}")
            return ticket_id
        say(f"   {'a note' if note else 'no draft was good enough to show'}, {'routed' if group else 'no sure route'}")
    raise FatalError(
        f"no ticket of {MAX_TICKETS} got both a note and a route", hint="see deskhand.log in the demo's home"
    )


def _open_next(helpdesk: Sandbox) -> str:
    answer = requests.post(f"{helpdesk.url}/sandbox/open_next", timeout=10)
    if answer.status_code == 409:
        raise FatalError(
            "all waiting tickets of the sample company are open", hint="delete the demo's folder to start over"
        )
    answer.raise_for_status()
    return str(answer.json()["ticket_id"])


def _await_answer(helpdesk: Sandbox, ticket_id: str, is_done_with: Callable[[str], bool]) -> tuple[bool, str]:
    """Waits until the plugin is done with a ticket, then looks into the helpdesk: is a note there, and which group?"""
    with requests.Session() as session:
        session.headers["Authorization"] = f"Bearer {helpdesk.token}"
        ticket_url = f"{helpdesk.url}/api/v2/tickets/{ticket_id}"
        ends_at = time.monotonic() + ANSWER_WITHIN_S
        while time.monotonic() < ends_at and not is_done_with(ticket_id):
            time.sleep(0.5)
        groups = session.get(f"{helpdesk.url}/api/v2/groups.json", timeout=10).json()["groups"]
        comments = session.get(f"{ticket_url}/comments.json", timeout=10).json()["comments"]
        ticket = session.get(f"{ticket_url}.json", timeout=10).json()["ticket"]
    names = {group["id"]: str(group["name"]) for group in groups}
    return any(not comment["public"] for comment in comments), names.get(ticket["group_id"], "")


def _closing_words(helpdesk: Sandbox, ticket_id: str, seconds: float) -> None:
    # ru_maxrss is in KiB on Linux, in bytes on macOS.
    peak_gib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (2**30 if sys.platform == "darwin" else 2**20)
    show(f"\nDone in {seconds / 60:.1f} min, at most {peak_gib:.1f} GiB of memory.")
    show(f"  The ticket with its suggestion:  {helpdesk.url}/agent/tickets/{ticket_id}")
    show(f"  All tickets, as an agent:        {helpdesk.url}/agent")


@contextmanager
def _own_log(home: Path) -> Iterator[None]:
    """Logs go to a file: the terminal is for the story."""
    root = logging.getLogger()
    before = list(root.handlers)
    handler = logging.FileHandler(home / "deskhand.log", encoding="utf-8")
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(name)s: %(message)s"))
    root.handlers = [handler]
    try:
        yield
    finally:
        root.handlers = before
        handler.close()
