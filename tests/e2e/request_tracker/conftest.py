"""A home that was set up with the command line against a real Request Tracker full of the sample company's tickets."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from connectors.sandbox.company import Company, load_company

from .filling import backdate, fill
from .rt import MISSING, RT, free_port, installed, newest

# Enough for the least that can be trained on, after curation.
TICKETS = 80
SMALL = {
    "DESKHAND_TRAINER__MAX_TRAIN_TICKETS": "40",
    "DESKHAND_TRAINER__EPOCHS": "1",
    "DESKHAND_TRAINER__LORA_LAYERS": "4",
    "DESKHAND_TRAINER__MAX_PROMPT_TOKENS": "220",
    "DESKHAND_TRAINER__MAX_REPLY_TOKENS": "90",
    "DESKHAND_TRAINER__REPLY_EVAL_TICKETS": "4",
    "DESKHAND_TRAINER__STALE_QUESTIONS": "2",
    "DESKHAND_TRAINER__ROUTER_MINUTES": "0",
    # So few tickets make no sure routes.
    "DESKHAND_TRAINER__ROUTER_PRECISION": "0",
    "DESKHAND_PLUGIN__MIN_ROUTE_PROBABILITY": "0",
}


@dataclass
class Site:
    """Request Tracker and Deskhand on one machine.

    Attributes:
        took_s: Seconds of each step.
        said: What each command wrote, on both streams.
    """

    rt: RT
    company: Company
    home: Path
    port: int
    took_s: dict[str, float] = field(default_factory=dict)
    said: dict[str, str] = field(default_factory=dict)

    @property
    def environment(self) -> dict[str, str]:
        return os.environ | SMALL | {
            "DESKHAND_HOME": str(self.home),
            "DESKHAND_PLUGIN__PORT": str(self.port),
            "DESKHAND_PLUGIN__WEBHOOK_SECRET": self.rt.secret,
        }  # fmt: skip

    def command(self, *arguments: str) -> list[str]:
        return [sys.executable, "-m", "plugin", *arguments]

    def run(self, *arguments: str, **environment: str) -> str:
        """A command as a user gives it; returns its standard output."""
        started = time.monotonic()
        done = subprocess.run(
            self.command(*arguments), env=self.environment | environment, capture_output=True, text=True, timeout=900
        )
        self.took_s[arguments[0]] = time.monotonic() - started
        self.said[arguments[0]] = done.stdout + done.stderr
        assert done.returncode == 0, f"{arguments}: {done.stdout[-1500:]}{done.stderr[-3000:]}"
        return done.stdout

    def serve(self) -> Serving:
        """`deskhand serve`, for a `with`."""
        return Serving(self)


class Serving:
    """`deskhand serve` while the block runs."""

    def __init__(self, site: Site) -> None:
        self._site = site

    def __enter__(self) -> Serving:
        self._log = (self._site.home / "serve.log").open("w+")
        self._process = subprocess.Popen(
            self._site.command("serve"), env=self._site.environment, stdout=self._log, stderr=self._log
        )
        deadline = time.monotonic() + 120
        while "listening on" not in self.said() and self._process.poll() is None and time.monotonic() < deadline:
            time.sleep(0.2)
        assert "listening on" in self.said(), self.said()
        return self

    def __exit__(self, *_: object) -> None:
        self._process.terminate()
        try:
            assert self._process.wait(60) == 0, self.said()
        finally:
            self._process.kill()
            self._site.said["serve"] = self._site.said.get("serve", "") + self.said()
            self._log.close()

    def said(self) -> str:
        return (self._site.home / "serve.log").read_text()


@pytest.fixture(scope="session")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """Everything up to a promoted model: RT filled, `init`, `sync`, `train`, `promote`."""
    if not installed():
        pytest.skip(MISSING)
    whole, port = load_company(), free_port()
    company = newest(whole, TICKETS)
    home = tmp_path_factory.mktemp("home") / "deskhand"
    rt = RT(tmp_path_factory.mktemp("rt"), company, endpoint=f"http://127.0.0.1:{port}/webhooks/request_tracker")
    site = Site(rt, whole, home, port)
    started = time.monotonic()
    rt.configure()
    rt.start()
    site.took_s["start of RT"] = time.monotonic() - started
    try:
        started = time.monotonic()
        backdate(rt, company.tickets, fill(rt, company.tickets))
        site.took_s["fill"] = time.monotonic() - started
        site.run(
            "init", "--kind", "request_tracker", "--url", rt.url, DESKHAND_HELPDESK__TOKEN=rt.tokens["deskhand"]
        )  # fmt: skip
        site.run("sync")
        site.run("train")
        version = re.search(r"deskhand promote (\S+)", site.said["train"])
        assert version, site.said["train"]
        site.run("promote", version[1])
        yield site
    finally:
        rt.stop()
    print("\n" + ", ".join(f"{name} {seconds:.0f} s" for name, seconds in site.took_s.items()))
