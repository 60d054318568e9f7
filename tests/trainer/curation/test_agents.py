"""Weights of agents: drawn towards the team where little is known, and never far from one."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from trainer.curation.agents import LEAST, MOST, Agents


def counted(*rows: tuple[str, int, int, int, int]) -> dict[str, float]:
    """Rows of (agent, good, bad, not rated, of which came back); returns the weights."""
    agents = Agents()
    for agent_id, good, bad, unrated, back in rows:
        outcomes = ["good"] * good + ["bad"] * bad + [None] * unrated
        for number, one in enumerate(outcomes):
            agents.add(agent_id, satisfaction=one, came_back=number < back)
    return {one.agent_id: one.weight for one in agents.quality()}


def test_better_ratings_and_fewer_come_backs_weigh_more() -> None:
    weights = counted(("a", 80, 20, 0, 0), ("b", 50, 50, 0, 0))
    assert weights["a"] > 1 > weights["b"]
    weights = counted(("a", 0, 0, 100, 2), ("b", 0, 0, 100, 40))
    assert weights["a"] > 1 > weights["b"]


def test_one_bad_rating_says_little() -> None:
    weights = counted(("new", 0, 1, 0, 0), ("team", 90, 10, 0, 0))
    assert 0.9 < weights["new"] < 1


def test_a_team_without_ratings_weighs_one() -> None:
    assert counted(("a", 0, 0, 50, 0), ("b", 0, 0, 5, 0)) == {"a": 1.0, "b": 1.0}
    assert counted() == {}


@given(st.lists(st.tuples(*[st.integers(0, 30)] * 4), max_size=6))
def test_no_weight_leaves_its_bounds(rows: list[tuple[int, int, int, int]]) -> None:
    weights = counted(*[(str(number), *row) for number, row in enumerate(rows)])
    assert all(LEAST <= weight <= MOST for weight in weights.values())


def test_the_counts_are_reported_most_answers_first() -> None:
    agents = Agents()
    for who, satisfaction, back in (("a", "good", False), ("b", None, True), ("b", "bad", False)):
        agents.add(who, satisfaction=satisfaction, came_back=back)
    assert [(one.agent_id, one.answers, one.rated, one.good, one.came_back) for one in agents.quality()] == [
        ("b", 2, 1, 0, 1),
        ("a", 1, 1, 1, 0),
    ]
