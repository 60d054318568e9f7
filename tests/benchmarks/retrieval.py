"""What retrieval finds, and how fast: recall on two labelled sets, and speed on a synthetic index of any size.

    python tests/benchmarks/retrieval.py --set company
    python tests/benchmarks/retrieval.py --set firefox --data ../shared/data/firefox_support/tickets.jsonl.gz
    python tests/benchmarks/retrieval.py --size 1000000 --folder /var/tmp/index

The sets, and what counts as right:

company  The sample company. Articles for a customer's first turn: those that the true answer rests on
         (company_articles.yaml, by reading). Solved tickets: those whose answer rests on one of the same articles.
firefox  Public support tickets as JSON lines (created, locale, subject, body, first_reply, most_helpful_reply). Solved
         tickets from before 2020-06-01 for the questions after it: right are those whose replies link to one of the
         knowledge-base articles that the question's own replies link to; articles that over 1% of the older replies
         link to are left out, since they say little. A weak measure: a right ticket whose reply links to nothing counts
         as wrong.

recall@k is the share of questions with something right among the first k; MRR is the mean of 1/rank of the first right
one, 0 beyond rank 10. Embeddings are kept in --folder, so that a second run is quick. A set whose data are not there is
skipped.
"""

from __future__ import annotations

import argparse
import gzip
import hashlib
import json
import os
import random
import re
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from connectors.sandbox.company import load_company
from connectors.sandbox.server import Sandbox
from connectors.settings import HelpdeskSettings
from connectors.store.database import Store
from connectors.store.passages import Passage
from connectors.sync.engine import sync
from connectors.zendesk.client import Zendesk
from trainer.curation.curate import curate
from trainer.retrieval import retriever as retrieve
from trainer.retrieval.catalogue import Catalogue
from trainer.retrieval.retriever import FOR_EVERYBODY, Encoder, Retriever

DESK = "zendesk"
DATA = Path(__file__).parents[2] / "../shared/data/firefox_support/tickets.jsonl.gz"
RANKS = (1, 3, 5, 10)
SPLIT, COMMON = "2020-06-01", 0.01
LINK = re.compile(r"support\.mozilla\.org/(?:[a-zA-Z-]{2,6}/)?kb/([\w%-]+)")


class Kept(Encoder):
    """An encoder that remembers in a folder what it was asked for in one go."""

    def __init__(self, name: str, folder: Path) -> None:
        super().__init__(name, folder / "weights")
        self._folder = folder

    def embed(self, texts: Sequence[str]) -> Any:
        """As `Encoder.embed`."""
        if len(texts) < 100:
            return super().embed(texts)
        digest = hashlib.sha256("\x1f".join([self.name, *texts]).encode()).hexdigest()[:24]
        path = self._folder / f"embedded-{digest}.npy"
        if not path.exists():
            np.save(path, super().embed(texts))
        return np.load(path)


@dataclass(frozen=True)
class Question:
    """A query, of which kind of passage the right ones are, and what may be found at all."""

    text: str
    kind: str
    group: str
    right: frozenset[str]
    among: frozenset[str] | None = None


def measure(retriever: Retriever, questions: Sequence[Question]) -> None:
    """Prints recall and MRR by group, kind and way of searching."""
    ways: dict[str, tuple[float, float] | None] = {"words": (0.0, 1.0), "embeddings": (1.0, 0.0), "hybrid": None}
    usual = retrieve.WEIGHTS
    for kind in dict.fromkeys(question.kind for question in questions):
        groups = dict.fromkeys(question.group for question in questions if question.kind == kind)
        for way, weights in ways.items():
            retrieve.WEIGHTS = usual if weights is None else dict.fromkeys(usual, weights)
            found = {one: ranks(retriever, one) for one in questions if one.kind == kind}
            for group in groups:
                chosen = [rank for one, rank in found.items() if one.group == group]
                recall = "  ".join(f"@{k} {np.mean([rank <= k for rank in chosen]):.3f}" for k in RANKS)
                mrr = np.mean([1 / rank for rank in chosen])
                print(f"{kind:<8} {group:<8} {way:<11} n {len(chosen):<4} recall {recall}  MRR {mrr:.3f}", flush=True)
    retrieve.WEIGHTS = usual


