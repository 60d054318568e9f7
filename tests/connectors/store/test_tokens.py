"""Tokens: what is stored tells no secret, several are valid at a time, and a revoked one stays so."""

from __future__ import annotations

from pathlib import Path

import pytest

from connectors import clock
from connectors.store.database import Store


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "deskhand.db")


def test_the_secret_is_long_and_not_in_the_file(store: Store, tmp_path: Path) -> None:
    _, secret = store.tokens.create("sidebar")
    assert len(secret) == len("deskhand_") + 43, "256 bits in base64"
    store.close()
    for path in tmp_path.iterdir():
        assert secret.encode() not in path.read_bytes()
        assert secret.removeprefix("deskhand_").encode() not in path.read_bytes()


def test_two_are_valid_until_one_is_revoked_for_every_connection(store: Store) -> None:
    first_id, first = store.tokens.create("sidebar")
    second_id, second = store.tokens.create("sidebar")
    assert (store.tokens.check(first), store.tokens.check(second)) == (first_id, second_id)
    with Store(store.path) as other:
        assert other.tokens.revoke(first_id)
        assert not other.tokens.revoke(first_id)
    assert (store.tokens.check(first), store.tokens.check(second)) == (None, second_id)
    assert [token.id for token in store.tokens.valid()] == [second_id]
    assert [token.id for token in store.tokens.all()] == [first_id, second_id]


@pytest.mark.parametrize("secret", ["", "deskhand_", "wrong", "\ud83d", "deskhand_" + "x" * 5000])
def test_other_texts_are_no_tokens(store: Store, secret: str) -> None:
    store.tokens.create("sidebar")
    assert store.tokens.check(secret) is None


def test_the_last_use_is_known_to_the_minute_with_a_write_a_minute(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    token_id, secret = store.tokens.create("sidebar")
    assert store.tokens.all()[0].last_used_at is None
    seen = []
    for second in (0, 59, 60, 90, 119, 120):
        monkeypatch.setattr("connectors.store.tokens.clock.now", lambda at=second: clock.from_epoch(1_000_000 + at))
        assert store.tokens.check(secret) == token_id
        seen.append(clock.to_epoch(store.tokens.all()[0].last_used_at or "") - 1_000_000)
    assert seen == [0, 0, 60, 60, 60, 120]


def test_a_revoked_secret_is_not_taken_in_again(store: Store) -> None:
    assert store.tokens.adopt("secrets.toml", "from-elsewhere")
    assert not store.tokens.adopt("secrets.toml", "from-elsewhere")
    token_id = store.tokens.check("from-elsewhere")
    assert token_id
    store.tokens.revoke(token_id)
    assert not store.tokens.adopt("secrets.toml", "from-elsewhere")
    assert store.tokens.check("from-elsewhere") is None
