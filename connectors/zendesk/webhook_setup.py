"""Setting up the webhook and the trigger that tell us when a customer wrote.

Conditions are named as in https://developer.zendesk.com/documentation/ticketing/reference-guides/conditions-reference/;
`role` is what the page for admins calls 'Current user': who made the update.
"""

from __future__ import annotations

from connectors import values
from connectors.errors import ForbiddenError, NotFoundError, RefusedError, SkippableError
from connectors.zendesk import webhook
from connectors.zendesk.api import Api, Json
from connectors.zendesk.paging import list_pages

TITLE = "Deskhand: a customer wrote"
_BY_HAND = (
    "by hand, in the Admin Center: Apps and integrations > Webhooks > create one for 'Trigger or automation', POST,"
    " JSON, to {endpoint}; Objects and rules > Triggers > create one: 'Current user is (end user)' and 'Status less"
    " than Solved', action 'Notify active webhook' with the body "
    + webhook.TRIGGER_BODY.replace("{", "{{").replace("}", "}}")
)


def install(api: Api, endpoint: str, own_id: str) -> str:
    """The webhook for an endpoint with its trigger, made where they are missing; returns the signing secret.

    Args:
        own_id: Our own user, whose updates must never come back to us.

    Raises:
        SkippableError: This account or credential may not, or somebody switched it off; the hint says what to do.
    """
    by_hand = _BY_HAND.format(endpoint=endpoint)
    try:
        hook = _webhook(api, endpoint)
        _trigger(api, str(hook["id"]), own_id)
        answer = api.get(f"/api/v2/webhooks/{hook['id']}/signing_secret")
        return str(answer["signing_secret"]["secret"])
    except (ForbiddenError, NotFoundError) as error:
        raise SkippableError(
            f"this account or credential may not set up webhooks ({error})", hint=f"as an admin, or {by_hand}"
        ) from error
    except (KeyError, TypeError) as error:
        raise SkippableError("the webhook's answer is not in the shape we know", hint=by_hand) from error
    except RefusedError as error:
        raise SkippableError(f"the helpdesk refused to set up the webhook ({error})", hint=by_hand) from error


def _webhook(api: Api, endpoint: str) -> Json:
    for page in list_pages(api, "/api/v2/webhooks", "webhooks"):
        for hook in values.objects(page.answer.get("webhooks")):
            if hook.get("endpoint") == endpoint:
                if hook.get("status") == "inactive":
                    raise _switched_off("webhook", hook)
                return hook
    body = {
        "name": "Deskhand", "endpoint": endpoint, "http_method": "POST", "request_format": "json",
        "status": "active", "subscriptions": ["conditional_ticket_events"],
    }  # fmt: skip
    made: Json = api.send("POST", "/api/v2/webhooks", {"webhook": body})["webhook"]
    return made


def _trigger(api: Api, webhook_id: str, own_id: str) -> None:
    for page in list_pages(api, "/api/v2/triggers.json", "triggers"):
        for trigger in values.objects(page.answer.get("triggers")):
            if any(_notifies(action, webhook_id) for action in values.objects(trigger.get("actions"))):
                if trigger.get("active") is False:
                    raise _switched_off("trigger", trigger)
                return
    # Whoever made the update, and not who wrote a comment: a message in a chat becomes a comment only when the chat has
    # ended. Our own updates are an agent's, whatever the ticket's channel is.
    conditions: list[Json] = [
        {"field": "role", "operator": "is", "value": "end_user"},
        {"field": "status", "operator": "less_than", "value": "solved"},
    ]
    not_us = {"field": "role", "operator": "is_not", "value": own_id}
    try:
        _create(api, webhook_id, [*conditions, not_us])
    except RefusedError:  # Zendesk's page on conditions does not say that a user's id will do
        _create(api, webhook_id, conditions)


def _notifies(action: Json, webhook_id: str) -> bool:
    value = action.get("value")
    target = value[0] if isinstance(value, list) and value else None
    return action.get("field") == "notification_webhook" and str(target) == webhook_id


def _create(api: Api, webhook_id: str, conditions: list[Json]) -> None:
    actions = [{"field": "notification_webhook", "value": [webhook_id, webhook.TRIGGER_BODY]}]
    trigger = {"title": TITLE, "conditions": {"all": conditions, "any": []}, "actions": actions}
    api.send("POST", "/api/v2/triggers.json", {"trigger": trigger})


def _switched_off(what: str, item: Json) -> SkippableError:
    return SkippableError(
        f"the {what} {item.get('id')} for this endpoint is there, and somebody switched it off",
        hint="activate or delete it in the Admin Center",
    )
