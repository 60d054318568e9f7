"""Reply arms on public tickets: what fine-tuning gives on a desk whose answers hardly repeat, and what it does not.

    python tests/benchmarks/replies.py                          the Firefox set, 400 training and 300 test tickets
    python tests/benchmarks/replies.py --tickets FILE [--articles FILE] --until 2020-06-01
    python tests/benchmarks/replies.py --desk HOME              an installation's own tickets, such as the demo's

A file of tickets is JSON lines, gzip or not: `id, created, subject, body, queue, first_reply`, with `locale` and
`first_reply_by` where there are any; one of articles: `slug, title, text, url`. Training tickets are the last ones
before `--until`, test tickets a fixed sample after it that curation does not touch. All arms are those of
`deskhand train`, and so is the judgement. Canaries are planted in the training set; a run that is killed goes on where
it was. CPU only, seeds fixed.
"""

from __future__ import annotations

import argparse
import gzip
import json
import random
import shutil
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console
from rich.table import Table

from connectors.records import Article, Comment, Group, Thread, Ticket, User
from connectors.settings import TrainerSettings
from connectors.store.database import Store
from connectors.store.examples import Example
from trainer import conversation
from trainer.conversation import Block
from trainer.curation.curate import curate
from trainer.curation.dataset import Split, split_of
from trainer.curation.duplicates import bare, twins
from trainer.evaluation.columns import number
from trainer.evaluation.judgement import interval
from trainer.evaluation.replies import effort
from trainer.evaluation.scores import Report, read_samples
from trainer.privacy.canaries import Exposure, asked, by_repeats, exposure, plant
from trainer.privacy.lexicon import Lexicon
from trainer.privacy.slots import Slots
from trainer.registry import Registry
from trainer.text import language_of, own_words
from trainer.train import Trained, train

DATA = Path(__file__).parents[3] / "shared" / "data" / "firefox_support" / "tickets.jsonl.gz"
DESK = "bench"
HOUR = {"epochs": 2, "max_prompt_tokens": 448, "max_reply_tokens": 200}
"""What keeps the run of 400 and 300 tickets near an hour on two cores."""
SEED = 17
CANNED = 90.0


@dataclass(frozen=True)
class Data:
    """What a run learns from and is judged by."""

    helpdesk: str
    split: Split
    curated: str


def read(path: Path) -> list[dict[str, Any]]:
    """JSON lines, gzip or not."""
    content = path.read_bytes()
    text = (gzip.decompress(content) if path.suffix == ".gz" else content).decode()
    return [json.loads(line) for line in text.split("\n") if line.strip()]


def records(row: dict[str, Any]) -> Iterator[Any]:
    """A row as the records that a helpdesk would have given."""
    at = row["created"] if "T" in row["created"] else f"{row['created']}T12:00:00Z"
    number, agent = str(row["id"]), row.get("first_reply_by") or "agent"
    yield Group(row.get("queue") or "none", (row.get("queue") or "none").replace("-", " "), "")
    yield User(f"r{number}", "", "", "requester")
    yield User(agent, agent, "", "agent")
    yield Ticket(
        number,
        row["subject"],
        "solved",
        f"r{number}",
        at,
        at,
        0,
        group_id=row.get("queue") or "none",
        assignee_id=agent,
    )


def thread(row: dict[str, Any]) -> Thread:
    """The question and the first reply."""
    ticket = next(one for one in records(row) if isinstance(one, Ticket))
    agent = row.get("first_reply_by") or "agent"
    return Thread(
        ticket.id,
        (
            Comment(f"{ticket.id}-1", ticket.id, ticket.requester_id, True, row["body"], ticket.created_at),
            Comment(f"{ticket.id}-2", ticket.id, agent, True, row["first_reply"], ticket.created_at),
        ),
        (),
    )


def public(store: Store, path: Path, articles: Path | None, options: argparse.Namespace) -> Data:
    """A file's tickets: the training ones go through the store and curation, the test ones past both."""
    rows = [row for row in read(path) if row.get("first_reply") and row.get("locale", "en").startswith("en")]
    rows.sort(key=lambda row: (row["created"], row["id"]))
    before = [row for row in rows if row["created"] < options.until][-options.train :]
    after = [row for row in rows if row["created"] >= options.until]
    after = random.Random(SEED).sample(after, min(options.test, len(after)))
    for row in before:
        store.mirror.save(DESK, records(row))
        store.mirror.save_thread(DESK, thread(row))
    if articles:
        store.mirror.save(
            DESK,
            [
                Article(row["slug"], row["title"], row["text"], row["url"], "en", options.until)
                for row in read(articles)
            ],
        )
    report = curate(store, DESK, TrainerSettings())
    lexicon = Lexicon.of_desk(store, DESK)
    judges = sorted((judge(row, lexicon) for row in after), key=lambda one: (one.created_at, one.ticket_id))
    split = Split(tuple(store.examples.kept(DESK)), tuple(judges), options.until, 0)
    return Data(
        DESK,
        split,
        f"{report.kept} of {len(before)} kept; " + "; ".join(f"{n} {why}" for why, n in report.dropped.most_common()),
    )


