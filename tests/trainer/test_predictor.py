"""A trained version at work: the ticket's own facts, named sources, silence, and no group that is gone."""

from __future__ import annotations

import dataclasses
import itertools
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from connectors.errors import ModelError, OvertakenError
from connectors.records import Comment, Group, Ticket, User
from connectors.settings import PluginSettings
from connectors.store.database import Store
from connectors.store.history import Turn
from connectors.store.suggestions import SHOWN, SILENT, Suggestion
from trainer.conversation import latest_turn
from trainer.predictor import Predictor
from trainer.registry import Registry
from trainer.replies.confidence import FEATURES, Confidence
from trainer.retrieval.retriever import Encoder, Retriever
from trainer.routing.heads import Head, Heads
from trainer.routing.linear import Linear

pytestmark = pytest.mark.weights

DESK = "zendesk"
ZOE = User("990", "Zoë Testmann", "zoe.testmann@mail.example", "requester")
KARIM = User("5009", "Karim Haddad", "karim@desk.example", "agent")


@pytest.fixture(scope="module")
def nearest(home: Any) -> Predictor:
    """Serves the most similar ticket's reply."""
    home.registry.promote(home.publish("nearest"), by="admin")
    return Predictor.load(home.settings, home.store)


@pytest.fixture(scope="module")
def tuned(home: Any) -> Predictor:
    """Serves drafts of the fine-tuned model."""
    return Predictor.load(home.settings, home.store, home.publish("tuned_retrieval"))


@pytest.fixture(scope="module")
def asked(home: Any) -> str:
    """What a customer of the past asked, whose reply began with their first name and held a fact of their own."""
    known = [one for one in home.store.examples.kept(DESK) if one.turn == 0 and "{{first_name}}" in one.reply]
    return latest_turn(known[-1].question).replace("{{reference_1}}", "FW900000001NL")


@pytest.fixture
def moved(nearest: Predictor, tmp_path: Path) -> Iterator[Predictor]:
    """The same version over a copy of the store, for tests that change it."""
    for path in nearest.store.path.parent.glob(f"{nearest.store.path.name}*"):  # with what is still in its log
        shutil.copy(path, tmp_path / path.name)
    with Store(tmp_path / nearest.store.path.name) as store:
        encoder = Encoder(nearest.manifest.encoder, tmp_path)
        yield dataclasses.replace(nearest, store=store, retriever=Retriever(store, DESK, encoder))


Ask = Callable[..., Suggestion]


@pytest.fixture
def ask(ticket: Callable[..., Ticket], home: Any) -> Ask:
    """Lets a predictor answer a customer's words; anything about the ticket can be given."""

    def ask(
        predictor: Predictor,
        *lines: tuple[User, str] | tuple[User, str, bool],
        requester: User | None = ZOE,
        serving: dict[str, Any] | None = None,
        **changes: Any,
    ) -> Suggestion:
        turns = []
        for number, (author, text, *public) in enumerate(lines, start=1):
            at = f"2026-11-20T09:{number:02d}:00Z"
            comment = Comment(f"c{number}", "7", author.id, public[0] if public else True, text, at)
            turns.append(Turn(comment, author))
        agents = [*home.store.history.agents(DESK), KARIM]
        return predictor.suggest(
            ticket(**({"requester_id": "990"} | changes)), requester, turns, agents, **(serving or {})
        )

    return ask


def test_a_suggestion_greets_the_tickets_own_customer(nearest: Predictor, ask: Ask, asked: str) -> None:
    found = ask(nearest, (ZOE, asked))
    assert found.state == SHOWN
    assert "Zoë" in found.draft.splitlines()[0]
    assert "{{" not in found.draft
    assert (found.helpdesk, found.ticket_id, found.turn_id) == (DESK, "7", "c1")
    assert found.model_version == nearest.manifest.version
    assert found.language in ("en", "nl", "de")
    assert found.latency_s > 0


def test_a_customer_without_a_name_is_greeted_without_one(nearest: Predictor, ask: Ask, asked: str) -> None:
    draft = ask(nearest, (ZOE, asked), requester=None).draft
    assert draft
    assert "{{" not in draft
    assert "Zoë" not in draft
    assert " ," not in draft


def test_the_agent_who_has_the_ticket_signs_and_else_it_is_left_open(home: Any, nearest: Predictor, ask: Ask) -> None:
    signed = [
        one for one in home.store.examples.kept(DESK) if one.reply.rstrip().endswith("{{agent}}\nFernway Parcels")
    ]
    question = latest_turn(signed[-1].question)
    assert "\n[your name]\n" in ask(nearest, (ZOE, question)).draft
    assert "\nKarim\n" in ask(nearest, (ZOE, question), assignee_id=KARIM.id).draft


