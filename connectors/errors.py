"""Errors, grouped by what the caller can do about them.

Every message says what happened, to which ticket or setting, and what to do next. It never holds a ticket's text, a
token or a customer's address: messages end up in logs.
"""

from __future__ import annotations


class DeskhandError(Exception):
    """Something went wrong that we can explain.

    Attributes:
        hint: What to do next, often a command; shown on a line of its own. May be empty.
        exit_code: What the command line exits with.
    """

    exit_code = 1

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message)
        self.hint = hint


class RetriableError(DeskhandError):
    """It may work later: a rate limit, a time-out, a 5xx.

    Attributes:
        retry_after_s: Seconds that the other side asked us to wait; None where it did not say.
    """

    exit_code = 75  # EX_TEMPFAIL of sysexits.h: cron and systemd read it as 'try again'

    def __init__(self, message: str, *, hint: str = "", retry_after_s: float | None = None) -> None:
        super().__init__(message, hint=hint)
        self.retry_after_s = retry_after_s


class SkippableError(DeskhandError):
    """One item or stream cannot be had; the rest can go on. Counted and reported in the summary."""


class SlowAnswerError(RetriableError):
    """The helpdesk took too long (504, a time-out): asking for less may help."""


class FatalError(DeskhandError):
    """Going on makes no sense before a person has changed something."""


class RefusedError(FatalError):
    """The helpdesk understood and does not want to: a 4xx that no other error is for.

    Attributes:
        status: The HTTP status.
    """

    def __init__(self, message: str, *, hint: str = "", status: int = 400) -> None:
        super().__init__(message, hint=hint)
        self.status = status


class ConfigError(FatalError):
    """A setting is missing or wrong; the message lists all problems at once."""

    exit_code = 78  # EX_CONFIG


class CredentialError(FatalError):
    """The helpdesk refuses our credential (401), or it may not do what we ask (403)."""


class ForbiddenError(CredentialError):
    """The helpdesk knows us, but this credential may not do what we ask (403); it may do other things."""


class NotFoundError(SkippableError):
    """The helpdesk does not have it (404, 410)."""


class StaleTicketError(DeskhandError):
    """Somebody changed the ticket since we read it (409, 412); read it again and decide again."""


class TicketClosedError(SkippableError):
    """A closed or deleted ticket takes no update any more."""


class OvertakenError(SkippableError):
    """Something newer on the same ticket waits, and what comes of it will answer both."""


class CursorError(FatalError):
    """A paginated stream came back with the cursor we sent: going on would loop for ever."""


class StoreError(FatalError):
    """The database cannot be read or written: disk full, read-only, damaged, or from a newer version."""


class LockedError(FatalError):
    """Another Deskhand process holds the lock."""


class ModelError(FatalError):
    """Weights or a model version are missing or damaged."""


class NotEnoughDataError(FatalError):
    """Too few examples to learn from or to measure with."""


class WebhookError(DeskhandError):
    """A webhook that we do not believe: wrong signature, too old, or not the shape we know."""
