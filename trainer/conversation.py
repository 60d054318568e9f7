"""A ticket as a conversation: bursts of messages taken as one turn, internal notes left out, quotes stripped."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from connectors import clock
from connectors.store.history import Turn
from trainer.text import own_words

# A second message of the team within this time belongs to the first ('Sorry, I forgot the attachment').
BURST_S = 600


@dataclass(frozen=True, slots=True)
class Block:
    """Consecutive public messages of one side, joined.

    Attributes:
        comment_id: Of the last message for a customer's block, of the first one for the team's.
        author_id: Who wrote the message that `comment_id` names.
    """

    by_customer: bool
    text: str
    comment_id: str
    author_id: str
    created_at: str


def blocks(turns: Sequence[Turn], *, unsigned: Callable[[str, str], str] = lambda _, text: text) -> list[Block]:
    """The public conversation, oldest first.

    Later messages of the team without a customer's turn between are updates: blocks of their own, unless they came
    within `BURST_S`.

    Args:
        unsigned: Takes an agent's id and their text, and returns it without their signature.
    """
    found: list[Block] = []
    for index, turn in enumerate(turn for turn in turns if turn.comment.public):
        comment, by_customer = turn.comment, turn.author.role == "requester"
        text = own_words(comment.text, first=index == 0)
        if not by_customer:
            text = unsigned(comment.author_id, text)
        last = found[-1] if found else None
        if last and last.by_customer == by_customer and (by_customer or _close(last.created_at, comment.created_at)):
            joined = f"{last.text}\n\n{text}"
            newest = comment if by_customer else None
            found[-1] = Block(
                by_customer,
                joined,
                newest.id if newest else last.comment_id,
                newest.author_id if newest else last.author_id,
                newest.created_at if newest else last.created_at,
            )
        else:
            found.append(Block(by_customer, text, comment.id, comment.author_id, comment.created_at))
    return found


def answered(found: Sequence[Block]) -> Iterator[tuple[list[Block], Block]]:
    """Each customer turn that the team answered: the conversation up to it, and the answer."""
    for index, block in enumerate(found):
        if not block.by_customer and index and found[index - 1].by_customer:
            yield list(found[:index]), block


def written(subject: str, found: Sequence[Block]) -> str:
    """The conversation as one text, the form that prompts and retrieval see."""
    lines = [f"Subject: {subject}"] if subject else []
    lines += [f"{'Customer' if block.by_customer else 'Agent'}: {block.text}" for block in found]
    return "\n\n".join(lines)


def customer_turns(conversation: str) -> list[str]:
    """What the customer wrote in a written conversation, turn by turn; the subject is not among it."""
    pieces = f"\n\n{conversation}".split("\n\nCustomer: ")[1:]
    return [piece.partition("\n\nAgent: ")[0] for piece in pieces]


def latest_turn(conversation: str) -> str:
    """The subject and the customer's newest turn of a written conversation: what retrieval and routing look at."""
    head, mark, rest = f"\n\n{conversation}".rpartition("\n\nCustomer: ")
    head = head.lstrip("\n")
    subject = head.partition("\n\n")[0] if head.startswith("Subject: ") else ""
    return "\n".join(part for part in (subject.removeprefix("Subject: "), rest if mark else conversation) if part)


def _close(earlier: str, later: str) -> bool:
    return clock.to_epoch(later) - clock.to_epoch(earlier) <= BURST_S
