"""A real django-helpdesk on a free port, in a virtual environment of its own that is kept between runs."""

from __future__ import annotations

import contextlib
import fcntl
import getpass
import os
import re
import secrets
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import requests

from connectors.sandbox.company import Company

PACKAGES = (
    "django-helpdesk==2.6.1",
    "djangorestframework==3.16.1",
    "Django>=5.2,<5.3",
    "requests>=2.32",
    "setuptools<81",
)
PROJECT = Path(__file__).parent / "project"
INSTALL_S, START_S = 300, 60


class NotInstallableError(Exception):
    """There is no django-helpdesk to be had here; the message says why."""


def environment() -> Path:
    """The folder of the virtual environment; made where it is missing, and kept.

    Raises:
        NotInstallableError: It cannot be made.
    """
    version = f"{PACKAGES[0].replace('==', '-')}-py{sys.version_info.major}.{sys.version_info.minor}"
    folder = Path(tempfile.gettempdir()) / f"deskhand-{getpass.getuser()}-{version}"
    with Path(f"{folder}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (folder / "ready").exists():
            shutil.rmtree(folder, ignore_errors=True)
            try:
                _install(folder)
            except (OSError, subprocess.SubprocessError) as error:
                raise NotInstallableError(f"{PACKAGES[0]} cannot be installed: {type(error).__name__}") from error
            _make_tables(folder)
            (folder / "ready").touch()
    return folder


def _install(folder: Path) -> None:
    quiet: Any = {"check": True, "capture_output": True, "timeout": INSTALL_S}
    subprocess.run([sys.executable, "-m", "venv", str(folder)], **quiet)
    pip = [str(folder / "bin/python"), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    subprocess.run([*pip, *PACKAGES], **quiet)


def _make_tables(folder: Path) -> None:
    # Its tables take longer to make than all else that a site does when it starts.
    (folder / "template").mkdir()
    made = subprocess.run(
        [str(folder / "bin/python"), "-m", "django", "migrate", "--verbosity=0"],
        cwd=PROJECT, env=_variables(folder / "template"), capture_output=True, text=True, timeout=START_S, check=False,
    )  # fmt: skip
    assert made.returncode == 0, made.stderr[-2000:]


def _variables(folder: Path, **more: str) -> dict[str, str]:
    kept = {name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ}
    site = {"DJANGO_SETTINGS_MODULE": "site_settings", "PYTHONPATH": str(PROJECT), "SITE_FOLDER": str(folder)}
    return {**kept, **site, "SITE_DOOR": "", "PYTHONDONTWRITEBYTECODE": "1", **more}


class RealSite:
    """The site; also a context manager that starts and stops it.

    Args:
        folder: For its database and its log.
        webhook_url: Where both kinds of its webhooks go; empty for nowhere.

    Attributes:
        queues: Ids by title.
        tokens: API tokens by the names of their users.
    """

    def __init__(self, folder: Path, *, webhook_url: str = "") -> None:
        self._folder = folder
        self._door = secrets.token_urlsafe(16)
        hooks = ("HELPDESK_NEW_TICKET_WEBHOOK_URLS", "HELPDESK_FOLLOWUP_WEBHOOK_URLS")
        self._hooks = dict.fromkeys(hooks, webhook_url) if webhook_url else {}
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.url = f"http://127.0.0.1:{free.getsockname()[1]}"
        self._process: subprocess.Popen[bytes] | None = None
        self._session = requests.Session()
        self.queues: dict[str, int] = {}
        self.tokens: dict[str, str] = {}

    def __enter__(self) -> Self:
        venv = environment()
        shutil.copytree(venv / "template", self._folder, dirs_exist_ok=True)
        with (self._folder / "site.log").open("wb") as log:
            self._process = subprocess.Popen(
                [str(venv / "bin/python"), "-m", "django", "runserver", "--noreload", self.url.removeprefix("http://")],
                cwd=PROJECT, stdout=log, stderr=log, env=_variables(self._folder, SITE_DOOR=self._door, **self._hooks),
            )  # fmt: skip
        deadline = time.monotonic() + START_S
        while True:
            with contextlib.suppress(requests.ConnectionError):
                self._session.get(f"{self.url}/door/", timeout=10)
                return self
            if time.monotonic() > deadline or self._process.poll() is not None:
                raise AssertionError((self._folder / "site.log").read_text()[-2000:])
            time.sleep(0.1)

    def __exit__(
        self, _kind: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        self._session.close()
        if self._process:
            self._process.terminate()
            self._process.wait(20)

    def run(self, code: str, **names: Any) -> Any:
        """Runs Python inside the site, with its models at hand; returns what is in `result` afterwards."""
        answer = self._session.post(
            f"{self.url}/door/", json={"code": code, "names": names}, headers={"X-Door": self._door}, timeout=60
        )
        assert answer.ok, (self._folder / "site.log").read_text()[-2000:]
        return answer.json()["result"]

    def page(self, address: str) -> str:
        """A page of the site as a customer's browser gets it."""
        return self._session.get(address, timeout=20).text

    def fill(self, company: Company, *, tickets: int) -> None:
        """Queues, the team with a token each, and the newest solved tickets of a company."""
        queues = [(one.name, one.name.lower()) for one in company.groups]
        users = [(one.key, one.email, *one.name.partition(" ")[::2]) for one in company.agents]
        self.queues, self.tokens = self.run(_FRAME, queues=[("Intake", "intake"), *queues], users=users)
        rows = [
            {
                "title": one.subject,
                "queue": self.queues[one.group] if one.group in self.queues else self.queues["Intake"],
                "address": one.requester.email,
                "turns": [
                    {
                        "user": None if turn.author == "requester" else turn.author,
                        "text": turn.body, "public": turn.public, "date": turn.at.isoformat(),
                    }
                    for turn in one.comments
                ],
            }
            for one in company.tickets[-tickets:]
        ]  # fmt: skip
        self.run(_HISTORY, rows=rows)

    def submit(self, text: str, *, subject: str, address: str, queue: str = "Intake") -> str:
        """A customer fills in the public form; returns the ticket's id."""
        form = f"{self.url}/tickets/submit/"
        found = re.search(r'name="csrfmiddlewaretoken" value="([^"]+)"', self._session.get(form, timeout=20).text)
        assert found
        answer = self._session.post(
            form, timeout=30, allow_redirects=False,
            data={
                "csrfmiddlewaretoken": found[1], "queue": self.queues[queue], "title": subject, "body": text,
                "submitter_email": address, "priority": 3,
            },
        )  # fmt: skip
        number = re.search(r"ticket=[\w-]+-(\d+)&", answer.headers.get("Location", ""))
        assert number, f"{answer.status_code} {answer.text[-3000:]}"
        return number[1]

    def mail(self, text: str, *, ticket_id: str, address: str) -> None:
        """A customer answers by mail, as the site's mailbox reader gets it."""
        self.run(
            """
import logging
ticket = Ticket.objects.get(id=ticket_id)
message = "\\n".join([
    f"From: {address}", f"To: support@desk.example", f"Subject: Re: [{ticket.ticket_for_url}] {ticket.title}",
    f"Message-ID: <{key}@mail.example>", "Content-Type: text/plain; charset=utf-8", "", text,
])
email.extract_email_metadata(message, ticket.queue, logging.getLogger("site"))
""",
            ticket_id=ticket_id, address=address, text=text, key=secrets.token_hex(8),
        )  # fmt: skip


_FRAME = """
for title, slug in queues:
    Queue.objects.get_or_create(
        slug=slug, defaults={"title": title, "allow_public_submission": True, "email_address": f"{slug}@desk.example"}
    )
for key, address, first, last in users:
    user, _ = User.objects.get_or_create(
        username=key, defaults={"email": address, "first_name": first, "last_name": last, "is_staff": True}
    )
    user.is_superuser = True
    user.save()
    Token.objects.get_or_create(user=user)
result = [
    {one.title: one.id for one in Queue.objects.all()},
    {one.user.username: one.key for one in Token.objects.all()},
]
"""
_HISTORY = """
for row in rows:
    first = row["turns"][0]
    ticket = Ticket.objects.create(
        title=row["title"][:200], queue_id=row["queue"], submitter_email=row["address"], description=first["text"],
        status=Ticket.RESOLVED_STATUS,
    )
    users = {one.username: one for one in User.objects.all()}
    FollowUp.objects.bulk_create(
        FollowUp(ticket=ticket, date=turn["date"], comment=turn["text"], public=turn["public"], title="Comment",
                 user=users.get(turn["user"]))
        for turn in row["turns"]
    )
"""
