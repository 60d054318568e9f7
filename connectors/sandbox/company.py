"""The sample company as typed objects: brand, groups, agents, macros, articles and tickets from one folder.

The format of the files is in ``company/README.md``. A folder that is only partly filled loads as far as it goes;
a file that is there but wrong ends in an error that names the file and the ticket.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import UTC, date, datetime, time
from pathlib import Path
from typing import Annotated, Any, Literal

import yaml
from pydantic import AliasChoices, BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from connectors.errors import ConfigError

COMPANY_FOLDER = Path(__file__).parent / "company"
LIVE_POOL = 24  # the newest tickets, held back so that a demo can open them one by one
TRACKING_NUMBER = re.compile(r"\bFW\d{9}[A-Z]{2}\b")


def _utc(value: object) -> object:
    """YAML knows dates and times with or without a zone; everything here is UTC."""
    if isinstance(value, datetime):
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)
    if isinstance(value, date):
        return datetime.combine(value, time(12), tzinfo=UTC)
    return value


Moment = Annotated[datetime, BeforeValidator(_utc)]


class _Record(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore", populate_by_name=True)


class Brand(_Record):
    """The brand whose helpdesk this is."""

    id: int
    name: str
    subdomain: str
    locale: str = "en"


class Group(_Record):
    """A team of agents."""

    id: int
    name: str
    description: str = ""


class Agent(_Record):
    """A member of the desk; ``key`` is how the ticket files call them, ``groups`` are group names."""

    key: str
    id: int
    name: str
    email: str
    groups: tuple[str, ...] = ()
    role: Literal["admin", "agent"] = "agent"


class TicketField(_Record):
    """A custom ticket field."""

    id: int
    title: str
    type: str = "text"
    options: tuple[str, ...] = ()


class Section(_Record):
    """A section of the help centre."""

    id: int
    name: str = Field(validation_alias=AliasChoices("name", "title"))
    key: str = ""
    description: str = ""


class Macro(_Record):
    """A saved reply."""

    id: int | None = None
    title: str = Field(validation_alias=AliasChoices("title", "name"))
    body: str = Field(default="", validation_alias=AliasChoices("body", "comment", "reply", "text"))
    description: str = ""
    group: str | None = None
    tags: tuple[str, ...] = ()
    status: str | None = None
    actions: tuple[dict[str, Any], ...] = ()


class Article(_Record):
    """A help-centre article; ``markdown`` is its text, ``slug`` the file's name."""

    slug: str
    title: str
    markdown: str
    id: int | None = None
    section: str | int | None = None
    labels: tuple[str, ...] = Field(default=(), validation_alias=AliasChoices("labels", "label_names", "tags"))
    created: Moment | None = Field(default=None, validation_alias=AliasChoices("created", "created_at", "date"))
    updated: Moment | None = Field(default=None, validation_alias=AliasChoices("updated", "updated_at"))
    draft: bool = False
    vote_sum: int = 0


class Requester(_Record):
    """A customer; ``name`` may be empty for a bare address."""

    name: str = ""
    email: str


class Satisfaction(_Record):
    """What the customer said about the answer."""

    score: Literal["good", "bad"]
    comment: str = ""


class Comment(_Record):
    """One comment; ``author`` is ``requester`` or an agent's key."""

    author: str = Field(validation_alias=AliasChoices("from", "author"))
    at: Moment
    body: str
    public: bool = True


class Ticket(_Record):
    """One ticket with its thread; ``kind`` is the truth for tests and never shows in the API."""

    id: int
    created: Moment
    channel: Literal["email", "web", "chat"] = "email"
    requester: Requester
    language: str = "en"
    subject: str
    group: str
    tags: tuple[str, ...] = ()
    priority: Literal["low", "normal", "high", "urgent"] = "normal"
    status: Literal["solved", "closed"] = "solved"
    satisfaction: Satisfaction | None = None
    kind: str = "answered"
    comments: tuple[Comment, ...] = Field(min_length=1)


class Company(_Record):
    """Everything in the folder.

    Attributes:
        tickets: Solved tickets, oldest first: the history and the older part of the future files.
        live_pool: The newest ``LIVE_POOL`` tickets of the future files, oldest first; opened one by one.
    """

    brand: Brand
    groups: tuple[Group, ...]
    agents: tuple[Agent, ...]
    ticket_fields: tuple[TicketField, ...] = ()
    sections: tuple[Section, ...] = ()
    macros: tuple[Macro, ...] = ()
    articles: tuple[Article, ...] = ()
    tickets: tuple[Ticket, ...] = ()
    live_pool: tuple[Ticket, ...] = ()

    def writer(self) -> Agent:
        """The agent whose account Deskhand writes as; the first admin where there is none of that name."""
        named = [agent for agent in self.agents if agent.key == "deskhand"]
        return (named or [agent for agent in self.agents if agent.role == "admin"] or list(self.agents))[0]


