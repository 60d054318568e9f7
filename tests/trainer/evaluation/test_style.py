"""Style is how a team writes, not which facts it writes."""

from __future__ import annotations

import random

from trainer.evaluation.style import neutral, style_auc

GREETINGS = ("Hi {{first_name}},", "Hello {{first_name}},", "Dear {{first_name}},")
MIDDLES = ("your parcel is in Tilburg", "we have asked the depot", "the driver comes back", "it was delivered")


def sent(count: int, seed: int) -> list[str]:
    chance = random.Random(seed)
    parts = [(chance.choice(GREETINGS), chance.choice(MIDDLES), chance.randint(1, 28)) for _ in range(count)]
    return [f"{greeting} {middle} on {day} May." for greeting, middle, day in parts]


def test_facts_slots_and_blanks_are_the_same_to_it() -> None:
    assert neutral("It costs €7 on 3 May, {{tracking_number_1}}.") == "It costs [amount] on [date], [tracking number]."
    assert neutral("It costs [amount] on [date], [tracking number].") == neutral(
        "It costs €9 on 4 June, {{tracking_number_2}}."
    )


def test_the_teams_own_words_cannot_be_told_apart_and_a_strangers_can() -> None:
    team = sent(80, 1)
    assert 0.3 < style_auc(sent(80, 2), team) < 0.7
    strange = [text.replace(" on ", " hopefully, as an assistant, around ") for text in sent(80, 2)]
    assert style_auc(strange, team) > 0.95
    dates_only = [text.replace(" May", " June") for text in sent(80, 2)]
    assert style_auc(dates_only, team) < 0.7


def test_the_same_text_is_no_hint_that_the_other_is_the_draft() -> None:
    team = [f"Reply {number} of the team to its own question" for number in range(40)]
    assert style_auc(team, team) == 0.5


def test_too_few_and_empty_drafts_say_nothing() -> None:
    team = sent(9, 1)
    assert style_auc(team, team) is None
    assert style_auc([""] * 40, sent(40, 1)) is None
