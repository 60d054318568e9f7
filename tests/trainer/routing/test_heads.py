"""Priority and tags: learned where the words tell them, never suggested where they do not, saved without a pickle."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from connectors.errors import ModelError
from connectors.records import Ticket
from connectors.store.database import Store
from connectors.store.examples import Example
from trainer.routing.arrays import Matrix
from trainer.routing.head_training import score_heads, tag_thresholds, train_heads
from trainer.routing.heads import Guess, Heads

DESK = "zendesk"
# How each kind of ticket begins and goes on, and the priority and the tags that the team gives it.
KINDS = (
    ("Refund not here", "the money for the shoes that I returned is not on my account", "normal", ("refund",)),
    ("Parcel came broken", "the vase inside is in pieces, a photo comes with this", "normal", ("damage", "photo")),
    ("Insulin not here", "the medicine must stay cold, somebody depends on it", "urgent", ("medical",)),
    ("Invoice of March", "the invoice lacks our VAT number", "low", ("invoice",)),
)
FILLERS = ("we wait", "many thanks", "please answer", "I asked before", "from Tilburg", "since Monday", "kind regards")

Make = Callable[..., list[Example]]


def blind(texts: Sequence[str]) -> Matrix:
    """An encoder that sees nothing: what is learned with it is learned from words."""
    return np.zeros((len(texts), 4), np.float32)


def kind_of(number: int) -> tuple[str, str, str, tuple[str, ...]]:
    return KINDS[number % 4]


@pytest.fixture(scope="module")
def make(example: Callable[..., Example]) -> Make:
    """Saves tickets of all kinds in turn; `change` alters one, given its number. Returns an example of each."""

    def make(store: Store, numbers: range, change: Callable[[int], dict[str, Any]] = lambda _: {}) -> list[Example]:
        examples = []
        for number in numbers:
            subject, body, priority, tags = kind_of(number)
            rng = Random(number)
            body = " ".join([rng.choice(FILLERS), body, rng.choice(FILLERS), rng.choice(FILLERS)])
            at = f"2026-04-01T00:00:00.{number:04d}Z"
            values: dict[str, Any] = {"priority": priority, "tags": tags} | change(number)
            store.mirror.save(DESK, [Ticket(str(number), subject, "closed", "90", at, at, 1000, **values)])
            examples.append(example(number, question=f"Subject: {subject}\n\nCustomer: {body}", created_at=at))
        return examples

    return make


@dataclasses.dataclass
class Taught:
    heads: Heads
    store: Store
    train: list[Example]
    held_out: list[Example]


def by_chance(number: int) -> dict[str, Any]:
    """What no word of a ticket tells: a high priority for one in ten, a tag for one in three."""
    priority = "high" if Random(f"p{number}").random() < 0.1 else "normal"
    tags = [*kind_of(number)[3], "every", *(("deskhand_drafted", "closed_by_merge") if number % 2 else ())]
    if Random(f"t{number}").random() < 0.33:
        tags.append("called_twice")
    if number in (3, 33, 63):
        tags.append("rare")
    return {"priority": priority, "tags": tuple(tags)}


@pytest.fixture(scope="module")
def desks(tmp_path_factory: pytest.TempPathFactory, make: Make) -> Iterator[Callable[[str], Taught]]:
    """A desk whose words tell everything, and one where half of it is chance; each is trained on once."""
    taught: dict[str, Taught] = {}

    def desk(name: str) -> Taught:
        if name not in taught:
            store = Store(tmp_path_factory.mktemp(name) / "desk.db")
            change = by_chance if name == "chance" else lambda _: {}
            train, held_out = make(store, range(120), change), make(store, range(120, 160), change)
            taught[name] = Taught(train_heads(store, DESK, train, blind, seed=1), store, train, held_out)
        return taught[name]

    yield desk
    for one in taught.values():
        one.store.close()


@pytest.fixture
def told(desks: Callable[[str], Taught]) -> Taught:
    return desks("told")


@pytest.fixture
def chance(desks: Callable[[str], Taught]) -> Taught:
    return desks("chance")


def guesses(heads: Heads, *texts: str) -> list[Guess]:
    return heads.guess(texts, blind)


# ---- what is suggested


def test_what_the_words_tell_is_suggested(told: Taught) -> None:
    found = guesses(told.heads, *(f"{subject}\n{body}" for subject, body, *_ in KINDS))
    assert found == [Guess(priority, tags) for *_, priority, tags in KINDS]


def test_a_ticket_may_have_tags_of_two_kinds(told: Taught) -> None:
    both = f"{KINDS[0][0]} {KINDS[1][0]}\n{KINDS[0][1]}. {KINDS[1][1]}"
    assert {"refund", "damage"} <= set(guesses(told.heads, both)[0].tags)


def test_nothing_is_suggested_for_words_that_nobody_has_used(told: Taught) -> None:
    assert guesses(told.heads, "Quod erat demonstrandum")[0].tags == ()


def test_what_no_word_tells_is_never_suggested(chance: Taught) -> None:
    assert chance.heads.priority is not None
    assert chance.heads.tags is not None
    texts = [one.question for one in (*chance.train, *chance.held_out)]
    found = guesses(chance.heads, *texts)
    assert {one.priority for one in found} == {""}
    assert "called_twice" in chance.heads.tags.labels
    assert "called_twice" not in {tag for one in found for tag in one.tags}
    assert {"refund", "invoice"} <= {tag for one in found for tag in one.tags}, "the others still are"


def test_tags_of_programs_of_every_ticket_and_of_hardly_any_are_not_learned(chance: Taught) -> None:
    assert chance.heads.tags is not None
    assert set(chance.heads.tags.labels) == {"refund", "damage", "photo", "medical", "invoice", "called_twice"}


def test_what_the_encoder_sees_counts_too(make: Make, empty_store: Store) -> None:
    def seeing(texts: Sequence[str]) -> Matrix:
        return np.asarray([[float("Monday" in text), 1.0] for text in texts], np.float32)

    examples = make(empty_store, range(80))
    for one in examples:
        ticket = empty_store.history.ticket(DESK, one.ticket_id)
        assert ticket is not None
        tags = ("monday",) if "Monday" in one.question else ()
        empty_store.mirror.save(DESK, [dataclasses.replace(ticket, tags=tags)])
    heads = train_heads(empty_store, DESK, examples, seeing)
    assert heads.guess(["zxcv"], lambda _: np.ones((1, 2), np.float32))[0].tags == ("monday",)
    assert heads.guess(["zxcv"], lambda _: np.asarray([[0, 1]], np.float32))[0].tags == ()


@pytest.mark.parametrize(
    ("priorities", "expected"),
    [((None, None), None), (("normal", "normal"), None), (("normal", None), None), (("low", "high"), {"low", "high"})],
)
def test_a_priority_is_learned_only_where_there_are_two(
    priorities: tuple[str | None, str | None], expected: set[str] | None, make: Make, empty_store: Store
) -> None:
    examples = make(empty_store, range(40), lambda number: {"priority": priorities[number % 2], "tags": ()})
    head = train_heads(empty_store, DESK, examples, blind).priority
    assert (set(head.labels) if head else None) == expected


def test_a_priority_of_seven_tickets_is_too_rare(make: Make, empty_store: Store) -> None:
    examples = make(empty_store, range(40), lambda number: {"priority": "high" if number < 7 else "low", "tags": ()})
    assert train_heads(empty_store, DESK, examples, blind) == Heads()
    examples += make(empty_store, range(40, 41), lambda _: {"priority": "high", "tags": ()})
    assert train_heads(empty_store, DESK, examples, blind).priority is not None


def test_a_ticket_counts_once_and_one_that_is_gone_does_not(make: Make, empty_store: Store) -> None:
    examples = make(empty_store, range(12), lambda number: {"priority": None, "tags": ("few",) if number < 4 else ()})
    again = [dataclasses.replace(one, turn=1, comment_id=f"{one.comment_id}b") for one in examples]
    gone = [dataclasses.replace(one, ticket_id=f"9{one.ticket_id}") for one in examples]
    assert train_heads(empty_store, DESK, [*examples, *again, *gone], blind).tags is None, "4 tickets are too few"
    assert train_heads(empty_store, DESK, [], blind) == Heads()


def test_the_same_seed_gives_the_same_heads(told: Taught) -> None:
    again = train_heads(told.store, DESK, told.train, blind, seed=1)
    assert again.tags is not None
    assert told.heads.tags is not None
    assert np.array_equal(again.tags.linear.weights, told.heads.tags.linear.weights)
    assert np.array_equal(again.tags.thresholds, told.heads.tags.thresholds)


# ---- thresholds


def test_a_tag_is_suggested_from_where_it_is_right_often_enough() -> None:
    rng = np.random.default_rng(0)
    probabilities = rng.random((4000, 2)).astype(np.float32)
    truth = rng.random((4000, 2)) < probabilities  # calibrated: of those at p or above, (1 + p) / 2 are right
    first, second = tag_thresholds(probabilities, truth, 0.85)
    assert first == pytest.approx(0.7, abs=0.04)
    assert second == pytest.approx(0.7, abs=0.04)
    stricter = tag_thresholds(probabilities, truth, 0.95)
    assert (stricter > [first, second]).all()


def test_a_tag_that_is_wrong_at_any_probability_is_never_suggested() -> None:
    probabilities = np.tile(np.linspace(0, 1, 400, dtype=np.float32)[:, None], (1, 2))
    truth = np.stack([probabilities[:, 0] > 0.5, np.zeros(400, bool)], axis=1)
    right, wrong = tag_thresholds(probabilities, truth)
    assert right <= 0.9
    assert wrong == np.inf


def test_a_tag_that_was_guessed_once_leans_on_the_others() -> None:
    probabilities = np.zeros((100, 2), np.float32)
    truth = np.zeros((100, 2), bool)
    probabilities[:40, 0] = 0.9
    truth[:40, 0] = True
    probabilities[0, 1], truth[0, 1] = 0.9, True
    assert tag_thresholds(probabilities, truth)[1] <= 0.9, "the others are right, and so was this one"
    truth[:20, 0] = False
    assert tag_thresholds(probabilities, truth)[1] == np.inf, "one hit is not enough where half of the others are wrong"


# ---- scores


def test_scores_are_what_counting_the_guesses_gives(chance: Taught) -> None:
    assert chance.heads.tags is not None
    known = set(chance.heads.tags.labels)
    found = guesses(
        chance.heads, *(f"{kind_of(n)[0]}\n{one.question.split('Customer: ')[1]}" for n, one in rows(chance))
    )
    wanted = [known & set(by_chance(number)["tags"]) for number, _ in rows(chance)]
    right = sum(len(set(guess.tags) & tags) for guess, tags in zip(found, wanted, strict=True))
    given, all_wanted = sum(len(guess.tags) for guess in found), sum(map(len, wanted))
    usual = sum(chance.heads.tags.labels[0] in tags for tags in wanted)
    priority, tags = score_heads(chance.heads, chance.store, DESK, chance.held_out, blind)
    assert right > 10
    assert (tags.head, tags.tickets, tags.metric) == ("tags", 40, "micro-F1")
    assert tags.precision == pytest.approx(right / given)
    assert tags.recall == pytest.approx(right / all_wanted)
    assert tags.value == pytest.approx(2 * right / (given + all_wanted))
    assert tags.control == pytest.approx(2 * usual / (40 + all_wanted))
    assert tags.suggested == pytest.approx(sum(bool(guess.tags) for guess in found) / 40)
    assert (priority.head, priority.tickets, priority.metric) == ("priority", 40, "accuracy")
    assert priority.control == np.mean([by_chance(number)["priority"] == "normal" for number, _ in rows(chance)])
    assert (priority.suggested, priority.precision, priority.recall) == (0, 0, 0)


def rows(taught: Taught) -> list[tuple[int, Example]]:
    return [(int(one.ticket_id), one) for one in taught.held_out]


def test_where_the_words_tell_both_heads_beat_their_control(told: Taught) -> None:
    for score in score_heads(told.heads, told.store, DESK, told.held_out, blind):
        assert score.value > 0.9 > score.control + 0.2
        assert score.precision > 0.9
        assert score.recall > 0.8
        assert score.suggested > 0.9


def test_heads_that_are_not_there_have_no_score(told: Taught) -> None:
    assert score_heads(Heads(), told.store, DESK, told.held_out, blind) == []
    only = dataclasses.replace(told.heads, priority=None)
    assert [score.head for score in score_heads(only, told.store, DESK, told.held_out, blind)] == ["tags"]
    assert score_heads(told.heads, told.store, DESK, [], blind) == []
    assert guesses(only, KINDS[2][0] + KINDS[2][1]) == [Guess("", ("medical",))]


# ---- files


def test_heads_are_loaded_as_they_were_saved(told: Taught, chance: Taught, tmp_path: Path) -> None:
    for number, taught in enumerate((told, chance)):
        folder = tmp_path / str(number)
        folder.mkdir()
        taught.heads.save(folder)
        assert sorted(path.name for path in folder.rglob("*.*")) == ["heads.json", "heads.safetensors"]
        texts = [one.question for one in taught.held_out]
        assert guesses(Heads.load(folder), *texts) == guesses(taught.heads, *texts)


def test_a_version_without_heads_suggests_nothing(tmp_path: Path) -> None:
    Heads().save(tmp_path)
    assert list(tmp_path.iterdir()) == []
    heads = Heads.load(tmp_path)
    assert heads == Heads()
    assert guesses(heads, "Insulin not here", "x") == [Guess(), Guess()]


def without_json(folder: Path) -> None:
    (folder / "heads.json").unlink()


def without_arrays(folder: Path) -> None:
    (folder / "heads.safetensors").unlink()


def torn(folder: Path) -> None:
    (folder / "heads.safetensors").write_bytes((folder / "heads.safetensors").read_bytes()[:1000])


def a_list(folder: Path) -> None:
    (folder / "heads.json").write_text('["tags"]')


def no_labels(folder: Path) -> None:
    (folder / "heads.json").write_text('{"tags": {"temperature": 1}}')


def a_label_more(folder: Path) -> None:
    facts = json.loads((folder / "heads.json").read_text())
    facts["tags"]["labels"].append("one more")
    (folder / "heads.json").write_text(json.dumps(facts))


def no_frequencies(folder: Path) -> None:
    arrays = load_file(folder / "heads.safetensors")
    del arrays["idf"]
    save_file(arrays, folder / "heads.safetensors")


@pytest.mark.parametrize(
    "damage", [without_json, without_arrays, torn, a_list, no_labels, a_label_more, no_frequencies]
)
def test_damaged_heads_are_told(damage: Callable[[Path], None], told: Taught, tmp_path: Path) -> None:
    told.heads.save(tmp_path)
    damage(tmp_path / "heads")
    with pytest.raises(ModelError, match=r"heads in .* cannot be read") as caught:
        Heads.load(tmp_path)
    assert "rollback" in caught.value.hint
