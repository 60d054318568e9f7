"""The live version at work: a ticket's conversation in, a suggestion out."""

from __future__ import annotations

import logging
import time
import uuid
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from itertools import islice
from typing import TYPE_CHECKING, Any

from connectors.channels import is_chat
from connectors.errors import ModelError, OvertakenError
from connectors.records import Ticket, User
from connectors.settings import Settings
from connectors.store.database import Store
from connectors.store.history import Turn
from connectors.store.passages import Passage
from connectors.store.suggestions import (
    LANGUAGE,
    LEAK,
    NO_SIMILAR,
    SHOWN,
    SILENT,
    SWITCHED_OFF,
    Alternative,
    Route,
    Source,
    Suggestion,
)
from trainer import conversation
from trainer.curation.signatures import Signatures
from trainer.privacy.leaks import NAMES, People
from trainer.privacy.lexicon import Lexicon
from trainer.privacy.slots import Slots
from trainer.registry import Manifest, Registry
from trainer.replies.confidence import Confidence, features_of
from trainer.replies.drafting import WITH_ADAPTER, Drafted, Evidence, draft_one, gather
from trainer.replies.finishing import Case, Finisher
from trainer.replies.guard import Guard
from trainer.replies.telling import told
from trainer.replies.tone import Tone
from trainer.retrieval.retriever import Encoder, Hit, Retriever, Scope
from trainer.routing.heads import Heads
from trainer.routing.router import ARMS, Embed, Router
from trainer.text import cut_words, language_of

if TYPE_CHECKING:
    from trainer.replies.writer import Writer

log = logging.getLogger(__name__)

MOST_ALTERNATIVES = 2
_EXCERPT_WORDS = 40


