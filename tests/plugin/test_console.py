"""What a person or a script sees: results on stdout, the rest on stderr, and an exit code for every kind of error."""

from __future__ import annotations

import dataclasses
import errno
import json
import logging
import re
import sqlite3
from collections.abc import Callable, Iterator

import pytest

from connectors.errors import ConfigError, CredentialError, DeskhandError, FatalError, RetriableError, StoreError
from connectors.http.waits import Wait
from plugin.console import Bar, errors_explained, print_report, say, set_up_logging, show, show_json
from trainer.evaluation.scores import Calibration, CurvePoint, ReplyScore, Report, RouteScore, StaleScore
from trainer.routing.heads import HeadScore

Said = pytest.CaptureFixture[str]


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (ConfigError("no helpdesk is configured", hint="run: deskhand init"), 78),
        (RetriableError("a rate limit", hint="try again later"), 75),
        (CredentialError("not accepted", hint="run: deskhand init"), 1),
        (StoreError("the disk is full", hint="free some space"), 1),
        (FatalError("no", hint="do this"), 1),
    ],
)
def test_our_errors_become_a_line_a_hint_and_an_exit_code(error: DeskhandError, code: int, capsys: Said) -> None:
    with pytest.raises(SystemExit) as ended, errors_explained():
        raise error
    assert ended.value.code == code
    assert capsys.readouterr() == ("", f"Error: {error}\n  {error.hint}\n")


def test_an_error_without_a_hint_has_no_empty_line(capsys: Said) -> None:
    with pytest.raises(SystemExit), errors_explained():
        raise FatalError("no")
    assert capsys.readouterr().err == "Error: no\n"


def test_ctrl_c_is_130_and_says_that_nothing_is_lost(capsys: Said) -> None:
    with pytest.raises(SystemExit) as ended, errors_explained():
        raise KeyboardInterrupt
    assert ended.value.code == 130
    assert "the same command goes on from here" in capsys.readouterr().err


@pytest.mark.parametrize(
    "error",
    [
        OSError(errno.ENOSPC, "No space left on device"),
        sqlite3.OperationalError("database or disk is full"),
        RuntimeError("Error while serializing: I/O error: No space left on device (os error 28)"),
    ],
)
def test_a_full_disk_is_explained_whoever_reports_it(capsys: Said, error: Exception) -> None:
    with pytest.raises(SystemExit) as ended, errors_explained():
        raise error
    assert ended.value.code == 1
    assert "the disk is full" in capsys.readouterr().err


def test_other_trouble_is_not_hidden() -> None:
    with pytest.raises(PermissionError), errors_explained():
        raise PermissionError(errno.EACCES, "Permission denied")
    with pytest.raises(ZeroDivisionError), errors_explained():  # a bug keeps its traceback
        raise ZeroDivisionError


def test_results_and_progress_do_not_mix(capsys: Said) -> None:
    say("on the way")
    show("the result")
    assert capsys.readouterr() == ("the result\n", "on the way\n")
    show_json({"city": "Zürich", "at": (1, 2)})
    out = capsys.readouterr().out
    assert json.loads(out) == {"city": "Zürich", "at": [1, 2]}
    assert "Zürich" in out, "and a person can read it"


def test_in_a_log_file_a_bar_is_a_line_per_quarter(capsys: Said) -> None:
    with Bar() as bar:
        for done in range(1, 101):
            bar.update("train", done, 100, "loss 2.0")
        for done in range(10):
            bar.update("users", done, None)
            bar.update("index", done, 0)
        for arm in ("nearest", "tuned"):
            bar.update("evaluate", 4, 4, arm)
    said = capsys.readouterr()
    assert said.out == ""
    assert [line.split()[:2] for line in said.err.splitlines()] == [
        ["train", "25/100"], ["train", "50/100"], ["train", "75/100"], ["train", "100/100"],
        ["evaluate", "4/4"], ["evaluate", "4/4"],
    ]  # fmt: skip


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


