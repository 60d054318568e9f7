"""What goes in and out of the API. The same models check the requests, make the answers and are the OpenAPI document.

Attributes' docstrings are for the readers of that document. Offsets count characters (Unicode code points).
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

MAX_REASON_CHARS = 500
MAX_FACT_CHARS = 500

State = Literal["none", "drafting", "ready", "silent", "failed"]
Silence = Literal["", "no_similar", "unsure", "leak", "language", "empty", "switched_off", "withheld"]
Action = Literal["inserted", "copied", "edited", "thumb_up", "thumb_down"]


class _In(BaseModel):
    # Strict: a number is no text, whatever it could be turned into.
    model_config = ConfigDict(extra="forbid", strict=True)


class _Out(BaseModel):
    model_config = ConfigDict(from_attributes=True, extra="ignore", json_schema_serialization_defaults_required=True)


class Ask(_In):
    """Asks for a draft; with a fact, for one that says it."""

    fact: Annotated[str, StringConstraints(strip_whitespace=True, max_length=MAX_FACT_CHARS, pattern=r"\S")] | None = (
        Field(
            default=None,
            description="What the draft cannot know, such as 'the parcel is in Ghent'. It counts as support for the "
            "draft's claims, together with those told before for the same customer message.",
        )
    )


class Feedback(_In):
    """What an agent did with a suggestion, or thinks of it."""

    action: Action = Field(description="`edited`: what was inserted or copied had been changed before.")
    reason: str = Field(default="", max_length=MAX_REASON_CHARS, description="Why, after a thumb.")


class Span(_Out):
    """A place in a draft."""

    text: str
    start: int = Field(ge=0)
    end: int = Field(ge=0)


class Claim(Span):
    """A checkable statement: a number, date, time, amount, link or identifier."""

    supported: bool = Field(description="Whether it stands in the ticket, in a source, or in a fact that was told.")
    source: str = Field(description="What supports it; empty where nothing does.")


class Source(_Out):
    """A passage that the draft was written with."""

    kind: str = Field(description="`article` or `ticket`.")
    id: str
    title: str
    url: str = Field(description="Empty where it has none.")
    excerpt: str
    updated_at: str


class Reply(_Out):
    """A text to send, with all that a person must look at before."""

    draft: str
    claims: list[Claim]
    blanks: list[Span] = Field(description="Such as `[date]`: for a person to fill in.")
    sources: list[Source]


class Alternative(Reply):
    """Another reply to the same message."""

    origin: str = Field(description="`past_reply` (what was once answered) or `draft` (what the model wrote).")


class Suggestion(Reply):
    """The draft for the newest customer message."""

    id: str
    language: str = Field(description="ISO 639-1; empty where it is not known.")
    model_version: str
    created_at: str
    confidence: float | None = Field(description="1 less the share of words that will probably be changed, if known.")
    alternatives: list[Alternative] = Field(description="Best first.")
    unused_facts: list[str] = Field(description="What was told and the draft does not say.")


class Route(_Out):
    """The group that would take the ticket."""

    group_id: str
    group_name: str
    probability: float
    reasons: list[str]
    alternatives: list[tuple[str, str, float]] = Field(description="Group id, name and probability, best first.")
    applied: bool = Field(description="Whether the ticket is in that group.")
    doubt: Literal["", "unsure", "unfamiliar"] = Field(description="Why it is not set without a person.")
    priority: str = Field(description="Suggested, never set; empty for none.")
    tags: list[str] = Field(description="Suggested, never set.")


class TicketSuggestion(_Out):
    """Where the suggestion for a ticket's newest customer message stands."""

    ticket_id: str
    state: State = Field(
        description="`none`: nothing was asked for. `drafting`: on its way, ask again soon. `ready`: see `suggestion`. "
        "`silent`: none was good enough, see `silence`. `failed`: given up, see `message`."
    )
    message: str = Field(default="", description="For people: why it is silent or has failed. English.")
    silence: Silence = Field(default="", description="Why it is silent, for programs.")
    turn_id: str | None = Field(default=None, description="The customer message that the suggestion answers.")
    note_posted: bool = Field(default=False, description="Whether it stands in the helpdesk as an internal note.")
    partial: str = Field(default="", description="While drafting: what is written so far. To look at, not to send.")
    facts: list[str] = Field(default_factory=list, description="What agents told for this message.")
    suggestion: Suggestion | None = None
    route: Route | None = None


class FeedbackCounts(_Out):
    """How often each thing was done with a suggestion."""

    inserted: int = 0
    copied: int = 0
    edited: int = 0
    thumb_up: int = 0
    thumb_down: int = 0


class Health(_Out):
    """Whether drafts can be expected."""

    status: Literal["ready", "not ready"]
    reason: str = Field(default="", description="Why it is not ready.")
    model: str = Field(default="", description="The live version.")
    waiting: int = Field(default=0, description="Tickets that wait for a draft.")


class ErrorDetail(_Out):
    """What went wrong."""

    code: str = Field(description="For programs, such as `not_found`.")
    message: str = Field(description="For people.")


class Error(_Out):
    """The answer of every request that failed."""

    error: ErrorDetail
