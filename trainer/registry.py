"""Model versions: one folder each, the manifest written last, and a pointer to the live one.

    models/
      live.json                    which version serves, which served before, who promoted it and when
      forgotten.json               which versions were trained on tickets of customers who were forgotten since
      v20261124-081500/            adapter/  heads/  route.json  route.safetensors  confidence.json  tickets.json
                                   report.json  report.html  samples.json  manifest.json

A folder without a manifest is an unfinished training: nobody looks at it, and the next training clears it away.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from connectors import clock
from connectors.errors import ModelError

MANIFEST = "manifest.json"
TICKETS = "tickets.json"
# For people, with texts of tickets in them: not needed to serve, and changed when a customer is to be forgotten.
DOCUMENTS = ("samples.json", "report.html")
_PARTIAL = ".partial-"
_NAME = re.compile(r"v[A-Za-z0-9_-]{1,60}")


@dataclass(frozen=True, slots=True)
class Manifest:
    """What a version is and what it takes to serve it.

    Attributes:
        base_model, encoder: As in the settings it was trained with.
        reply_arm: `nearest`, `prompt_only`, `retrieval`, `tuned` or `tuned_retrieval`: what it serves.
        route_arm: The router's arm.
        min_similarity: Where no solved ticket and no article is at least this similar, nothing is shown.
        data_hash, prompt_hash: Of the training data and of the prompt's template.
        files: SHA-256 of every other file of the folder but the documents, by relative path.
    """

    version: str
    created_at: str
    helpdesk: str
    base_model: str
    encoder: str
    reply_arm: str
    route_arm: str
    max_prompt_tokens: int
    max_reply_tokens: int
    min_similarity: float
    data_hash: str
    prompt_hash: str
    train_examples: int
    train_until: str
    metrics: dict[str, Any]
    verdict: str
    files: dict[str, str]


@dataclass(frozen=True, slots=True)
class Live:
    """The pointer to the live version."""

    version: str
    previous: str | None
    promoted_at: str
    promoted_by: str


class Registry:
    """The versions of one home."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    @contextmanager
    def new_version(self) -> Iterator[tuple[str, Path]]:
        """A version's name and a folder to fill. On success the folder appears whole under its name; else it is gone.

        The caller writes everything but the manifest, which `finish` writes.
        """
        self.folder.mkdir(parents=True, exist_ok=True)
        for leftover in self.folder.glob(f"{_PARTIAL}*"):
            shutil.rmtree(leftover, ignore_errors=True)
        version = self._free_name(datetime.now(UTC).strftime("v%Y%m%d-%H%M%S"))
        partial = self.folder / f"{_PARTIAL}{version}"
        partial.mkdir()
        try:
            yield version, partial
            if not (partial / MANIFEST).exists():
                raise ModelError(f"version {version} was not finished")
            partial.replace(self.folder / version)
        finally:
            shutil.rmtree(partial, ignore_errors=True)

    @property
    def work(self) -> Path:
        """Where a training keeps its state until its version is finished."""
        return self.folder / ".work"

    def clear_work(self) -> None:
        """Removes the state of a training that is done."""
        shutil.rmtree(self.work, ignore_errors=True)

    def _free_name(self, name: str) -> str:
        number = 2
        free = name
        while (self.folder / free).exists():
            free = f"{name}-{number}"
            number += 1
        return free

    @staticmethod
    def finish(folder: Path, manifest: Manifest) -> None:
        """Writes the manifest with the hashes of all files that are there; documents are left out."""
        paths = [(str(path.relative_to(folder)), path) for path in sorted(folder.rglob("*")) if path.is_file()]
        files = {name: _sha256(path) for name, path in paths if name not in DOCUMENTS}
        _write_json(folder / MANIFEST, asdict(manifest) | {"files": files})

    def manifest(self, version: str) -> Manifest:
        """The manifest of a version, its files checked.

        Raises:
            ModelError: No such version, or a file is missing or changed.
        """
        folder, manifest = self.path(version), self._read(version)
        for name, expected in manifest.files.items():
            path = folder / name
            if not path.is_file() or _sha256(path) != expected:
                raise ModelError(f"{version}: {name} is missing or was changed", hint="run: deskhand rollback")
        return manifest

    def created_at(self, version: str) -> str:
        """When a version was trained; its files are not looked at, so this is cheap.

        Raises:
            ModelError: No such version.
        """
        return self._read(version).created_at

    def _read(self, version: str) -> Manifest:
        try:
            return Manifest(**json.loads((self.path(version) / MANIFEST).read_text(encoding="utf-8")))
        except FileNotFoundError:
            raise ModelError(f"there is no version '{version}'", hint="see: deskhand models") from None
        except (ValueError, TypeError) as error:
            raise ModelError(f"the manifest of {version} cannot be read", hint="run: deskhand rollback") from error

    def path(self, version: str) -> Path:
        """A version's folder.

        Raises:
            ModelError: The name is no version's.
        """
        if not _NAME.fullmatch(version):
            raise ModelError(f"'{version}' is no version's name", hint="see: deskhand models")
        return self.folder / version

    def versions(self) -> list[str]:
        """Names of all finished versions, newest first."""
        return sorted((path.parent.name for path in self.folder.glob(f"v*/{MANIFEST}")), reverse=True)

    def live(self) -> Live | None:
        """The pointer, or None where nothing was promoted yet."""
        try:
            return Live(**json.loads((self.folder / "live.json").read_text(encoding="utf-8")))
        except FileNotFoundError:
            return None
        except (ValueError, TypeError) as error:
            raise ModelError("models/live.json cannot be read", hint="run: deskhand promote VERSION") from error

    def promote(self, version: str, *, by: str) -> Live:
        """Makes a version the live one, after checking its files; this also mends a pointer that cannot be read."""
        self.manifest(version)
        try:
            now = self.live()
        except ModelError:
            now = None
        previous = now.previous if now and now.version == version else now.version if now else None
        live = Live(version, previous, clock.now(), by)
        _write_json(self.folder / "live.json", asdict(live))
        return live

    @staticmethod
    def write_tickets(folder: Path, ticket_ids: Iterable[str]) -> None:
        """Keeps in a version's folder which tickets it was trained on."""
        _write_json(folder / TICKETS, sorted(ticket_ids))

    def trained_on(self, version: str, tickets: Mapping[str, str]) -> bool:
        """Whether a version may have been trained on one of these tickets; True where it cannot be told.

        Args:
            tickets: Ids and when the tickets were created.
        """
        try:
            known = json.loads((self.path(version) / TICKETS).read_text(encoding="utf-8"))
            return not tickets.keys().isdisjoint(known)
        except (OSError, ValueError, TypeError):
            pass
        try:  # a version from before there was such a list
            until = self.manifest(version).train_until
        except ModelError:
            return bool(tickets)
        return any(created_at < until for created_at in tickets.values())

    def mark_forgotten(self, versions: Iterable[str]) -> None:
        """Notes that these versions were trained on tickets of somebody who is to be forgotten."""
        marked = self.forgotten()
        if new := {version: clock.now() for version in versions if version not in marked}:
            _write_json(self.folder / "forgotten.json", marked | new)

    def forgotten(self) -> dict[str, str]:
        """Versions that were trained on tickets of forgotten customers, and since when that is known."""
        try:
            return dict(json.loads((self.folder / "forgotten.json").read_text(encoding="utf-8")))
        except FileNotFoundError:
            return {}
        except (ValueError, TypeError) as error:
            raise ModelError(
                "models/forgotten.json cannot be read", hint="restore it from a backup, or retrain and remove it"
            ) from error

    def rollback(self, *, by: str) -> Live:
        """Makes the version before the live one live again.

        Raises:
            ModelError: There is none.
        """
        now = self.live()
        if now is None or now.previous is None:
            raise ModelError("there is no earlier version to go back to", hint="see: deskhand models")
        return self.promote(now.previous, by=by)


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _write_json(path: Path, content: dict[str, Any] | list[str]) -> None:
    partial = path.with_name(path.name + ".partial")
    with partial.open("w", encoding="utf-8") as file:
        json.dump(content, file, indent=1, ensure_ascii=False)
        file.flush()
        os.fsync(file.fileno())
    partial.replace(path)
