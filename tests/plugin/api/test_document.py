"""The OpenAPI document, and schemathesis, which asks the API for what the document allows and what it forbids."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import requests
import schemathesis
from flask import Flask
from hypothesis import HealthCheck
from hypothesis import settings as examples
from schemathesis.config import SchemathesisConfig

from connectors.settings import Settings
from connectors.store.database import Store
from connectors.store.suggestions import SILENT, Alternative, Suggestion
from plugin.api import schemas, version_1
from plugin.api.document import document
from plugin.api.suggestions import WORDS, TicketId
from trainer.registry import Registry

HEADERS = {"Authorization": "Bearer deskhand_token-that-nobody-may-see"}
EXAMPLES = 30

schema = schemathesis.openapi.from_dict(
    document(), config=SchemathesisConfig.from_dict({"generation": {"mode": "all"}, "seed": 17})
)


@pytest.fixture
def filled(store: Store, suggestion: Callable[..., Suggestion], settings: Settings, versions: list[str]) -> None:
    """A live model, and suggestions in several states for the ticket numbers that are likeliest to be tried."""
    Registry(settings.models_path).promote(versions[0], by="a test")
    other = Alternative("Hi Deniz,\n\nBy [date].", origin="past_reply")
    store.suggestions.save(suggestion(id="0", ticket_id="0", turn_id="1", alternatives=(other,), unused_facts=("x",)))
    store.suggestions.save(suggestion(id="1", ticket_id="1", turn_id="2", state=SILENT, draft="", silence="leak"))
    store.inbox.put("sandbox", "d-2", "2")


@schema.parametrize()
@examples(
    max_examples=EXAMPLES,
    deadline=None,
    database=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow, HealthCheck.filter_too_much],
)
def test_the_api_does_what_its_document_says(case: Any, served: str, filled: None) -> None:
    case.call_and_validate(base_url=served, headers=HEADERS)


@pytest.mark.parametrize("ticket_id", ["0", "1", "2", "3"])
def test_answers_of_every_state_are_as_described(ticket_id: str, served: str, filled: None) -> None:
    answer = requests.get(f"{served}/api/v1/tickets/{ticket_id}/suggestion", headers=HEADERS, timeout=10)
    schema["/api/v1/tickets/{ticket_id}/suggestion"]["GET"].validate_response(answer)
    assert answer.json()["state"] == ["ready", "silent", "drafting", "none"][int(ticket_id)]


def test_the_document_is_served_as_it_is_and_needs_no_token(served: str) -> None:
    answer = requests.get(f"{served}/api/v1/openapi.json", timeout=10)
    assert answer.json() == document()
    assert "nobody-may-see" not in answer.text


def test_every_route_of_the_api_is_in_the_document(served: str) -> None:
    described = {
        (path.replace("{", "<").replace("}", ">"), method.upper())
        for path, item in document()["paths"].items()
        for method in item
        if method in {"get", "post", "put", "delete", "patch"}
    }
    app = Flask("routes", static_folder=None)
    app.url_map.converters["ticket"] = TicketId
    app.register_blueprint(version_1.blueprint)
    routes = {
        (str(rule).replace("<ticket:", "<"), method)
        for rule in app.url_map.iter_rules()
        for method in (rule.methods or set()) - {"HEAD", "OPTIONS"}
    }
    assert routes == described


def test_every_reason_of_silence_has_words() -> None:
    assert {*WORDS, ""} == set(schemas.Silence.__args__)  # type: ignore[attr-defined]
