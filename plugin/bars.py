"""How progress looks in a terminal: a line per stage, and one for what is waited for.

Apart from `plugin.console`, so that commands without a bar start without rich.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import timedelta

from rich.console import Console, RenderableType
from rich.progress import BarColumn, MofNCompleteColumn, Progress, ProgressColumn, Task, TextColumn
from rich.table import Column
from rich.text import Text


class Bars(Progress):
    """A line per stage with its speed and the time left.

    Attributes:
        waiting: Shown below the stages, since a line of its own has room for it on any terminal; empty for nothing.
    """

    def __init__(self, console: Console, clock: Callable[[], float]) -> None:
        self.waiting = ""
        super().__init__(
            TextColumn("   {task.description:<21}"),
            BarColumn(bar_width=None, table_column=Column(max_width=28)),
            # On a narrow terminal the bar and the note give way, and the figures do not.
            MofNCompleteColumn(table_column=Column(no_wrap=True)),
            _Time(table_column=Column(no_wrap=True)),
            _Speed(table_column=Column(no_wrap=True)),
            _Note(),
            console=console,
            disable=not console.is_terminal,
            get_time=clock,
            # A minute's budget of requests is used up in seconds and then waited for: both make the speed.
            speed_estimate_period=300,
        )

    def get_renderables(self) -> Iterable[RenderableType]:
        """Of each refresh."""
        yield from super().get_renderables()
        if self.waiting:
            yield Text(f"   {self.waiting}", style="yellow", no_wrap=True, overflow="ellipsis")


class _Time(ProgressColumn):
    def render(self, task: Task) -> Text:
        """Time left where it is known, else time taken."""
        left_s = None if task.finished else task.time_remaining
        if left_s:
            return Text(f"{timedelta(seconds=round(left_s))} left", style="progress.remaining")
        taken_s = task.finished_time if task.finished else task.elapsed
        return Text(str(timedelta(seconds=round(taken_s or 0))), style="progress.elapsed")


class _Speed(ProgressColumn):
    def render(self, task: Task) -> Text:
        """Records, steps or drafts a second; rich gives the average of the whole stage once it is finished."""
        per_s = task.finished_speed or task.speed
        return Text(speed(per_s) if per_s else "", style="progress.data.speed")


class _Note(ProgressColumn):
    def render(self, task: Task) -> Text:
        """What the stage says of itself, in one line."""
        return Text(task.fields["note"], no_wrap=True, overflow="ellipsis")


def speed(per_s: float) -> str:
    """Two figures of a speed."""
    return f"{per_s:.0f}/s" if per_s >= 10 else f"{per_s:.1f}/s"
