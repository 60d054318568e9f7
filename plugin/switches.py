"""What the worker decides by, as it is set now: the settings, and over them what was changed since at run time."""

from __future__ import annotations

import hashlib
import logging
from typing import Any, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from connectors.errors import ConfigError
from connectors.settings import GroupMode, PluginSettings
from connectors.store.database import Store

log = logging.getLogger(__name__)


class Switches(BaseModel):
    """What `PluginSettings` documents under the same names, safe to change while the plugin runs."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    write_note: bool
    write_route: bool
    min_route_probability: float = Field(ge=0, le=1)
    max_effort: float = Field(ge=0, le=1)
    shadow_share: float = Field(ge=0, le=1)
    groups: dict[str, GroupMode]
    chat_note: bool

    @classmethod
    def of(cls, settings: PluginSettings, store: Store) -> Self:
        """As they are set now. One short query, so that it can be asked at each job and a change needs no restart.

        A value that is no longer valid, as after a downgrade, counts as not set.
        """
        values = {name: getattr(settings, name) for name in cls.model_fields}
        for name, value in store.switches.all().items():
            if name not in values:
                continue
            try:
                values = cls.model_validate(values | {name: value}).model_dump()
            except ValidationError:
                log.warning("the switch %s has a value that is not valid, the setting counts", name)
        return cls.model_validate(values)

    @classmethod
    def change(cls, settings: PluginSettings, store: Store, name: str, value: Any, *, by: str) -> Self:
        """Sets one switch and returns all; the worker goes by it from its next job on.

        Raises:
            ConfigError: There is no such switch, or it does not take this value.
        """
        known = ", ".join(cls.model_fields)
        if name not in cls.model_fields:
            raise ConfigError(f"there is no switch '{name}'", hint=f"one of: {known}")
        with store.transaction():
            now = cls.of(settings, store)
            try:
                wanted = cls.model_validate(now.model_dump() | {name: value})
            except ValidationError as error:
                said = "; ".join(item["msg"] for item in error.errors(include_input=False))
                raise ConfigError(f"{name} does not take this value: {said}", hint="nothing was changed") from None
            store.switches.set(name, wanted.model_dump()[name], by)
        return wanted

    def mode(self, group_id: str | None) -> GroupMode:
        """What tickets of a group get; of None, those whose group nobody knows."""
        return self.groups.get(group_id or "", "draft")

    def is_shadow(self, helpdesk: str, ticket_id: str) -> bool:
        """Whether a ticket's drafts are withheld.

        By a hash, so that a ticket does not change sides between turns, and a larger share takes in all of a smaller.
        """
        digest = hashlib.sha256(f"{helpdesk}/{ticket_id}".encode()).digest()
        return int.from_bytes(digest[:8]) / 2**64 < self.shadow_share
