"""From the settings to a connector: one entry per vendor."""

from __future__ import annotations

from connectors.settings import Settings
from connectors.zendesk.client import Zendesk


def open_helpdesk(settings: Settings) -> Zendesk:
    """The configured helpdesk's connector; close it when done. Not for several threads at once.

    Raises:
        ConfigError: No helpdesk is configured.
    """
    return Zendesk(
        settings.require_helpdesk(),
        webhook_secret=settings.plugin.webhook_secret.get_secret_value(),
        webhook_max_age_s=settings.plugin.webhook_max_age_s,
    )