def judge(row: dict[str, Any], lexicon: Lexicon) -> Example:
    """A test ticket, whatever curation would say of it."""
    ticket = next(one for one in records(row) if isinstance(one, Ticket))
    asked_by = Block(True, own_words(row["body"], first=True), f"{ticket.id}-1", ticket.requester_id, ticket.created_at)
    slots = Slots(None, lexicon=lexicon)
    question = slots.hide(conversation.written(ticket.subject, [asked_by]))
    reply = slots.hide(own_words(row["first_reply"]))
    return Example(
        helpdesk=DESK, ticket_id=ticket.id, comment_id=f"{ticket.id}-2", turn=0, kept=True, reason="", weight=1.0,
        question=question, reply=reply, language=language_of(reply), group_id=ticket.group_id or "",
        requester_id=ticket.requester_id, agent_id=row.get("first_reply_by") or "agent", created_at=ticket.created_at,
    )  # fmt: skip


def canned(split: Split) -> set[str]:
    """Test tickets whose reply was near enough a training reply."""
    sent = [bare(one.reply) for one in split.evaluation]
    found = twins(sent, [bare(one.reply) for one in split.train], CANNED)
    return {split.evaluation[index].ticket_id for index in found}


def apart(folder: Path, special: set[str]) -> Table:
    """Edit effort where the team sent a text that it had sent before, and where it wrote one anew."""
    samples = read_samples(folder)
    table = Table("edit effort", *(samples[0].drafts if samples else ()), title="Canned and new replies")
    for name, chosen in (
        ("canned", [one for one in samples if one.ticket_id in special]),
        ("new", [one for one in samples if one.ticket_id not in special]),
    ):
        if chosen:
            arms = chosen[0].drafts
            means = [f"{np.mean([effort(one.drafts[arm], one.sent) for one in chosen]):.3f}" for arm in arms]
            table.add_row(f"{name} ({len(chosen)})", *means)
    return table


def against(folder: Path, chosen: str) -> Table:
    """The recommended arm against each other one, paired."""
    samples = read_samples(folder)
    table = Table("less edit effort than", "difference", "95%", title=f"'{chosen}', paired over {len(samples)} turns")
    for arm in samples[0].drafts if samples else ():
        if arm != chosen:
            gaps = np.asarray([one.efforts[chosen] - one.efforts[arm] for one in samples])
            low, high = interval(gaps)
            table.add_row(arm, f"{gaps.mean():+.3f}", f"{low:+.3f} to {high:+.3f}")
    return table


def memorised(trained: Trained, registry: Registry, options: argparse.Namespace, canaries: Sequence[Any]) -> Table:
    """How much of the canaries the version knows by heart."""
    from peft import PeftModel

    from trainer.weights import load_language_model

    base, tokenizer = load_language_model(trained.manifest.base_model, options.cache)
    model = PeftModel.from_pretrained(base, registry.path(trained.manifest.version) / "adapter").eval()
    score, complete = asked(model, tokenizer, max_prompt_tokens=trained.manifest.max_prompt_tokens)
    found: list[Exposure] = exposure(canaries, score, complete, candidates=63)
    table = Table(
        "in so many tickets", "exposure, bits (6 is by heart, 1.4 not at all)", "written out", title="Canaries"
    )
    for times, (bits, share) in by_repeats(found).items():
        table.add_row(str(times), f"{bits:.1f}", f"{share:.0%}")
    return table


