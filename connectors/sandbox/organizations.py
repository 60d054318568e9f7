"""The sample company's business customers as organizations.

Its files name none, so they follow from the tickets: whoever writes to the business desk from a domain that nobody else
in the sample writes from belongs to an organization with that domain.
"""

from __future__ import annotations

import hashlib
import json
from collections import defaultdict

from connectors.sandbox.company import Company
from connectors.sandbox.database import Row, iso

BUSINESS_GROUP = "B2B"


def organization_id_for(domain: str) -> int:
    """An organization's id from its domain, so that it stays the same however much of the company is seeded."""
    digest = hashlib.sha256(domain.encode()).digest()
    return 360_000_000_000 + int.from_bytes(digest[:8], "big") % 9_999_999_999


def business_customers(company: Company, *, created_s: float) -> list[Row]:
    """The organizations' rows, by domain.

    Args:
        company: Whose customers they are.
        created_s: Unix seconds at which they were all created.
    """
    senders: dict[str, set[str]] = defaultdict(set)
    business: set[str] = set()
    for ticket in (*company.tickets, *company.live_pool):
        address = ticket.requester.email.strip().lower()
        domain = address.rpartition("@")[2]
        senders[domain].add(address)
        if ticket.group == BUSINESS_GROUP and ticket.kind != "spam":
            business.add(domain)
    return [
        {
            "id": organization_id_for(domain),
            "name": domain.partition(".")[0].replace("-", " ").title(),
            "domain_names": json.dumps([domain]),
            "created_at": iso(created_s),
            "updated_s": int(created_s),
        }
        for domain in sorted(business)
        if len(senders[domain]) == 1  # a mail provider has customers of its own
    ]
