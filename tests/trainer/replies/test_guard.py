"""The guard: one reason for silence at a time, names as blanks, and slots that are nobody's."""

from __future__ import annotations

from typing import Any

import pytest

from connectors.records import User
from trainer.privacy.leaks import People
from trainer.replies.guard import Guard, Verdict

KOFI = User("1", "Kofi Mensah", "kofi@mail.example", "requester")
ASKED = "Where is my parcel? I have been waiting for it for a whole week and nobody tells me where it is."
DUTCH = "Goedemiddag, uw pakket is gisteren gesorteerd en de bezorger brengt het morgen aan de deur bij u."


def judge(text: str, **changes: Any) -> Verdict:
    guard = Guard(People([KOFI]), min_similarity=0.3, max_effort=0.5)
    return guard.judge(text, **({"similarity": 0.6, "asked": ASKED, "known": [ASKED], "effort": 0.2} | changes))


def test_a_good_draft_is_shown_as_it_is() -> None:
    assert judge("Hi {{first_name}}, it comes soon.") == Verdict("Hi {{first_name}}, it comes soon.")


@pytest.mark.parametrize(
    ("text", "changes", "silence"),
    [
        (" \n", {}, "empty"),
        ("It comes soon.", {"similarity": 0.29}, "no_similar"),
        ("Ask kofi@mail.example.", {}, "leak"),
        (DUTCH, {}, "language"),
        ("It comes soon.", {"effort": 0.51}, "unsure"),
        ("It comes soon.", {"effort": None}, ""),
        ("Ask kofi@mail.example.", {"known": ["I am kofi@mail.example"]}, ""),
        ("Ask kofi@mail.example.", {"allowed": [KOFI]}, ""),
    ],
)
def test_silence_has_a_reason(text: str, changes: dict[str, Any], silence: str) -> None:
    verdict = judge(text, **changes)
    assert verdict.silence == silence
    assert verdict.text == ("" if silence else text)


def test_a_name_of_nobody_here_is_a_blank_and_the_rest_is_shown() -> None:
    verdict = judge("Dear {{first_name}}, Kofi Mensah has it.")
    assert verdict == Verdict("Dear {{first_name}}, [name] has it.", "", ("person",))