def test_the_sources_are_named_with_where_to_find_them(nearest: Predictor, ask: Ask, asked: str) -> None:
    found = ask(nearest, (ZOE, asked))
    kinds = [source.kind for source in found.sources]
    assert kinds[0] == "ticket"
    assert "article" in kinds
    assert len({(source.kind, source.id) for source in found.sources}) == len(found.sources)
    for source in found.sources:
        assert source.title
        assert 0 < len(source.excerpt.split()) <= 41
        assert source.updated_at
    ticket = found.sources[0]
    assert ticket.title == f"Ticket #{ticket.id}"
    assert ticket.url.endswith(f"/agent/tickets/{ticket.id}")
    article = found.sources[kinds.index("article")]
    assert article.url.startswith("http")
    assert article.id in {one.id for one in nearest.store.history.articles(DESK)}


def test_each_claim_stands_where_it_says_and_is_supported_by_the_ticket_or_an_article(
    home: Any, nearest: Predictor, ask: Ask
) -> None:
    claims = 0
    for one in [one for one in home.store.examples.kept(DESK) if one.turn == 0][-12:]:
        found = ask(nearest, (ZOE, latest_turn(one.question)))
        used = {source.id for source in found.sources if source.kind == "article"}
        titles = ("ticket", *(one.title for one in home.store.history.articles(DESK) if one.id in used))
        for claim in found.claims:
            claims += 1
            assert found.draft[claim.start : claim.end] == claim.text
            assert claim.supported
            assert claim.source.startswith(titles)
    assert claims > 5


def test_the_tickets_number_is_filled_in_and_no_other_customers(home: Any, nearest: Predictor, ask: Ask) -> None:
    held = [
        one
        for one in home.store.examples.kept(DESK)
        if "{{tracking_number_1}}" in one.reply and "{{tracking_number_1}}" in latest_turn(one.question)
    ]
    question = latest_turn(held[-1].question).replace("{{tracking_number_1}}", "FW900000001NL")
    assert "FW900000001NL" in ask(nearest, (ZOE, question)).draft
    without = ask(nearest, (ZOE, latest_turn(held[-1].question).replace("{{tracking_number_1}}", "my parcel"))).draft
    assert "[tracking number]" in without


@pytest.mark.parametrize(
    "text",
    [
        "Dear friend, the eigenvalues of a Hermitian operator are real, quod erat demonstrandum.",
        "zxcv qwer asdf uiop",
    ],
)
def test_nothing_is_shown_where_nothing_is_similar(nearest: Predictor, tuned: Predictor, ask: Ask, text: str) -> None:
    for predictor in (nearest, tuned):
        found = ask(predictor, (ZOE, text), subject="Lemma")
        assert found.state == SILENT
        assert (found.draft, found.language, found.claims, found.sources) == ("", "", (), ())
        assert found.route is not None


def test_the_route_is_a_group_of_the_desk_with_alternatives(nearest: Predictor, ask: Ask, asked: str) -> None:
    route = ask(nearest, (ZOE, asked)).route
    assert route is not None
    groups = {group.id: group for group in nearest.store.history.groups(DESK)}
    assert route.group_name == groups[route.group_id].name
    assert route.reasons == (groups[route.group_id].description,)
    chances = [route.probability, *(chance for *_, chance in route.alternatives)]
    assert chances == sorted(chances, reverse=True)
    assert len(route.alternatives) == 2
    assert route.group_id not in {group_id for group_id, *_ in route.alternatives}
    assert 0 < sum(chances) <= 1.001


def test_a_group_that_was_deleted_is_never_suggested(moved: Predictor, ask: Ask, asked: str) -> None:
    sure = with_router(moved, thresholds=np.zeros(len(moved.router.classes), np.float32))
    gone: set[str] = set()
    for left in (2, 1, 0):
        route = ask(sure, (ZOE, asked)).route
        assert route is not None
        others = {group_id for group_id, *_ in route.alternatives}
        assert not {route.group_id, *others} & gone
        assert len(others) == left
        assert route.abstain is bool(gone), "what the router did not choose is left to a person"
        gone.add(route.group_id)
        moved.store.mirror.save(DESK, [Group(route.group_id, route.group_name, deleted=True)])
    found = ask(sure, (ZOE, asked))
    assert found.route is None
    assert found.state == SHOWN


