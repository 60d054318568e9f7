"""What the commands share: their common options, and the way from a home to its parts.

Heavy modules are imported inside the functions, here and in the commands, so that `--help` answers at once.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

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


def environment_home() -> Path | None:
    """The folder that DESKHAND_HOME names, None where it names none."""
    import os

    value = os.environ.get("DESKHAND_HOME")
    return Path(value).expanduser().resolve() if value else None


def resolved_home(home: Path | None) -> Path:
    """The folder that an option names, else the default one."""
    from connectors.settings import default_home

    return home.expanduser().resolve() if home else default_home()


def settings_of(home: Path | None) -> Settings:
    """The settings of a home.

    Raises:
        ConfigError: Something in them is wrong; all of it is said at once.
    """
    from connectors.settings import load_settings

    return load_settings(resolved_home(home))


def open_store(settings: Settings) -> Store:
    """The home's database; close it when done."""
    from connectors.store.database import Store

    return Store(settings.database_path)


def connect(settings: Settings, bar: Bar | None = None) -> Helpdesk:
    """The configured helpdesk; close it when done.

    Args:
        bar: Shows what is waited for.
    """
    from connectors.vendors import open_helpdesk

    return open_helpdesk(settings, on_wait=bar.waiting if bar else None)


def registry_of(home: Path | None) -> Registry:
    """The home's model versions."""
    from trainer.registry import Registry

    return Registry(settings_of(home).models_path)


def live_version(registry: Registry) -> str:
    """The version that is live.

    Raises:
        ModelError: None is.
    """
    from connectors.errors import ModelError

    live = registry.live()
    if live is None:
        raise ModelError("no model is live yet", hint="run: deskhand train")
    return live.version
