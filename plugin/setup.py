"""`deskhand init`: checks a credential before it is written down, and says what it can do and what to do next."""

from __future__ import annotations

import os
import shutil
import sys
import tomllib
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import click

from connectors.errors import ConfigError, CredentialError, DeskhandError
from connectors.helpdesk import Helpdesk
from connectors.records import User
from connectors.settings import PREFIX, HelpdeskSettings, Settings, auths_of, load_settings, write_home
from connectors.store.database import Store
from connectors.vendors import open_helpdesk
from connectors.zendesk import oauth
from connectors.zendesk.token_pair import Pair, PairFile
from plugin.console import say, show

SignIn = Callable[[HelpdeskSettings, str], Pair]
"""Called with the settings and the scope to ask for; see `plugin.consent.sign_in`."""

_BY_CLIENT = ("client_credentials", "authorization_code")
# What an earlier home says of the same helpdesk, and nobody was asked.
_KEPT = ("name", "scope", "timeout_s", "poll_s", "min_free_share")


@dataclass(frozen=True)
class Answers:
    """What was given on the command line or in the environment; None or empty where it was not."""

    kind: str
    url: str | None = None
    path: str | None = None
    auth: str | None = None
    email: str = ""
    client_id: str = ""


def connect(
    home: Path,
    helpdesk: dict[str, Any],
    secret: str,
    *,
    sign_in: SignIn,
    public_url: str = "",
    install_webhook: bool = False,
) -> None:
    """Writes a home for a helpdesk, after signing in once. What an earlier home says of other things stays.

    Args:
        helpdesk: Its section of config.toml: kind, url, auth and so on.
        secret: The token or the client's secret; may be empty where there is none.
        sign_in: Gets the tokens where `auth` is `authorization_code`.
        public_url: How the helpdesk reaches us; empty leaves what an earlier home says.
        install_webhook: Also has the helpdesk call us.

    Raises:
        ConfigError: The address or another answer makes no sense.
        CredentialError: The helpdesk does not accept the credential; nothing was written over what was there.
        DeskhandError: The webhook could not be installed; the helpdesk is connected all the same.
    """
    config, kept = _read(home / "config.toml"), _read(home / "secrets.toml")
    plugin = config.get("plugin", {}) | ({"public_url": public_url} if public_url else {})
    if install_webhook and "public_url" not in plugin:
        raise ConfigError("no webhook without an address to call", hint="give one by --public-url")
    known = config.get("helpdesk", {})
    # The same helpdesk keeps its name, which is its key in the store.
    same = (known.get("url"), known.get("path")) == (helpdesk.get("url"), helpdesk.get("path"))
    helpdesk = {key: known[key] for key in _KEPT if same and key in known} | helpdesk
    hidden = {_secret_name(helpdesk.get("auth", "")): secret} if secret else {}
    with _trial(home, helpdesk, public_url, hidden) as settings:
        checked, pair = settings.require_helpdesk(), None
        if checked.auth == "authorization_code":
            pair = sign_in(checked, oauth.INSTALL_SCOPE if install_webhook else oauth.SCOPE)
            PairFile(settings.home, checked.name).store(pair)
        with closing(open_helpdesk(settings)) as client:
            me = _who(client)
            _say_what_can_be_read(client)
    config |= {"helpdesk": helpdesk, "plugin": plugin | {"agent_email": me.email}}
    kept |= {"helpdesk": hidden, "plugin": kept.get("plugin", {})}
    write_home(home, config, kept)
    if pair is not None:
        PairFile(home, checked.name).store(pair)
    if install_webhook:
        _install_webhook(home, config, kept)
    _make_token(home)
    show("Next: deskhand sync")


def ask(given: Answers, *, token_stdin: bool) -> tuple[dict[str, Any], str]:
    """Asks for what was not given; returns the helpdesk's section of config.toml, and the secret.

    Args:
        token_stdin: The secret is the first line of the standard input.
    """
    answers = asdict(given)
    if given.kind == "files":
        answers["path"] = given.path or _prompt("Folder of the exported tickets")
        return {key: answers[key] for key in ("kind", "path")}, ""
    answers["url"] = given.url or _prompt("Address of the helpdesk (https://acme.zendesk.com)")
    choices = auths_of(given.kind)
    if not given.auth:
        # For a machine of one's own the OAuth client alone is the simplest: no browser, nothing to renew.
        usual = "client_credentials" if "client_credentials" in choices else choices[0]
        one_of = click.Choice(choices)
        answers["auth"] = _prompt("How to sign in", type=one_of, default=usual) if len(choices) > 1 else usual
    if answers["auth"] == "api_token":
        answers["email"] = given.email or _prompt("The agent's e-mail address")
    elif answers["auth"] in _BY_CLIENT:
        answers["client_id"] = given.client_id or _prompt("The OAuth client's identifier")
    return {key: value for key, value in answers.items() if value}, _ask_for_secret(answers["auth"], token_stdin)


