"""Counts of what leaves no row of its own, such as refused webhooks: in the store, so that every process counts."""

from __future__ import annotations

from collections.abc import Mapping

from connectors.store.part import Part

Key = tuple[str, str]


class Counters(Part):
    """Numbers that only grow, by name and label."""

    def add(self, counts: Mapping[Key, int]) -> None:
        """Adds to several counters at once: (name, label) -> by how much."""
        self._store.many(
            """insert into counters (name, label, value) values (?, ?, ?)
               on conflict (name, label) do update set value = value + excluded.value""",
            [(name, label, by) for (name, label), by in counts.items()],
        )

    def all(self) -> dict[Key, int]:
        """Every counter that was ever added to."""
        rows = self._store.rows("select name, label, value from counters order by name, label")
        return {(row["name"], row["label"]): row["value"] for row in rows}
