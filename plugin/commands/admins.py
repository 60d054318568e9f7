"""Accounts of the dashboard: add, list, change a password, remove."""

from __future__ import annotations

from pathlib import Path

import click

from plugin.commands.common import HOME, JSON, open_store, settings_of

_PASSWORD = click.password_option(
    help="Asked for where it is left out. On a shared machine leave it out: others see what was typed."
)


@click.group()
def admin() -> None:
    """The accounts that may open the dashboard, at /admin of the server."""


@admin.command()
@HOME
@_PASSWORD
@click.argument("name")
def add(home: Path | None, name: str, password: str) -> None:
    """Make an account; its password is asked for."""
    from connectors.errors import ConfigError
    from plugin.console import show
    from plugin.dashboard.accounts import set_password

    with open_store(settings_of(home)) as store:
        if store.admins.get(name):
            raise ConfigError(f"there is an account '{name}' already", hint=f"run: deskhand admin passwd {name}")
        set_password(store, name, password)
    show(f"{name} may open the dashboard")


@admin.command()
@HOME
@_PASSWORD
@click.argument("name")
def passwd(home: Path | None, name: str, password: str) -> None:
    """Change a password; logs the account out everywhere, and lets it in again after too many attempts."""
    from plugin.console import show
    from plugin.dashboard.accounts import set_password

    with open_store(settings_of(home)) as store:
        if store.admins.get(name) is None:
            raise _nobody(name)
        set_password(store, name, password)
    show(f"the password of {name} was changed")


@admin.command()
@HOME
@click.argument("name")
def remove(home: Path | None, name: str) -> None:
    """Remove an account; it is logged out at once."""
    from plugin.console import show

    with open_store(settings_of(home)) as store:
        if not store.admins.remove(name):
            raise _nobody(name)
    show(f"{name} may no longer open the dashboard")


@admin.command("list")
@HOME
@JSON
def list_accounts(home: Path | None, as_json: bool) -> None:
    """List the accounts, and since when their passwords hold."""
    from plugin.console import show, show_json

    with open_store(settings_of(home)) as store:
        found = store.admins.all()
    if as_json:
        show_json([{"name": one.name, "created_at": one.created_at, "changed_at": one.changed_at} for one in found])
        return
    for one in found:
        show(f"{one.name:<24} password of {one.changed_at}")
    if not found:
        show("none yet; make one by: deskhand admin add NAME")


def _nobody(name: str) -> Exception:
    from connectors.errors import ConfigError

    return ConfigError(f"there is no account '{name}'", hint="see: deskhand admin list")
