"""How a process is told to end: the first signal asks for an orderly end, the second one ends it at once."""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Callable
from types import FrameType, TracebackType
from typing import Any, Self

_SIGNALS = (signal.SIGTERM, signal.SIGINT)


class StopSignals:
    """Listens for SIGTERM and Ctrl-C: `with StopSignals() as asked: ...`, where `asked()` says whether one has come.

    To be used in the main thread. Nothing is raised out of the blue, and the handler touches no lock: who works looks
    at it now and then. At the end, Ctrl-C becomes a KeyboardInterrupt after all, for its exit code; SIGTERM comes from
    who supervises us, and is success.

    Attributes:
        at_once: Called at the second signal, just before the process ends.
    """

    def __init__(self) -> None:
        self.at_once: Callable[[], None] = lambda: None
        self._number = 0
        self._before: dict[int, Any] = {}

    def __enter__(self) -> Self:
        self._before = {number: signal.signal(number, self._received) for number in _SIGNALS}
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)
        if self._number == signal.SIGINT and kind is None:
            raise KeyboardInterrupt

    def __call__(self) -> bool:
        """Whether the end was asked for."""
        return self._number != 0

    def also_at_end_of_input(self) -> None:
        """Asks for the end, too, when standard input ends: a pipe from our supervisor breaks however that one ends."""

        def watch() -> None:
            while sys.stdin.buffer.read(1):
                pass
            os.kill(os.getpid(), signal.SIGTERM)

        threading.Thread(target=watch, name="end of input", daemon=True).start()

    def _received(self, number: int, _frame: FrameType | None) -> None:
        if self._number:
            self.at_once()
            os._exit(128 + number)
        self._number = number