def ranks(retriever: Retriever, question: Question) -> float:
    """The rank of the first right passage, from 1; infinite where none is among the first ten."""
    among = question.among
    allowed = (lambda one: one.source_id in among) if among is not None else None
    hits = retriever.search(question.text, question.kind, max(RANKS), allowed=allowed)
    right = [rank for rank, hit in enumerate(hits, 1) if hit.passage.source_id in question.right]
    return right[0] if right else float("inf")


def company(encoder: Encoder, folder: Path) -> tuple[Retriever, list[Question]]:
    """The sample company, synced and curated, and its labelled tickets as questions."""
    right = yaml.safe_load(Path(__file__).with_name("company_articles.yaml").read_text(encoding="utf-8"))
    company = load_company()
    article_ids = {article.slug: str(article.id) for article in company.articles}
    store = Store(folder / "company.db")
    limits: dict[str, Any] = {"SANDBOX_REQUESTS_PER_MIN": 100_000, "SANDBOX_EXPORTS_PER_MIN": 100_000}
    with Sandbox(folder / "sandbox.db", **limits) as sandbox:
        helpdesk = Zendesk(HelpdeskSettings.model_validate({"url": sandbox.url, "token": sandbox.token}))
        sync(helpdesk, store)
        helpdesk.close()
    curate(store, DESK)
    retriever = Retriever(store, DESK, encoder)
    retriever.index(store.examples.kept(DESK))
    questions = []
    for ticket in (*company.tickets, *company.live_pool):
        if ticket.id not in right:
            continue
        text = f"{ticket.subject}\n{ticket.comments[0].body}"
        slugs = set(right[ticket.id])
        answers = frozenset(article_ids[slug] for slug in slugs)
        alike = frozenset(str(other) for other, known in right.items() if slugs & set(known) and other != ticket.id)
        others = frozenset(str(other) for other in right if other != ticket.id)
        questions.append(Question(text, "article", ticket.language, answers))
        questions.append(Question(text, "ticket", ticket.language, alike, others))
    return retriever, questions


def firefox(encoder: Encoder, folder: Path, data: Path) -> tuple[Retriever, list[Question]]:
    """Older tickets as passages, and newer ones with a link in their replies as questions."""
    rows = sorted((row for row in read_lines(data) if row["locale"] == "en-US"), key=lambda row: row["created"])
    for row in rows:
        replies = f"{row.get('first_reply') or ''} {row.get('most_helpful_reply') or ''}"
        row["links"] = {link.lower() for link in LINK.findall(replies)}
    older = [row for row in rows if row["created"] < SPLIT]
    counts = Counter(link for row in older for link in row["links"])
    telling = {link for link, count in counts.items() if count <= COMMON * len(older)}
    store = Store(folder / "firefox.db")
    store.passages.sync(DESK, "ticket", (passage_of(str(n), question_of(row)) for n, row in enumerate(older)))
    embed_all(store, encoder)
    questions = []
    for row in rows:
        links = row["links"] & telling
        right = frozenset(str(n) for n, one in enumerate(older) if links & one["links"])
        if row["created"] >= SPLIT and right:
            questions.append(Question(question_of(row), "ticket", "en", right))
    return Retriever(store, DESK, encoder), questions


def read_lines(path: Path) -> Iterator[dict[str, Any]]:
    """JSON lines, gzip or not."""
    with gzip.open(path, "rt", encoding="utf-8") if path.suffix == ".gz" else path.open(encoding="utf-8") as file:
        yield from map(json.loads, file)


