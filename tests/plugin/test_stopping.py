"""Signals and the end of input, to a real process."""

from __future__ import annotations

import signal
import subprocess
import sys
import time

import pytest

# Says when it listens, and takes a second to end once it was asked.
SCRIPT = """
import sys, time
from plugin.stopping import StopSignals
with StopSignals() as asked:
    if "supervised" in sys.argv:
        asked.of_supervisor()
    asked.at_once = lambda: print("at once", flush=True)
    print("up", flush=True)
    while not asked():
        time.sleep(0.02)
    time.sleep(1)
    print("in order", flush=True)
"""


def start(*options: str) -> subprocess.Popen[str]:
    pipe = subprocess.PIPE
    process = subprocess.Popen(
        [sys.executable, "-c", SCRIPT, *options], stdin=pipe, stdout=pipe, stderr=pipe, text=True
    )
    assert process.stdout
    assert process.stdout.readline() == "up\n"
    return process


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 0), (signal.SIGINT, -signal.SIGINT)])
def test_the_first_signal_asks_for_an_orderly_end(number: signal.Signals, code: int) -> None:
    process = start()
    process.send_signal(number)
    out, err = process.communicate(timeout=20)
    assert (process.returncode, out) == (code, "in order\n")
    assert ("KeyboardInterrupt" in err) == (number == signal.SIGINT)


def test_the_second_one_ends_it_at_once() -> None:
    process = start()
    process.send_signal(signal.SIGTERM)
    time.sleep(0.2)
    process.send_signal(signal.SIGTERM)
    assert process.communicate(timeout=20)[0] == "at once\n"
    assert process.returncode == 128 + signal.SIGTERM


def test_under_a_supervisor_the_same_signal_may_come_from_two_sides() -> None:
    process = start("supervised")
    for _ in range(2):
        process.send_signal(signal.SIGTERM)
        time.sleep(0.2)
    assert process.communicate(timeout=20)[0] == "in order\n"
    assert process.returncode == 0


def test_the_end_of_input_is_the_end_of_the_supervisor() -> None:
    process = start("supervised")
    assert process.stdin
    process.stdin.close()
    process.stdin = None
    assert process.communicate(timeout=20)[0] == "in order\n"
    assert process.returncode == 0
