"""Commands for the API's tokens: one for each installation of the sidebar app, or for another host."""

from __future__ import annotations

from pathlib import Path

import click

from plugin.commands.common import HOME, JSON, open_store, settings_of


@click.group()
def token() -> None:
    """Tokens for the sidebar app and for other hosts of the API.

    To renew one: create another, put it in where the old one is, see by `list` that it is used, revoke the old one.
    """


@token.command()
@HOME
@JSON
@click.argument("name")
def create(home: Path | None, as_json: bool, name: str) -> None:
    """Make a token and print it, this once: only its hash is kept. NAME is for you, such as 'Zendesk sidebar'."""
    from connectors.errors import ConfigError
    from plugin.console import say, show, show_json

    name = name.strip()
    if not name:
        raise ConfigError("a token needs a name", hint="such as: deskhand token create 'Zendesk sidebar'")
    with open_store(settings_of(home)) as store:
        token_id, secret = store.tokens.create(name)
    if as_json:
        show_json({"id": token_id, "name": name, "token": secret})
        return
    say(f"Token {token_id}, '{name}'. Put it in now: it is shown this once.")
    show(secret)


@token.command(name="list")
@HOME
@JSON
def list_tokens(home: Path | None, as_json: bool) -> None:
    """List all tokens with the time each was last used (to the minute)."""
    from dataclasses import asdict

    from plugin.console import show, show_json

    with open_store(settings_of(home)) as store:
        tokens = store.tokens.all()
    if as_json:
        show_json([asdict(one) for one in tokens])
        return
    for one in tokens:
        used = f"last used {one.last_used_at}" if one.last_used_at else "never used"
        show(f"{one.id:>4}  {one.name:<24} {f'revoked {one.revoked_at}' if one.revoked_at else used}")
    if not tokens:
        show("no tokens yet; make one by: deskhand token create NAME")


@token.command()
@HOME
@click.argument("token_id", metavar="ID", type=int)
def revoke(home: Path | None, token_id: int) -> None:
    """Refuse a token from now on; the server need not be started again."""
    from connectors.errors import ConfigError
    from plugin.console import show

    with open_store(settings_of(home)) as store:
        if not store.tokens.revoke(token_id):
            raise ConfigError(f"there is no valid token {token_id}", hint="see: deskhand token list")
    show(f"token {token_id} is refused from now on")