def question_of(row: dict[str, Any]) -> str:
    """Subject and text."""
    return f"{row['subject']}\n{row['body']}"


def passage_of(source_id: str, text: str) -> Passage:
    """A solved ticket."""
    return Passage("ticket", source_id, 0, "", text, reply="Reply", language="en", created_at="2026-01-01T00:00:00Z")


def embed_all(store: Store, encoder: Encoder) -> None:
    """Embeds what is due in one go, so that it is kept."""
    due = store.passages.without_embedding(DESK, encoder.name, 10_000_000)
    if due:
        vectors = encoder.embed([passage.text for _, passage in due])
        store.passages.save_embeddings(encoder.name, [row for row, _ in due], vectors)


def speed(encoder: Encoder, folder: Path, data: Path, size: int) -> None:
    """Fills an index with `size` passages made of real sentences and vectors near real ones; prints what it costs."""
    rows = [row for row in read_lines(data) if row["locale"] == "en-US"]
    rng = random.Random(7)
    rng.shuffle(rows)
    queries = [question_of(row) for row in rows[:300]]
    sentences = [part for row in rows[300:] for part in re.split(r"(?<=[.!?])\s+|\n+", row["body"])]
    sentences = [part for part in sentences if 4 <= len(part.split()) <= 60]
    base = encoder.embed(rng.sample(sentences, 8_000))
    path = folder / f"speed-{size}.db"
    fresh = not path.exists()
    store = Store(path)
    if fresh:
        started = time.monotonic()
        for start in range(0, size, 10_000):
            fill(store, encoder.name, sentences, base, range(start, min(size, start + 10_000)))
        print(f"filled {size} passages in {time.monotonic() - started:.0f} s, without embedding")
    # What a search needs of the encoder is timed apart.
    asked = np.concatenate([encoder.embed(queries[at : at + 50]) for at in range(0, len(queries), 50)])
    known = dict(zip(queries, asked, strict=True))
    before = anonymous_mb()
    retriever = Retriever(store, DESK, encoder)
    retriever._embedded = lambda query: known[query]  # type: ignore[method-assign]
    started = time.monotonic()
    retriever.refresh()
    print(f"loaded in {time.monotonic() - started:.1f} s; {path.stat().st_size / 1e6:.0f} MB on disk")
    for name, some in (("first 100 searches", queries[:100]), ("next 200", queries[100:])):
        times = timed([lambda query=query: retriever.search(query, "ticket", 10) for query in some])
        print(f"{name}: {times}")
    print(f"memory: {anonymous_mb() - before:.0f} MB more")
    print(f"embedding a query: {timed([lambda query=query: encoder.embed([query]) for query in queries[:100]])}")
    agreement(store, encoder.name, retriever, asked[:100])
    add(store, encoder.name, retriever, sentences, base, size, queries[0])
    print(f"load of the machine: {os.getloadavg()[0]:.1f}")


def fill(store: Store, encoder: str, sentences: Sequence[str], base: Any, numbers: range) -> None:
    """Passages of two to seven sentences; vectors are mixtures of two real ones and noise as the real ones vary."""
    rng, normal = random.Random(numbers.start), np.random.default_rng(numbers.start)
    passages = [
        passage_of(str(n), f"{' '.join(rng.choices(sentences, k=rng.randint(2, 7)))} FW{rng.randrange(10**9):09d}NL")
        for n in numbers
    ]
    for start in range(0, len(passages), 500):
        some = passages[start : start + 500]
        store.passages.replace(DESK, "ticket", [one.source_id for one in some], some)
    due = [row for row, _ in store.passages.without_embedding(DESK, encoder, len(numbers))]
    store.passages.save_embeddings(encoder, due, vectors_near(base, len(due), normal))


