"""Reads recorded HTTP interactions, whichever library recorded them.

Forms: VCR.py (YAML, JSON), Ruby's VCR 1 and later (YAML, JSON), betamax (JSON), go-vcr, PHP-VCR (YAML, JSON) and HAR
files, each also gzipped. Files that hold something else are left out. Bodies come out decoded, and headers that are no
longer true without the coding are dropped. Tags of YAML that name classes of Python or Ruby are read as what they are
made of; nothing is constructed.
"""

from __future__ import annotations

import base64
import binascii
import gzip
import importlib
import json
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import yaml

SUFFIXES = (".yaml", ".yml", ".json", ".har")
# True of the connection that was recorded, not of the one that replays.
_DROPPED = frozenset(
    {"content-encoding", "content-length", "transfer-encoding", "connection", "keep-alive", "alt-svc", "trailer"}
)
_GZIP = b"\x1f\x8b"


class NoRecordingError(Exception):
    """Nothing that could be replayed was found."""


@dataclass(frozen=True)
class Interaction:
    """One request and its answer. `url` is absolute where the recording has it so; `body` is decoded."""

    method: str
    url: str
    status: int
    headers: tuple[tuple[str, str], ...]
    body: bytes
    source: str = field(default="", compare=False)

    @cached_property
    def json(self) -> Any:
        """The body's JSON; None where it is none."""
        try:
            return json.loads(self.body)
        except ValueError:
            return None


def read(path: Path) -> list[Interaction]:
    """All interactions of a file, or of all files in a folder and below, in the order of their names.

    Raises:
        NoRecordingError: There are none, or the file that was named cannot be read.
    """
    if path.is_file():
        found = list(_read_file(path, strict=True))
    else:
        files = (one for one in sorted(path.rglob("*")) if one.is_file() and _suffix(one) in SUFFIXES)
        found = [interaction for file in files for interaction in _read_file(file, strict=False)]
    if not found:
        raise NoRecordingError(f"{path} holds no recorded HTTP interactions")
    return found


def _suffix(path: Path) -> str:
    return Path(path.stem if path.suffix == ".gz" else path.name).suffix.lower()


def _read_file(path: Path, *, strict: bool) -> Iterator[Interaction]:
    content = path.read_bytes()
    text = (gzip.decompress(content) if content.startswith(_GZIP) else content).decode("utf-8-sig", "surrogateescape")
    try:
        # JSON is YAML too, but reading it as such takes a hundred times as long and trips over tabs.
        document = json.loads(text) if _suffix(path) in (".json", ".har") else yaml.load(text, _Loader)
    except (ValueError, yaml.YAMLError) as error:
        if strict:
            raise NoRecordingError(f"{path} is neither YAML nor JSON: {type(error).__name__}") from error
        return
    for item in _items(document):
        if interaction := _interaction(item, str(path)):
            yield interaction


def _items(document: Any) -> list[Any]:
    if isinstance(document, dict):
        if isinstance(log := document.get("log"), dict):
            document = log.get("entries")
        else:
            document = document.get("interactions") or document.get("http_interactions")
    return document if isinstance(document, list) else []


def _interaction(item: Any, source: str) -> Interaction | None:
    request, answer = (item.get("request"), item.get("response")) if isinstance(item, dict) else (None, None)
    if not isinstance(request, dict) or not isinstance(answer, dict):
        return None
    url = request.get("uri") or request.get("url")
    status = answer.get("status", answer.get("code"))
    if isinstance(status, dict):
        status = status.get("code")
    if "code" in answer:  # go-vcr has '200 OK' for the status
        status = answer["code"]
    if not url or not str(status).isdecimal():
        return None
    headers = list(_headers(answer.get("headers")))
    coding = ", ".join(value for name, value in headers if name.lower() == "content-encoding").lower()
    return Interaction(
        method=str(request.get("method") or "GET").lstrip(":").upper(),
        url=str(url),
        status=int(status),
        headers=tuple((name, value) for name, value in headers if name.lower() not in _DROPPED),
        body=_decoded(_body(answer), coding),
        source=source,
    )


def _headers(value: Any) -> Iterator[tuple[str, str]]:
    """Name and value of each: from `{name: [values]}`, `{name: value}`, `[{name, value}]` or `[[name, value]]`."""
    if isinstance(value, dict):
        pairs = [(name, one) for name, many in value.items() for one in (many if isinstance(many, list) else [many])]
    else:
        pairs = [
            (one.get("name"), one.get("value")) if isinstance(one, dict) else (one[0], one[1])
            for one in value or ()
            if isinstance(one, dict) or (isinstance(one, list) and len(one) == 2)
        ]
    for name, one in pairs:
        text = one.decode("latin-1") if isinstance(one, bytes) else str(one)
        if name and one is not None:
            yield str(name), " ".join(text.split())


def _body(answer: dict[str, Any]) -> bytes:
    """The bytes of a body that may be text, bytes, base64, JSON, or an object that has one of these."""
    body = answer.get("body", answer.get("content"))
    if isinstance(body, dict):
        encoded = body.get("base64_string") or (body.get("text") if body.get("encoding") == "base64" else None)
        if encoded:
            return _from_base64(encoded)
        if body.keys() & {"string", "text", "encoding", "base64_string", "mimeType"}:
            body = body.get("string", body.get("text"))
    if body is None or isinstance(body, bytes):
        return body or b""
    if not isinstance(body, str):
        return json.dumps(body).encode()
    if body.startswith(_GZIP.decode("latin-1")):  # bytes that were written down as characters of the same number
        return body.encode("latin-1", "replace")
    try:
        return body.encode("utf-8", "surrogateescape")  # as `_read_file` decoded it
    except UnicodeEncodeError:
        return body.encode("utf-8", "surrogatepass")  # half an emoji that JSON had as an escape


def _from_base64(encoded: str | bytes) -> bytes:
    try:
        return base64.b64decode(encoded)
    except (binascii.Error, ValueError):
        return b""


def _decoded(body: bytes, coding: str) -> bytes:
    """The body without its coding; recordings may have it decoded already and still say that it is coded."""
    try:
        if body.startswith(_GZIP):
            return gzip.decompress(body)
        if "deflate" in coding:
            return _inflated(body)
        if "br" in coding.split(", "):
            return bytes(importlib.import_module("brotli").decompress(body))
    except Exception:  # noqa: BLE001 - brotli's errors cannot be named where it is not installed
        pass
    return body


def _inflated(body: bytes) -> bytes:
    try:
        return zlib.decompress(body)
    except zlib.error:
        return zlib.decompress(body, -zlib.MAX_WBITS)  # without zlib's header, as some servers send it


class _Loader(getattr(yaml, "CSafeLoader", yaml.SafeLoader)):  # type: ignore[misc]
    """YAML without constructing anything: what a tag names is read as the mapping, list or text that it is."""


def _plain(loader: Any, tag: str, node: yaml.Node) -> Any:
    if isinstance(node, yaml.MappingNode):
        return loader.construct_mapping(node, deep=True)
    if isinstance(node, yaml.SequenceNode):
        return loader.construct_sequence(node, deep=True)
    text = loader.construct_scalar(node)
    return base64.b64decode(text) if tag.endswith(("binary", "bytes")) else text


for _prefix in ("!", "tag:yaml.org,2002:python/", "tag:yaml.org,2002:ruby/"):
    _Loader.add_multi_constructor(_prefix, lambda loader, suffix, node: _plain(loader, suffix, node))
