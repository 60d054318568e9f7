"""Versions appear whole or not at all, are refused when a file changed, and the one before can come back."""

from __future__ import annotations

import dataclasses
import json
import os
import signal
import subprocess
import sys
import textwrap
from collections.abc import Callable
from pathlib import Path

import pytest

from connectors.errors import ModelError
from trainer.registry import MANIFEST, Manifest, Registry

FACTS = Manifest(
    version="",
    created_at="2026-11-24T09:00:00Z",
    helpdesk="zendesk",
    base_model="bundled:smollm2-135m-instruct",
    encoder="bundled:all-minilm-l6-v2",
    reply_arm="nearest",
    route_arm="tfidf",
    max_prompt_tokens=640,
    max_reply_tokens=220,
    min_similarity=0.4,
    data_hash="0123456789abcdef",
    prompt_hash="0123456789ab",
    train_examples=300,
    train_until="2026-10-20T16:58:22Z",
    metrics={"route_accuracy": 0.81},
    verdict="You do not need fine-tuning here: größer ist nicht besser.",
    files={},
)


@pytest.fixture
def registry(tmp_path: Path) -> Registry:
    return Registry(tmp_path / "models")


@pytest.fixture
def add(registry: Registry) -> Callable[[], str]:
    """Adds a finished version; returns its name."""

    def add() -> str:
        with registry.new_version() as (version, folder):
            (folder / "adapter").mkdir()
            (folder / "adapter" / "adapter_model.safetensors").write_bytes(b"weights")
            (folder / "route.json").write_text("{}")
            Registry.finish(folder, dataclasses.replace(FACTS, version=version))
        return version

    return add


def test_a_finished_version_is_read_back_with_the_hash_of_every_file(
    registry: Registry, add: Callable[[], str]
) -> None:
    version = add()
    manifest = registry.manifest(version)
    assert dataclasses.replace(manifest, version="", files={}) == FACTS
    assert set(manifest.files) == {"adapter/adapter_model.safetensors", "route.json"}
    assert registry.versions() == [version]
    assert sorted(path.name for path in registry.folder.iterdir()) == [version]


def test_versions_of_one_second_do_not_collide_and_the_newest_comes_first(
    registry: Registry, add: Callable[[], str]
) -> None:
    versions = [add() for _ in range(3)]
    assert len(set(versions)) == 3
    assert registry.versions() == versions[::-1]


def test_a_training_that_fails_leaves_nothing(registry: Registry) -> None:
    def fail() -> None:
        with registry.new_version() as (_, folder):
            (folder / "route.json").write_text("{}")
            raise OSError("the disk is full")

    with pytest.raises(OSError, match="disk"):
        fail()
    assert registry.versions() == []
    assert list(registry.folder.iterdir()) == []


def test_a_version_without_a_manifest_is_not_published(registry: Registry) -> None:
    with pytest.raises(ModelError, match="not finished"), registry.new_version() as (_, folder):
        (folder / "route.json").write_text("{}")
    assert list(registry.folder.iterdir()) == []


def test_a_training_that_was_killed_leaves_no_version_and_is_cleared_away_by_the_next(
    registry: Registry, add: Callable[[], str]
) -> None:
    code = textwrap.dedent(
        f"""
        import sys, time
        from pathlib import Path
        from trainer.registry import Registry
        with Registry(Path({str(registry.folder)!r})).new_version() as (version, folder):
            (folder / "route.json").write_text("{{}}")
            (folder / "manifest.json.partial").write_text("{{}}")
            print("half", flush=True)
            time.sleep(60)
        """
    )
    root = Path(__file__).parents[2]
    child = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True, cwd=root)
    assert child.stdout
    with child, child.stdout:
        assert child.stdout.readline() == "half\n"
        os.kill(child.pid, signal.SIGKILL)
        child.wait(10)
    assert list(registry.folder.iterdir())
    assert registry.versions() == []
    version = add()
    assert [path.name for path in registry.folder.iterdir()] == [version]


@pytest.mark.parametrize("name", ["adapter/adapter_model.safetensors", "route.json"])
@pytest.mark.parametrize("harm", ["changed", "gone", "a folder"])
def test_a_version_with_a_harmed_file_is_refused(
    registry: Registry, add: Callable[[], str], name: str, harm: str
) -> None:
    version = add()
    path = registry.path(version) / name
    path.unlink()
    if harm == "changed":
        path.write_bytes(b"weights2")
    if harm == "a folder":
        path.mkdir()
    with pytest.raises(ModelError, match=f"{version}: {name} is missing or was changed") as caught:
        registry.manifest(version)
    assert "rollback" in caught.value.hint
    with pytest.raises(ModelError):
        registry.promote(version, by="admin")
    assert registry.live() is None


@pytest.mark.parametrize("content", ["", "{", "[]", '{"version": "v1"}', '{"a": 1}', "null"])
def test_a_manifest_that_cannot_be_read_is_refused(registry: Registry, add: Callable[[], str], content: str) -> None:
    version = add()
    (registry.path(version) / MANIFEST).write_text(content)
    with pytest.raises(ModelError, match="cannot be read"):
        registry.manifest(version)


