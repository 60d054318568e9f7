"""The pair of OAuth tokens in the home, shared by every process of an installation.

oauth-NAME.json       the pair, mode 0600
oauth-NAME.lock       held by whoever is about to replace it
oauth-NAME.partial    the next pair, until it is whole
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from connectors.errors import ConfigError, CredentialError, RetriableError

# Renewed this long before it ends, so that no request is under way when it does; of a short life, a tenth.
_MARGIN_S = 60.0
_LOOK_AGAIN_S = 0.05
# More than any pair takes.
_ROOM_BYTES = 4096


@dataclass(frozen=True, slots=True)
class Pair:
    """An access token and the refresh token that replaces both.

    Attributes:
        refresh_token: Empty where there is none.
        expires_at: When the access token ends, in Unix seconds; None where it does not.
        obtained_at: When we got it, in Unix seconds.
    """

    access_token: str = field(repr=False)
    refresh_token: str = field(repr=False)
    expires_at: float | None
    scope: str
    obtained_at: float

    def is_due(self, now_s: float) -> bool:
        """Whether it is time to renew it."""
        if self.expires_at is None:
            return False
        return now_s > self.expires_at - min(_MARGIN_S, (self.expires_at - self.obtained_at) / 10)


class PairFile:
    """Where a helpdesk's pair is kept.

    Args:
        home: The folder of the installation.
        name: The helpdesk's.
        patience_s: How long to wait for another process that replaces the pair.
    """

    def __init__(self, home: Path, name: str, *, patience_s: float = 90.0) -> None:
        self.path = home / f"oauth-{name}.json"
        self._patience_s = patience_s

    def read(self) -> Pair:
        """The pair.

        Raises:
            CredentialError: There is none, or it cannot be used.
            ConfigError: The file cannot be read.
        """
        try:
            return _pair(json.loads(self.path.read_text(encoding="utf-8")))
        except FileNotFoundError:
            raise CredentialError(
                f"nobody has signed in yet: there is no {self.path}", hint="run: deskhand init"
            ) from None
        except (ValueError, TypeError, KeyError):
            # Without the cause: its words may hold a token's.
            raise CredentialError(f"{self.path} is damaged", hint="run: deskhand init") from None
        except OSError as error:
            raise ConfigError(f"cannot read {self.path}: {error.strerror}", hint="check its owner and mode") from None

    def store(self, pair: Pair) -> None:
        """Replaces the pair, or puts the first one there.

        Raises:
            ConfigError: The home cannot be written.
            RetriableError: Another process holds the lock.
        """
        with self.locked(), self.replacing() as put:
            put(pair)

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Holds the lock; waits while another process has it.

        Raises:
            RetriableError: It took too long: the other process may hang.
            ConfigError: The home cannot be written.
        """
        # fcntl is not there on Windows; importing it here keeps the rest of the module usable.
        import fcntl

        path = self.path.with_suffix(".lock")
        with _explained(path):
            descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            ends_at = time.monotonic() + self._patience_s
            while True:
                try:
                    fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    break
                except BlockingIOError:
                    if time.monotonic() > ends_at:
                        raise RetriableError(
                            f"another Deskhand process has held {path} for {self._patience_s:.0f} s",
                            hint="try again; where it goes on, restart the others",
                        ) from None
                    time.sleep(_LOOK_AGAIN_S)
            yield
        finally:
            os.close(descriptor)

    @contextmanager
    def replacing(self) -> Iterator[Callable[[Pair], None]]:
        """Gives a function that replaces the pair, durably; the lock must be held.

        The old pair is void as soon as the helpdesk has answered with the new one, so what can fail is tried before:
        the folder is writable, and there is room for the file. Then only its bytes and its name are left to do.

        Raises:
            ConfigError: The home cannot be written.
        """
        partial = self.path.with_suffix(".partial")
        with _explained(partial):
            partial.unlink(missing_ok=True)
            # Private from its first byte on.
            descriptor = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)

        def put(pair: Pair) -> None:
            text = json.dumps(asdict(pair)).encode()
            with _explained(partial):
                os.pwrite(descriptor, text.ljust(_ROOM_BYTES), 0)
                os.fsync(descriptor)
                partial.replace(self.path)
                _sync_folder(self.path.parent)

        try:
            with _explained(partial):
                os.pwrite(descriptor, b" " * _ROOM_BYTES, 0)
                os.fsync(descriptor)
            yield put
        finally:
            os.close(descriptor)
            partial.unlink(missing_ok=True)


def _pair(values: dict[str, Any]) -> Pair:
    ends_at = values["expires_at"]
    return Pair(
        access_token=str(values["access_token"]),
        refresh_token=str(values["refresh_token"]),
        expires_at=None if ends_at is None else float(ends_at),
        scope=str(values["scope"]),
        obtained_at=float(values["obtained_at"]),
    )


def _sync_folder(folder: Path) -> None:
    """Makes a rename outlast a power cut."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextmanager
def _explained(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise ConfigError(f"cannot write {path}: {error.strerror}", hint="check the folder's owner and space") from None
