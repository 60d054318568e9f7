"""How well tickets are routed, by every arm, on a public set or on any file of the same form.

    python tests/benchmarks/routing.py --set few-shot          BANKING77, 5 and 10 examples an intent, three seeds
    python tests/benchmarks/routing.py --set full --minutes 25
    python tests/benchmarks/routing.py --set oos --arms encoder,encoder_tuned
    python tests/benchmarks/routing.py --set /path/to/set.jsonl.gz --seeds 1

A file has JSON lines, gzip or not, with `split`, `text` and `intent`. Splits whose names begin with `train_` are
samples to train on, one after the other, and the texts of `train` are then unlabelled tickets, without their intents;
without such a sample, `train` is what is trained on. `test` is judged; splits such as `id-oos_test` hold texts that
belong to none of the intents. Intents that are words are handed to the router as the groups' names. Nothing is tuned
on `test`.
"""

from __future__ import annotations

import argparse
import gzip
import json
import re
import statistics
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console
from rich.table import Table

from trainer.retrieval.retriever import Encoder
from trainer.routing.calibration import coverage_at_precision
from trainer.routing.router import ARMS, Embed, Plan, Router, expected_calibration_error, train_router
from trainer.weights import load_encoder

DATA = Path(__file__).parents[3] / "shared" / "data" / "banking77"
FILES = {"few-shot": "fewshot.jsonl.gz", "full": "official.jsonl.gz", "oos": "out_of_scope.jsonl.gz"}
# Another seed gives the other arms the same weights.
SEEDED = ("stacked", "encoder_tuned")
TIMED_TEXTS = 200


@dataclass(frozen=True)
class Split:
    """Texts with their intents."""

    texts: list[str]
    intents: list[str]


@dataclass(frozen=True)
class Task:
    """What is trained on and what is judged."""

    name: str
    train: Split
    unlabelled: list[str]
    test: Split
    outside: dict[str, list[str]]
    names: dict[str, str]


@dataclass(frozen=True)
class Score:
    """One router on one task; shares are 0 to 1.

    Attributes:
        top3: Share of tickets whose group is among the best three.
        coverage: Largest share that is routed with 95% precision, surest first.
        routed: Share that the router's own thresholds let pass, and `precision` of those.
        outside: For each out-of-scope split, the share of in-scope tickets that are routed where 95% of all that is
            routed is right, and the area under the ROC curve of the out-of-scope score.
        train_s: Seconds of training, and `cpu_s` of computing, all threads together: on a machine that has other work
            too, the latter says more.
        text_ms: Milliseconds for one ticket, one at a time.
    """

    task: str
    arm: str
    seed: int
    accuracy: float
    macro_f1: float
    top3: float
    calibration_error: float
    coverage: float
    routed: float
    precision: float
    train_s: float
    cpu_s: float
    text_ms: float
    outside: dict[str, tuple[float, float]] = field(default_factory=dict)


def read(path: Path) -> dict[str, Split]:
    """The splits of a file."""
    splits: dict[str, Split] = {}
    with gzip.open(path, "rt") if path.suffix == ".gz" else path.open() as lines:
        for line in filter(str.strip, lines):
            row = json.loads(line)
            split = splits.setdefault(row["split"], Split([], []))
            split.texts.append(row["text"])
            split.intents.append(row["intent"])
    return splits


def tasks(splits: dict[str, Split], *, unlabelled: bool = True, names: bool = True, judge: str = "test") -> list[Task]:
    """What a file asks for."""
    samples = sorted(name for name in splits if name.startswith("train_")) or ["train"]
    found = []
    for sample in samples:
        train = splits[sample]
        intents = set(train.intents)
        own = set(train.texts)
        rest = [text for text in splits["train"].texts if text not in own] if sample != "train" and unlabelled else []
        outside = {
            name.removesuffix(f"_{judge}"): split.texts
            for name, split in splits.items()
            if name.endswith(f"_{judge}") and not intents & set(split.intents)
        }
        words = {intent: text for intent in intents if (text := in_words(intent))} if names else {}
        found.append(Task(sample, train, rest, splits[judge], outside, words))
    return found


def in_words(intent: str) -> str:
    """An intent's name as a text, empty where it has no words."""
    spaced = re.sub(r"(?<=[a-z])(?=[A-Z])|[_\-./:]+", " ", intent).strip().lower()
    return spaced if re.search(r"[^\W\d_]{2}", spaced) else ""


def judge(task: Task, arm: str, seed: int, embed: Embed, encoder: Any, plan: Plan) -> Score:
    """Trains one arm and judges it."""
    from sklearn.metrics import f1_score, roc_auc_score
    from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

    started, computed = time.monotonic(), time.process_time()
    router = train_router(
        arm, task.train.texts, task.train.intents, embed=embed, seed=seed, unlabelled=task.unlabelled,
        descriptions=task.names, encoder=encoder, plan=plan,
    )  # fmt: skip
    train_s, cpu_s = time.monotonic() - started, time.process_time() - computed
    judged, features = replace(router, tuned=None), _remembered(router.tuned or embed)
    probabilities, confidence = (of(task.test.texts, features) for of in (judged.probabilities, judged.confidence))
    classes, truth = np.asarray(router.classes), np.asarray(task.test.intents)
    ranked = np.argsort(-probabilities, axis=1)
    guesses = classes[ranked[:, 0]]
    correct = guesses == truth
    decisions = judged.decide(task.test.texts, features)
    routed = np.asarray([not decision.abstain for decision in decisions])
    outside = {}
    for name, texts in task.outside.items():
        sure = np.concatenate([confidence, judged.confidence(texts, features)])
        right = np.concatenate([correct, np.zeros(len(texts), bool)])
        inside = np.concatenate([np.ones(len(truth), bool), np.zeros(len(texts), bool)])
        strange = [one.out_of_scope for one in (*decisions, *judged.decide(texts, features))]
        outside[name] = (
            coverage_at_precision(sure, right, counted=inside),
            float(roc_auc_score(~inside, strange)),
        )
    with threadpool_limits(1):
        text_ms = _text_ms(router, task.test.texts[:TIMED_TEXTS], embed)
    return Score(
        task=task.name, arm=arm, seed=seed,
        accuracy=float(correct.mean()),
        macro_f1=float(f1_score(truth, guesses, average="macro", zero_division=0)),
        top3=float((classes[ranked[:, :3]] == truth[:, None]).any(axis=1).mean()),
        calibration_error=expected_calibration_error(probabilities, correct),
        coverage=coverage_at_precision(confidence, correct),
        routed=float(routed.mean()),
        precision=float(correct[routed].mean()) if routed.any() else 0.0,
        train_s=train_s, cpu_s=cpu_s, text_ms=text_ms, outside=outside,
    )  # fmt: skip