@pytest.mark.parametrize(
    "name", ["", "v", "latest", "../v1", "v1/..", "v/../../etc", "v..", "v1\0", "v1\n", "v 1", "V1", "v" + "1" * 300]
)
def test_a_name_that_is_no_versions_is_refused(registry: Registry, name: str) -> None:
    for use in (registry.path, registry.manifest, lambda version: registry.promote(version, by="admin")):
        with pytest.raises(ModelError, match="no version"):
            use(name)


def test_a_version_that_is_not_there_is_refused(registry: Registry) -> None:
    with pytest.raises(ModelError, match="there is no version 'v20260101-000000'"):
        registry.promote("v20260101-000000", by="admin")


def test_nothing_is_live_before_the_first_promotion(registry: Registry, add: Callable[[], str]) -> None:
    add()
    assert registry.live() is None
    with pytest.raises(ModelError, match="no earlier version"):
        registry.rollback(by="admin")


def test_promoting_says_who_and_what_was_before_and_rolling_back_undoes_it(
    registry: Registry, add: Callable[[], str]
) -> None:
    first, second = add(), add()
    registry.promote(first, by="admin")
    with pytest.raises(ModelError, match="no earlier version"):
        registry.rollback(by="admin")
    live = registry.promote(second, by="gate")
    assert (live.version, live.previous, live.promoted_by) == (second, first, "gate")
    assert registry.live() == live
    back = registry.rollback(by="marit")
    assert (back.version, back.previous, back.promoted_by) == (first, second, "marit")
    assert Registry(registry.folder).live() == back


def test_promoting_the_live_version_again_keeps_the_way_back(registry: Registry, add: Callable[[], str]) -> None:
    first, second = add(), add()
    for version in (first, second, second):
        registry.promote(version, by="admin")
    assert registry.rollback(by="admin").version == first


def test_rolling_back_needs_no_whole_live_version_but_a_whole_earlier_one(
    registry: Registry, add: Callable[[], str]
) -> None:
    first, second = add(), add()
    registry.promote(first, by="admin")
    registry.promote(second, by="admin")
    (registry.path(second) / "route.json").unlink()
    assert registry.rollback(by="admin").version == first
    with pytest.raises(ModelError, match="missing or was changed"):
        registry.rollback(by="admin")
    live = registry.live()
    assert live is not None
    assert live.version == first


@pytest.mark.parametrize("content", ["", "{", "[]", "null", '{"version": "v1"}'])
def test_a_pointer_that_cannot_be_read_is_mended_by_promoting(
    registry: Registry, add: Callable[[], str], content: str
) -> None:
    version = add()
    (registry.folder / "live.json").write_text(content)
    with pytest.raises(ModelError, match=r"live\.json") as caught:
        registry.live()
    assert "promote" in caught.value.hint
    registry.promote(version, by="admin")
    live = registry.live()
    assert live is not None
    assert live.version == version
    assert json.loads((registry.folder / "live.json").read_text())["previous"] is None


# ---- versions that were trained on tickets of somebody who was forgotten


@pytest.fixture
def listed(registry: Registry) -> str:
    """A version with the list of what it was trained on."""
    with registry.new_version() as (version, folder):
        Registry.write_tickets(folder, {"7", "8"})
        Registry.finish(folder, dataclasses.replace(FACTS, version=version))
    return version


def test_a_version_knows_what_it_was_trained_on(registry: Registry, listed: str) -> None:
    assert registry.trained_on(listed, {"8": "2099-01-01T00:00:00Z"})
    assert not registry.trained_on(listed, {"9": "2020-01-01T00:00:00Z"})
    assert not registry.trained_on(listed, {})


def test_a_version_without_the_list_may_have_seen_what_was_there(registry: Registry, add: Callable[[], str]) -> None:
    version = add()
    assert registry.trained_on(version, {"9": "2026-10-20T16:58:21Z"})
    assert not registry.trained_on(version, {"9": FACTS.train_until})
    (registry.path(version) / MANIFEST).write_text("{")
    assert registry.trained_on(version, {"9": "2099-01-01T00:00:00Z"}), "it cannot be told"


def test_marks_stay_and_keep_their_first_date(registry: Registry, listed: str, add: Callable[[], str]) -> None:
    assert registry.forgotten() == {}
    registry.mark_forgotten([listed])
    since = "2026-01-01T00:00:00Z"
    (registry.folder / "forgotten.json").write_text(json.dumps({listed: since}))
    other = add()
    registry.mark_forgotten([listed, other])
    assert registry.forgotten()[listed] == since
    assert registry.forgotten().keys() == {listed, other}


def test_marks_that_cannot_be_read_are_an_error(registry: Registry, listed: str) -> None:
    (registry.folder / "forgotten.json").write_text("{")
    with pytest.raises(ModelError, match=r"forgotten\.json"):
        registry.forgotten()
