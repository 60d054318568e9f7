"""The columns of an evaluation's tables, each with what it means to somebody who has never seen it."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from trainer.evaluation.judgement import duration

NONE = "\u2013"


@dataclass(frozen=True, slots=True)
class Column:
    """A column of a table: its heading, what it means to somebody who has never seen it, and a cell's text."""

    title: str
    meaning: str
    cell: Callable[[Any], str]


def number(value: float | None, form: str) -> str:
    """A figure as text; a dash where there is none."""
    return NONE if value is None or math.isnan(value) else format(value, form)


REPLY_COLUMNS: tuple[tuple[str, tuple[Column, ...]], ...] = (
    (
        "How much is left to write",
        (
            Column("edit effort", "Share of words to be changed from the draft to what was sent. Lower is better.",
                   lambda s: f"{s.effort:.1%}"),
            Column("95%", "Where the true edit effort lies, 19 times out of 20.",
                   lambda s: "{:.0%} to {:.0%}".format(*s.effort_interval)),
            Column("against the best", "The same for the distance to the best arm, in points. Above 0 throughout: "
                   "surely worse.", lambda s: "{:+.1f} to {:+.1f}".format(*(100 * end for end in s.versus_best))),
            Column("at equal length", "Edit effort with both texts cut to the shorter one: a short draft is not "
                   "judged by being short.", lambda s: f"{s.effort_cut:.1%}"),
            Column("chrF", "Overlap of letters with what was sent, 0 to 100. Higher is better.",
                   lambda s: f"{s.chrf:.1f}"),
            Column("chrF, equal length", "The same with both texts cut to the shorter one.",
                   lambda s: f"{s.chrf_cut:.1f}"),
            Column("ROUGE-L", "Longest run of words in the same order, 0 to 1. Higher is better.",
                   lambda s: f"{s.rouge_l:.2f}"),
        ),
    ),
    (
        "How much it sounds like the team",
        (
            Column("similarity", "How near draft and sent reply are in meaning, at most 1. Higher is better.",
                   lambda s: f"{s.similarity:.2f}"),
            Column("its control", "The same with the reply to another ticket: what sounding like this desk is worth. "
                   "Similarity counts above it.", lambda s: f"{s.similarity_control:.2f}"),
            Column("bits per word", "How much the team's real reply surprises the model. Lower is better.",
                   lambda s: number(s.bits_per_word, ".2f")),
            Column("style AUC", "How well a classifier tells drafts from the team's replies: 0.5 is not at all, 1 is "
                   "always. Lower is better.", lambda s: number(s.style_auc, ".2f")),
            Column("length", "Words of the drafts over words of what was sent; 1 is as long.",
                   lambda s: f"{s.length_ratio:.2f}"),
        ),
    ),
    (
        "Whether it can be trusted, and what it takes",
        (
            Column("unsupported", "Drafts with a number, date, amount or link that stands nowhere it could come from.",
                   lambda s: f"{s.unsupported_share:.0%}"),
            Column("made up", "Drafts in which the model had written such a fact; a blank is shown in its place.",
                   lambda s: f"{s.invented_share:.0%}"),
            Column("leaks", "Drafts with personal data that neither ticket nor articles hold.",
                   lambda s: f"{s.leak_share:.0%}"),
            Column("silent", "Drafts that would not be shown: nothing similar was found, or something leaked.",
                   lambda s: f"{s.silent_share:.0%}"),
            Column("blanks", "Blanks in a draft that an agent fills in, on average.", lambda s: f"{s.blanks:.1f}"),
            Column("seconds", "Wall time of a draft, many at a time.", lambda s: f"{s.seconds:.1f}"),
            Column("tokens", "Length of a draft, for the model.", lambda s: f"{s.tokens:.0f}"),
        ),
    ),
)  # fmt: skip
HEAD_COLUMNS: tuple[Column, ...] = (
    Column("tickets", "How many were judged.", lambda s: f"{s.tickets:,}"),
    Column("measure", "What the next two columns are: accuracy of the likeliest label, or the balance of right and "
           "missed ones (F1).", lambda s: s.metric),
    Column("value", "How well the suggestions do, at most 1.", lambda s: f"{s.value:.2f}"),
    Column("always the same", "The same for naming the most frequent label every time. Only what is above it counts.",
           lambda s: f"{s.control:.2f}"),
    Column("suggested", "Tickets that get one; the rest is left to the agent.", lambda s: f"{s.suggested:.0%}"),
    Column("right", "Suggestions that the team would have made as well.",
           lambda s: f"{s.precision:.0%}" if s.suggested else NONE),
    Column("found", "Of the team's own labels, how many are suggested.", lambda s: f"{s.recall:.0%}"),
)  # fmt: skip
ROUTE_COLUMNS: tuple[Column, ...] = (
    Column("accuracy", "Share of tickets whose likeliest group is the right one.", lambda s: f"{s.accuracy:.1%}"),
    Column("against the best", "Where the distance to the best arm lies, 19 times out of 20, in points. Below 0 "
           "throughout: surely worse.", lambda s: "{:+.0f} to {:+.0f}".format(*(100 * end for end in s.versus_best))),
    Column("macro-F1", "The same with every group counting alike, however small; at most 1.",
           lambda s: f"{s.macro_f1:.2f}"),
    Column("top 3", "Share whose right group is among the three likeliest.", lambda s: f"{s.top3:.1%}"),
    Column("ECE", "How far the stated probabilities are from how often they come true; 0 is honest.",
           lambda s: f"{s.calibration_error:.2f}"),
    Column("routable at 95%", "Share that can be routed without a person, surest first, with 95% of them right.",
           lambda s: f"{s.coverage:.0%}"),
    Column("routed", "Share that its thresholds, set before these tickets, route by themselves.",
           lambda s: f"{s.routed:.0%}"),
    Column("of them right", "How many of those went to the right group.",
           lambda s: f"{s.routed_accuracy:.0%}" if s.routed else NONE),
    Column("training", "What training it took.", lambda s: duration(s.train_s)),
)  # fmt: skip
