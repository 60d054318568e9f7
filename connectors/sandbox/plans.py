"""Rate limits of Zendesk's plans, as presets of the sandbox's settings.

Numbers: https://developer.zendesk.com/api-reference/introduction/rate-limits/ and the limits named beside the endpoints
for the incremental exports, Update Ticket, List Deleted Tickets and Export Search Results. All are per account and
minute, but for the updates of one ticket.
"""

from __future__ import annotations

from collections.abc import Mapping

from connectors.errors import ConfigError

_COMMON = {
    "SANDBOX_EXPORTS_PER_MIN": 10,
    "SANDBOX_USER_EXPORTS_PER_MIN": 20,
    "SANDBOX_SEARCH_EXPORTS_PER_MIN": 100,
    "SANDBOX_DELETED_LISTS_PER_MIN": 10,
    "SANDBOX_UPDATES_PER_MIN": 100,
    "SANDBOX_TICKET_UPDATES_PER_10_MIN": 30,
}
PLANS: Mapping[str, Mapping[str, int]] = {
    "team": _COMMON | {"SANDBOX_REQUESTS_PER_MIN": 200},
    "growth": _COMMON | {"SANDBOX_REQUESTS_PER_MIN": 400},
    "professional": _COMMON | {"SANDBOX_REQUESTS_PER_MIN": 400},
    "enterprise": _COMMON | {"SANDBOX_REQUESTS_PER_MIN": 700},
    # Enterprise Plus, and from Growth on whoever buys the high-volume add-on.
    "high_volume": _COMMON
    | {
        "SANDBOX_REQUESTS_PER_MIN": 2500,
        "SANDBOX_EXPORTS_PER_MIN": 30,
        "SANDBOX_USER_EXPORTS_PER_MIN": 60,
        "SANDBOX_UPDATES_PER_MIN": 300,
    },
}


def plan_settings(plan: str | None) -> Mapping[str, int]:
    """The settings of a plan, none for None.

    Raises:
        ConfigError: There is no such plan.
    """
    if plan is None:
        return {}
    if plan not in PLANS:
        raise ConfigError(f"the sandbox has no plan {plan!r}", hint=f"It has {', '.join(PLANS)}.")
    return PLANS[plan]