def vectors_near(base: Any, n: int, rng: np.random.Generator) -> Any:
    """float32 of shape (n, dimensions): a real vector, some of another one, and some of a third one's deviation."""
    one, two, three, four = (base[rng.integers(0, len(base), n)] for _ in range(4))
    mixed = one + rng.uniform(0, 0.45, (n, 1)) * two + rng.uniform(0.25, 0.6, (n, 1)) * (three - four) / np.sqrt(2)
    return (mixed / np.linalg.norm(mixed, axis=1, keepdims=True)).astype(np.float32)


def agreement(store: Store, encoder: str, retriever: Retriever, asked: Any) -> None:
    """Prints how many of the ten nearest a search by signs finds, against comparing every vector."""
    catalogue = retriever._catalogue
    exact = Catalogue(store, DESK, encoder, exact_below=10**9)
    exact.refresh()
    mask = catalogue.mask("ticket", FOR_EVERYBODY)
    shared = []
    for query in asked:
        first, second = (one.nearest(query, mask, 10)[0] for one in (catalogue, exact))
        shared.append(len(set(first.tolist()) & set(second.tolist())) / 10)
    print(f"recall@10 of the nearest against comparing every vector: {np.mean(shared):.3f}")


def add(
    store: Store, encoder: str, retriever: Retriever, sentences: Sequence[str], base: Any, size: int, query: str
) -> None:
    """Prints what 1,000 more passages take, beside embedding, until they are found; and taking them away again."""
    started = time.monotonic()
    fill(store, encoder, sentences, base, range(size, size + 1000))
    written = time.monotonic() - started
    retriever.search(query, "ticket", 10)
    print(f"1,000 more: written in {written:.2f} s, found after {time.monotonic() - started:.2f} s")
    started = time.monotonic()
    ids = [str(n) for n in range(size, size + 1000)]
    for start in range(0, 1000, 500):
        store.passages.replace(DESK, "ticket", ids[start : start + 500], [])
    retriever.search(query, "ticket", 10)
    print(f"1,000 fewer: found no more after {time.monotonic() - started:.2f} s")
    started = time.monotonic()
    steps = 1
    while not store.passages.words.purge(steps=1):
        steps += 1
    took = time.monotonic() - started
    print(f"their words out of the file: {took:.1f} s in {steps} steps")


def timed(calls: Sequence[Callable[[], object]]) -> str:
    """Wall and processor time of calls, in ms."""
    wall, processor = [], []
    for call in calls:
        started, used = time.perf_counter(), time.process_time()
        call()
        wall.append((time.perf_counter() - started) * 1e3)
        processor.append((time.process_time() - used) * 1e3)
    texts = [f"p50 {np.percentile(one, 50):.1f} p95 {np.percentile(one, 95):.1f} ms" for one in (wall, processor)]
    return f"{texts[0]} (processor: {texts[1]})"


def anonymous_mb() -> float:
    """Memory of this process that is no file's, in MB; Linux only."""
    text = Path("/proc/self/smaps_rollup").read_text(encoding="ascii")
    return int(re.search(r"Anonymous:\s+(\d+)", text).group(1)) / 1024  # type: ignore[union-attr]


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--set", choices=("company", "firefox"), action="append", default=[])
    parser.add_argument("--size", type=int, action="append", default=[], help="passages of a synthetic index")
    parser.add_argument("--data", type=Path, default=DATA)
    parser.add_argument("--folder", type=Path, help="where embeddings and indexes are kept; a temporary one otherwise")
    parser.add_argument("--encoder", default="bundled:all-minilm-l6-v2")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = options.folder or Path(temporary)
        folder.mkdir(parents=True, exist_ok=True)
        encoder = Kept(options.encoder, folder)
        if "company" in options.set:
            with tempfile.TemporaryDirectory() as own:
                measure(*company(encoder, Path(own)))
        if not options.data.exists():
            print(f"{options.data} is not there: skipped")
            return
        if "firefox" in options.set:
            measure(*firefox(encoder, folder, options.data))
        for size in options.size:
            speed(encoder, folder, options.data, size)


if __name__ == "__main__":
    main()
