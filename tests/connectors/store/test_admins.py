"""Accounts, sessions and failed logins as the store keeps them."""

from __future__ import annotations

import pytest

from connectors.store.database import Store

HOUR = 3600.0


def test_an_account_is_made_changed_and_removed(store: Store) -> None:
    assert store.admins.all() == []
    store.admins.put("lena", "hash-1")
    store.admins.put("amir", "hash-2")
    assert [one.name for one in store.admins.all()] == ["amir", "lena"]
    session = store.admins.begin("lena", lasts_s=HOUR)
    store.admins.put("lena", "hash-3")
    found = store.admins.get("lena")
    assert found is not None
    assert found.password_hash == "hash-3"
    assert store.admins.session(session, idle_s=HOUR, lasts_s=HOUR) is None, "a new password ends all sessions"
    session = store.admins.begin("lena", lasts_s=HOUR)
    assert (store.admins.remove("lena"), store.admins.remove("lena")) == (True, False)
    assert store.admins.session(session, idle_s=HOUR, lasts_s=HOUR) is None


def test_a_session_is_nobodys_whose_id_is_not_known(store: Store) -> None:
    store.admins.put("lena", "hash")
    first, second = (store.admins.begin("lena", lasts_s=HOUR) for _ in range(2))
    one, other = (store.admins.session(key, idle_s=HOUR, lasts_s=HOUR) for key in (first, second))
    assert one is not None
    assert other is not None
    assert (one.admin, one.csrf == other.csrf) == ("lena", False)
    assert store.admins.session("", idle_s=HOUR, lasts_s=HOUR) is None
    kept = [str(value) for row in store.rows("select * from admin_sessions") for value in row.values()]
    assert not {first, second} & set(kept), "only hashes are kept"
    store.admins.end(first)
    assert store.admins.session(first, idle_s=HOUR, lasts_s=HOUR) is None
    assert store.admins.session(second, idle_s=HOUR, lasts_s=HOUR) is not None


@pytest.mark.parametrize(("created", "seen", "good"), [(0, 0, True), (0, 700, False), (9000, 0, False)])
def test_a_session_ends_when_it_is_old_or_idle(store: Store, created: int, seen: int, good: bool) -> None:
    store.admins.put("lena", "hash")
    session = store.admins.begin("lena", lasts_s=2 * HOUR)
    store.execute("update admin_sessions set created_at = created_at - ?, seen_at = seen_at - ?", (created, seen))
    assert (store.admins.session(session, idle_s=600, lasts_s=2 * HOUR) is not None) is good
    store.admins.begin("lena", lasts_s=2 * HOUR)
    (left,) = store.rows("select count(*) as n from admin_sessions")
    assert left["n"] == (1 if created else 2), "those that are over are cleared away"


def test_use_keeps_a_session_awake(store: Store) -> None:
    store.admins.put("lena", "hash")
    session = store.admins.begin("lena", lasts_s=HOUR)
    store.execute("update admin_sessions set seen_at = seen_at - 500")
    assert store.admins.session(session, idle_s=600, lasts_s=HOUR)
    store.execute("update admin_sessions set seen_at = seen_at - 500")
    assert store.admins.session(session, idle_s=600, lasts_s=HOUR)


def test_failed_logins_count_for_a_while(store: Store) -> None:
    for _ in range(3):
        store.admins.failed("lena", "from ::1")
    assert len(store.admins.failures("lena", within_s=60)) == 3
    store.admins.forgive("lena")
    assert store.admins.failures("lena", within_s=60) == []
    store.execute("update login_failures set at = at - 100")
    assert store.admins.failures("from ::1", within_s=60) == []
    assert list(store.rows("select * from login_failures")) == []
