"""How much personal data the slots catch, how much else they take with it, and how fast they are.

    python tests/benchmarks/privacy.py            the tables of docs/privacy.md, half a minute

Two parts. Sentences in English, Dutch and German with what is personal in them marked: those that the rules were tuned
on, and those that they were not. And the sample company: its people are known, so what of them still stands in the
slotted tickets can be counted, with the known people alone (as before recognisers) and with everything.
"""

from __future__ import annotations

import re
import tempfile
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from connectors.records import User
from connectors.sandbox.server import Sandbox
from connectors.settings import HelpdeskSettings
from connectors.store.database import Store
from connectors.sync.engine import sync
from connectors.zendesk.client import Zendesk
from trainer import conversation
from trainer.privacy.gazetteer import folded, gazetteer
from trainer.privacy.leaks import People, find_leaks
from trainer.privacy.lexicon import Lexicon
from trainer.privacy.names import find_names
from trainer.privacy.places import find_places
from trainer.privacy.recognisers import find_values
from trainer.privacy.references import Span
from trainer.privacy.slots import Slots

HERE = Path(__file__).parent
_MARK = re.compile(r"<(\w+):([^>]*)>")
_SLOT = re.compile(r"\{\{[^{}]*\}\}")
_WORD = re.compile(r"[^\W\d_]+(?:['\u2019-][^\W\d_]+)*")
_TOKEN = re.compile(r"\{\{[^{}]*\}\}|\w+")
# A label says what it is to a person; recognisers have finer kinds.
_LABEL_OF = {
    "person": "name", "surname": "name", "date_of_birth": "birth", "ip_address": "ip", "id_number": "id",
    "vat_number": "vat", "order_number": "reference", "tracking_number": "reference", "invoice_number": "reference",
    "customer_number": "reference", "claim_number": "reference", "return_number": "reference",
}  # fmt: skip


@dataclass(frozen=True)
class Sentence:
    """A marked sentence: its plain text and the (start, end, label) of what is personal."""

    text: str
    marks: tuple[tuple[int, int, str], ...]


@dataclass
class Score:
    """Of one label: marks found whole, marks, spans that touch a mark, spans."""

    caught: int = 0
    marks: int = 0
    right: int = 0
    spans: int = 0
    missed: list[str] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)


def sentences(path: Path) -> Iterator[Sentence]:
    """Reads marked sentences."""
    for line in path.read_text("utf-8").splitlines():
        if line.startswith("#"):
            continue
        marked = line.partition(": ")[2].replace("\\n", "\n")
        text, marks, position = "", [], 0
        for match in _MARK.finditer(marked):
            text += marked[position : match.start()]
            marks.append((len(text), len(text) + len(match[2]), match[1]))
            text, position = text + match[2], match.end()
        yield Sentence(text + marked[position:], tuple(marks))


def spans_of(text: str, lexicon: Lexicon) -> list[Span]:
    """Everything that any recogniser finds."""
    return [*find_values(text, lexicon.forms), *find_places(text, lexicon), *find_names(text, lexicon)]


def score(marked: Iterable[Sentence], lexicon: Lexicon) -> dict[str, Score]:
    """Scores by label. A mark is caught when each of its letters and digits is in some span, of whatever kind."""
    scores: dict[str, Score] = {}
    for one in marked:
        spans = spans_of(one.text, lexicon)
        covered = {index for span in spans for index in range(span.start, span.end)}
        for start, end, label in one.marks:
            own = scores.setdefault(label, Score())
            own.marks += 1
            if all(index in covered or not one.text[index].isalnum() for index in range(start, end)):
                own.caught += 1
            else:
                own.missed.append(one.text[start:end])
        for span in spans:
            own = scores.setdefault(_LABEL_OF.get(span.kind, span.kind), Score())
            own.spans += 1
            if any(start < span.end and span.start < end for start, end, _ in one.marks):
                own.right += 1
            else:
                own.wrong.append(one.text[span.start : span.end])
    return scores


def score_table(title: str, scores: dict[str, Score]) -> Table:
    table = Table("kind", "marked", "recall", "spans", "precision", "missed", "wrong", title=title)
    total = Score()
    for label, own in sorted(scores.items(), key=lambda item: -item[1].marks):
        total = Score(
            total.caught + own.caught, total.marks + own.marks, total.right + own.right, total.spans + own.spans
        )
        table.add_row(*_row(label, own), ", ".join(own.missed), ", ".join(own.wrong))
    table.add_row(*_row("all", total))
    return table


def _row(label: str, own: Score) -> list[str]:
    recall = f"{own.caught / own.marks:.1%}" if own.marks else "-"
    return [label, str(own.marks), recall, str(own.spans), f"{own.right / own.spans:.1%}" if own.spans else "-"]


@dataclass
class Answered:
    """One answered turn of the sample company."""

    question: str
    reply: str
    requester: User | None
    agent: User | None


