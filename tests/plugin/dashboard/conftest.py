"""The dashboard on the plugin's application, a filled store, and a browser that is logged in."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

import pytest
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from connectors.settings import Settings
from connectors.store.database import Store
from connectors.zendesk.client import Zendesk
from plugin.app import create_app
from plugin.context import context
from plugin.dashboard import accounts, site

from .filling import fill

NAME, PASSWORD = "lena", "correct horse battery"
DESK = "sandbox"
Post = Callable[..., TestResponse]


@pytest.fixture(scope="session")
def password_hash() -> str:
    """Hashed once: it takes a tenth of a second."""
    return accounts.generate_password_hash(PASSWORD)


@pytest.fixture
def app(settings: Settings, zendesk: Zendesk, store: Store, password_hash: str) -> Iterator[Flask]:
    """The application, with one account."""
    store.admins.put(NAME, password_hash)
    app = create_app(settings, zendesk)
    yield app
    context(app).close()


@pytest.fixture
def anybody(app: Flask) -> FlaskClient:
    """A browser that is not logged in."""
    return app.test_client()


@pytest.fixture
def client(app: Flask, store: Store) -> FlaskClient:
    """A browser that is logged in."""
    client = app.test_client()
    client.set_cookie(site.COOKIE, store.admins.begin(NAME, lasts_s=accounts.LASTS_S), path="/admin")
    return client


@pytest.fixture
def post(client: FlaskClient) -> Post:
    """Sends a form with the session's token."""
    page = client.get("/admin/inbox").get_data(as_text=True)
    match = re.search(r'name="csrf" value="([^"]+)"', page)
    assert match

    def post(path: str, **form: str) -> TestResponse:
        return client.post(path, data={"csrf": match[1]} | form)

    return post


@pytest.fixture
def filled(store: Store) -> Store:
    """The store with something on every page."""
    fill(store, DESK)
    return store