def show(report: Report) -> None:
    """All figures of the report, and the verdict."""
    console = Console(width=170)
    table = Table(
        "arm", "effort", "95%", "against the best", "effort cut", "chrF", "chrF cut", "ROUGE-L", "similar", "control",
        "length", "bits/word", "style AUC", "unsupported", "invented", "leaks", "silent", "s", title="Replies",
    )  # fmt: skip
    for one in report.replies:
        table.add_row(
            one.arm, f"{one.effort:.3f}", "{:.3f} to {:.3f}".format(*one.effort_interval),
            "{:+.3f} to {:+.3f}".format(*one.versus_best), f"{one.effort_cut:.3f}", f"{one.chrf:.1f}",
            f"{one.chrf_cut:.1f}", f"{one.rouge_l:.3f}", f"{one.similarity:.3f}", f"{one.similarity_control:.3f}",
            f"{one.length_ratio:.2f}", "" if one.bits_per_word is None else f"{one.bits_per_word:.2f}",
            number(one.style_auc, ".3f"), f"{one.unsupported_share:.1%}", f"{one.invented_share:.1%}",
            f"{one.leak_share:.1%}", f"{one.silent_share:.1%}", f"{one.seconds:.1f}",
        )  # fmt: skip
    console.print(table)
    routes = Table("arm", "accuracy", "macro-F1", "top 3", "ECE", "coverage at 95%", "routed", "right", title="Routes")
    for route in report.routes:
        routes.add_row(
            route.arm, *(f"{100 * value:.1f}" for value in (route.accuracy, route.macro_f1, route.top3,
                         route.calibration_error, route.coverage, route.routed, route.routed_accuracy)),
        )  # fmt: skip
    console.print(routes)
    if report.curve:
        curve = Table("tickets", "examples", "effort", "bits/word", "style AUC", "training s", title="Learning curve")
        for point in report.curve:
            curve.add_row(
                str(point.tickets), str(point.examples), f"{point.effort:.3f}", f"{point.bits_per_word:.2f}",
                number(point.style_auc, ".3f"), f"{point.train_s:.0f}",
            )  # fmt: skip
        console.print(curve)
    if report.stale:
        stale = Table(
            "arm", "questions", "stated before", "stale after", "shown", "fresh after", title="Stale-fact probe"
        )
        for probed in report.stale:
            stale.add_row(
                probed.arm, *map(str, (probed.questions, probed.stated_before, probed.stale, probed.seen, probed.fresh))
            )
        console.print(stale)
    if report.calibration:
        found = report.calibration
        console.print(
            f"Predicted edit effort: ECE {found.error:.3f}, the surest quarter {found.surest_quarter:.3f}, "
            f"all {found.overall:.3f}"
        )
    if report.cost:
        console.print(
            f"Cost: {report.cost.seconds / 60:.1f} min in all, {report.cost.train_s / 60:.1f} of them the adapter, "
            f"{report.cost.peak_memory_mb / 1000:.1f} GB"
        )
    console.print(f"Verdict: {report.verdict}")


def main() -> int:
    """Runs what the command line asks for; 0 also where there are no data to run it on."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tickets", type=Path, default=DATA)
    parser.add_argument("--articles", type=Path)
    parser.add_argument("--desk", type=Path, help="an installation's home instead of a file")
    parser.add_argument("--until", default="2020-06-01", help="test tickets were created from this day on")
    parser.add_argument("--train", type=int, default=400)
    parser.add_argument("--test", type=int, default=300)
    parser.add_argument("--curve", default="100,200", help="further numbers of training tickets; empty for none")
    parser.add_argument("--canaries", type=int, default=1, help="for each of 1, 2, 4 and 8 repeats; 0 plants none")
    parser.add_argument("--set", action="append", default=[], metavar="NAME=VALUE", help="any [trainer] setting")
    parser.add_argument("--work", type=Path, default=Path.home() / ".cache" / "deskhand" / "replies-benchmark")
    parser.add_argument("--cache", type=Path, default=Path.home() / ".cache" / "deskhand")
    parser.add_argument("--json", type=Path, help="write the report here as well")
    options = parser.parse_args()
    if not options.desk and not options.tickets.exists():
        print(f"skipped: there is no {options.tickets}; name a file with --tickets")
        return 0
    given = dict(one.split("=", 1) for one in options.set)
    curve = [int(size) for size in options.curve.split(",") if size]
    settings = TrainerSettings.model_validate(
        {"reply_eval_tickets": options.test, "curve_tickets": curve, "router_minutes": 0} | HOUR | given
    )
    options.work.mkdir(parents=True, exist_ok=True)
    path = options.work / "deskhand.db"
    for old in options.work.glob("deskhand.db*"):
        old.unlink()
    if options.desk:
        shutil.copy(options.desk / "deskhand.db", path)
    registry = Registry(options.work / "models")
    with Store(path) as store:
        data = own(store, settings) if options.desk else public(store, options.tickets, options.articles, options)
        print(data.curated, file=sys.stderr)
        examples, canaries = (
            plant(data.split.train, options.canaries, SEED) if options.canaries else (data.split.train, [])
        )
        split = replace(data.split, train=tuple(sorted(examples, key=lambda one: (one.created_at, one.ticket_id))))
        trained = train(store, data.helpdesk, registry, settings, options.cache, split=split, progress=Log())
        folder = registry.path(trained.manifest.version)
        show(trained.report)
        console = Console(width=170)
        console.print(against(folder, trained.report.reply_arm))
        console.print(apart(folder, canned(data.split)))
        if canaries:
            console.print(memorised(trained, registry, options, canaries))
    if options.json:
        options.json.write_text(json.dumps(trained.report.as_dict(), indent=1), encoding="utf-8")
    return 0


def own(store: Store, settings: TrainerSettings) -> Data:
    """What an installation would train on."""
    name = store.row("select helpdesk from tickets limit 1")
    helpdesk = name["helpdesk"] if name else DESK
    report = curate(store, helpdesk, settings)
    return Data(helpdesk, split_of(store, helpdesk, settings), f"{report.kept} kept")


class Log:
    """Progress, a line every half minute."""

    def __init__(self) -> None:
        self._last = time.monotonic()

    def __call__(self, stage: str, done: int, total: int, note: str) -> None:
        """As `trainer.train.Progress`."""
        if time.monotonic() - self._last >= 30:
            self._last = time.monotonic()
            print(f"{time.strftime('%H:%M:%S')} {stage} {done} of {total} {note}", file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
