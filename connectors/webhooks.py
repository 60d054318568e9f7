"""Whether a webhook is our helpdesk's: what the vendors' webhooks have in common."""

from __future__ import annotations

import hmac
from collections.abc import Mapping

from connectors.errors import WebhookError

_MOST_DIGITS = 20


def header(headers: Mapping[str, str], name: str) -> str:
    """A header's value, whatever the case of its name; empty where it is absent."""
    return {key.lower(): value for key, value in headers.items()}.get(name.lower(), "")


def verify(secret: str, expected: str, sent: str, *, what: str, hint: str) -> None:
    """Compares what came with what our secret makes of it, in constant time.

    Args:
        what: What is compared, for the message: a signature, or the secret itself.
        hint: What a person has to compare where it does not match.

    Raises:
        WebhookError: It does not match, or no secret is set.
    """
    if not secret:
        raise WebhookError("no webhook secret is set", hint="set [plugin] webhook_secret in secrets.toml")
    # Compared as bytes: compare_digest refuses text with characters beyond ASCII.
    if not hmac.compare_digest(expected.encode(), sent.encode("utf-8", "replace")):
        raise WebhookError(f"the {what} does not match", hint=hint)


def is_number(text: str) -> bool:
    """Whether a text is an id as these helpdesks give them: digits, and not too many to be one."""
    return text.isascii() and text.isdigit() and len(text) <= _MOST_DIGITS