def _remembered(embed: Embed) -> Embed:
    """The same features, each list of texts embedded once."""
    known: dict[tuple[str, ...], Any] = {}

    def features(texts: Sequence[str]) -> Any:
        key = tuple(texts)
        if key not in known:
            known[key] = embed(texts)
        return known[key]

    return features


def _text_ms(router: Router, texts: Sequence[str], embed: Embed) -> float:
    import torch

    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    took = []
    for text in texts:
        started = time.perf_counter()
        router.decide([text], embed)
        took.append(1000 * (time.perf_counter() - started))
    torch.set_num_threads(threads)
    return statistics.median(took)


def table(scores: Sequence[Score]) -> Table:
    """A row for each arm of each task, means over seeds, accuracy with its spread."""
    outside = sorted({name for score in scores for name in score.outside})
    columns = ["trained on", "arm", "accuracy", "macro-F1", "top 3", "ECE", "coverage at 95%", "routed", "precision"]
    shown = Table(*columns, *(f"{name} coverage / AUROC" for name in outside), "train s", "CPU s", "ms a text")
    for task, arm in dict.fromkeys((score.task, score.arm) for score in scores):
        of = [score for score in scores if (score.task, score.arm) == (task, arm)]

        def mean(name: str, of: list[Score] = of) -> float:
            return statistics.fmean(getattr(score, name) for score in of)

        spread = f" ± {100 * statistics.stdev(score.accuracy for score in of):.1f}" if len(of) > 1 else ""
        shown.add_row(
            task, arm, f"{100 * mean('accuracy'):.1f}{spread}",
            *(f"{100 * mean(name):.1f}" for name in ("macro_f1", "top3", "calibration_error", "coverage", "routed",
                                                     "precision")),
            *(" / ".join(f"{100 * statistics.fmean(score.outside[name][part] for score in of):.1f}" for part in (0, 1))
              for name in outside),
            f"{mean('train_s'):.0f}", f"{mean('cpu_s'):.0f}", f"{mean('text_ms'):.1f}",
        )  # fmt: skip
    return shown


def main() -> int:
    """Runs what the command line asks for; 0 also where there are no data to run it on."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--set", default="few-shot", help="few-shot, full, oos, or a file")
    parser.add_argument("--data", type=Path, default=DATA, help="the folder of the named sets")
    parser.add_argument("--arms", default=",".join(arm for arm in ARMS if arm != "tuned"))
    parser.add_argument("--samples", default="", help="only these training splits, such as train_10")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--minutes", type=float, default=Plan().minutes, help="the most that tuning an encoder takes")
    parser.add_argument("--judge", default="test", help="the split to judge on: valid for choices, test for the table")
    parser.add_argument("--no-unlabelled", action="store_true")
    parser.add_argument("--no-names", action="store_true")
    parser.add_argument("--encoder", default="bundled:all-minilm-l6-v2")
    parser.add_argument("--cache", type=Path, default=Path.home() / ".cache" / "deskhand")
    parser.add_argument("--json", action="store_true", help="print every run's figures as JSON lines")
    options = parser.parse_args()
    path = options.data / FILES[options.set] if options.set in FILES else Path(options.set)
    if not path.exists():
        print(f"skipped: there is no {path}; name a file with --set or its folder with --data")
        return 0
    arms = options.arms.split(",")
    if unknown := set(arms) - set(ARMS) | ({"tuned"} & set(arms)):
        parser.error(f"no such arm here: {', '.join(sorted(unknown))}")
    embed = Encoder(options.encoder, options.cache).embed
    encoder = partial(load_encoder, options.encoder, options.cache)
    found = tasks(
        read(path), unlabelled=not options.no_unlabelled, names=not options.no_names, judge=options.judge
    )  # fmt: skip
    wanted = [task for task in found if not options.samples or task.name in options.samples.split(",")]
    scores: list[Score] = []
    for task in wanted:
        for arm in arms:
            for seed in range(options.seeds if arm in SEEDED else 1):
                score = judge(task, arm, seed, embed, encoder, Plan(minutes=options.minutes))
                scores.append(score)
                print(f"{task.name} {arm} seed {seed}: {score.accuracy:.4f}, {score.train_s:.0f} s", file=sys.stderr)
                if options.json:
                    print(json.dumps(asdict(score)), flush=True)
    if not options.json:
        Console(width=190).print(table(scores))
    return 0


if __name__ == "__main__":
    sys.exit(main())
