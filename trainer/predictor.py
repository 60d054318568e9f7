"""The live version at work: a ticket's conversation in, a suggestion out."""

from __future__ import annotations

import logging
import time
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from connectors.errors import ModelError
from connectors.records import Ticket, User
from connectors.settings import Settings
from connectors.store.database import Store
from connectors.store.history import Turn
from connectors.store.suggestions import SHOWN, SILENT, Route, Source, Suggestion
from trainer import conversation
from trainer.claims import check
from trainer.drafting import WITH_ADAPTER, Drafted, Evidence, draft, gather, support_of
from trainer.privacy import Slots, leaks
from trainer.registry import Manifest, Registry
from trainer.retrieve import Encoder, Retriever
from trainer.router import Embed, Router
from trainer.text import cut_words, language_of

if TYPE_CHECKING:
    from trainer.writer import Writer

log = logging.getLogger(__name__)

_EXCERPT_WORDS = 40
_ALTERNATIVES = 2


@dataclass
class Predictor:
    """A loaded version. Not for several threads at once: each worker loads its own."""

    manifest: Manifest
    router: Router
    retriever: Retriever
    writer: Writer | None
    embed: dict[str, Embed]
    store: Store

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
        embed: dict[str, Embed] = {"encoder": encoder.embed}
        writer = None
        if manifest.reply_arm != "nearest" or manifest.route_arm == "tuned":
            writer, model = _load_writer(manifest, settings, folder)
            if manifest.route_arm == "tuned":
                from trainer.train import tuned_features

                embed["tuned"] = tuned_features(model, writer.tokenizer)
        return cls(manifest, router, Retriever(store, manifest.helpdesk, encoder), writer, embed, store)

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
        blocks = conversation.blocks(turns)
        if not blocks or not blocks[-1].by_customer:
            raise ModelError(f"ticket {ticket.id}: the newest public comment is not the customer's")
        assignee = next((agent for agent in agents if agent.id == ticket.assignee_id), None)
        slots = Slots(requester, agents, assignee)
        question = slots.hide(conversation.written(ticket.subject, blocks))
        self.retriever.catch_up()
        found = gather(self.retriever, question, allowed=lambda passage: passage.source_id != ticket.id)
        route = self._route(question)
        one = self._draft(question, found)
        text = slots.fill(one.text)
        # Not what solved tickets say: what curation overlooked there is just what must not get out.
        known = [conversation.written(ticket.subject, blocks), *(p.text for p in one.passages if p.kind == "article")]
        leaked = leaks(text, known)
        silent = not text or bool(leaked) or found.similarity < self.manifest.min_similarity
        if leaked:
            log.warning("ticket %s: a draft was withheld, it held a %s of nobody here", ticket.id, leaked[0])
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
            claims=check(shown, support_of(known[0], one.passages)),
            sources=() if silent else tuple(self._sources(one, found)),
            route=route,
            latency_s=time.monotonic() - started,
        )

    def _draft(self, question: str, found: Evidence) -> Drafted:
        return draft(
            self.manifest.reply_arm, [question], [found], self.writer, max_prompt_tokens=self.manifest.max_prompt_tokens
        )[0]

    def _route(self, question: str) -> Route | None:
        groups = {group.id: group for group in self.store.history.groups(self.manifest.helpdesk)}
        text = conversation.latest_turn(question)
        probabilities = self.router.probabilities([text], self.embed.get(self.router.arm))[0]
        ranked = sorted(zip(self.router.classes, probabilities.tolist(), strict=True), key=lambda pair: -pair[1])
        # A group deleted since the training cannot be routed to.
        ranked = [(group_id, probability) for group_id, probability in ranked if group_id in groups]
        if not ranked:
            return None
        (group_id, probability), rest = ranked[0], ranked[1 : 1 + _ALTERNATIVES]
        group = groups[group_id]
        return Route(
            group_id=group_id,
            group_name=group.name,
            probability=round(probability, 4),
            reasons=(group.description,) if group.description else (),
            alternatives=tuple((other, groups[other].name, round(p, 4)) for other, p in rest),
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
    from trainer.weights import load_language_model
    from trainer.writer import Writer

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
