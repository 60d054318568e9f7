"""How much to learn from whom: agents whose customers are content, and do not come back, weigh a little more.

Few ratings say little: every agent's shares are drawn towards the team's mean as by `PRIOR` tickets of an average
colleague (an empirical Bayes estimate; Efron and Morris, 1975). Weights stay between one half and one and a half: this
is about examples, not about people.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

PRIOR = 20.0
LEAST, MOST = 0.5, 1.5


@dataclass(frozen=True, slots=True)
class AgentQuality:
    """One agent's answers.

    Attributes:
        answers: How many were looked at.
        rated: How many stand in a ticket that the customer rated; `good` of them were rated good.
        came_back: After how many the customer came back since it had not helped.
        weight: What their examples are multiplied by.
    """

    agent_id: str
    answers: int
    rated: int
    good: int
    came_back: int
    weight: float


class Agents:
    """Counts answer by answer, and says at the end."""

    def __init__(self) -> None:
        self._answers: Counter[str] = Counter()
        self._rated: Counter[str] = Counter()
        self._good: Counter[str] = Counter()
        self._came_back: Counter[str] = Counter()

    def add(self, agent_id: str, *, satisfaction: str | None, came_back: bool) -> None:
        """One answer, as it turned out."""
        self._answers[agent_id] += 1
        self._rated[agent_id] += satisfaction in ("good", "bad")
        self._good[agent_id] += satisfaction == "good"
        self._came_back[agent_id] += came_back

    def quality(self) -> list[AgentQuality]:
        """Everybody who answered, most answers first."""
        good_mean = (self._good.total() + 1) / (self._rated.total() + 1)
        stayed_mean = 1 - self._came_back.total() / max(1, self._answers.total())
        return [
            AgentQuality(
                agent_id, answers, self._rated[agent_id], self._good[agent_id], self._came_back[agent_id],
                self._weight(agent_id, good_mean, stayed_mean),
            )
            for agent_id, answers in sorted(self._answers.items(), key=lambda item: (-item[1], item[0]))
        ]  # fmt: skip

    def _weight(self, agent_id: str, good_mean: float, stayed_mean: float) -> float:
        good = (self._good[agent_id] + PRIOR * good_mean) / (self._rated[agent_id] + PRIOR)
        stayed = self._answers[agent_id] - self._came_back[agent_id]
        held = (stayed + PRIOR * stayed_mean) / (self._answers[agent_id] + PRIOR)
        return round(min(MOST, max(LEAST, good / good_mean * held / max(stayed_mean, 1e-9))), 3)
