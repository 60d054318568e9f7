"""Agents' signatures, learned from what each of them ends their replies with again and again.

What the whole desk ends with (a closing sentence, a greeting, the firm's name) is house style and stays, and so does
the agent's name. What follows it and is theirs alone, or is a telephone number, an address or a disclaimer, goes: the
helpdesk puts it below a reply by itself, and a draft would bring it twice.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping

from connectors.store.database import Store
from trainer.text import own_words

# Read of each agent, and of all.
_REPLIES, _COMMENTS = 100, 20_000
_LAST_LINES = 14
_FEWEST_REPLIES = 8
_SHARE = 0.4
_LONGEST = 6  # words: a longer line after the name is a disclaimer, whoever else has it
_CONTACT = re.compile(r"\d{3}|@|www\.|https?:", re.IGNORECASE)
_LETTERS = re.compile(r"[^\W\d_]+")


class Signatures:
    """What every agent's replies end with.

    Args:
        replies: (agent id, text) of some recent replies of each agent, quotes left out.
        names: Agent id to name.
    """

    def __init__(self, replies: Iterable[tuple[str, str]] = (), names: Mapping[str, str] | None = None) -> None:
        lines: dict[str, Counter[str]] = {}
        counts: Counter[str] = Counter()
        for agent_id, text in replies:
            counts[agent_id] += 1
            lines.setdefault(agent_id, Counter()).update({line.strip() for line in _tail(text)} - {""})
        self._names = dict(names or {})
        self._usual = {
            agent_id: {line for line, n in seen.items() if n >= _SHARE * counts[agent_id]}
            for agent_id, seen in lines.items()
            if counts[agent_id] >= _FEWEST_REPLIES
        }
        shared = Counter(line for usual in self._usual.values() for line in usual)
        enough = max(2, len(self._usual) / 2)
        self._house = {line for line, n in shared.items() if n >= enough}

    @classmethod
    def of_desk(cls, store: Store, helpdesk: str) -> Signatures:
        """Learns from the newest replies of everybody who answers at a helpdesk."""
        replies = store.examples.recent_replies(helpdesk, each=_REPLIES, most=_COMMENTS)
        names = {agent.id: agent.name for agent in store.history.agents(helpdesk)}
        return cls(((agent_id, own_words(text)) for agent_id, text in replies), names)

    def strip(self, agent_id: str, text: str) -> str:
        """The text without what the agent's signature adds to it."""
        usual = self._usual.get(agent_id)
        if not usual:
            return text
        lines = text.rstrip().split("\n")
        start = len(lines)
        while (
            start > 1
            and len(lines) - start < _LAST_LINES
            and (not lines[start - 1].strip() or lines[start - 1].strip() in usual)
        ):
            start -= 1
        name = self._names.get(agent_id, "")
        signed = next((at for at in range(len(lines) - 1, start - 1, -1) if _is_name(lines[at], name)), None)
        if signed is None:
            signed = next((at - 1 for at in range(start, len(lines)) if _CONTACT.search(lines[at])), len(lines))
        kept = lines[: signed + 1] + [line for line in lines[signed + 1 :] if self._is_style(line.strip())]
        return "\n".join(kept).rstrip()

    def _is_style(self, line: str) -> bool:
        return not line or (line in self._house and len(line.split()) <= _LONGEST and not _CONTACT.search(line))


def _tail(text: str) -> list[str]:
    return text.rstrip().split("\n")[-_LAST_LINES:]


def _is_name(line: str, name: str) -> bool:
    words = _LETTERS.findall(line.lower())
    known = _LETTERS.findall(name.lower())
    return bool(words) and bool(known) and words[0] == known[0] and set(words) <= set(known)