def with_router(predictor: Predictor, **changes: Any) -> Predictor:
    return dataclasses.replace(predictor, router=dataclasses.replace(predictor.router, **changes))


@pytest.mark.parametrize(("threshold", "abstain"), [(0.0, False), (1.0, True), (None, False)])
def test_a_group_below_its_threshold_is_left_to_a_person(
    threshold: float | None, abstain: bool, nearest: Predictor, ask: Ask, asked: str
) -> None:
    # Versions from before there were thresholds have none.
    thresholds = np.full(0 if threshold is None else len(nearest.router.classes), threshold, np.float32)
    route = ask(with_router(nearest, thresholds=thresholds), (ZOE, asked)).route
    assert route is not None
    assert route.abstain is abstain


@pytest.mark.parametrize(
    ("familiarity", "expected"), [([-99.0] * 4, 0.0), ([-99.0, 99.0, 99.0, 99.0], 0.75), ([], 0.0)]
)
def test_a_route_says_how_strange_the_ticket_is(
    familiarity: list[float], expected: float, nearest: Predictor, ask: Ask, asked: str
) -> None:
    route = ask(with_router(nearest, familiarity=np.asarray(familiarity, np.float32)), (ZOE, asked)).route
    assert route is not None
    assert route.out_of_scope == expected


def sure_heads(predictor: Predictor) -> Heads:
    """Heads that suggest the same for every ticket: priority high, and the tags b and c."""
    width = predictor.embed["encoder"](["x"]).shape[1] + 2**15

    def head(labels: tuple[str, ...], bias: list[float], *, exclusive: bool) -> Head:
        linear = Linear(np.zeros((len(labels), width), np.float32), np.asarray(bias, np.float32))
        return Head(labels, linear, 1.0, np.full(len(labels), 0.5, np.float32), exclusive=exclusive)

    priority = head(("normal", "high"), [0.0, 5.0], exclusive=True)
    return Heads(priority, head(("a", "b", "c"), [-5.0, 5.0, 5.0], exclusive=False), np.ones(2**15, np.float32))


def test_priority_and_tags_are_suggested_where_the_ticket_lacks_them(nearest: Predictor, ask: Ask, asked: str) -> None:
    predictor = dataclasses.replace(nearest, heads=sure_heads(nearest))

    def found(**changes: Any) -> tuple[str, tuple[str, ...]]:
        route = ask(predictor, (ZOE, asked), **changes).route
        assert route is not None
        return route.priority, route.tags

    assert found() == ("high", ("b", "c"))
    assert found(priority="normal", tags=("x", "c")) == ("high", ("b",))
    assert found(priority="high", tags=("b", "c")) == ("", ())


def test_a_versions_heads_are_loaded_with_it(home: Any, nearest: Predictor) -> None:
    source = home.registry.path(nearest.manifest.version)
    with home.registry.new_version() as (version, folder):
        for name in ("route.json", "route.safetensors"):
            shutil.copy(source / name, folder)
        sure_heads(nearest).save(folder)
        facts = {"version": version, "reply_arm": "nearest", "route_arm": nearest.manifest.route_arm}
        Registry.finish(folder, dataclasses.replace(nearest.manifest, **facts))
    heads = Predictor.load(home.settings, home.store, version).heads
    assert heads.priority is not None
    assert heads.tags is not None
    assert (heads.priority.labels, heads.tags.labels) == (("normal", "high"), ("a", "b", "c"))
    (home.registry.path(version) / "heads" / "heads.json").unlink()
    with pytest.raises(ModelError, match=r"heads/heads.json is missing"):
        Predictor.load(home.settings, home.store, version)


def test_internal_notes_change_nothing(nearest: Predictor, ask: Ask, asked: str) -> None:
    note = (KARIM, "The driver lost it: FW911111111NL. Say nothing, call 010 555 01 99.", False)
    plain, noted = ask(nearest, (ZOE, asked)), ask(nearest, note, (ZOE, asked), note)
    assert noted.draft == plain.draft
    assert noted.route == plain.route
    assert (noted.turn_id, plain.turn_id) == ("c2", "c1")


def test_a_ticket_is_no_source_for_itself(home: Any, nearest: Predictor, ask: Ask) -> None:
    known = home.store.examples.kept(DESK)[-1]
    others = ask(nearest, (ZOE, latest_turn(known.question)), ticket_id="7")
    own = ask(nearest, (ZOE, latest_turn(known.question)), ticket_id=known.ticket_id)
    assert others.sources[0].id == known.ticket_id
    assert known.ticket_id not in {source.id for source in own.sources if source.kind == "ticket"}