def _ask_for_secret(auth: str, token_stdin: bool) -> str:
    """Never from the command line, which every user of the machine can read."""
    name = _secret_name(auth)
    variable = f"{PREFIX}HELPDESK__{name.upper()}"
    if token_stdin:
        return sys.stdin.readline().strip()
    if variable in os.environ:
        return os.environ[variable]
    label = {"token": "Token", "client_secret": "Client secret"}[name]
    if auth == "authorization_code":
        # A public client has none: PKCE proves who it is.
        return _prompt(f"{label} (empty for a public client)", default="", show_default=False, hide_input=True)
    return _prompt(label, hide_input=True)


def _prompt(text: str, **more: Any) -> str:
    return str(click.prompt(text, err=True, **more))


def _secret_name(auth: str) -> str:
    return "client_secret" if auth in _BY_CLIENT else "token"


@contextmanager
def _trial(home: Path, helpdesk: dict[str, Any], public_url: str, hidden: dict[str, Any]) -> Iterator[Settings]:
    """A home beside the home: a wrong token must not replace a right one."""
    trial = home.with_name(home.name + ".trial")
    if "path" in helpdesk:  # relative to the home, and this is another one
        helpdesk = helpdesk | {"path": str(home / Path(helpdesk["path"]).expanduser())}
    try:
        plugin = {"public_url": public_url} if public_url else {}
        write_home(trial, {"helpdesk": helpdesk, "plugin": plugin}, {"helpdesk": hidden})
        yield _load(trial)
    finally:
        shutil.rmtree(trial, ignore_errors=True)


def _load(trial: Path) -> Settings:
    try:
        return load_settings(trial)
    except ConfigError as error:
        # By the time that somebody reads this, the trial's files are gone.
        what = str(error).replace(f"the settings of {trial}", "what was entered")
        raise ConfigError(what, hint="run deskhand init again with other answers") from None


def _who(helpdesk: Helpdesk) -> User:
    me = helpdesk.me()
    if me.role == "requester":
        raise CredentialError("this credential belongs to a customer, not to somebody of the team")
    role = me.raw.get("role")  # finer than ours, where the vendor has it
    show(f"Connected as {role if isinstance(role, str) and role else me.role} (user {me.id}).")
    return me


def _say_what_can_be_read(helpdesk: Helpdesk) -> None:
    """One line for all streams that this credential may read, and one for each that it may not."""
    reasons: dict[str, str] = {}
    for stream in helpdesk.streams:
        try:
            helpdesk.outlook(stream)
        except DeskhandError as error:
            reasons[stream] = f"{error}" + f" ({error.hint})" * bool(error.hint)
    if readable := [stream for stream in helpdesk.streams if stream not in reasons]:
        show(f"It may read: {', '.join(readable)}.")
    for stream, reason in reasons.items():
        show(f"It cannot read {stream}: {reason}")
    if "tickets" in reasons:
        say("Without the tickets there is nothing to learn from.")


def _install_webhook(home: Path, config: dict[str, Any], kept: dict[str, Any]) -> None:
    """Has the helpdesk call us, and keeps the secret that it signs with."""
    settings = load_settings(home)
    helpdesk = settings.require_helpdesk()
    endpoint = f"{str(settings.plugin.public_url).rstrip('/')}/webhooks/{helpdesk.name}"
    # A token that an OAuth client fetches by itself may do no more than was asked for.
    wider = helpdesk.model_copy(update={"scope": helpdesk.scope or oauth.INSTALL_SCOPE})
    with closing(open_helpdesk(settings.model_copy(update={"helpdesk": wider}))) as client:
        secret = client.install_webhook(endpoint)
    write_home(home, config, kept | {"plugin": kept["plugin"] | {"webhook_secret": secret}})
    show(f"The helpdesk calls {endpoint} from now on.")


def _make_token(home: Path) -> None:
    """The first token of the API, unless there is one; an older home has one in secrets.toml."""
    settings = load_settings(home)
    with Store(settings.database_path) as store:
        if store.tokens.valid() or settings.plugin.sidebar_token.get_secret_value():
            return
        _, secret = store.tokens.create("sidebar")
    show("Token for the sidebar app, shown this once (another one: deskhand token create NAME):")
    show(f"  {secret}")


def _read(path: Path) -> dict[str, Any]:
    """A file of an earlier home; one that cannot be read is what `init` is run to mend."""
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
