"""Switches: the newest value of each, and a history that says who changed what."""

from __future__ import annotations

from connectors.store.database import Store


def test_nothing_is_set_at_first(store: Store) -> None:
    assert store.switches.all() == {}
    assert store.switches.history() == []


def test_the_newest_value_counts_and_the_history_keeps_all(store: Store) -> None:
    store.switches.set("shadow_share", 0.5, "ada")
    store.switches.set("groups", {"2101": "off"}, "ada")
    store.switches.set("shadow_share", 0.1, "ben")
    assert store.switches.all() == {"shadow_share": 0.1, "groups": {"2101": "off"}}
    changes = [(one["name"], one["value"], one["changed_by"]) for one in store.switches.history()]
    assert changes == [("shadow_share", 0.1, "ben"), ("groups", {"2101": "off"}, "ada"), ("shadow_share", 0.5, "ada")]
    assert len(store.switches.history(limit=1)) == 1


def test_another_connection_sees_a_change_at_once(store: Store) -> None:
    with Store(store.path) as other:
        store.switches.set("write_note", value=False, by="ada")
        assert other.switches.all() == {"write_note": False}