def test_an_edited_article_changes_the_next_suggestions_sources(moved: Predictor, ask: Ask, asked: str) -> None:
    before = next(source for source in ask(moved, (ZOE, asked)).sources if source.kind == "article")
    (article,) = [one for one in moved.store.history.articles(DESK) if one.id == before.id]
    moved.store.mirror.save(DESK, [dataclasses.replace(article, title="A new title")])
    after = [source.title for source in ask(moved, (ZOE, asked)).sources if source.id == before.id]
    assert after
    assert after[0].startswith("A new title")


def test_a_draft_with_another_customers_address_is_withheld(
    home: Any, moved: Predictor, ask: Ask, asked: str, caplog: pytest.LogCaptureFixture
) -> None:
    leaky = [
        dataclasses.replace(one, reply=f"{one.reply}\n\nWe bring it to Hoevenseweg 88.")
        for one in moved.store.examples.kept(DESK)
    ]
    moved.store.examples.replace(DESK, leaky)
    found = ask(moved, (ZOE, f"{asked} There are 88 books."))  # so that the number is not left open as unsupported
    assert (found.state, found.draft, found.sources) == (SILENT, "", ())
    assert "ticket 7" in caplog.text
    assert "address" in caplog.text
    assert "Hoevenseweg" not in caplog.text
    assert ask(moved, (ZOE, f"{asked} I live at Hoevenseweg 88.")).state == SHOWN


def test_a_draft_in_another_language_than_the_customers_is_withheld(
    moved: Predictor, ask: Ask, asked: str, caplog: pytest.LogCaptureFixture
) -> None:
    def answer_all_with(reply: str) -> None:
        kept = moved.store.examples.kept(DESK)
        moved.store.examples.replace(DESK, [dataclasses.replace(one, reply=reply) for one in kept])

    answer_all_with("Goedemiddag, uw pakket is gisteren gesorteerd en de bezorger brengt het morgen aan de deur bij u.")
    found = ask(moved, (ZOE, asked))
    assert (found.state, found.draft, found.claims, found.sources) == (SILENT, "", (), ())
    assert found.route is not None
    assert "ticket 7: a draft was withheld, it was not in the customer's language" in caplog.text
    assert "pakket" not in caplog.text
    dutch = "Waar blijft mijn pakket? Ik wacht er al een hele week op en niemand kan mij vertellen waar het nu is."
    assert ask(moved, (ZOE, dutch)).state == SHOWN
    # What the customer wrote before does not count, and a word or two are no language.
    assert ask(moved, (ZOE, asked), (KARIM, "Which one?"), (ZOE, dutch)).state == SHOWN
    answer_all_with("Morgen, beloofd.")
    assert ask(moved, (ZOE, asked)).state == SHOWN


def test_a_draft_that_would_be_rewritten_is_not_shown(nearest: Predictor, ask: Ask, asked: str) -> None:
    zero = np.zeros(len(FEATURES))
    sure = Confidence(mean=0.4, centres=zero, scales=zero + 1, weights=zero, turns=50)
    judged = dataclasses.replace(nearest, confidence=sure, max_effort=0.5)
    found = ask(judged, (ZOE, asked))
    assert (found.state, found.confidence) == (SHOWN, 0.6)
    assert ask(dataclasses.replace(judged, max_effort=0.4), (ZOE, asked)).state == SHOWN
    silent = ask(dataclasses.replace(judged, max_effort=0.39), (ZOE, asked))
    assert (silent.state, silent.draft, silent.sources, silent.confidence) == (SILENT, "", (), 0.6)
    assert silent.route is not None
    by_similarity = np.where(np.asarray(FEATURES) == "ticket_similarity", -0.2, 0.0)
    other = dataclasses.replace(judged, confidence=dataclasses.replace(sure, weights=by_similarity))
    assert ask(other, (ZOE, asked)).confidence == pytest.approx(0.6 + 0.2 * 1.0, abs=0.1), (
        "the same question, so near 1"
    )


