"""The file that every process of an installation shares: whole, private, and one writer at a time."""

from __future__ import annotations

import json
import os
import stat
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from connectors.errors import ConfigError, CredentialError, RetriableError
from connectors.zendesk.token_pair import Pair, PairFile

FIRST = Pair("access-8d1f", "refresh-8d1f", 1800.0, "read", 0.0)
SECOND = Pair("access-77aa", "refresh-77aa", None, "read", 60.0)


@pytest.fixture
def file(tmp_path: Path) -> PairFile:
    return PairFile(tmp_path, "desk")


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


def test_what_was_stored_is_read_back(file: PairFile, tmp_path: Path) -> None:
    for pair in (FIRST, SECOND):
        file.store(pair)
        assert file.read() == pair
    assert names(tmp_path) == {"oauth-desk.json", "oauth-desk.lock"}
    kept = {"access_token", "refresh_token", "expires_at", "scope", "obtained_at"}
    assert set(json.loads((tmp_path / "oauth-desk.json").read_text())) == kept


def test_only_the_owner_can_read_it_from_its_first_byte_on(file: PairFile, monkeypatch: pytest.MonkeyPatch) -> None:
    modes: list[int] = []
    pwrite = os.pwrite
    monkeypatch.setattr(os, "pwrite", lambda fd, *rest: (modes.append(os.fstat(fd).st_mode), pwrite(fd, *rest))[1])
    previous = os.umask(0)
    try:
        file.store(FIRST)
    finally:
        os.umask(previous)
    assert [stat.S_IMODE(mode) for mode in modes] == [0o600, 0o600]
    assert stat.S_IMODE(file.path.stat().st_mode) == 0o600


def test_two_helpdesks_have_a_pair_each(tmp_path: Path) -> None:
    PairFile(tmp_path, "one").store(FIRST)
    PairFile(tmp_path, "two").store(SECOND)
    assert PairFile(tmp_path, "one").read() == FIRST


def test_the_tokens_never_show() -> None:
    assert "8d1f" not in f"{FIRST!r}{FIRST}"


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"null", b'{"access_token": "8d1f"}', b"\xff8d1f"])
def test_a_damaged_file_is_explained_without_quoting_it(content: bytes, file: PairFile) -> None:
    file.path.write_bytes(content)
    with pytest.raises(CredentialError, match="is damaged") as caught:
        file.read()
    assert caught.value.hint == "run: deskhand init"
    assert "8d1f" not in f"{caught.value!r}{caught.value.__cause__!r}"


def test_a_missing_file_sends_to_init(file: PairFile) -> None:
    with pytest.raises(CredentialError, match="nobody has signed in") as caught:
        file.read()
    assert caught.value.hint == "run: deskhand init"


def test_a_folder_in_its_place_is_explained(file: PairFile) -> None:
    file.path.mkdir()
    with pytest.raises(ConfigError, match="cannot read"):
        file.read()


def test_a_home_that_is_not_there_is_explained(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="No such file"):
        PairFile(tmp_path / "none", "desk").store(FIRST)


def test_a_full_disk_is_found_before_the_pair_is_asked_for(file: PairFile, monkeypatch: pytest.MonkeyPatch) -> None:
    file.store(FIRST)

    def full(*_: object) -> int:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "pwrite", full)
    asked = False
    with pytest.raises(ConfigError, match="No space left"), file.locked(), file.replacing():
        asked = True
    assert not asked
    assert file.read() == FIRST
    assert names(file.path.parent) == {"oauth-desk.json", "oauth-desk.lock"}


def test_what_fails_on_the_way_leaves_the_old_pair(file: PairFile) -> None:
    file.store(FIRST)
    with pytest.raises(RetriableError), file.locked(), file.replacing():
        raise RetriableError("no answer")
    assert file.read() == FIRST
    assert names(file.path.parent) == {"oauth-desk.json", "oauth-desk.lock"}


def test_a_part_that_a_dead_process_left_is_no_hindrance(file: PairFile) -> None:
    file.path.with_suffix(".partial").write_text("half a pa")
    file.store(FIRST)
    assert file.read() == FIRST


def test_whoever_waits_for_the_lock_comes_next(file: PairFile) -> None:
    order: list[str] = []

    def wait() -> None:
        with file.locked():
            order.append("second")

    with file.locked():
        thread = threading.Thread(target=wait)
        thread.start()
        thread.join(0.2)
        order.append("first")
    thread.join(5)
    assert order == ["first", "second"]


def test_a_lock_that_is_held_for_too_long_is_a_passing_fault(file: PairFile, tmp_path: Path) -> None:
    with file.locked(), pytest.raises(RetriableError, match="another Deskhand process has held") as caught:
        PairFile(tmp_path, "desk", patience_s=0.1).store(FIRST)
    assert caught.value.hint


@pytest.mark.parametrize(
    ("pair", "now_s", "due"),
    [
        (FIRST, 1739, False),
        (FIRST, 1741, True),
        (FIRST, 9999, True),
        (Pair("a", "r", 100.0, "", 0.0), 89, False),  # a short life is not over before it began
        (Pair("a", "r", 100.0, "", 0.0), 91, True),
        (SECOND, 1e12, False),
    ],
)
def test_a_pair_is_renewed_before_it_ends(pair: Pair, now_s: float, due: bool) -> None:
    assert pair.is_due(now_s) is due


def test_a_rename_outlasts_a_power_cut(file: PairFile, monkeypatch: pytest.MonkeyPatch) -> None:
    steps: list[str] = []

    def noted(name: str, call: Callable[..., object]) -> Callable[..., object]:
        return lambda *rest: (steps.append(name), call(*rest))[1]

    fsync = os.fsync
    monkeypatch.setattr(
        os, "fsync", lambda fd: (steps.append("folder" if stat.S_ISDIR(os.fstat(fd).st_mode) else "file"), fsync(fd))[1]
    )
    monkeypatch.setattr(os, "pwrite", noted("write", os.pwrite))
    monkeypatch.setattr(Path, "replace", noted("rename", Path.replace))
    file.store(FIRST)
    assert steps == ["write", "file", "write", "file", "rename", "folder"]
