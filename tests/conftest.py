"""For all tests."""

from __future__ import annotations

import signal

# A shell starts background jobs with Ctrl-C ignored, and what these tests start would inherit that: some of them stop
# a process by it.
if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)
