"""One sync, one training, one demo at a time in a home; workers by number."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from itertools import count
from pathlib import Path

from connectors import clock
from connectors.errors import ConfigError, LockedError


@contextmanager
def exclusive(home: Path, task: str) -> Iterator[None]:
    """Holds the lock of a task in a home.

    The operating system lets go of it when the process ends, however it ends: a lock file that is left over is no lock,
    and is taken over. The file says who holds it: process, machine and since when.

    Raises:
        LockedError: Somebody else holds it; the message names them.
        ConfigError: The home cannot be written.
    """
    # fcntl is not there on Windows; importing it here keeps the rest of the module usable.
    import fcntl

    path = home / f"{task}.lock"
    try:
        home.mkdir(parents=True, exist_ok=True)
        file = path.open("a+", encoding="utf-8")
    except OSError as error:
        raise ConfigError(f"{path}: {error.strerror}", hint="check the folder's owner and mode") from error
    with file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            file.seek(0)
            owner = file.read().strip() or "unknown"
            raise LockedError(
                f"another 'deskhand {task}' is running in {home} (process {owner})",
                hint="wait for it, or stop it first",
            ) from None
        file.seek(0)
        file.truncate()
        file.write(f"{os.getpid()} on {socket.gethostname()} since {clock.now()}")
        file.flush()
        yield


@contextmanager
def numbered(home: Path, task: str) -> Iterator[str]:
    """Holds the first free one of `task-1`, `task-2` and so on, and yields its name.

    For tasks of which several may run. Whoever gets a name knows that all who had it before are dead.

    Raises:
        ConfigError: The home cannot be written.
    """
    for number in count(1):
        with ExitStack() as stack:
            try:
                stack.enter_context(exclusive(home, f"{task}-{number}"))
            except LockedError:
                continue
            yield f"{task}-{number}"
            return


def holder(home: Path, task: str) -> str:
    """Who holds the lock of a task: `process on machine since time`; empty where nobody does.

    A file that a killed process left behind is recognised: nothing holds its lock.
    """
    import fcntl

    try:
        with (home / f"{task}.lock").open("r", encoding="utf-8") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
            except BlockingIOError:
                return file.read().strip() or "unknown"
    except OSError:
        pass
    return ""
