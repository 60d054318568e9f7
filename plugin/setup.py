"""`deskhand init`: checks a credential before it is written down, and says what to do next."""

from __future__ import annotations

import secrets
import shutil
import tomllib
from contextlib import closing
from pathlib import Path
from typing import Any

from connectors.errors import ConfigError, CredentialError
from connectors.records import User
from connectors.settings import Settings, load_settings, write_home
from connectors.zendesk.client import Zendesk
from plugin.console import say, show


def connect(home: Path, *, url: str, auth: str, email: str, client_id: str, secret: str) -> None:
    """Writes a home for a helpdesk, after signing in once. What an earlier home says of other things stays.

    Raises:
        ConfigError: The address or another answer makes no sense.
        CredentialError: The helpdesk does not accept the credential; nothing was written over what was there.
    """
    helpdesk: dict[str, Any] = {"url": url, "auth": auth}
    helpdesk |= {"email": email} if email else {}
    helpdesk |= {"client_id": client_id} if client_id else {}
    hidden = {"client_secret" if auth == "client_credentials" else "token": secret}
    me = _sign_in(home, {"helpdesk": helpdesk}, {"helpdesk": hidden})
    if me.raw.get("role") not in ("admin", "agent"):
        raise CredentialError("this credential belongs to a customer, not to somebody of the team")
    if me.raw.get("role") != "admin":
        say("This credential is not an admin's: the ticket export may be refused.")
    config, kept = _read(home / "config.toml"), _read(home / "secrets.toml")
    # The same helpdesk keeps its name, which is its key in the store.
    known = config.get("helpdesk", {})
    own = {key: known[key] for key in ("name", "timeout_s") if key in known and known.get("url") == url}
    config |= {"helpdesk": own | helpdesk, "plugin": config.get("plugin", {}) | {"agent_email": me.email}}
    kept |= {"helpdesk": hidden, "plugin": {"sidebar_token": secrets.token_urlsafe(32)} | kept.get("plugin", {})}
    write_home(home, config, kept)
    show(f"Connected as {me.raw.get('role')} (user {me.id}). Next: deskhand sync")


def _sign_in(home: Path, config: dict[str, Any], hidden: dict[str, Any]) -> User:
    """Who the credential belongs to. Tried in a folder beside the home: a wrong token must not replace a right one."""
    trial = home.with_name(home.name + ".trial")
    try:
        write_home(trial, config, hidden)
        with closing(Zendesk(_load(trial).require_helpdesk())) as helpdesk:
            return helpdesk.me()
    finally:
        shutil.rmtree(trial, ignore_errors=True)


def _load(trial: Path) -> Settings:
    try:
        return load_settings(trial)
    except ConfigError as error:
        # By the time that somebody reads this, the trial's files are gone.
        what = str(error).replace(f"the settings of {trial}", "what was entered")
        raise ConfigError(what, hint="run deskhand init again with other answers") from None


def _read(path: Path) -> dict[str, Any]:
    """A file of an earlier home; one that cannot be read is what `init` is run to mend."""
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
