"""Finds the recorded answer to a request; the rules are in `replay`."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from urllib.parse import parse_qsl, unquote, urlsplit

if __package__:
    from .cassettes import Interaction
else:  # `replay` run as a file
    from cassettes import Interaction

Params = tuple[tuple[str, str], ...]

# The Help Center's lists are there with a language and without.
_LOCALE = re.compile(r"^(/api/v2/help_center)/[a-z]{2}(?:-[a-z]{2,4})?(?=/)")
_POSITIONS = frozenset({"page", "page[after]", "page[before]", "cursor"})


def target(url: str) -> tuple[str, Params]:
    """Path and sorted parameters of an address, so that equal requests are equal."""
    parts = urlsplit(url)
    # Some clients have recorded '/tickets.json&include=users', without a question mark, and were answered.
    path, _, more = parts.path.partition("&")
    path = re.sub("/+", "/", unquote(path)).rstrip("/").removesuffix(".json")
    path = _LOCALE.sub(r"\1", path)
    params = parse_qsl("&".join(part for part in (parts.query, more) if part), keep_blank_values=True)
    return path, tuple(sorted(params))


def _position(params: Params) -> dict[str, str]:
    return {name: value for name, value in params if name in _POSITIONS and value and (name, value) != ("page", "1")}


def _start(params: Params) -> int | None:
    value = dict(params).get("start_time", "")
    return int(value) if value.isdecimal() else None


@dataclass
class Recorded:
    """All answers to one request, and how many of them were given."""

    params: Params
    answers: list[Interaction] = field(default_factory=list)
    given: int = 0

    def next(self) -> Interaction:
        """The next answer, or the last one again."""
        answer = self.answers[min(self.given, len(self.answers) - 1)]
        self.given += 1
        return answer

    def leads_to(self, cursor: str | None, start: int | None) -> bool:
        """Whether what follows the last answer is at this cursor or time."""
        last = self.answers[-1].json
        if not isinstance(last, dict):
            return False
        if cursor:
            return cursor == str(last.get("after_cursor"))
        following = _start(target(str(last.get("next_page") or ""))[1])
        return start is not None and start in (following, last.get("end_time"))

    @property
    def ends(self) -> bool:
        """Whether the last answer is the end of an export."""
        last = self.answers[-1].json
        return isinstance(last, dict) and bool(last.get("end_of_stream", not last.get("next_page")))


class Tape:
    """Recorded interactions, found by request."""

    def __init__(self, interactions: list[Interaction]) -> None:
        self._routes: dict[tuple[str, str], list[Recorded]] = {}
        for interaction in interactions:
            path, params = target(interaction.url)
            known = self._routes.setdefault((interaction.method, path), [])
            recorded = next((one for one in known if one.params == params), None)
            if recorded is None:
                known.append(recorded := Recorded(params))
            recorded.answers.append(interaction)
        for key, known in self._routes.items():
            if any(_is_an_answer(answer) for one in known for answer in one.answers):
                kept = [Recorded(one.params, [a for a in one.answers if _is_an_answer(a)]) for one in known]
                self._routes[key] = [one for one in kept if one.answers]

    def find(self, method: str, url: str) -> Interaction | None:
        """The answer to a request; None where there is none."""
        path, params = target(url)
        known = self._routes.get((method, path), [])
        recorded = next((one for one in known if one.params == params), None) or _like(known, params)
        return recorded.next() if recorded else None

    def unused(self) -> list[str]:
        """Recorded GETs that nobody asked for."""
        return [
            line(method, one.answers[0].url)
            for (method, _), known in self._routes.items()
            for one in known
            if method == "GET" and not one.given
        ]


def _is_an_answer(interaction: Interaction) -> bool:
    return interaction.status not in (304, 401)


def _like(known: list[Recorded], params: Params) -> Recorded | None:
    position, start = _position(params), _start(params)
    same = [one for one in known if _position(one.params) == position]
    if position:
        end = [one for one in known if one.ends and one.leads_to(position.get("cursor"), None)]
        same = same or end
    elif start is not None and any(one.leads_to(None, start) for one in known):
        later = [(begins, one) for one in same if (begins := _start(one.params)) is not None and begins >= start]
        end = [one for one in same if one.ends and one.leads_to(None, start)]
        return min(later, key=lambda one: one[0])[1] if later else next(iter(end), None)
    else:
        same = same or known[:1]
    return max(same, key=lambda one: len(set(one.params) & set(params)), default=None)


def line(method: str, url: str) -> str:
    """A request as people read it."""
    parts = urlsplit(url)
    return f"{method} {parts.path}" + (f"?{unquote(parts.query)}" if parts.query else "")


def recorded_hosts(interactions: list[Interaction]) -> list[str]:
    """The account's host names with their ports: Zendesk's where there are any, else all that an API was asked at.

    Whoever made a recording may have replaced the name in the requests only: what an answer calls the next page of the
    same list is the account, too.
    """
    asked: dict[str, None] = {}
    named: dict[str, None] = {}
    for one in interactions:
        if urlsplit(one.url).path.startswith("/api/"):
            asked[_host(one.url)] = None
            path = target(one.url)[0]
            named |= {_host(address): None for address in _next_pages(one.json) if target(address)[0] == path}
    zendesk = [host for host in asked if "zendesk" in host] or list(asked)
    return [host for host in dict.fromkeys([*zendesk, *named]) if host]


def _host(url: str) -> str:
    return urlsplit(url).netloc.rpartition("@")[2].lower()


def _next_pages(answer: object) -> list[str]:
    if not isinstance(answer, dict):
        return []
    links = answer.get("links")
    places = [answer.get("next_page"), answer.get("after_url"), links.get("next") if isinstance(links, dict) else None]
    return [place for place in places if isinstance(place, str)]
