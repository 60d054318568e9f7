"""What a person sees in the terminal: progress on stderr, results on stdout, errors with what to do next."""

from __future__ import annotations

import errno
import json
import logging
import math
import os
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import click

from connectors.errors import DeskhandError

if TYPE_CHECKING:
    from rich.table import Table

    from connectors.http.waits import Wait
    from trainer.evaluation.scores import Report

INTERRUPTED = 130
# In a log file: how long nothing is said at most while there is progress, and which waits are worth a line.
LOG_EVERY_S = 30.0
LOGGED_WAIT_S = 5.0
# What a report takes where nobody knows how wide the screen is: in a file, or a pipe.
REPORT_COLUMNS = 110


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
    """A progress bar per stage, and why it stands still where it does. Matches the callbacks of sync and training.

    In a log file: a line per quarter, one after half a minute without, and one per longer wait.

    Args:
        clock: Seconds on a monotonic clock.
    """

    def __init__(self, *, clock: Callable[[], float] = time.monotonic) -> None:
        from rich.console import Console

        from plugin.bars import Bars

        self._clock = clock
        self._console = Console(stderr=True)
        self._bars = Bars(self._console, clock)
        self._tasks: dict[str, Any] = {}
        self._stage = "requests"
        self._logged: dict[str, _Logged] = {}
        self._waiting_s = 0.0

    def __enter__(self) -> Bar:
        self._bars.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._bars.stop()

    def update(self, stage: str, done: int, total: int | None, note: str = "") -> None:
        """Moves a stage's bar; a total of 0 or None is one that nobody knows."""
        self._stage = stage
        if not self._console.is_terminal:
            self._log(stage, done, total, note)
            return
        if stage not in self._tasks:
            self._tasks[stage] = self._bars.add_task(stage, note="", total=None)
        self._bars.update(self._tasks[stage], completed=done, total=total or None, note=note)

    def waiting(self, wait: Wait) -> None:
        """Shows what the helpdesk has us wait for; called about once a second while it does."""
        text = f"waiting {math.ceil(wait.seconds_left)} s: {wait.reason}"
        if self._console.is_terminal:
            self._bars.waiting = text if wait.seconds_left > 0 else ""
        elif wait.seconds_left > max(self._waiting_s, LOGGED_WAIT_S):  # it counts down, so this is another one
            say(f"   {self._stage:<21} {text}")
        self._waiting_s = wait.seconds_left

    def _log(self, stage: str, done: int, total: int | None, note: str) -> None:
        from plugin.bars import speed

        now = self._clock()
        quarter = 4 * done // total if total else 0
        last = self._logged.setdefault(f"{stage} {note}" if note.isidentifier() else stage, _Logged(done, now, now))
        if quarter <= last.quarter and now - last.at < LOG_EVERY_S:
            return
        last.quarter, last.at = max(quarter, last.quarter), now
        parts = [f"   {stage:<21} {done}/{total}" if total else f"   {stage:<21} {done}"]
        if done > last.first_done and now - last.first_at >= 1:
            per_s = (done - last.first_done) / (now - last.first_at)
            parts.append(speed(per_s))
            if total and total > done:
                parts.append(f"{timedelta(seconds=round((total - done) / per_s))} left")
        say("  ".join([*parts, note] if note else parts))


@dataclass(slots=True)
class _Logged:
    """Where a stage started, and what was last said of it in a log file."""

    first_done: int
    first_at: float
    at: float
    quarter: int = 0


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
    """The evaluation's tables, the verdict and what else is to be known, on stdout; 110 columns are enough."""
    from rich.console import Console
    from rich.markup import escape

    from trainer.evaluation.judgement import remarks

    console = Console(width=REPORT_COLUMNS) if not sys.stdout.isatty() else Console()
    console.print(_routes(report))
    if report.heads:
        console.print(_heads(report))
    console.print(_replies(report))
    if report.curve:
        console.print(_curve(report))
    if report.stale:
        console.print(_stale(report))
    console.print(f"\n[bold]Verdict.[/bold] {escape(report.verdict)}\n")
    for remark in remarks(report):
        console.print(f"- {escape(remark)}")


def _table(title: str, *columns: str) -> Table:
    """A table of figures: the first column names an arm, all others stand to the right."""
    from rich import box
    from rich.table import Table

    table = Table(title=title, title_justify="left", box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0))
    for place, column in enumerate(columns):
        table.add_column(column, justify="right" if place else "left")
    return table


def _routes(report: Report) -> Table:
    table = _table(
        f"Routing, {report.routes[0].tickets} newer tickets",
        "routing", "accuracy", "against\nthe best", "macro-F1", "top 3", "ECE", "routable\nat 95%",
    )  # fmt: skip
    for score in report.routes:
        low, high = score.versus_best
        table.add_row(
            _starred(score.arm, report.route_arm), f"{score.accuracy:.1%}",
            f"{100 * low:+.0f} to {100 * high:+.0f} points", f"{score.macro_f1:.2f}", f"{score.top3:.1%}",
            f"{score.calibration_error:.2f}", f"{score.coverage:.0%}",
        )  # fmt: skip
    return table


def _heads(report: Report) -> Table:
    from trainer.evaluation.columns import HEAD_COLUMNS

    table = _table("What else is suggested for a ticket", "suggested", *(column.title for column in HEAD_COLUMNS))
    for score in report.heads:
        table.add_row(score.head, *(column.cell(score) for column in HEAD_COLUMNS))
    return table


def _replies(report: Report) -> Table:
    from trainer.evaluation.columns import number

    table = _table(
        f"Replies, {report.replies[0].tickets} newer customer turns (edit effort: 0 is sent as it is)",
        "replies", "edit\neffort", "95%", "against\nthe best", "chrF", "bits/\nword", "style\nAUC", "unsup-\nported",
        "leaks", "s/\ndraft",
    )  # fmt: skip
    for score in report.replies:
        (low, high), (worse_low, worse_high) = score.effort_interval, score.versus_best
        table.add_row(
            _starred(score.arm, report.reply_arm), f"{score.effort:.3f}", f"{low:.2f} to {high:.2f}",
            f"{worse_low:+.3f} to {worse_high:+.3f}", f"{score.chrf:.1f}", number(score.bits_per_word, ".2f"),
            number(score.style_auc, ".2f"), f"{score.unsupported_share:.0%}", f"{score.leak_share:.0%}",
            f"{score.seconds:.1f}",
        )  # fmt: skip
    return table


def _curve(report: Report) -> Table:
    from trainer.evaluation.columns import number
    from trainer.evaluation.judgement import duration

    table = _table(
        "Learning curve", "replies", "tickets", "examples", "edit effort", "bits/word", "style AUC", "training"
    )
    for point in report.curve:
        table.add_row(
            point.arm, str(point.tickets), str(point.examples), f"{point.effort:.3f}", f"{point.bits_per_word:.2f}",
            number(point.style_auc, ".2f"), duration(point.train_s),
        )  # fmt: skip
    return table


def _stale(report: Report) -> Table:
    table = _table(
        "After an article was edited", "replies", "questions", "stated the fact before", "still wrote the old one",
        "and would show it", "the new one",
    )  # fmt: skip
    for probe in report.stale:
        counts = (probe.questions, probe.stated_before, probe.stale, probe.seen, probe.fresh)
        table.add_row(_starred(probe.arm, report.reply_arm), *map(str, counts))
    return table


def _starred(arm: str, chosen: str) -> str:
    return f"[bold]{arm} *[/bold]" if arm == chosen else arm