def test_in_a_log_file_half_a_minute_is_not_silent(capsys: Said, clock: Clock) -> None:
    with Bar(clock=clock) as bar:
        for page in range(1, 13):
            clock.now += 10
            bar.update("users", 100 * page, None)
            bar.update("tickets", 1000 * page, 124_000, "so far")
    assert capsys.readouterr().err.splitlines() == [
        "   users                 400  10/s",
        "   tickets               4000/124000  100/s  0:20:00 left  so far",
        "   users                 700  10/s",
        "   tickets               7000/124000  100/s  0:19:30 left  so far",
        "   users                 1000  10/s",
        "   tickets               10000/124000  100/s  0:19:00 left  so far",
    ]


def test_in_a_log_file_a_longer_wait_is_a_line(capsys: Said, clock: Clock) -> None:
    with Bar(clock=clock) as bar:
        bar.update("tickets", 1000, None)
        for seconds, reason in ((43, "rate limit of incremental-exports"), (4, "server asked"), (6, "server asked")):
            for left in range(seconds, -1, -1):
                bar.waiting(Wait(reason, left - 0.2 if left else 0.0, 1))
    assert capsys.readouterr().err.splitlines() == [
        "   tickets               waiting 43 s: rate limit of incremental-exports",
        "   tickets               waiting 6 s: server asked",
    ]


def test_a_wait_before_any_stage_is_told_too(capsys: Said) -> None:
    with Bar() as bar:
        bar.waiting(Wait("server asked", 30.0, 2))
    assert "waiting 30 s: server asked" in capsys.readouterr().err


