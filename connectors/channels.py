"""Which channels are conversations: short turns, answered at once, where a letter would be out of place.

The names are those that tickets come with: Zendesk's via types (developer.zendesk.com, 'Via types reference'),
Freshdesk's sources as `freshdesk.mapping` names them, Zammad's article types.
"""

from __future__ import annotations

CHATS = frozenset({
    # Zendesk
    "apple_business_chat", "business_messaging_slack_connect", "chat", "chat_transcript", "google_business_messages",
    "google_rcs", "instagram_dm", "kakaotalk", "line", "messagebird_sms", "native_messaging", "sms",
    "sunshine_conversations_api", "sunshine_conversations_facebook_messenger", "sunshine_conversations_twitter_dm",
    "telegram", "twilio_sms", "viber", "wechat", "whatsapp",
    # Zammad
    "facebook direct-message", "telegram personal-message", "twitter direct-message", "whatsapp message",
})  # fmt: skip


def is_chat(channel: str | None) -> bool:
    """Whether a ticket of this channel is a conversation."""
    return (channel or "") in CHATS
