"""What is known of the files on a comment. The files themselves do not exist, so their addresses answer 404.

See https://developer.zendesk.com/api-reference/ticketing/tickets/ticket-attachments/.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

from connectors.sandbox.database import Row
from connectors.sandbox.refusals import record_invalid

Json = dict[str, Any]
REDACTED = "redacted.txt"  # what a redacted file is called, as on the real service


def pack(comment_id: int, files: Iterable[object]) -> str | None:
    """Files as a comment's row holds them, None where there is none.

    Args:
        comment_id: Gives the files their ids.
        files: Each with ``file_name``, ``content_type``, ``size`` in bytes and, for a picture in the text, ``inline``.

    Raises:
        Refusal: 422 where one has no name or a size that is none.
    """
    packed = []
    for number, file in enumerate(files):
        if not isinstance(file, dict) or not file.get("file_name") or not isinstance(file.get("size", 0), int):
            raise record_invalid("attachments", "Attachments: is invalid")
        packed.append(
            {
                "id": comment_id * 10 + number,
                "file_name": str(file["file_name"]),
                "content_type": str(file.get("content_type") or "application/octet-stream"),
                "size": file.get("size", 0),
                "inline": bool(file.get("inline")),
            }
        )
    return json.dumps(packed) if packed else None


def attachments_json(row: Row, base_url: str, *, inline: bool = False) -> list[Json]:
    """A comment's attachments.

    Args:
        row: The comment.
        base_url: This server.
        inline: With the pictures inside the text as well, which the API leaves out unless it is asked for them.
    """
    if not row["attachments"]:
        return []
    return [_attachment(file, base_url) for file in json.loads(row["attachments"]) if inline or not file["inline"]]


def content_url(file: Json, base_url: str) -> str:
    """Where a file would be."""
    return f"{base_url}/attachments/token/{file['id']:x}/?name={file['file_name']}"


def _attachment(file: Json, base_url: str) -> Json:
    url = content_url(file, base_url)
    return {
        "url": f"{base_url}/api/v2/attachments/{file['id']}.json",
        **file,
        "content_url": url,
        "mapped_content_url": url,
        "width": None,
        "height": None,
        "deleted": False,
        "malware_access_override": False,
        "malware_scan_result": "malware_not_found",
        "thumbnails": [],
    }
