"""`deskhand init`: checks a credential before it is written down, and says what to do next."""

from __future__ import annotations

import secrets
from pathlib import Path
from typing import Any

from connectors.errors import CredentialError
from connectors.settings import load_settings, write_home
from connectors.zendesk.client import Zendesk
from plugin.console import say, show


def connect(home: Path, *, url: str, auth: str, email: str, client_id: str, secret: str) -> None:
    """Writes a home for a helpdesk, after signing in once.

    Raises:
        ConfigError: The address or another answer makes no sense.
        CredentialError: The helpdesk does not accept the credential; nothing was written over what was there.
    """
    config: dict[str, Any] = {"helpdesk": {"url": url, "auth": auth}}
    config["helpdesk"] |= {"email": email} if email else {}
    config["helpdesk"] |= {"client_id": client_id} if client_id else {}
    hidden = {"helpdesk": {"client_secret" if auth == "client_credentials" else "token": secret}}
    # Tried in a folder beside the real one: a wrong token must not replace a right one.
    trial = home.with_name(home.name + ".trial")
    try:
        write_home(trial, config, hidden)
        helpdesk = Zendesk(load_settings(trial).require_helpdesk())
        me = helpdesk.me()
        helpdesk.close()
    finally:
        for name in ("config.toml", "secrets.toml"):
            (trial / name).unlink(missing_ok=True)
        trial.rmdir()
    if me.raw.get("role") not in ("admin", "agent"):
        raise CredentialError("this credential belongs to a customer, not to somebody of the team")
    if me.raw.get("role") != "admin":
        say("This credential is not an admin's: the ticket export may be refused.")
    config["plugin"] = {"agent_email": me.email}
    hidden["plugin"] = {"sidebar_token": secrets.token_urlsafe(32)}
    write_home(home, config, hidden)
    show(f"Connected as {me.raw.get('role')} (user {me.id}). Next: deskhand sync")
