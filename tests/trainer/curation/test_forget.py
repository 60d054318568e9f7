"""Forgetting a customer of the sample company: the database, the index, and what is known and shown of the models."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from connectors.errors import FatalError, ModelError, NotFoundError
from connectors.store.database import Store
from connectors.store.examples import Example
from trainer.curation.curate import curate, explain
from trainer.curation.forget import forget_customer
from trainer.evaluation.page import PAGE, write_page
from trainer.evaluation.scores import (
    REPORT,
    SAMPLES,
    ReplyScore,
    Report,
    RouteScore,
    Sample,
    read_report,
    read_samples,
    write_report,
    write_samples,
)
from trainer.registry import Manifest, Registry

DESK = "zendesk"
FACTS: dict[str, Any] = {
    "created_at": "2026-11-24T09:00:00Z", "helpdesk": DESK, "base_model": "b", "encoder": "e", "reply_arm": "nearest",
    "route_arm": "tfidf", "max_prompt_tokens": 640, "max_reply_tokens": 220, "min_similarity": 0.4, "data_hash": "",
    "prompt_hash": "", "train_examples": 300, "train_until": "2026-10-20T16:58:22Z", "metrics": {}, "verdict": "",
    "files": {},
}  # fmt: skip


@pytest.fixture
def registry(tmp_path: Path) -> Registry:
    return Registry(tmp_path / "models")


@pytest.fixture
def add(registry: Registry) -> Callable[..., str]:
    def add(tickets: set[str], samples: list[Sample] | None = None) -> str:
        with registry.new_version() as (version, folder):
            Registry.write_tickets(folder, tickets)
            manifest = Manifest(version=version, **FACTS)
            if samples is not None:
                write_report(folder, make_report())
                write_samples(folder, samples)
                write_page(folder, make_report(), samples, manifest)
            Registry.finish(folder, manifest)
        return version

    return add


def make_report() -> Report:
    unsure = (-0.1, 0.1)
    route = RouteScore("tfidf", 40, 0.8, 0.7, 0.9, 0.1, 0.3, 0.2, 1.0, (0.0, 0.0))
    reply = ReplyScore(
        "nearest", 40, 0.512, (0.4, 0.6), unsure, 31.0, 0.4, 0.5, 32.0, 0.6, 0.3, 1.0, None, 0.6, 0, 0, 0, 0, 0, 0
    )
    return Report((route,), (reply,), "tfidf", "nearest", "A verdict.")


def sample_of(ticket_id: str, text: str) -> Sample:
    return Sample(ticket_id, f"Customer: {text} asks", f"{text} sent", {"nearest": f"{text} drafted"}, {"nearest": 0.5})


def test_a_customer_is_gone_from_data_set_and_the_versions_are_named(
    own_store: Store, examples: list[Example], registry: Registry, add: Callable[..., str]
) -> None:
    one, other = examples[0], next(each for each in examples if each.requester_id != examples[0].requester_id)
    touched, clean = add({one.ticket_id, other.ticket_id}), add({other.ticket_id})
    user = own_store.history.user(DESK, one.requester_id)
    assert user is not None
    done = forget_customer(own_store, DESK, registry, user.email)
    assert one.ticket_id in done.removed.tickets
    assert done.removed.examples >= 1
    assert done.versions == (touched,)
    assert registry.forgotten().keys() == {touched}
    assert clean not in done.versions
    assert own_store.history.user(DESK, one.requester_id) is None
    assert {each.requester_id for each in own_store.examples.kept(DESK)}.isdisjoint({one.requester_id, ""})
    curate(own_store, DESK)
    assert one.ticket_id not in {each.ticket_id for each in own_store.examples.kept(DESK)}
    assert "customer was forgotten" in explain(own_store, DESK, one.ticket_id)


def test_who_is_unknown_marks_nothing(own_store: Store, registry: Registry, add: Callable[..., str]) -> None:
    add({"1001"})
    with pytest.raises(NotFoundError):
        forget_customer(own_store, DESK, registry, "nobody@mail.example")
    assert registry.forgotten() == {}


def test_a_second_time_still_says_which_versions(
    own_store: Store, examples: list[Example], registry: Registry, add: Callable[..., str]
) -> None:
    version = add({examples[0].ticket_id})
    first = forget_customer(own_store, DESK, registry, examples[0].requester_id)
    again = forget_customer(own_store, DESK, registry, examples[0].requester_id)
    assert (first.versions, again.versions) == ((version,), (version,))
    assert again.removed == dataclasses.replace(
        first.removed, tickets=(), elsewhere=(), examples=0, mentions=(), already=True
    )


# ---- the samples of versions


@pytest.fixture
def two(examples: list[Example]) -> tuple[Example, Example]:
    """Tickets of two customers."""
    return examples[0], next(each for each in examples if each.requester_id != examples[0].requester_id)


def texts_of(folder: Path) -> str:
    return "".join(path.read_text(encoding="utf-8") for path in folder.iterdir() if path.is_file())


def test_samples_of_a_customer_leave_every_version_and_its_page(
    own_store: Store, two: tuple[Example, Example], registry: Registry, add: Callable[..., str]
) -> None:
    one, other = two
    both = [sample_of(one.ticket_id, "tulip"), sample_of(other.ticket_id, "acorn"), sample_of(one.ticket_id, "tulip2")]
    versions = [add({other.ticket_id}, both), add({one.ticket_id}, both)]
    for version in versions:
        assert "tulip asks" in (registry.path(version) / PAGE).read_text()
    forget_customer(own_store, DESK, registry, one.requester_id)
    for version in versions:
        folder = registry.path(version)
        assert "tulip" not in texts_of(folder)
        assert read_samples(folder) == [both[1]]
        page = (folder / PAGE).read_text()
        assert "acorn asks" in page
        assert "A verdict." in page
        assert read_report(folder) == make_report()
        assert registry.manifest(version).version == version, "it can still be served"
    assert sorted(path.name for path in registry.folder.iterdir()) == sorted([*versions, "forgotten.json"])


def test_a_ticket_of_others_that_the_customer_wrote_in_leaves_the_samples_too(
    own_store: Store, two: tuple[Example, Example], registry: Registry, add: Callable[..., str]
) -> None:
    one, other = two
    version = add(set(), [sample_of(other.ticket_id, "tulip")])
    own_store.execute(
        "update comments set author_id = ? where id = (select min(id) from comments where ticket_id = ?)",
        (one.requester_id, other.ticket_id),
    )
    assert other.ticket_id in forget_customer(own_store, DESK, registry, one.requester_id).removed.elsewhere
    assert read_samples(registry.path(version)) == []
    assert "tulip" not in texts_of(registry.path(version))


def test_a_draft_that_was_made_from_their_ticket_leaves_the_samples_too(
    own_store: Store, two: tuple[Example, Example], registry: Registry, add: Callable[..., str]
) -> None:
    one, other = two
    from_it = dataclasses.replace(sample_of(other.ticket_id, "tulip"), sources=("1", one.ticket_id))
    kept = dataclasses.replace(sample_of(other.ticket_id, "acorn"), sources=("1", "2"))
    version = add(set(), [from_it, kept])
    forget_customer(own_store, DESK, registry, one.requester_id)
    assert read_samples(registry.path(version)) == [kept]
    assert "tulip" not in texts_of(registry.path(version))


def test_a_version_without_their_samples_is_left_as_it_is(
    own_store: Store, two: tuple[Example, Example], registry: Registry, add: Callable[..., str]
) -> None:
    version, older = add(set(), [sample_of(two[1].ticket_id, "acorn")]), add(set())
    before = {path.name: path.stat().st_mtime_ns for path in registry.path(version).iterdir()}
    forget_customer(own_store, DESK, registry, two[0].requester_id)
    assert {path.name: path.stat().st_mtime_ns for path in registry.path(version).iterdir()} == before
    assert {path.name for path in registry.path(older).iterdir()} == {"tickets.json", "manifest.json"}


@pytest.mark.parametrize("name", [REPORT, "tickets.json", "manifest.json"])
def test_a_version_that_cannot_be_read_loses_what_holds_texts(
    own_store: Store, two: tuple[Example, Example], registry: Registry, add: Callable[..., str], name: str
) -> None:
    version = add({two[0].ticket_id}, [sample_of(two[0].ticket_id, "tulip")])
    (registry.path(version) / name).write_text("{")
    forget_customer(own_store, DESK, registry, two[0].requester_id)
    left = {path.name for path in registry.path(version).iterdir()}
    assert left == {REPORT, "tickets.json", "manifest.json"}
    with pytest.raises(ModelError):
        registry.manifest(version)


def test_samples_that_cannot_be_read_are_emptied(
    own_store: Store, two: tuple[Example, Example], registry: Registry, add: Callable[..., str]
) -> None:
    version = add(set(), [sample_of(two[0].ticket_id, "tulip")])
    folder = registry.path(version)
    (folder / SAMPLES).write_text((folder / SAMPLES).read_text()[:-5])
    forget_customer(own_store, DESK, registry, two[0].requester_id)
    assert "tulip" not in texts_of(folder)
    assert (folder / SAMPLES).read_text() == "[]"
    assert "A verdict." in (folder / PAGE).read_text()


def test_a_forgetting_that_was_cut_off_is_done_the_second_time(
    own_store: Store,
    two: tuple[Example, Example],
    registry: Registry,
    add: Callable[..., str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    samples = [sample_of(two[0].ticket_id, "tulip"), sample_of(two[1].ticket_id, "acorn")]
    version = add({two[0].ticket_id}, samples)

    def cut_off(*_: object) -> None:
        raise KeyboardInterrupt

    for step in ("write_page", "write_samples", "forget"):
        with monkeypatch.context() as patch:
            patch.setattr(f"trainer.curation.forget.{step}", cut_off)
            with pytest.raises(KeyboardInterrupt):
                forget_customer(own_store, DESK, registry, two[0].requester_id)
    done = forget_customer(own_store, DESK, registry, two[0].requester_id)
    assert two[0].ticket_id in done.removed.tickets
    assert done.versions == (version,)
    assert "tulip" not in texts_of(registry.path(version))


def test_a_training_that_was_cut_off_does_not_go_on_from_their_texts(
    own_store: Store, two: tuple[Example, Example], registry: Registry
) -> None:
    registry.work.mkdir(parents=True)
    (registry.work / "drafts.jsonl").write_text("tulip")
    with pytest.raises(NotFoundError):
        forget_customer(own_store, DESK, registry, "nobody@mail.example")
    assert registry.work.exists()
    forget_customer(own_store, DESK, registry, two[0].requester_id)
    assert not registry.work.exists()


def test_somebody_of_the_team_is_refused_before_anything_is_touched(
    own_store: Store, two: tuple[Example, Example], registry: Registry, add: Callable[..., str]
) -> None:
    samples = [sample_of(one.ticket_id, "acorn") for one in two]
    version = add({one.ticket_id for one in two}, samples)
    agent = own_store.history.user(DESK, two[0].agent_id)
    assert agent is not None
    for who in (agent.id, f" {agent.email.upper()}"):
        with pytest.raises(FatalError, match="somebody of the team"):
            forget_customer(own_store, DESK, registry, who)
    assert registry.forgotten() == {}
    assert read_samples(registry.path(version)) == samples


def test_documents_are_no_part_of_what_serves(registry: Registry, add: Callable[..., str]) -> None:
    version = add(set(), [sample_of("1", "acorn")])
    assert registry.manifest(version).files.keys() == {REPORT, "tickets.json"}
    for name in (SAMPLES, PAGE):
        (registry.path(version) / name).unlink()
    assert registry.manifest(version).version == version
