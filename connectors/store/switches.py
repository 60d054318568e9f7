"""Settings that are changed while the plugin runs: the newest value of each, and who changed what when."""

from __future__ import annotations

import json
from typing import Any

from connectors import clock
from connectors.store.part import Part, to_json


class Switches(Part):
    """Values by name, as JSON. What names there are and what is valid is for the caller to know."""

    def all(self) -> dict[str, Any]:
        """Every value that was ever set."""
        return {row["name"]: json.loads(row["value"]) for row in self._store.rows("select name, value from switches")}

    def set(self, name: str, value: object, by: str) -> None:
        """Sets a value.

        Args:
            by: Who changed it, for the history.
        """
        row = {"name": name, "value": to_json(value), "changed_at": clock.now(), "changed_by": by}
        with self._store.transaction():
            self._store.upsert("switches", [row], "name")
            self._store.insert("switch_changes", [row])

    def history(self, limit: int = 50) -> list[dict[str, Any]]:
        """The last changes, newest first: name, value, changed_at, changed_by."""
        sql = "select name, value, changed_at, changed_by from switch_changes order by id desc limit ?"
        return [row | {"value": json.loads(row["value"])} for row in self._store.rows(sql, (limit,))]
