"""The marked sentences of the benchmark, as a floor: what recognisers catch, and what they leave alone."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import pytest

from connectors.store.database import Store
from trainer.privacy.lexicon import Lexicon
from trainer.privacy.slots import Slots

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"


@pytest.fixture(scope="module")
def benchmark() -> ModuleType:
    spec = importlib.util.spec_from_file_location("privacy_benchmark", BENCHMARKS / "privacy.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["privacy_benchmark"] = module  # its dataclasses look themselves up
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def lexicon(store: Store) -> Lexicon:
    return Lexicon.of_desk(store, "zendesk")


@pytest.mark.parametrize(("name", "recall", "precision"), [("sample", 0.97, 0.98), ("heldout", 0.95, 0.94)])
def test_marked_sentences(benchmark: ModuleType, name: str, recall: float, precision: float) -> None:
    marked = list(benchmark.sentences(BENCHMARKS / f"privacy_{name}.txt"))
    scores = benchmark.score(marked, Lexicon()).values()
    assert sum(one.caught for one in scores) / sum(one.marks for one in scores) >= recall
    assert sum(one.right for one in scores) / sum(one.spans for one in scores) >= precision


def test_the_sample_companys_people_are_not_left_in_its_replies(
    benchmark: ModuleType, store: Store, lexicon: Lexicon
) -> None:
    turns = benchmark.company(store)
    agents = store.history.agents("zendesk")
    requesters = {one.requester.id: one.requester for one in turns if one.requester}
    names = benchmark.people_names([*requesters.values(), *agents], lexicon)
    raw = benchmark.names_left((one.reply for one in turns), names)
    hidden = [Slots(one.requester, agents, one.agent, lexicon=lexicon).hide(one.reply) for one in turns]
    assert raw.total() > 700
    assert benchmark.names_left(hidden, names).total() <= 6


def test_a_lexicon_knows_the_desks_numbers_words_and_depots(lexicon: Lexicon) -> None:
    kinds = {form.kind for form in lexicon.forms}
    assert {"tracking_number", "claim_number", "customer_number", "invoice_number"} <= kinds
    assert {"fernway", "tilburg", "zwolle"} <= lexicon.public
    assert {"parcel", "pakket", "sendung"} <= lexicon.common
    assert "oluwaseun" in lexicon.given
    assert not lexicon.given & lexicon.common


def test_the_desks_own_words_and_depots_stay(lexicon: Lexicon) -> None:
    text = "Fernway Parcels has it in Zwolle, not in Roosendaal. Parcel Express costs more. Das Paket ist in Zwolle."
    hidden = Slots(None, lexicon=lexicon).hide(text)
    assert hidden == text.replace("Roosendaal", "{{place_1}}")


def test_numbers_are_typed_by_form_and_by_the_word_before(lexicon: Lexicon) -> None:
    slots = Slots(None, lexicon=lexicon)
    hidden = slots.hide(
        "FW204518337NL, claim CL-48211, FI-2026-10452 and order no. 48211; order 48212; again 48211 B-20417"
    )
    assert hidden == (
        "{{tracking_number_1}}, claim {{claim_number_1}}, {{invoice_number_1}} and order no. {{order_number_1}}; order"
        " {{order_number_2}}; again 48211 {{customer_number_1}}"
    )
    assert slots.fill("{{order_number}} {{order_number_2}} {{order_number_3}} {{return_number_1}}") == (
        "48211 48212 [order number] [return number]"
    )


def test_a_form_is_learned_from_repetition_and_public_codes_are_none() -> None:
    texts = [
        (str(n), f"My order is FWP-{100000 + n}, form CN{22 + n % 2}, {n + 200} parcels of {n + 2000} g")
        for n in range(8)
    ]
    learned = Lexicon.learn(["Use form CN22 or CN23."], texts, [])
    assert [(form.kind, bool(form.pattern.fullmatch("fwp-123456"))) for form in learned.forms] == [
        ("order_number", True)
    ]
    assert not learned.forms[0].pattern.search("FWP-12 FWP-1234567 XFWP-123456 CN22")
    assert Lexicon.learn([], texts[:4], []).forms == ()
