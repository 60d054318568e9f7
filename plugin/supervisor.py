"""Several web processes and workers, kept alive by one parent that does nothing else.

The parent listens and the web processes accept on its socket, so that a connection that comes while one of them dies,
or all of them, waits for the next one instead of being refused. Why this is no library: docs/adr/0007-processes.md.
"""

from __future__ import annotations

import logging
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from connectors.errors import ConfigError, FatalError
from connectors.settings import Settings
from connectors.wsgi import listen, url_of
from plugin.backoff import delay_s
from plugin.console import say
from plugin.stopping import StopSignals

log = logging.getLogger(__name__)

_LOOK_S = 0.1
_STEADY_S = 30.0
"""What has run for so long had no trouble with starting."""
_MOST_FAILED_STARTS = 3
_MOST_PAUSE_S = 10.0
_BACKLOG = 1024


@dataclass(slots=True)
class Child:
    """A process to keep alive.

    Attributes:
        name: For the log, such as `web 2`.
        command: What to run; its standard input is a pipe that breaks when the parent ends.
        descriptors: Files of the parent that it gets under the same numbers.
    """

    name: str
    command: Sequence[str]
    descriptors: Sequence[int] = ()
    process: subprocess.Popen[bytes] | None = None
    started_at: float = 0.0
    due_at: float = 0.0
    deaths: int = 0
    failed_starts: int = 0


class Supervisor:
    """Starts children, starts them again when they die, and ends them in order.

    Args:
        stop_s: How long they may take to end when they are asked to.
        pause_s: Seconds before a child is started again, by how often it has died in short succession.
    """

    def __init__(
        self,
        children: Sequence[Child],
        *,
        stop_s: float,
        pause_s: Callable[[int], float] = lambda deaths: delay_s(deaths - 1, most_s=2 * _MOST_PAUSE_S) / 2,
    ) -> None:
        self._children = children
        self._stop_s = stop_s
        self._pause_s = pause_s

    def run(self, asked: Callable[[], object]) -> None:
        """Keeps the children alive until `asked` says so; returns when all of them have ended.

        Raises:
            FatalError: One of them cannot be started; the reason is in its own output.
        """
        try:
            while not asked():
                for child in self._children:
                    self._tend(child)
                time.sleep(_LOOK_S)
        finally:
            self._end()

    def kill(self) -> None:
        """Ends all children at once."""
        for child in self._children:
            if child.process:
                child.process.kill()

    def _tend(self, child: Child) -> None:
        if child.process is None:
            if time.monotonic() >= child.due_at:
                self._start(child)
        elif (code := child.process.poll()) is not None:
            self._note_the_end(child, code)

    def _start(self, child: Child) -> None:
        child.started_at = time.monotonic()
        # A process group of its own: Ctrl-C in a terminal reaches the parent alone, which ends all in order.
        child.process = subprocess.Popen(  # noqa: S603  our own commands
            child.command, stdin=subprocess.PIPE, pass_fds=tuple(child.descriptors), process_group=0
        )
        log.info("%s is process %d", child.name, child.process.pid)

    def _note_the_end(self, child: Child, code: int) -> None:
        lived_s = time.monotonic() - child.started_at
        _forget(child)
        if lived_s >= _STEADY_S:
            child.deaths = child.failed_starts = 0
        child.deaths += 1
        # What was killed may have been in somebody's way; what ends by itself with an error has a reason to.
        child.failed_starts = child.failed_starts + 1 if code > 0 else 0
        if code == ConfigError.exit_code or child.failed_starts >= _MOST_FAILED_STARTS:
            raise FatalError(f"{child.name} cannot be started: {_how(code)}", hint="its own message says why")
        pause_s = self._pause_s(child.deaths) if code else 0.0
        child.due_at = time.monotonic() + pause_s
        log.warning("%s %s after %.0f s; it starts again in %.1f s", child.name, _how(code), lived_s, pause_s)

    def _end(self) -> None:
        alive = [child for child in self._children if child.process]
        for child in alive:
            if child.process:
                child.process.terminate()
        # They keep the limit themselves; a little more, so that they can.
        ends_at = time.monotonic() + self._stop_s + 5
        for child in alive:
            if child.process is None:
                continue
            try:
                child.process.wait(timeout=max(0.0, ends_at - time.monotonic()))
            except subprocess.TimeoutExpired:
                log.warning("%s did not end in time and is killed", child.name)
                child.process.kill()
                child.process.wait()
            _forget(child)


def _forget(child: Child) -> None:
    if child.process and child.process.stdin:
        child.process.stdin.close()
    child.process = None


def _how(code: int) -> str:
    if code < 0:
        return f"was killed by {signal.Signals(-code).name}"
    return f"ended with exit code {code}"


def run_processes(settings: Settings, asked: StopSignals, *, verbose: bool) -> None:
    """Runs the plugin as `web_processes` and `workers` of the settings say, until it is asked to end.

    Raises:
        FatalError: The port is taken, or a process cannot be started.
    """
    plugin = settings.plugin
    with listen(plugin.host, plugin.port, "deskhand") as listener:
        listener.listen(_BACKLOG)
        program = [sys.executable, "-m", "plugin", *(["--verbose"] if verbose else [])]
        common = ["--home", str(settings.home), "--supervised"]
        web = [*program, "serve", *common, "--web", "1", "--workers", "0", "--fd", str(listener.fileno())]
        children = [Child(f"web {n}", web, [listener.fileno()]) for n in range(1, plugin.web_processes + 1)]
        children += [Child(f"worker {n}", [*program, "work", *common]) for n in range(1, plugin.workers + 1)]
        supervisor = Supervisor(children, stop_s=plugin.stop_s)
        asked.at_once = supervisor.kill
        say(f"listening on {url_of(plugin.host, listener.getsockname()[1])}")
        supervisor.run(asked)
