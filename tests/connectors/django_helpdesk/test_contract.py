"""The contract, with a real django-helpdesk."""

from __future__ import annotations

from ..contract import HelpdeskContract


class TestDjangoHelpdesk(HelpdeskContract):
    """`desk` is in conftest.py."""