@pytest.fixture
def lines(monkeypatch: pytest.MonkeyPatch, capsys: Said, clock: Clock) -> Iterator[Callable[..., list[str]]]:
    """A terminal: gives what its last refresh showed, line by line."""
    monkeypatch.setenv("TTY_COMPATIBLE", "1")
    monkeypatch.setenv("TERM", "xterm")

    def lines(show: Callable[[Bar], None], *, columns: int = 100) -> list[str]:
        monkeypatch.setenv("COLUMNS", str(columns))
        with Bar(clock=clock) as bar:
            show(bar)
            capsys.readouterr()
            bar._bars.refresh()
            shown = capsys.readouterr().err.rpartition("\x1b[2K")[2]  # what the last refresh wrote anew
        return [re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", line).rstrip() for line in shown.splitlines()]

    return lines


def test_a_bar_has_a_speed_and_the_time_left(lines: Callable[..., list[str]], clock: Clock) -> None:
    def show(bar: Bar) -> None:
        for page in range(1, 12):
            bar.update("users", 5 * page, None)
            bar.update("tickets", 1000 * page, 124_000, "and their comments")
            clock.now += 10

    users, tickets = lines(show)
    assert re.fullmatch(r"   users  .* 55/\? .* 0:01:50 +0\.5/s", users)
    assert re.fullmatch(r"   tickets  .* 11000/124000 +0:18:50 left 100/s +and their comments", tickets)


@pytest.mark.parametrize("columns", [60, 80, 100])
def test_a_wait_is_shown_whole_on_any_terminal_and_gone_when_it_is_over(
    columns: int, lines: Callable[..., list[str]]
) -> None:
    def show(bar: Bar) -> None:
        bar.update("tickets", 10_000, 124_000, "of [bold]all[/bold], however long this note may be")
        bar.waiting(Wait("rate limit of incremental-exports", 42.3, 1))

    tickets, wait = lines(show, columns=columns)
    assert " 10000/124000 " in tickets
    assert wait == "   waiting 43 s: rate limit of incremental-exports"

    def over(bar: Bar) -> None:
        show(bar)
        bar.waiting(Wait("rate limit of incremental-exports", 0.0, 1))

    assert len(lines(over, columns=columns)) == 1


@pytest.fixture
def levels() -> Iterator[None]:
    loggers = [logging.getLogger(name) for name in ("connectors", "trainer", "plugin")]
    before = [logger.level for logger in loggers]
    yield
    for logger, level in zip(loggers, before, strict=True):
        logger.setLevel(level)


@pytest.mark.usefixtures("levels")
def test_verbose_is_for_our_own_logs_only() -> None:
    set_up_logging(verbose=False)
    assert not logging.getLogger("plugin.worker").isEnabledFor(logging.DEBUG)
    assert logging.getLogger("plugin.worker").isEnabledFor(logging.INFO)
    set_up_logging(verbose=True)
    assert logging.getLogger("plugin.worker").isEnabledFor(logging.DEBUG)
    assert not logging.getLogger("urllib3").isEnabledFor(logging.DEBUG)


@pytest.fixture(scope="module")
def report() -> Report:
    """With the longest names there are, and the longest intervals."""
    routes = tuple(
        RouteScore(arm, 40, 0.875, 0.8, 0.954, 0.05, 0.313, 0.2, 0.97, (-0.1, 0.0)) for arm in ("majority", "tfidf")
    )
    replies = tuple(
        ReplyScore(
            arm, 16, 0.512, (0.4, 0.6), (-0.123, 0.456), 31.2, 0.4, 0.5, 32.0, 0.6, 0.3, 1.0,
            None if arm == "nearest" else 4.31, 0.72, 0.25, 0.06, 0.1, 1.5, 0.7, 60.0,
        )
        for arm in ("nearest", "tuned", "tuned_retrieval")
    )  # fmt: skip
    return Report(routes, replies, "tfidf", "tuned_retrieval", "Fine-tuning pays [here]: for 'tuned_retrieval'.")


def test_a_report_shows_every_arm_and_marks_the_chosen_ones(report: Report, capsys: Said) -> None:
    print_report(report)
    out = capsys.readouterr().out
    for word in ("majority", "tfidf *", "nearest", "tuned_retrieval *", "87.5%", "95.4%", "31%", "-10 to +0 points",
                 "0.512", "0.40 to 0.60", "-0.123 to +0.456", "31.2", "4.31", "0.72", "25%", "6%"):  # fmt: skip
        assert word in out
    assert out.count("4.31") == 2, "the nearest reply has no model that could be surprised"
    for arm in ("majority", "nearest", "tuned"):
        assert f"{arm} *" not in out
    assert "Verdict. Fine-tuning pays [here]: for" in out
    assert "Learning curve" not in out
    assert "16 turns and 40 tickets are few" in " ".join(out.split())


def test_a_report_fits_the_width_that_is_promised(report: Report, capsys: Said) -> None:
    print_report(report)
    lines = capsys.readouterr().out.splitlines()
    assert max(map(len, lines)) <= 110
    assert "\u2026" not in "".join(lines), "nothing is cut"
    figures = [line for line in lines if line.lstrip().startswith("tuned_retrieval *")]
    assert len(figures) == 1
    assert len(figures[0].split()) == 15, "one line for each arm"


def test_a_report_shows_the_curve_the_probe_and_the_calibration_where_they_are(report: Report, capsys: Said) -> None:
    more = dataclasses.replace(
        report,
        calibration=Calibration(0.034, ((0.4, 0.42, 8), (0.6, 0.58, 8)), 0.31, 0.5),
        curve=(
            CurvePoint(50, 81, "tuned", 0.587, 5.11, 0.9, 70.0),
            CurvePoint(400, 655, "tuned", 0.511, 4.2, 0.8, 600),
        ),
        heads=(HeadScore("priority", 55, "accuracy", 0.764, 0.618, 0.4, 0.91, 0.36),),
        stale=(StaleScore("tuned_retrieval", 24, 17, 3, 13, seen=1),),
    )
    print_report(more)
    out = capsys.readouterr().out
    rows = [line.split() for line in out.splitlines()]
    assert ["tuned", "50", "81", "0.587", "5.11", "0.90", "70", "seconds"] in rows
    assert ["tuned", "400", "655", "0.511", "4.20", "0.80", "10", "minutes"] in rows
    assert ["priority", "55", "accuracy", "0.76", "0.62", "40%", "91%", "36%"] in rows
    assert ["tuned_retrieval", "*", "24", "17", "3", "1", "13"] in rows
    said = " ".join(out.split())
    assert "31% of a reply is to be changed, lower than the 50% of all; the prediction is off by 3.4 points" in said
    assert "still stated the old fact in 3 of 24 drafts, 1 of them as they would be shown" in said
    assert max(map(len, out.splitlines())) <= 110