def load_company(folder: Path = COMPANY_FOLDER, *, live_pool: int = LIVE_POOL) -> Company:
    """Read the company from its folder.

    Args:
        folder: Holds ``company.yaml`` and, where they exist yet, ``macros.yaml``, ``articles/`` and ``tickets/``.
        live_pool: How many of the newest future tickets to hold back.

    Raises:
        ConfigError: A file cannot be read or a ticket is wrong; the message lists all of them with file and id.
    """
    frame = _mapping(folder / "company.yaml")
    macros = folder / "macros.yaml"
    problems: list[str] = []
    history = _tickets(sorted(folder.glob("tickets/2*.yaml")), problems)
    future = sorted(_tickets(sorted(folder.glob("tickets/future-*.yaml")), problems), key=lambda one: one.created)
    articles = [_article(path, problems) for path in sorted(folder.glob("articles/*.md"))]
    held = future[len(future) - live_pool :] if 0 < live_pool < len(future) else future if live_pool else []
    older = future[: len(future) - len(held)]
    data = frame | {
        "macros": _items(macros, "macros") if macros.exists() else frame.get("macros") or (),
        "articles": [one for one in articles if one],
        "tickets": sorted([*history, *older], key=lambda one: (one.created, one.id)),
        "live_pool": held,
    }
    company: Company | None = None
    try:
        company = Company.model_validate({key: value for key, value in data.items() if value is not None})
    except ValidationError as error:
        problems += _explain("company.yaml, macros.yaml", error)
    if company:
        problems += _cross_checks(company)
    if company is None or problems:
        raise ConfigError(
            f"the sample company in {folder} has {len(problems)} problem(s):\n  " + "\n  ".join(problems),
            hint="Correct the files named above; their format is in the company's README.md.",
        )
    return company


def _tickets(paths: Iterable[Path], problems: list[str]) -> list[Ticket]:
    tickets = []
    for path in paths:
        for position, item in enumerate(_items(path, "tickets"), start=1):
            name = f"{path.name}, ticket {item.get('id', f'no. {position}')}" if isinstance(item, dict) else path.name
            try:
                tickets.append(Ticket.model_validate(item))
            except ValidationError as error:
                problems += _explain(name, error)
    return tickets


def _article(path: Path, problems: list[str]) -> Article | None:
    text = path.read_text(encoding="utf-8")
    match = re.match(r"\A---\n(.*?)\n---\n(.*)\Z", text, re.DOTALL)
    front: Any = _parse(path, match[1]) if match else {}
    body = match[2] if match else text
    if not isinstance(front, dict):
        problems.append(f"{path.name}: the front matter is not a mapping")
        return None
    title = front.get("title") or next((line[2:] for line in body.splitlines() if line.startswith("# ")), path.stem)
    try:
        return Article.model_validate({"slug": path.stem, **front, "title": title, "markdown": body.strip()})
    except ValidationError as error:
        problems += _explain(path.name, error)
        return None


def _cross_checks(company: Company) -> list[str]:
    keys = {agent.key for agent in company.agents} | {"requester"}
    groups = {group.name for group in company.groups}
    seen: set[int] = set()
    problems = []
    for ticket in (*company.tickets, *company.live_pool):
        if ticket.id in seen:
            problems.append(f"ticket {ticket.id}: the id is used twice")
        seen.add(ticket.id)
        if ticket.group not in groups:
            problems.append(f"ticket {ticket.id}: no group {ticket.group!r}")
        if ticket.comments[0].author != "requester":
            problems.append(f"ticket {ticket.id}: the first comment is not the requester's")
        problems += [
            f"ticket {ticket.id}: nobody has the key {comment.author!r}"
            for comment in ticket.comments
            if comment.author not in keys
        ]
    return problems


def _explain(name: str, error: ValidationError) -> list[str]:
    return [f"{name}: {'.'.join(map(str, one['loc']))}: {one['msg']}" for one in error.errors(include_input=False)]


def _mapping(path: Path) -> dict[str, Any]:
    data = _parse(path, _text(path))
    if not isinstance(data, dict):
        raise ConfigError(f"{path} is not a mapping", hint="See the company's README.md for its format.")
    return data


def _items(path: Path, key: str) -> list[Any]:
    data = _parse(path, _text(path))
    if isinstance(data, dict):
        data = data.get(key)
    if data is None:  # an empty file: somebody has only begun to write it
        return []
    if not isinstance(data, list):
        raise ConfigError(f"{path} is not a list", hint="See the company's README.md for its format.")
    return data


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"cannot read {path}: {error}", hint="The sandbox needs the sample company.") from error


def _parse(path: Path, text: str) -> Any:
    try:
        return yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise ConfigError(f"{path} is not valid YAML: {error}", hint="Correct the file.") from error
