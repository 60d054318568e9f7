"""The plugin's API as these tests play it: its answers about tickets, and a server that gives them.

Test files take what they need with `from .fake_plugin import ...`; the running server is the fixture `plugin`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from flask import Flask, Response, jsonify, request

TOKEN = "installation-token-that-no-page-may-see"

DRAFT = (
    "Hi Anna,\n\nYour parcel is in Ghent 📦 & <b>safe</b>. It arrives on 14 April.\n\n"
    "You get €6.95 back by [date].\n\nWarm regards,\nMarit"
)


def span(text: str) -> dict[str, Any]:
    return {"text": text, "start": DRAFT.index(text), "end": DRAFT.index(text) + len(text)}


def route(**changes: Any) -> dict[str, Any]:
    return {
        "group_id": "2101",
        "group_name": "TRK1",
        "probability": 0.83,
        "reasons": ["7 of 8 similar tickets went there"],
        "alternatives": [["2103", "CLM", 0.09]],
        "applied": True,
    } | changes


def ready(turn: str = "t1", draft: str = DRAFT, **changes: Any) -> dict[str, Any]:
    suggestion = {
        "id": f"s-{turn}",
        "draft": draft,
        "language": "en",
        "model_version": "v20261124-lora",
        "created_at": "2026-11-24T05:00:00Z",
        "claims": [
            {**span("14 April"), "supported": False, "source": ""},
            {**span("€6.95"), "supported": True, "source": "prices"},
        ],
        "blanks": [span("[date]")],
        "sources": [
            {
                "kind": "article",
                "id": "1",
                "title": "Delivery times",
                "url": "https://fernway.example/hc/1",
                "excerpt": "Belgium next working day.",
                "updated_at": "2026-03-12T00:00:00Z",
            },
            {
                "kind": "ticket",
                "id": "6001",
                "title": "wedding is SATURDAY",
                "url": "javascript:alert(1)",
                "excerpt": "It is not lost.",
                "updated_at": "2026-09-09T00:00:00Z",
            },
        ],
        "confidence": None,
    }
    suggestion |= {"alternatives": [], "unused_facts": []}
    answer = {"state": "ready", "message": "", "silence": "", "turn_id": turn, "note_posted": True}
    answer |= {"partial": "", "facts": []}
    return answer | {"suggestion": suggestion | changes, "route": route()}


def without(state: str, turn: str = "t1", **changes: Any) -> dict[str, Any]:
    answer = {"state": state, "message": "", "silence": "", "turn_id": turn, "note_posted": False, "partial": ""}
    return answer | {"facts": [], "suggestion": None, "route": None} | changes


def alternative(draft: str, origin: str = "past_reply", **changes: Any) -> dict[str, Any]:
    return {"draft": draft, "claims": [], "blanks": [], "sources": [], "origin": origin} | changes


@dataclass
class FakePlugin:
    """Answers what the test sets, and remembers what it was told."""

    answers: dict[str, Any] = field(default_factory=dict)
    on_post: dict[str, Any] = field(default_factory=dict)
    feedback: list[tuple[str, str, str]] = field(default_factory=list)
    authorizations: set[str | None] = field(default_factory=set)
    asked: list[tuple[str, str]] = field(default_factory=list)
    facts: list[str] = field(default_factory=list)
    url: str = ""

    def app(self) -> Flask:
        app = Flask("fake_plugin")

        @app.route("/api/v1/tickets/<ticket_id>/suggestion", methods=["GET", "POST"])
        def suggestion(ticket_id: str) -> Any:
            self.authorizations.add(request.headers.get("Authorization"))
            self.asked.append((request.method, ticket_id))
            if request.method == "POST":
                if isinstance(self.on_post[ticket_id], int):
                    trouble = {"code": "trouble", "message": "Said by the server"}
                    return jsonify(error=trouble), self.on_post[ticket_id]
                self.facts.append(request.get_json().get("fact", ""))
                self.answers[ticket_id] = self.on_post[ticket_id]
                return jsonify({"ticket_id": ticket_id, **without("drafting")}), 202
            answer = self.answers.get(ticket_id, without("none"))
            if isinstance(answer, list):  # one after the other, the last one for good
                answer = answer.pop(0) if len(answer) > 1 else answer[0]
            if isinstance(answer, int):
                return jsonify(error={"code": "trouble", "message": "Said by the server"}), answer
            return jsonify({"ticket_id": ticket_id, **answer})

        @app.post("/api/v1/suggestions/<suggestion_id>/feedback")
        def feedback(suggestion_id: str) -> Any:
            data = request.get_json()
            self.feedback.append((suggestion_id, data["action"], data["reason"]))
            return Response(status=204)

        @app.get("/elsewhere")
        def elsewhere() -> Any:
            return Response(status=302, headers={"Location": "http://127.0.0.1:9/"})

        return app
