"""The live version at work: a ticket's conversation in, a suggestion out."""

from __future__ import annotations

import logging
import time
import uuid
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from connectors.errors import ModelError
from connectors.records import Ticket, User
from connectors.settings import Settings
from connectors.store.database import Store
from connectors.store.history import Turn
from connectors.store.suggestions import SHOWN, SILENT, Route, Source, Suggestion
from trainer import conversation
from trainer.curation.signatures import Signatures
from trainer.privacy.leaks import NAMES, People, blank_names, find_leaks
from trainer.privacy.lexicon import Lexicon
from trainer.privacy.slots import Slots
from trainer.registry import Manifest, Registry
from trainer.replies.claims import check
from trainer.replies.confidence import Confidence, features_of
from trainer.replies.drafting import WITH_ADAPTER, Drafted, Evidence, draft, gather, support_of
from trainer.retrieval.retriever import Encoder, Retriever, Scope
from trainer.routing.heads import Heads
from trainer.routing.router import ARMS, Embed, Router
from trainer.text import cut_words, in_another_language, language_of

if TYPE_CHECKING:
    from trainer.replies.writer import Writer

log = logging.getLogger(__name__)

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
        )  # fmt: skip

    def suggest(
        self, ticket: Ticket, requester: User | None, turns: Sequence[Turn], agents: Sequence[User]
    ) -> Suggestion:
        """A suggestion for the customer's newest turn.

        Args:
            turns: All comments, oldest first; internal notes are left out here.

        Raises:
            ModelError: The newest public comment is not the customer's: there is nothing to answer.
        """
        started = time.monotonic()
        blocks = conversation.blocks(turns, unsigned=self.signatures.strip)
        if not blocks or not blocks[-1].by_customer:
            raise ModelError(f"ticket {ticket.id}: the newest public comment is not the customer's")
        assignee = next((agent for agent in agents if agent.id == ticket.assignee_id), None)
        slots = Slots(requester, agents, assignee, lexicon=self.lexicon)
        plain = conversation.written(ticket.subject, blocks)
        question = slots.hide(plain)
        self.retriever.catch_up()
        scope = Scope(brand=ticket.brand_id or "")
        found = gather(self.retriever, question, scope=scope, allowed=lambda passage: passage.source_id != ticket.id)
        route = self._route(question, ticket)
        one = self._draft(question, found)
        text = slots.fill(one.text)
        # Not what solved tickets say: what curation overlooked there is just what must not get out.
        known = [plain, *(p.text for p in one.passages if p.kind == "article")]
        allowed = [*([requester] if requester else []), *agents]
        found_leaks = find_leaks(text, known, people=self.people, allowed=allowed, lexicon=self.lexicon)
        text = blank_names(text, found_leaks)
        leaked = [leak.kind for leak in found_leaks if leak.kind not in NAMES]
        silent = not text or bool(leaked) or found.similarity < self.manifest.min_similarity
        if leaked:
            log.warning("ticket %s: a draft was withheld, it held a %s of nobody here", ticket.id, leaked[0])
        if in_another_language(text, blocks[-1].text):
            silent = True
            log.warning("ticket %s: a draft was withheld, it was not in the customer's language", ticket.id)
        effort = self._effort(question, found, one)
        silent = silent or (effort is not None and effort > self.max_effort)
        shown = "" if silent else text
        return Suggestion(
            id=uuid.uuid4().hex,
            helpdesk=self.manifest.helpdesk,
            ticket_id=ticket.id,
            turn_id=blocks[-1].comment_id,
            model_version=self.manifest.version,
            state=SILENT if silent else SHOWN,
            draft=shown,
            language=language_of(shown) if shown else "",
            claims=check(shown, support_of(plain, one.passages)),
            sources=() if silent else tuple(self._sources(one, found)),
            route=route,
            confidence=None if effort is None else round(1 - effort, 2),
            latency_s=time.monotonic() - started,
        )

    def _draft(self, question: str, found: Evidence) -> Drafted:
        return draft(
            self.manifest.reply_arm, [question], [found], self.writer, max_prompt_tokens=self.manifest.max_prompt_tokens
        )[0]

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

    def _sources(self, one: Drafted, found: Evidence) -> list[Source]:
        passages = list(one.passages) or [hit.passage for hit in (*found.articles[:1], *found.tickets[:1])]
        sources: dict[tuple[str, str], Source] = {}
        for passage in passages:
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
