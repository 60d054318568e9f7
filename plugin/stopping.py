"""How a process is told to end: the first signal asks for an orderly end, the second one ends it at once."""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Callable
from types import FrameType


class StopSignals:
    """Listens for SIGTERM and Ctrl-C from its construction on; to be made in the main thread.

    Nothing is raised out of the blue and no lock is touched in the handler: who works looks at it now and then.

    Args:
        at_once: Called at the second signal, just before the process ends.
    """

    def __init__(self, at_once: Callable[[], None] = lambda: None) -> None:
        self._number = 0
        self.at_once = at_once
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._received)

    def __call__(self) -> bool:
        """Whether the end was asked for."""
        return self._number != 0

    def conclude(self) -> None:
        """To be called when all is ended: a Ctrl-C gets its exit code; SIGTERM was a supervisor's, and is success."""
        if self._number == signal.SIGINT:
            raise KeyboardInterrupt

    def also_at_end_of_input(self) -> None:
        """Ends when standard input does: it is a pipe from our supervisor, which breaks however that one ends."""

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
