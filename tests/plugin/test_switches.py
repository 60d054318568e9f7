"""Switches: settings first, what was changed at run time over them, and nothing that is not valid."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from connectors.errors import ConfigError
from connectors.settings import PluginSettings
from connectors.store.database import Store
from plugin.switches import Switches

PLUGIN = PluginSettings(max_effort=0.8, groups={"2104": "route"})


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with Store(tmp_path / "deskhand.db") as store:
        yield store


def test_the_settings_count_until_something_is_changed(store: Store) -> None:
    first = Switches.of(PLUGIN, store)
    assert (first.max_effort, first.shadow_share, first.write_note, first.chat_note) == (0.8, 0.0, True, False)
    changed = Switches.change(PLUGIN, store, "max_effort", 0.5, by="ada")
    assert changed.max_effort == 0.5
    assert Switches.of(PLUGIN, store) == changed
    assert store.switches.history()[0]["changed_by"] == "ada"


def test_a_group_that_nobody_set_gets_drafts(store: Store) -> None:
    switches = Switches.change(PLUGIN, store, "groups", {"2101": "off", "2104": "route"}, by="ada")
    assert [switches.mode(group) for group in ("2101", "2104", "2105", None)] == ["off", "route", "draft", "draft"]


@pytest.mark.parametrize(
    ("name", "value"), [("shadow_share", 1.5), ("groups", {"2101": "on"}), ("write_note", "perhaps"), ("token", "x")]
)
def test_what_is_not_valid_changes_nothing(name: str, value: Any, store: Store) -> None:
    with pytest.raises(ConfigError, match=name):
        Switches.change(PLUGIN, store, name, value, by="ada")
    assert store.switches.all() == {}
    assert store.switches.history() == []


def test_a_stored_value_that_is_no_longer_valid_counts_as_not_set(store: Store) -> None:
    for name, value in (("max_effort", "much"), ("shadow_share", 0.25), ("from_a_newer_version", 1)):
        store.switches.set(name, value, "ada")
    switches = Switches.of(PLUGIN, store)
    assert (switches.max_effort, switches.shadow_share) == (0.8, 0.25)


def test_a_mode_in_the_settings_is_checked() -> None:
    with pytest.raises(ValidationError):
        PluginSettings.model_validate({"groups": {"2101": "on"}})


def test_a_share_of_the_tickets_is_in_the_shadow_and_stays_there(store: Store) -> None:
    tickets = [str(number) for number in range(2000)]
    quarter = Switches.change(PLUGIN, store, "shadow_share", 0.25, by="ada")
    some = {ticket for ticket in tickets if quarter.is_shadow("zendesk", ticket)}
    assert some == {ticket for ticket in tickets if quarter.is_shadow("zendesk", ticket)}
    assert 0.2 < len(some) / len(tickets) < 0.3
    assert some != {ticket for ticket in tickets if quarter.is_shadow("other", ticket)}
    half = quarter.model_copy(update={"shadow_share": 0.5})
    assert some <= {ticket for ticket in tickets if half.is_shadow("zendesk", ticket)}
    none, all_of_them = (quarter.model_copy(update={"shadow_share": share}) for share in (0.0, 1.0))
    assert not any(none.is_shadow("zendesk", ticket) for ticket in tickets)
    assert all(all_of_them.is_shadow("zendesk", ticket) for ticket in tickets)
