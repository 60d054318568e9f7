"""Rows of everything around the tickets as the JSON objects of the Zendesk API.

Shapes follow https://developer.zendesk.com/api-reference/ticketing/introduction/ and
https://developer.zendesk.com/api-reference/help_center/help-center-api/introduction/.
"""

from __future__ import annotations

import json
from typing import Any

from connectors.sandbox.database import Row, iso

Json = dict[str, Any]


def group_json(row: Row, base_url: str) -> Json:
    """A group."""
    return {
        "url": f"{base_url}/api/v2/groups/{row['id']}.json",
        "id": row["id"],
        "name": row["name"],
        "description": row["description"],
        "default": False,
        "deleted": False,
        "is_public": True,
        "created_at": row["created_at"],
        "updated_at": row["created_at"],
    }


def organization_json(row: Row, base_url: str) -> Json:
    """An organization; customers with an address at one of its domains belong to it."""
    return {
        "url": f"{base_url}/api/v2/organizations/{row['id']}.json",
        "id": row["id"],
        "name": row["name"],
        "shared_tickets": False,
        "shared_comments": False,
        "external_id": None,
        "created_at": row["created_at"],
        "updated_at": iso(row["updated_s"]),
        "domain_names": json.loads(row["domain_names"]),
        "details": None,
        "notes": None,
        "group_id": None,
        "tags": [],
        "organization_fields": {},
    }


def macro_json(row: Row, base_url: str) -> Json:
    """A macro with its actions; the reply is the action on ``comment_value``."""
    return {
        "url": f"{base_url}/api/v2/macros/{row['id']}.json",
        "id": row["id"],
        "title": row["title"],
        "description": row["description"],
        "active": True,
        "position": row["position"],
        "actions": json.loads(row["actions"]),
        "restriction": None,
        "created_at": row["created_at"],
        "updated_at": row["created_at"],
    }


def brand_json(row: Row, base_url: str) -> Json:
    """A brand."""
    return {
        "url": f"{base_url}/api/v2/brands/{row['id']}.json",
        "id": row["id"],
        "name": row["name"],
        "subdomain": row["subdomain"],
        "brand_url": base_url,
        "active": True,
        "default": True,
        "has_help_center": True,
        "help_center_state": "enabled",
        "created_at": row["created_at"],
        "updated_at": row["created_at"],
    }


def ticket_field_json(row: Row, base_url: str) -> Json:
    """A custom ticket field; a drop-down carries its options."""
    field = {
        "url": f"{base_url}/api/v2/ticket_fields/{row['id']}.json",
        "id": row["id"],
        "type": row["type"],
        "title": row["title"],
        "raw_title": row["title"],
        "description": "",
        "position": row["position"],
        "active": True,
        "required": False,
        "removable": True,
        "created_at": row["created_at"],
        "updated_at": row["created_at"],
    }
    options = json.loads(row["options"])
    if options:
        field["custom_field_options"] = [
            {"id": row["id"] * 100 + n, "name": o, "value": o} for n, o in enumerate(options)
        ]
    return field


def rating_json(row: Row, base_url: str) -> Json:
    """A satisfaction rating."""
    return {
        "url": f"{base_url}/api/v2/satisfaction_ratings/{row['id']}.json",
        **{key: row[key] for key in ("id", "assignee_id", "group_id", "requester_id", "ticket_id")},
        **{key: row[key] for key in ("score", "comment", "created_at")},
        "updated_at": row["created_at"],
        "reason": None,
    }


def section_json(row: Row, base_url: str) -> Json:
    """A section of the help centre."""
    return {
        "url": f"{base_url}/api/v2/help_center/en/sections/{row['id']}.json",
        "html_url": f"{base_url}/hc/en",
        **{key: row[key] for key in ("id", "name", "description", "position", "created_at")},
        "updated_at": row["created_at"],
        "locale": "en",
    }


def article_json(row: Row, base_url: str) -> Json:
    """A help-centre article; ``body`` is HTML."""
    return {
        "url": f"{base_url}/api/v2/help_center/{row['locale']}/articles/{row['id']}.json",
        "html_url": f"{base_url}/hc/{row['locale']}/articles/{row['id']}-{row['slug']}",
        **{key: row[key] for key in ("id", "title", "body", "author_id", "section_id", "locale", "vote_sum")},
        **{key: row[key] for key in ("created_at", "updated_at", "edited_at")},
        "source_locale": row["locale"],
        "name": row["title"],
        "label_names": json.loads(row["label_names"]),
        "draft": bool(row["draft"]),
        "promoted": False,
        "comments_disabled": True,
        "outdated": False,
        "vote_count": abs(row["vote_sum"]),
        "position": 0,
    }


def webhook_json(row: Row) -> Json:
    """A webhook, without its signing secret."""
    return {
        **{key: row[key] for key in ("id", "name", "endpoint", "status", "created_at")},
        "subscriptions": json.loads(row["subscriptions"]),
        "http_method": "POST",
        "request_format": "json",
        "created_by": str(row["created_by"]),
        "updated_at": row["created_at"],
    }


def trigger_json(row: Row, base_url: str) -> Json:
    """A trigger."""
    return {
        "url": f"{base_url}/api/v2/triggers/{row['id']}.json",
        **{key: row[key] for key in ("id", "title", "position", "created_at")},
        "active": bool(row["active"]),
        "conditions": json.loads(row["conditions"]),
        "actions": json.loads(row["actions"]),
        "updated_at": row["created_at"],
    }
