"""What a person sees in the terminal: progress on stderr, results on stdout, errors with what to do next."""

from __future__ import annotations

import errno
import json
import logging
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import click

from connectors.errors import DeskhandError

if TYPE_CHECKING:
    from rich.table import Table

    from trainer.evaluate import Report

INTERRUPTED = 130


def say(text: str) -> None:
    """A line of progress, on stderr."""
    click.echo(text, err=True)


def show(text: str) -> None:
    """A line of the result, on stdout."""
    click.echo(text)


def show_json(value: object) -> None:
    """The result as one JSON document, on stdout."""
    click.echo(json.dumps(value, indent=1, ensure_ascii=False, default=str))


def set_up_logging(verbose: bool) -> None:
    """Logs go to stderr; libraries' chatter only on demand."""
    logging.basicConfig(
        level=logging.WARNING, format="%(asctime)s %(levelname)s %(name)s: %(message)s", stream=sys.stderr
    )
    for name in ("connectors", "trainer", "plugin"):
        logging.getLogger(name).setLevel(logging.DEBUG if verbose else logging.INFO)


class Bar:
    """A progress bar per stage; in a log file a line per quarter. Matches the callbacks of sync and training."""

    def __init__(self) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

        self._console = Console(stderr=True)
        self._progress = Progress(
            TextColumn("   {task.description:<21}"),
            BarColumn(bar_width=28),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            TextColumn("{task.fields[note]}"),
            console=self._console,
            disable=not self._console.is_terminal,
        )
        self._tasks: dict[str, Any] = {}
        self._quarters: dict[str, int] = {}

    def __enter__(self) -> Bar:
        self._progress.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._progress.stop()

    def update(self, stage: str, done: int, total: int | None, note: str = "") -> None:
        """Moves a stage's bar; a total of 0 or None is one that nobody knows."""
        if not self._console.is_terminal:
            self._log(stage, done, total, note)
            return
        if stage not in self._tasks:
            self._tasks[stage] = self._progress.add_task(stage, note="", total=None)
        self._progress.update(self._tasks[stage], completed=done, total=total or None, note=note)

    def _log(self, stage: str, done: int, total: int | None, note: str) -> None:
        quarter = 4 * done // total if total else 0
        key = f"{stage} {note}" if note.isidentifier() else stage
        if quarter > self._quarters.get(key, 0):
            self._quarters[key] = quarter
            say(f"   {stage:<21} {done}/{total} {note}")


@contextmanager
def errors_explained() -> Iterator[None]:
    """Turns what can go wrong into a message and an exit code; a bug keeps its traceback."""
    try:
        yield
    except DeskhandError as error:
        say(f"Error: {error}")
        if error.hint:
            say(f"  {error.hint}")
        sys.exit(error.exit_code)
    except KeyboardInterrupt:
        say("\nStopped. Nothing is half done: the same command goes on from here.")
        sys.exit(INTERRUPTED)
    except Exception as error:
        if not _is_disk_full(error):
            raise
        say("Error: the disk is full; nothing was half written.\n  Free some space and run the same command again.")
        sys.exit(1)


def _is_disk_full(error: Exception) -> bool:
    # SQLite and safetensors have errors of their own for it, known by their words only.
    signs = (os.strerror(errno.ENOSPC), "disk is full")
    return getattr(error, "errno", None) == errno.ENOSPC or any(sign in str(error) for sign in signs)


def print_report(report: Report) -> None:
    """Both evaluation tables and the verdict, on stdout."""
    from rich.console import Console

    console = Console(width=110) if not sys.stdout.isatty() else Console()
    console.print(_routes(report))
    console.print(_replies(report))
    console.print(f"\n[bold]Verdict.[/bold] {report.verdict}\n")


def _routes(report: Report) -> Table:
    from rich.table import Table

    tickets = report.routes[0].tickets
    table = Table(
        "routing", "accuracy", "macro-F1", "ECE", "against the best", title=f"Routing, {tickets} newer tickets"
    )
    for score in report.routes:
        low, high = score.versus_best
        table.add_row(
            _starred(score.arm, report.route_arm), f"{score.accuracy:.1%}", f"{score.macro_f1:.2f}",
            f"{score.calibration_error:.2f}", f"{100 * low:+.0f} to {100 * high:+.0f} points",
        )  # fmt: skip
    return table


def _replies(report: Report) -> Table:
    from rich.table import Table

    table = Table(
        "replies", "edit effort", "95%", "against the best", "chrF", "unsupported", "blanks", "s/draft",
        title=f"Replies, {report.replies[0].tickets} newer customer turns (edit effort: 0 is sent as it is)",
    )  # fmt: skip
    for score in report.replies:
        (low, high), (worse_low, worse_high) = score.effort_interval, score.versus_best
        table.add_row(
            _starred(score.arm, report.reply_arm), f"{score.effort:.3f}", f"{low:.2f} to {high:.2f}",
            f"{worse_low:+.3f} to {worse_high:+.3f}", f"{score.chrf:.1f}", f"{score.unsupported_share:.0%}",
            f"{score.blanks:.1f}", f"{score.seconds:.1f}",
        )  # fmt: skip
    return table


def _starred(arm: str, chosen: str) -> str:
    return f"[bold]{arm} *[/bold]" if arm == chosen else arm
