"""The stale-fact probe: an article is edited, the same question asked again, and who still states the old fact counted.

Facts are looked for, not written by hand: what a public article states, retrieval finds for a question, and the team's
own answer to it repeats. The edit is made on the passages in memory, never in the store: a probe that is killed must
not leave a false price behind. That an edit of the store comes to the same is for a test to show.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import islice

from connectors.store.examples import Example
from connectors.store.passages import Passage
from trainer.evaluation.edits import Edit, edits_of, unit_of
from trainer.evaluation.scores import StaleScore
from trainer.replies.claims import Statement, statements
from trainer.replies.drafting import ARMS, ARTICLES, WITH_PASSAGES, Drafted, Evidence, draft, support_of
from trainer.replies.writer import Writer
from trainer.retrieval.retriever import Hit

MOST = 12
# Where few answers repeat an article, many would have to be searched for: a search takes some 50 ms.
_LOOKED_AT = 300

EvidenceOf = Callable[[Example], Evidence]


@dataclass(frozen=True, slots=True)
class StaleQuestion:
    """A customer turn, and what retrieval finds for it before and after an article is edited."""

    example: Example
    article_id: str
    edit: Edit
    before: Evidence
    after: Evidence


def probe(
    examples: Sequence[Example],
    evidence_of: EvidenceOf,
    writer: Writer | None,
    *,
    max_prompt_tokens: int,
    spare: Sequence[Example] = (),
    arms: Sequence[str] = ARMS,
    most: int = MOST,
    progress: Callable[[str, int], None] = lambda *_: None,
) -> list[StaleScore]:
    """Finds questions and asks them.

    Args:
        examples: Held-out customer turns.
        evidence_of: What retrieval finds for one of them, its own ticket left out.
        writer: None where `nearest` is the only arm.
        spare: Customer turns to take from where the held-out ones are too few; a model trained on them may know their
            facts by heart, and is what the probe is for.
        most: So many questions at most.

    Returns:
        A score for each arm; none where no answer repeats an article.
    """
    return ask(
        find_questions(examples, evidence_of, spare=spare, most=most),
        writer,
        max_prompt_tokens=max_prompt_tokens,
        arms=arms,
        progress=progress,
    )


def find_questions(
    examples: Sequence[Example], evidence_of: EvidenceOf, *, spare: Sequence[Example] = (), most: int = MOST
) -> list[StaleQuestion]:
    """The first questions that can be asked, one a customer turn, spread over articles and facts.

    The same examples and evidence give the same questions.
    """
    found: list[StaleQuestion] = []
    for source in (examples, spare) if most else ():
        again: list[StaleQuestion] = []
        for example in islice(source, _LOOKED_AT):
            possible = list(_questions_of(example, evidence_of(example)))
            new = next((one for one in possible if _spread(found, one, most)), None)
            if new:
                found.append(new)
            again += possible[:1] if not new else []
            if len(found) == most:
                return found
        # One article may be all that people ask about.
        found += again[: most - len(found)]
    return found


def _spread(found: Sequence[StaleQuestion], one: StaleQuestion, most: int) -> bool:
    """Whether a question asks for a fact that is not asked for yet, of an article that is not over its share."""
    articles = Counter(other.article_id for other in found)
    known = any(other.edit.fact.values & one.edit.fact.values for other in found if other.article_id == one.article_id)
    return not known and articles[one.article_id] < max(1, most // 6)


def ask(
    questions: Sequence[StaleQuestion],
    writer: Writer | None,
    *,
    max_prompt_tokens: int,
    arms: Sequence[str] = ARMS,
    progress: Callable[[str, int], None] = lambda *_: None,
) -> list[StaleScore]:
    """Lets every arm draft before and after the edits, and counts; no question gives no scores."""
    if not questions:
        return []
    return [
        _score(arm, questions, *ask_arm(arm, questions, writer, max_prompt_tokens, partial(progress, arm)))
        for arm in arms
    ]


def ask_arm(
    arm: str,
    questions: Sequence[StaleQuestion],
    writer: Writer | None,
    max_prompt_tokens: int,
    progress: Callable[[int], None] = lambda _: None,
) -> tuple[list[Drafted], list[Drafted]]:
    """One arm's drafts before and after the edits."""
    conversations = [one.example.question for one in questions]
    drafted = partial(draft, arm, conversations, writer=writer, max_prompt_tokens=max_prompt_tokens, progress=progress)
    before = drafted([one.before for one in questions])
    # An arm that is shown no article is asked the same: decoding is greedy, its drafts stay as they are.
    return before, drafted([one.after for one in questions]) if arm in WITH_PASSAGES else before


def _score(
    arm: str, questions: Sequence[StaleQuestion], before: Sequence[Drafted], after: Sequence[Drafted]
) -> StaleScore:
    edits = [one.edit for one in questions]
    return StaleScore(
        arm=arm,
        questions=len(questions),
        stated_before=sum(edit.old_in(_written(one)) for edit, one in zip(edits, before, strict=True)),
        # Neither the question nor what is retrieved supports the old value any more: see `_questions_of`.
        stale=sum(edit.old_in(_written(one)) for edit, one in zip(edits, after, strict=True)),
        fresh=sum(edit.new_in(_written(one)) for edit, one in zip(edits, after, strict=True)),
        seen=sum(edit.old_in(one.text) for edit, one in zip(edits, after, strict=True)),
    )


def _written(one: Drafted) -> str:
    """What the model wrote, before the claim check makes blanks of what nothing supports: its memory is in question."""
    return one.draft.text if one.draft else one.text


def _questions_of(example: Example, found: Evidence) -> Iterator[StaleQuestion]:
    """Facts that an article shown for a question states, its answer repeats, and the question does not tell itself.

    An edit must leave nothing behind that supports the old value (the question, another article, a list number), or a
    draft could state it and be right by the claim check; and the new value must be new, or stating it would show
    nothing.
    """
    shown = support_of(example.question, _shown(found))
    for passage in _shown(found):
        for fact in statements(passage.text):
            if passage.audience or not _repeats(example.reply, fact, unit_of(fact, passage.text)):
                continue
            for edit in edits_of(fact, passage.text, passage.language):
                after = edited(found, passage.source_id, edit)
                left = support_of(example.question, _shown(after))
                if shown.of(edit.changed) is None and left.of(fact) is None:
                    yield StaleQuestion(example, passage.source_id, edit, found, after)
                    break


def _shown(found: Evidence) -> list[Passage]:
    return [hit.passage for hit in found.articles[:ARTICLES]]


def _repeats(reply: str, fact: Statement, unit: str) -> bool:
    """A bare number is repeated only where it counts the same: '5 kg' does not repeat '5 days'."""
    return any(
        one.values & fact.values and (fact.kind != "number" or unit_of(one, reply) == unit) for one in statements(reply)
    )


def edited(found: Evidence, article_id: str, edit: Edit) -> Evidence:
    """Evidence as it would be after an edit: every found part of the article states the new value."""

    def change(hit: Hit) -> Hit:
        passage = hit.passage
        if passage.source_id != article_id:
            return hit
        return replace(hit, passage=replace(passage, title=edit.apply(passage.title), text=edit.apply(passage.text)))

    return replace(found, articles=tuple(change(hit) for hit in found.articles))