def test_a_versions_confidence_is_loaded_with_the_setting(home: Any, ask: Ask, asked: str) -> None:
    zero = np.zeros(len(FEATURES))
    plain = home.publish("nearest")
    with home.registry.new_version() as (version, folder):
        shutil.copytree(home.registry.path(plain), folder, dirs_exist_ok=True)
        (folder / "manifest.json").unlink()
        Confidence(mean=0.8, centres=zero, scales=zero + 1, weights=zero, turns=50).save(folder)
        home.registry.finish(folder, dataclasses.replace(home.registry.manifest(plain), version=version))
    strict = home.settings.model_copy(update={"plugin": PluginSettings(max_effort=0.7)})
    found = ask(Predictor.load(strict, home.store, version), (ZOE, asked))
    assert (found.state, found.confidence) == (SILENT, 0.2)


def test_there_is_nothing_to_suggest_after_the_teams_own_words(nearest: Predictor, ask: Ask, asked: str) -> None:
    for lines in ([(ZOE, asked), (KARIM, "It is on its way.")], [(KARIM, "note", False)], []):
        with pytest.raises(ModelError, match="ticket 7: the newest public comment is not the customer's"):
            ask(nearest, *lines)


def test_the_tuned_model_writes_a_draft_of_its_own_with_the_same_guards(tuned: Predictor, ask: Ask, asked: str) -> None:
    found = ask(tuned, (ZOE, asked))
    assert tuned.writer is not None
    assert found.state == SHOWN
    assert "{{" not in found.draft
    assert len(tuned.writer.tokenizer(found.draft)["input_ids"]) < 80
    assert all(found.draft[claim.start : claim.end] == claim.text for claim in found.claims)
    assert ask(tuned, (ZOE, asked)).draft == found.draft


def test_a_version_that_needs_no_model_loads_none(nearest: Predictor) -> None:
    assert (nearest.writer is None) == (nearest.manifest.route_arm != "tuned")


def test_the_live_version_is_loaded_where_none_is_named(home: Any, nearest: Predictor) -> None:
    live = home.registry.live()
    assert live is not None
    assert nearest.manifest.version == live.version


def test_without_a_live_version_it_says_what_to_do(home: Any, tmp_path: Path) -> None:
    settings = home.settings.model_copy(update={"home": tmp_path})
    with pytest.raises(ModelError, match="no model is live") as caught:
        Predictor.load(settings, home.store)
    assert "deskhand train" in caught.value.hint


def test_a_version_with_a_changed_file_is_not_loaded(home: Any) -> None:
    version = home.publish("nearest")
    (home.registry.path(version) / "route.json").write_text("{}")
    with pytest.raises(ModelError, match="was changed"):
        Predictor.load(home.settings, home.store, version)


# ---- while it is written, and with what agents told


def test_a_draft_is_seen_while_it_is_written(tuned: Predictor, ask: Ask, asked: str) -> None:
    seen: list[str] = []
    watched = ask(tuned, (ZOE, asked), serving={"on_text": seen.append, "max_effort": 1.0})
    assert seen
    assert all("{{" not in text for text in seen)
    assert all(later.startswith(earlier) for earlier, later in itertools.pairwise(seen))
    unwatched = ask(tuned, (ZOE, asked), serving={"max_effort": 1.0})
    assert watched.draft == unwatched.draft
    assert watched.draft.startswith(seen[0])


def test_what_nobody_waits_for_any_more_is_not_written_to_its_end(tuned: Predictor, ask: Ask, asked: str) -> None:
    looks: list[int] = []

    def stopped() -> bool:
        looks.append(1)
        return len(looks) >= 3

    with pytest.raises(OvertakenError):
        ask(tuned, (ZOE, asked), serving={"stopped": stopped})
    assert len(looks) == 4, "after the third token, and once more when it had ended"


@pytest.mark.parametrize("name", ["nearest", "tuned"])
def test_a_told_fact_is_stated_or_said_to_be_unused(
    name: str, request: pytest.FixtureRequest, ask: Ask, asked: str
) -> None:
    fact = "It comes on 3 April."
    found = ask(request.getfixturevalue(name), (ZOE, asked), serving={"facts": (fact,), "max_effort": 1.0})
    assert found.told_facts == (fact,)
    stated = [claim for claim in found.claims if "3 April" in claim.text]
    assert all((claim.supported, claim.source) == (True, "agent") for claim in stated)
    assert bool(stated) != (found.unused_facts == (fact,))


def test_without_a_wish_for_a_draft_there_is_a_route_only(nearest: Predictor, ask: Ask, asked: str) -> None:
    found = ask(nearest, (ZOE, asked), serving={"wants_draft": lambda route: route is None})
    assert (found.state, found.draft, found.silence) == (SILENT, "", "switched_off")
    assert found.route
