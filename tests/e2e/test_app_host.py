"""The helpdesk as the app's host: its proxy asks the plugin only, and other sites cannot act through its pages."""

from __future__ import annotations

from typing import Any

import pytest
import requests

from connectors.sandbox.server import Sandbox

from .fake_plugin import TOKEN, FakePlugin

pytestmark = pytest.mark.browser  # run with the others; these need no page


def proxied(sandbox: Sandbox, url: str, **changes: Any) -> requests.Response:
    options = {"url": url, "type": "GET", "secure": True, "headers": {"Authorization": "Bearer {{setting.token}}"}}
    return requests.post(f"{sandbox.url}/agent/proxy", json=options | changes, timeout=10)


def test_the_proxy_fills_in_the_token(sandbox: Sandbox, plugin: FakePlugin) -> None:
    plugin.authorizations.clear()
    answer = proxied(sandbox, "https://{{setting.api_host}}/api/v1/tickets/1/suggestion")
    assert answer.json()["status"] == 200
    assert plugin.authorizations == {f"Bearer {TOKEN}"}
    plugin.authorizations.clear()
    proxied(sandbox, f"{plugin.url}/api/v1/tickets/1/suggestion", secure=False)
    assert plugin.authorizations == {"Bearer"}, "only secure requests get it"


def test_the_proxy_asks_nobody_else(sandbox: Sandbox, plugin: FakePlugin) -> None:
    host = plugin.url.removeprefix("http://")
    for url in (
        "http://127.0.0.1:9/",
        "https://{{setting.api_host}}.evil.example/api",
        f"http://{host}@evil.example/",
        f"http://user:secret@{host}/api",
        f"https://{host}/api",
        "file:///etc/passwd",
        "/api/v2/tickets.json",
        "http://[::1",
        f"{plugin.url}/../x",
        "https://{{setting.token}}/",
    ):
        assert proxied(sandbox, url).status_code == 400, url
    assert proxied(sandbox, f"{plugin.url}/api", type="TRACE").status_code == 400
    assert proxied(sandbox, f"{plugin.url}/elsewhere").json()["status"] == 302, "redirects are not followed"


def test_other_sites_cannot_act_through_the_page(sandbox: Sandbox, ticket: str) -> None:
    url = f"{sandbox.url}/agent/tickets/{ticket}"
    theirs = requests.post(url, json={"status": "solved"}, headers={"Origin": "https://evil.example"}, timeout=10)
    assert theirs.status_code == 403
    assert requests.post(url, data={"status": "solved"}, timeout=10).status_code == 400
