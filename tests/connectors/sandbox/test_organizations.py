from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from flask.testing import FlaskClient

from connectors.sandbox.organizations import organization_id_for
from connectors.sandbox.server import create_app

DOMAIN = "bakery-vos.example"


@pytest.fixture
def app(company_folder: Path, tmp_path: Path, clock: Any) -> Any:
    """The small company with a business desk: a baker, a sender of spam, a mail provider's customer."""
    folder = Path(shutil.copytree(company_folder, tmp_path / "company"))
    frame = yaml.safe_load((folder / "company.yaml").read_text())
    frame["groups"].append({"id": 2107, "name": "B2B"})
    (folder / "company.yaml").write_text(yaml.safe_dump(frame))
    path = folder / "tickets/2026-04.yaml"
    tickets = yaml.safe_load(path.read_text())
    for ticket, email in zip(tickets[:3], (f"Info@{DOMAIN}", "sales@growth.example", "x@mail.example"), strict=True):
        ticket |= {"group": "B2B", "requester": {"name": "Somebody", "email": email}}
    tickets[1]["kind"] = "spam"
    path.write_text(yaml.safe_dump(tickets))
    return create_app(tmp_path / "sandbox.db", SANDBOX_COMPANY=folder, SANDBOX_CLOCK=clock)


def test_business_customers_are_organizations(get: Callable[..., Any]) -> None:
    listed = get("/api/v2/organizations.json")["organizations"]
    assert [(one["id"], one["name"], one["domain_names"]) for one in listed] == [
        (organization_id_for(DOMAIN), "Bakery Vos", [DOMAIN])
    ]
    assert get(f"/api/v2/organizations/{listed[0]['id']}")["organization"] == listed[0]
    assert get("/api/v2/organizations/count")["count"]["value"] == 1
    ticket = get("/api/v2/tickets/1")["ticket"]
    assert ticket["organization_id"] == listed[0]["id"]
    assert get(f"/api/v2/users/{ticket['requester_id']}")["user"]["organization_id"] == listed[0]["id"]
    assert [get(f"/api/v2/tickets/{number}")["ticket"]["organization_id"] for number in (2, 3)] == [None, None]


def test_the_export_by_time(get: Callable[..., Any], client: FlaskClient, clock: Any) -> None:
    page = get("/api/v2/incremental/organizations.json", start_time=0)
    assert [one["name"] for one in page["organizations"]] == ["Bakery Vos"]
    assert (page["count"], page["end_of_stream"]) == (1, True)
    again = get("/api/v2/incremental/organizations.json", start_time=page["end_time"])
    assert again["organizations"] == page["organizations"], "inclusive"
    assert get("/api/v2/incremental/organizations.json", start_time=page["end_time"] + 1)["organizations"] == []
    assert client.get(f"/api/v2/incremental/organizations?start_time={int(clock())}").status_code == 400


def test_a_new_customer_belongs_to_it_by_the_domain(get: Callable[..., Any], client: FlaskClient) -> None:
    wanted = {"comment": {"body": "Hello"}, "requester": {"name": "Colleague", "email": f"colleague@{DOMAIN}"}}
    ticket = client.post("/api/v2/tickets", json={"ticket": wanted}).json["ticket"]
    assert ticket["organization_id"] == organization_id_for(DOMAIN)
    assert get(f"/api/v2/users/{ticket['requester_id']}")["user"]["organization_id"] == organization_id_for(DOMAIN)
    wanted["requester"] = {"name": "Other", "email": "colleague@elsewhere.example"}
    assert client.post("/api/v2/tickets", json={"ticket": wanted}).json["ticket"]["organization_id"] is None


def test_the_shipped_company_has_some_of_everything(tmp_path: Path, clock: Any) -> None:
    from connectors.sandbox.database import open_database, scalar

    create_app(tmp_path / "shipped.db", SANDBOX_CLOCK=clock)
    db = open_database(tmp_path / "shipped.db")
    assert 10 <= scalar(db, "select count(*) from organizations") <= 40
    assert scalar(db, "select count(*) from tickets where organization_id is not null") >= 10
    assert 10 <= scalar(db, "select count(*) from comments where attachments is not null") <= 60
    assert scalar(db, "select count(*) from comments where attachments like '%\"inline\": true%'") >= 1
    db.close()
