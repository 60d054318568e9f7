"""From the settings to a connector: one entry per vendor, imported only where it is used."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from typing import cast

from connectors.helpdesk import Helpdesk
from connectors.http.waits import Wait
from connectors.settings import Settings

_CLASSES = {
    "zendesk": ("connectors.zendesk.client", "Zendesk"),
    "freshdesk": ("connectors.freshdesk.client", "Freshdesk"),
    "zammad": ("connectors.zammad.client", "Zammad"),
    "request_tracker": ("connectors.request_tracker.client", "RequestTracker"),
    "django_helpdesk": ("connectors.django_helpdesk.client", "DjangoHelpdesk"),
    "files": ("connectors.files.client", "Files"),
}


def open_helpdesk(settings: Settings, *, on_wait: Callable[[Wait], None] | None = None) -> Helpdesk:
    """The configured helpdesk's connector; close it when done. Not for several threads at once.

    Args:
        on_wait: Called once a second while the connector waits for a rate limit or before a retry.

    Raises:
        ConfigError: No helpdesk is configured.
    """
    helpdesk = settings.require_helpdesk()
    module, name = _CLASSES[helpdesk.kind]
    made = getattr(import_module(module), name)(
        helpdesk,
        webhook_secret=settings.plugin.webhook_secret.get_secret_value(),
        webhook_max_age_s=settings.plugin.webhook_max_age_s,
        home=settings.home,
        on_wait=on_wait,
    )
    return cast("Helpdesk", made)
