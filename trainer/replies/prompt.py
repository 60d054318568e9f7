"""The prompt: the same form in training, evaluation and serving, and part of a version's identity.

A prompt holds what a draft may rest on (articles first, then how a similar ticket was answered), and the conversation.
It is cut to fit from the least useful end: later passages go first, then the middle of a long conversation.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from connectors.store.passages import Passage
from trainer.text import cut_words

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

SYSTEM = (
    "You write the next reply of a support desk, in its house style and in the customer's language. "
    "Take facts only from the articles and the ticket. "
    "Where a fact is missing, leave a blank such as [date] or [amount]."
)
_ARTICLE_WORDS = 90
_REPLY_WORDS = 110
_CONVERSATION_WORDS = 220


@dataclass(frozen=True, slots=True)
class Prompt:
    """Token ids of a prompt, up to and including the mark that starts the reply, and the passages that fitted."""

    ids: tuple[int, ...]
    passages: tuple[Passage, ...]


def template_hash() -> str:
    """Changes with anything that changes what a model sees."""
    parts = (
        SYSTEM,
        _ARTICLE_WORDS,
        _REPLY_WORDS,
        _CONVERSATION_WORDS,
        _written("q", [Passage("article", "", 0, "t", "x")]),
    )
    return hashlib.sha256(repr(parts).encode()).hexdigest()[:12]


def build(
    tokenizer: PreTrainedTokenizerBase, conversation: str, passages: Sequence[Passage], *, max_tokens: int
) -> Prompt:
    """The prompt of a ticket.

    Args:
        conversation: As `trainer.conversation.written`, personal data as slots.
        passages: Best first within their kind; they are left out from the end until the prompt fits.
        max_tokens: The prompt's limit.
    """
    conversation = _cut_middle(conversation, _CONVERSATION_WORDS)
    fitting = list(passages)
    while True:
        ids = _encode(tokenizer, _written(conversation, fitting))
        if len(ids) <= max_tokens:
            return Prompt(tuple(ids), tuple(fitting))
        if fitting:
            fitting.pop()
        else:
            # A conversation of few but long words (links, pasted logs): keep its newest part.
            words = conversation.split(" ")
            if len(words) >= 8:
                conversation = " ".join(words[len(words) // 4 :])
            elif conversation:
                conversation = conversation[len(conversation) // 4 + 1 :]
            else:
                return Prompt(tuple(ids[-max_tokens:]), ())


def encode_reply(tokenizer: PreTrainedTokenizerBase, reply: str) -> list[int]:
    """Token ids of a reply with the mark that ends it."""
    ids: list[int] = tokenizer(_without_marks(tokenizer, reply), add_special_tokens=False)["input_ids"]
    return [*ids, int(tokenizer.eos_token_id)]


def _encode(tokenizer: PreTrainedTokenizerBase, content: str) -> list[int]:
    content = _without_marks(tokenizer, content)
    messages = [{"role": "system", "content": SYSTEM}, {"role": "user", "content": content}]
    text = tokenizer.apply_chat_template(messages, tokenize=False, add_generation_prompt=True)
    ids: list[int] = tokenizer(text, add_special_tokens=False)["input_ids"]
    return ids


def _without_marks(tokenizer: PreTrainedTokenizerBase, text: str) -> str:
    """Breaks up the template's own marks: `<|im_end|>` in a customer's mail is text, and does not end their turn."""
    added = (str(token) for token in tokenizer.added_tokens_decoder.values() if token.special)
    for mark in {*tokenizer.all_special_tokens, *added}:
        text = text.replace(mark, f"{mark[:1]} {mark[1:]}")
    return text


def _written(conversation: str, passages: Sequence[Passage]) -> str:
    parts = []
    for passage in sorted(passages, key=lambda p: p.kind != "article"):
        if passage.kind == "article":
            parts.append(f"Article: {passage.title}\n{cut_words(passage.text, _ARTICLE_WORDS)}")
        else:
            parts.append(f"Reply to a similar ticket:\n{cut_words(passage.reply, _REPLY_WORDS)}")
    return "\n\n".join([*parts, f"Ticket:\n{conversation}"])


def _cut_middle(text: str, limit: int) -> str:
    """The beginning (what it is about) and the end (what is asked now) of a long conversation."""
    words = text.split(" ")
    if len(words) <= limit:
        return text
    head = limit // 3
    return " ".join([*words[:head], "…", *words[-(limit - head) :]])
