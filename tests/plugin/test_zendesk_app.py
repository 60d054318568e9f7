"""The sidebar app's package: what Zendesk's validator would refuse, and what its content policy would block."""

from __future__ import annotations

import json
import re
import struct
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

APP = Path(__file__).parents[2] / "plugin" / "zendesk_app"
ASSETS = APP / "assets"
SDK = "https://static.zdassets.com/zendesk_app_framework_sdk/2.0/zaf_sdk.min.js"
# https://developer.zendesk.com/documentation/apps/app-developer-guide/manifest/
PARAMETER_TYPES = {"text", "checkbox", "url", "number", "multiline", "hidden", "oauth"}
SCRIPTS = sorted(ASSETS.glob("*.js"))


@pytest.fixture(scope="module")
def manifest() -> dict[str, Any]:
    return json.loads((APP / "manifest.json").read_text(encoding="utf-8"))


class Page(HTMLParser):
    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.inline: list[str] = []
        self.within = ""
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        self.within = tag if tag in {"script", "style"} else ""

    def handle_endtag(self, tag: str) -> None:
        self.within = ""

    def handle_data(self, data: str) -> None:
        if self.within and data.strip():
            self.inline.append(data)


@pytest.fixture(scope="module")
def page() -> Page:
    return Page((ASSETS / "iframe.html").read_text(encoding="utf-8"))


def test_manifest_has_what_the_format_requires(manifest: dict[str, Any]) -> None:
    assert {"author", "defaultLocale", "location", "frameworkVersion", "parameters", "domainWhitelist"} <= set(manifest)
    assert set(manifest["author"]) >= {"name", "email"}
    assert manifest["frameworkVersion"] == "2.0"
    assert (APP / "translations" / f"{manifest['defaultLocale']}.json").is_file()
    assert manifest["domainWhitelist"] == ["{{setting.api_host}}"]


def test_it_sits_in_the_ticket_sidebar(manifest: dict[str, Any]) -> None:
    assert list(manifest["location"]) == ["support"]
    sidebar = manifest["location"]["support"]["ticket_sidebar"]
    assert (APP / sidebar["url"]).is_file()


def test_parameters(manifest: dict[str, Any]) -> None:
    parameters = {one["name"]: one for one in manifest["parameters"]}
    assert set(parameters) == {"api_host", "token"}
    assert all(one["type"] in PARAMETER_TYPES and one["required"] for one in parameters.values())
    assert not parameters["api_host"].get("secure")
    assert parameters["token"]["secure"] is True
    assert parameters["token"]["scopes"] == ["header"]


def flat(tree: dict[str, Any], path: str = "") -> Iterator[tuple[str, str]]:
    for key, value in tree.items():
        if isinstance(value, dict):
            yield from flat(value, f"{path}{key}.")
        else:
            yield f"{path}{key}", value


def test_translations_agree_and_name_every_parameter(manifest: dict[str, Any]) -> None:
    texts = {
        path.stem: dict(flat(json.loads(path.read_text(encoding="utf-8"))))
        for path in (APP / "translations").glob("*.json")
    }
    assert set(texts) == {"en", "de"}
    assert set(texts["en"]) == set(texts["de"])
    assert all(value.strip() for one in texts.values() for value in one.values())
    assert {f"app.parameters.{one['name']}.label" for one in manifest["parameters"]} <= set(texts["en"])
    assert {"app.name", "app.short_description", "app.installation_instructions"} <= set(texts["en"])


def messages(name: str) -> dict[str, str]:
    source = (ASSETS / "messages.js").read_text(encoding="utf-8")
    block = source.split(f"const {name} = {{", 1)[1].split("\n};", 1)[0]
    return dict(re.findall(r'^  (\w+): "(.*)",$', block, re.MULTILINE))


def test_the_apps_own_words_agree_in_both_languages() -> None:
    english, german = messages("EN"), messages("DE")
    assert list(english) == list(german)
    for key, text in english.items():
        assert sorted(re.findall(r"\{\w+\}", text)) == sorted(re.findall(r"\{\w+\}", german[key])), key


def test_every_message_exists_and_is_used() -> None:
    source = "".join(path.read_text(encoding="utf-8") for path in SCRIPTS if path.name != "messages.js")
    known = set(messages("EN"))
    assert set(re.findall(r'\bt\(\s*"(\w+)"', source)) <= known
    # Built as t(`error_${status}`).
    families = ("error_", "reason_", "silent_", "origin_", "from_article_", "from_ticket_")
    unused = {key for key in known if f'"{key}"' not in source and not key.startswith(families)}
    assert unused == set()


def test_the_page_loads_the_sdk_and_only_files_that_exist(page: Page) -> None:
    scripts = [attributes["src"] for tag, attributes in page.tags if tag == "script"]
    assert scripts == [SDK, "sidebar.js"]
    for tag, attributes in page.tags:
        for name in ("src", "href"):
            address = attributes.get(name)
            if address and not address.startswith("https://"):
                assert (ASSETS / address).is_file(), f"<{tag} {name}={address}>"


def test_no_inline_script_style_or_handler(page: Page) -> None:
    assert page.inline == []
    for tag, attributes in page.tags:
        assert not [name for name in attributes if name == "style" or name.startswith("on")], tag


def test_the_status_region_is_there_before_it_is_filled(page: Page) -> None:
    regions = [attributes for _tag, attributes in page.tags if attributes.get("role") == "status"]
    assert len(regions) == 1
    assert "tabindex" not in regions[0]


@pytest.mark.parametrize("path", SCRIPTS, ids=lambda path: path.name)
def test_scripts_build_no_markup_from_text(path: Path) -> None:
    source = path.read_text(encoding="utf-8")
    forbidden = r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\(|new Function|setTimeout\(\s*[\"']"
    assert re.findall(forbidden, source) == []
    assert 'setAttribute("on' not in source
    assert "ticket.save" not in re.sub(r"//.*|/\*[\s\S]*?\*/", "", source), "a save hook can block the agent"


@pytest.mark.parametrize("path", SCRIPTS, ids=lambda path: path.name)
def test_imports_exist(path: Path) -> None:
    for name in re.findall(r'from "([^"]+)"', path.read_text(encoding="utf-8")):
        assert name.startswith("./")
        assert (ASSETS / name).is_file(), name


def test_logos_have_the_sizes_that_zendesk_wants() -> None:
    sizes = {}
    for name in ("logo.png", "logo-small.png"):
        head = (ASSETS / name).read_bytes()[:24]
        assert head[:8] == b"\x89PNG\r\n\x1a\n"
        sizes[name] = struct.unpack(">II", head[16:24])
    assert sizes == {"logo.png": (320, 320), "logo-small.png": (128, 128)}
    assert "<script" not in (ASSETS / "logo.svg").read_text(encoding="utf-8")
