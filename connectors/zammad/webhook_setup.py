"""Setting up the webhook and the trigger that tell us when a customer wrote.

See https://docs.zammad.org/en/latest/api/webhook.html and trigger.html; it takes the permissions `admin.webhook` and
`admin.trigger`. Newer versions never show a webhook's token again, so ours is set anew where we do not know it.
"""

from __future__ import annotations

import secrets

from connectors import values
from connectors.errors import CredentialError, FatalError, ForbiddenError, NotFoundError, SkippableError
from connectors.http.client import Http
from connectors.zammad import api, webhook
from connectors.zammad.api import ROOT, Json

NAME = "Deskhand: a customer wrote"
CUSTOMER = 2
"""The id of the sender 'Customer' in every installation (db/seeds/ticket_article_senders.rb)."""
_MASK = "*"
_BY_HAND = (
    "by hand, as an admin: Manage > Webhook > new, with the endpoint {endpoint} and a long random 'HMAC SHA1 signature"
    " token', which also goes into secrets.toml as webhook_secret; Manage > Trigger > new, with the condition"
    " 'Article > Sender is Customer' and the action 'Webhook'"
)


def install(http: Http, endpoint: str, known_secret: str) -> str:
    """The webhook for an endpoint with its trigger, made where they are missing; returns the signature token.

    Args:
        known_secret: The token that was set before; empty makes a new one.

    Raises:
        SkippableError: This credential may not, or somebody switched it off; the hint says what to do.
    """
    by_hand = _BY_HAND.format(endpoint=endpoint)
    try:
        hook, secret = _webhook(http, endpoint, known_secret)
        _trigger(http, str(hook["id"]))
    except (ForbiddenError, NotFoundError) as error:
        raise SkippableError(
            f"this credential may not set up webhooks ({error})",
            hint=f"give its user admin.webhook and admin.trigger, or {by_hand}",
        ) from error
    except KeyError as error:
        raise SkippableError("the webhook's answer is not in the shape we know", hint=by_hand) from error
    except FatalError as error:
        if isinstance(error, CredentialError):
            raise
        raise SkippableError(f"Zammad refused to set up the webhook ({error})", hint=by_hand) from error
    return secret


def _webhook(http: Http, endpoint: str, known_secret: str) -> tuple[Json, str]:
    secret = known_secret or secrets.token_urlsafe(32)
    for items, _, _ in api.pages(http, "/webhooks"):
        for hook in items:
            if hook.get("endpoint") != endpoint:
                continue
            if hook.get("active") is False:
                raise _switched_off("webhook", hook)
            token = values.text(hook.get("signature_token"))
            if token.strip(_MASK):
                return hook, token
            return http.send("PUT", f"{ROOT}/webhooks/{hook['id']}", json={"signature_token": secret}), secret
    body = {
        "name": "Deskhand", "endpoint": endpoint, "signature_token": secret, "ssl_verify": True, "active": True,
        "customized_payload": True, "custom_payload": webhook.PAYLOAD, "note": NAME,
    }  # fmt: skip
    return http.send("POST", f"{ROOT}/webhooks", json=body), secret


def _trigger(http: Http, webhook_id: str) -> None:
    for items, _, _ in api.pages(http, "/triggers"):
        for trigger in items:
            if _notifies(trigger.get("perform"), webhook_id):
                if trigger.get("active") is False:
                    raise _switched_off("trigger", trigger)
                return
    body = {
        "name": NAME,
        # A condition on an article holds only where the change brought one, be the ticket new or not.
        "condition": {"article.sender_id": {"operator": "is", "value": [str(CUSTOMER)]}},
        "perform": {"notification.webhook": {"webhook_id": webhook_id}},
        "disable_notification": True, "activator": "action", "execution_condition_mode": "selective", "active": True,
    }  # fmt: skip
    http.send("POST", f"{ROOT}/triggers", json=body)


def _notifies(perform: object, webhook_id: str) -> bool:
    action = perform.get("notification.webhook") if isinstance(perform, dict) else None
    return isinstance(action, dict) and str(action.get("webhook_id")) == webhook_id


def _switched_off(what: str, item: Json) -> SkippableError:
    return SkippableError(
        f"the {what} {item.get('id')} for this endpoint is there, and somebody switched it off",
        hint="activate or delete it in Zammad's settings",
    )