@dataclass
class Predictor:
    """A loaded version. Not for several threads at once: each worker loads its own."""

    manifest: Manifest
    router: Router
    retriever: Retriever
    writer: Writer | None
    embed: dict[str, Embed]
    store: Store
    people: People = field(default_factory=People)
    lexicon: Lexicon = field(default_factory=Lexicon)
    signatures: Signatures = field(default_factory=Signatures)
    heads: Heads = field(default_factory=Heads)
    confidence: Confidence | None = None
    max_effort: float = 1.0
    tone: Tone = field(default_factory=Tone)

    @classmethod
    def load(cls, settings: Settings, store: Store, version: str | None = None) -> Predictor:
        """Loads a version, the live one where none is named.

        Raises:
            ModelError: Nothing is live yet, or files are missing or changed.
        """
        registry = Registry(settings.models_path)
        if version is None:
            live = registry.live()
            if live is None:
                raise ModelError("no model is live yet", hint="run: deskhand train, then: deskhand promote VERSION")
            version = live.version
        manifest = registry.manifest(version)
        folder = registry.path(version)
        encoder = Encoder(manifest.encoder, settings.cache_path)
        router = Router.load(folder)
        embed: dict[str, Embed] = dict.fromkeys(ARMS, encoder.embed)
        writer = None
        if manifest.reply_arm != "nearest" or manifest.route_arm == "tuned":
            writer, model = _load_writer(manifest, settings, folder)
            if manifest.route_arm == "tuned":
                from trainer.routing.arms import tuned_features

                embed["tuned"] = tuned_features(model, writer.tokenizer)
        desk = manifest.helpdesk
        return cls(
            manifest, router, Retriever(store, desk, encoder), writer, embed, store,
            people=People.of_desk(store, desk),
            lexicon=Lexicon.of_desk(store, desk),
            signatures=Signatures.of_desk(store, desk),
            heads=Heads.load(folder),
            confidence=Confidence.load(folder),
            max_effort=settings.plugin.max_effort,
            tone=Tone.of_desk(store, desk),
        )  # fmt: skip

    def suggest(
        self,
        ticket: Ticket,
        requester: User | None,
        turns: Sequence[Turn],
        agents: Sequence[User],
        *,
        wants_draft: Callable[[Route | None], bool] = lambda _: True,
        max_effort: float | None = None,
        facts: Sequence[str] = (),
        on_text: Callable[[str], None] | None = None,
        stopped: Callable[[], bool] | None = None,
    ) -> Suggestion:
        """A suggestion for the customer's newest turn.

        Args:
            turns: All comments, oldest first; internal notes are left out here.
            wants_draft: Asked once the route is known; where it says no, the route is all there is.
            max_effort: Instead of the setting that it was loaded with.
            facts: What agents told for this turn's draft.
            on_text: Given the draft so far, checked as far as it goes, whenever a sentence is finished.
            stopped: Asked while it writes; once it says so, it must go on saying so.

        Raises:
            ModelError: The newest public comment is not the customer's: there is nothing to answer.
            OvertakenError: It was stopped.
        """
        started = time.monotonic()
        case = self._case(ticket, requester, turns, agents, facts)
        self.retriever.catch_up()
        found = self._gather(case, ticket)
        made = Suggestion(
            id=uuid.uuid4().hex,
            helpdesk=self.manifest.helpdesk,
            ticket_id=ticket.id,
            turn_id=case.turn_id,
            model_version=self.manifest.version,
            state=SILENT,
            route=self._route(case.question, ticket),
            told_facts=tuple(facts),
            unused_facts=tuple(facts),
        )
        if not wants_draft(made.route):
            made = replace(made, silence=SWITCHED_OFF)
        elif found.similarity < self.manifest.min_similarity:
            # Known before a word is written, so none is.
            made = replace(made, silence=NO_SIMILAR)
        else:
            limit = self.max_effort if max_effort is None else max_effort
            guard = Guard(self.people, self.lexicon, tuple(agents), self.manifest.min_similarity, limit)
            finisher = Finisher(case, guard, self.tone if is_chat(ticket.channel) else None)
            one = self._draft(case, found, finisher, on_text, stopped)
            if stopped and stopped():
                raise OvertakenError(f"ticket {ticket.id}: something newer came while it was drafted for")
            made = self._finished(made, finisher, found, one)
        return replace(made, latency_s=time.monotonic() - started)

    def _case(
        self,
        ticket: Ticket,
        requester: User | None,
        turns: Sequence[Turn],
        agents: Sequence[User],
        facts: Sequence[str],
    ) -> Case:
        blocks = conversation.blocks(turns, unsigned=self.signatures.strip)
        if not blocks or not blocks[-1].by_customer:
            raise ModelError(f"ticket {ticket.id}: the newest public comment is not the customer's")
        assignee = next((agent for agent in agents if agent.id == ticket.assignee_id), None)
        slots = Slots(requester, agents, assignee, lexicon=self.lexicon)
        plain = conversation.written(ticket.subject, blocks)
        question = slots.hide(plain)
        people = (requester,) if requester else ()
        return Case(blocks[-1].comment_id, blocks[-1].text, plain, question, slots, people, tuple(told(facts, slots)))

    def _gather(self, case: Case, ticket: Ticket) -> Evidence:
        def is_usable_chat(hit: Hit) -> bool:
            source = self.store.history.ticket(self.manifest.helpdesk, hit.passage.source_id)
            return hit.similarity >= self.manifest.min_similarity and source is not None and is_chat(source.channel)

        return gather(
            self.retriever,
            case.question,
            scope=Scope(brand=ticket.brand_id or ""),
            allowed=lambda passage: passage.source_id != ticket.id,
            preferred=is_usable_chat if is_chat(ticket.channel) else None,
        )

    def _draft(
        self,
        case: Case,
        found: Evidence,
        finisher: Finisher,
        on_text: Callable[[str], None] | None,
        stopped: Callable[[], bool] | None,
    ) -> Drafted:
        def on_draft(so_far: Drafted) -> None:
            reply = finisher.finish(so_far, similarity=found.similarity)
            if on_text and not reply.silence:
                on_text(reply.text)

        return draft_one(
            self.manifest.reply_arm,
            case.question,
            found,
            self.writer,
            max_prompt_tokens=self.manifest.max_prompt_tokens,
            told=[fact.passage for fact in case.facts],
            on_draft=on_draft if on_text else None,
            stopped=stopped,
        )

    def _finished(self, made: Suggestion, finisher: Finisher, found: Evidence, one: Drafted) -> Suggestion:
        effort = self._effort(finisher.case.question, found, one)
        reply = finisher.finish(one, similarity=found.similarity, effort=effort)
        made = replace(made, silence=reply.silence, confidence=None if effort is None else round(1 - effort, 2))
        if reply.silence:
            if reply.silence == LEAK:
                leaked = next(kind for kind in reply.leaks if kind not in NAMES)
                log.warning("ticket %s: a draft was withheld, it held a %s of nobody here", made.ticket_id, leaked)
            elif reply.silence == LANGUAGE:
                log.warning("ticket %s: a draft was withheld, it was not in the customer's language", made.ticket_id)
            return made
        others = [
            Alternative(other.text, other.claims, tuple(self._sources(drafted.passages)))
            for drafted, other in islice(finisher.others(found, reply.text), MOST_ALTERNATIVES)
        ]
        passages = one.passages or [hit.passage for hit in (*found.articles[:1], *found.tickets[:1])]
        return replace(
            made,
            state=SHOWN,
            draft=reply.text,
            language=language_of(reply.text),
            claims=reply.claims,
            sources=tuple(self._sources(passages)),
            alternatives=tuple(others),
            unused_facts=reply.unused_facts,
        )

    def _effort(self, question: str, found: Evidence, one: Drafted) -> float | None:
        """What share of the draft will probably be changed; None where nothing predicts it."""
        if self.confidence is None or not one.text:
            return None
        return float(self.confidence.predict(features_of(question, found, one)[None])[0])

    def _route(self, question: str, ticket: Ticket) -> Route | None:
        groups = {group.id: group for group in self.store.history.groups(self.manifest.helpdesk)}
        text = conversation.latest_turn(question)
        (decision,) = self.router.decide([text], self.embed.get(self.router.arm))
        # A group deleted since the training cannot be routed to.
        ranked = [(group_id, probability) for group_id, probability in decision.top if group_id in groups]
        if not ranked:
            return None
        (group_id, probability), rest = ranked[0], ranked[1:]
        group = groups[group_id]
        (guess,) = self.heads.guess([text], self.embed["encoder"])
        return Route(
            group_id=group_id,
            group_name=group.name,
            probability=round(probability, 4),
            reasons=(group.description,) if group.description else (),
            alternatives=tuple((other, groups[other].name, round(p, 4)) for other, p in rest),
            # What comes second is never sure: the router would have chosen the group that is gone.
            abstain=decision.abstain or group_id != decision.top[0][0],
            out_of_scope=round(decision.out_of_scope, 4),
            priority=guess.priority if guess.priority != ticket.priority else "",
            tags=tuple(tag for tag in guess.tags if tag not in ticket.tags),
        )

    def _sources(self, passages: Iterable[Passage]) -> list[Source]:
        sources: dict[tuple[str, str], Source] = {}
        for passage in passages:
            if not passage.source_id:  # what an agent told
                continue
            title, url, text = passage.title, passage.url, passage.text
            if passage.kind == "ticket":
                ticket = self.store.history.ticket(self.manifest.helpdesk, passage.source_id)
                title, url, text = f"Ticket #{passage.source_id}", _agent_url(ticket), passage.reply
            key = (passage.kind, passage.source_id)
            sources.setdefault(
                key,
                Source(
                    passage.kind, passage.source_id, title, url, cut_words(text, _EXCERPT_WORDS), passage.created_at
                ),
            )
        return list(sources.values())


def _agent_url(ticket: Ticket | None) -> str:
    """The agents' page of a ticket: the API address without its API part."""
    return ticket.url.replace("/api/v2/tickets/", "/agent/tickets/").removesuffix(".json") if ticket else ""


def _load_writer(manifest: Manifest, settings: Settings, folder: Any) -> tuple[Writer, Any]:
    from trainer.replies.writer import Writer
    from trainer.weights import load_language_model

    model, tokenizer = load_language_model(manifest.base_model, settings.cache_path)
    if manifest.reply_arm in WITH_ADAPTER or manifest.route_arm == "tuned":
        from peft import PeftModel

        try:
            # Merged into the weights, an adapter costs nothing at serving.
            model = PeftModel.from_pretrained(model, folder / "adapter").merge_and_unload().eval()
        except (OSError, ValueError) as error:
            raise ModelError(
                f"the adapter of {manifest.version} cannot be loaded", hint="run: deskhand rollback"
            ) from error
    return Writer(model, tokenizer, max_tokens=manifest.max_reply_tokens), model