def company(store: Store) -> list[Answered]:
    agents = {user.id: user for user in store.history.agents("zendesk")}
    found = []
    for ticket in store.history.solved_tickets("zendesk"):
        requester = store.history.user("zendesk", ticket.requester_id)
        blocks = conversation.blocks(store.history.turns("zendesk", ticket.id))
        for before, answer in conversation.answered(blocks):
            question = conversation.written(ticket.subject, before)
            found.append(Answered(question, answer.text, requester, agents.get(answer.author_id)))
    return found


def names_left(texts: Iterable[str], names: frozenset[str]) -> Counter[str]:
    """Name words of the company's people that stand in texts, slots and addresses left out."""
    left: Counter[str] = Counter()
    for text in texts:
        bare = re.sub(r"\S+@\S+", " ", _SLOT.sub(" ", text))
        left.update(word for word in _WORD.findall(bare) if word in names)
    return left


def people_names(people: Iterable[User], lexicon: Lexicon) -> frozenset[str]:
    """Words of people's names that are not words of the desk's as well ('Service', 'Mai')."""
    words = {word for user in people if "@" not in user.name for word in _WORD.findall(user.name)}
    months = {"mai", "may", "jan", "august"}
    return frozenset(
        word
        for word in words
        if len(word) > 2 and word[0].isupper() and folded(word) not in lexicon.common | lexicon.public | months
    )


def main() -> None:
    console = Console(width=160)
    gazetteer()
    with tempfile.TemporaryDirectory() as folder:
        limits: dict[str, Any] = {"SANDBOX_REQUESTS_PER_MIN": 100_000, "SANDBOX_EXPORTS_PER_MIN": 100_000}
        with Sandbox(Path(folder) / "sandbox.db", **limits) as sandbox, Store(Path(folder) / "deskhand.db") as store:
            helpdesk = Zendesk(HelpdeskSettings.model_validate({"url": sandbox.url, "token": sandbox.token}))
            sync(helpdesk, store)
            helpdesk.close()
            started = time.process_time()
            lexicon = Lexicon.of_desk(store, "zendesk")
            learned_s = time.process_time() - started
            people = People.of_desk(store, "zendesk")
            agents = store.history.agents("zendesk")
            turns = company(store)
    for title, name in (("tuned on", "privacy_sample.txt"), ("held out", "privacy_heldout.txt")):
        marked = list(sentences(HERE / name))
        plain = score(marked, Lexicon())
        console.print(score_table(f"{len(marked)} sentences, {title}, no desk known", plain))
    requesters = {one.requester.id: one.requester for one in turns if one.requester}
    names = people_names([*requesters.values(), *agents], lexicon)
    table = Table(
        "texts", "name words left", "in replies", "replies with one", "texts/s of CPU", title="sample company"
    )
    raw = [(one.question, one.reply) for one in turns]
    table.add_row(*_left("as they are", raw, names), "-")
    tokens = wrong = 0
    for title, desk in (("slots, no desk known", None), ("slots, the desk's lexicon", lexicon)):
        started = time.process_time()
        hidden = []
        for one in turns:
            slots = Slots(one.requester, agents, one.agent, lexicon=desk)
            hidden.append((slots.hide(one.question), slots.hide(one.reply)))
        speed = 2 * len(turns) / (time.process_time() - started)
        table.add_row(*_left(title, hidden, names), f"{speed:,.0f}")
    for one in turns:
        tokens += len(_TOKEN.findall(one.reply))
        for span in spans_of(one.reply, lexicon):
            value = one.reply[span.start : span.end]
            # A name or town that is none of the company's people's: counted as wrong where it is a plain word.
            if span.kind in ("person", "surname") and folded(value) in lexicon.common | lexicon.public:
                wrong += 1
    console.print(table)
    console.print(f"plain words of the desk's that became names: {wrong} of {tokens:,} tokens of replies")
    console.print(f"the lexicon of {len(turns)} answers took {learned_s:.1f} s; its forms:")
    for form in lexicon.forms:
        console.print(f"  {form.kind}: {form.pattern.pattern}", markup=False)
    started = time.process_time()
    for one in turns:
        find_leaks(one.reply, [one.question], people=people, allowed=agents, lexicon=lexicon)
    console.print(f"leak scan: {len(turns) / (time.process_time() - started):,.0f} drafts/s, {len(people)} hashes")
    crowd = People(User(str(n), f"Vor{n} Nach{n}", f"p{n}@mail.example", "requester") for n in range(100_000))
    started = time.process_time()
    for one in turns:
        crowd.find(one.reply)
    console.print(f"full names of 100,000 people: {len(turns) / (time.process_time() - started):,.0f} drafts/s")


def _left(title: str, texts: list[tuple[str, str]], names: frozenset[str]) -> list[str]:
    replies = [reply for _, reply in texts]
    questions = names_left((question for question, _ in texts), names).total()
    with_one = sum(bool(names_left([reply], names)) for reply in replies)
    return [title, str(questions), str(names_left(replies, names).total()), str(with_one)]


if __name__ == "__main__":
    main()
