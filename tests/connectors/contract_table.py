"""Runs the contract for every vendor and prints a Markdown table: `python -m tests.connectors.contract_table`.

Arguments are handed to pytest; without any, all `test_contract*.py` below tests/connectors are run. Exits like pytest.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import pytest

_SIGNS = {"passed": "yes", "failed": "**NO**"}


@dataclass(frozen=True)
class Result:
    """How a vendor did at one item; `reason` says why it was skipped."""

    vendor: str
    item: str
    outcome: str
    reason: str = ""


class Collector:
    """A pytest plugin that keeps the contract's results."""

    def __init__(self) -> None:
        self.results: list[Result] = []
        self._items: dict[str, tuple[str, str]] = {}

    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        for item in items:
            cls, function = getattr(item, "cls", None), getattr(item, "function", None)
            if cls is not None and any(base.__name__ == "HelpdeskContract" for base in cls.__mro__):
                row = (function.__doc__ or function.__name__).strip().splitlines()[0].rstrip(".")
                self._items[item.nodeid] = (cls.__name__.removeprefix("Test"), row)

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.nodeid not in self._items or (report.when != "call" and report.outcome == "passed"):
            return
        reason = ""
        if report.outcome == "skipped" and isinstance(report.longrepr, tuple):
            reason = report.longrepr[2].removeprefix("Skipped: ")
        self.results.append(Result(*self._items[report.nodeid], report.outcome, reason))


def table(results: Iterable[Result]) -> str:
    """A Markdown table, items down and vendors across; what a vendor cannot do has its reason below.

    An item with several cases is passed where none failed and one passed.
    """
    results = list(results)
    vendors = sorted({result.vendor for result in results})
    items = list(dict.fromkeys(result.item for result in results))
    notes: dict[str, int] = {}
    lines = ["| | " + " | ".join(vendors) + " |", "|---|" + "---|" * len(vendors)]
    for item in items:
        cells = [
            _cell([one for one in results if (one.vendor, one.item) == (vendor, item)], notes) for vendor in vendors
        ]
        lines.append(f"| {item} | " + " | ".join(cells) + " |")
    lines += ["", *(f"{number}. {note}" for note, number in notes.items())] if notes else []
    return "\n".join(lines)


def _cell(results: list[Result], notes: dict[str, int]) -> str:
    outcomes = [result.outcome for result in results]
    for outcome, sign in (("failed", _SIGNS["failed"]), ("passed", _SIGNS["passed"])):
        if outcome in outcomes:
            return sign
    if not results:
        return ""
    note = f"{results[0].vendor}: {results[0].reason}"
    return f"n/a ({notes.setdefault(note, len(notes) + 1)})"


def main(arguments: list[str]) -> int:
    """Runs the tests quietly and prints the table to stdout."""
    paths = arguments or [str(path) for path in sorted(Path(__file__).parent.glob("*/test_contract*.py"))]
    collector = Collector()
    # One vendor whose tests cannot be run here must not keep the others from the table.
    options = ["-q", "--no-header", "--continue-on-collection-errors"]
    code = pytest.main([*options, *paths], plugins=[collector])
    if collector.results:
        print("\n" + table(collector.results))
    return int(code)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
