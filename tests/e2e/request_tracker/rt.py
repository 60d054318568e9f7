"""A private Request Tracker 5 in a folder, from Debian's packages: configure, start, stop, and fill with a company.

It needs `apt install request-tracker5 rt5-db-sqlite rt5-standalone`. Nothing outside the folder is used or changed.
What Deskhand needs in it, its account, rights and Scrip, is the very file that docs/request-tracker.md gives to admins.
"""

from __future__ import annotations

import json
import os
import re
import secrets
import signal
import socket
import sqlite3
import subprocess
import time
from collections.abc import Iterable
from contextlib import closing
from dataclasses import dataclass, field
from email.message import EmailMessage
from pathlib import Path
from typing import Any
from urllib.parse import quote

import requests

from connectors.sandbox.company import Company

SERVER = Path("/usr/share/request-tracker5/libexec/rt-server")
SETUP = Path("/usr/sbin/rt-setup-database")
DOCS = Path(__file__).parents[3] / "docs" / "request-tracker.md"
MISSING = "Request Tracker is not installed: apt install request-tracker5 rt5-db-sqlite rt5-standalone"

INTAKE = "General"
"""RT's own first queue: where tickets are that nobody has sorted yet."""

CLERK = "clerk"
"""Somebody of the team who sees one queue only, the first, and may change nothing."""

# What most sites give everybody, so that customers can write mails: Deskhand's account gets it too.
EVERYONES_RIGHTS = ("CreateTicket", "ReplyToTicket")
AGENTS_RIGHTS = (
    *("SeeQueue", "ShowTicket", "ShowTicketComments", "ShowOutgoingEmail", "CreateTicket", "ReplyToTicket"),
    *("CommentOnTicket", "ModifyTicket", "OwnTicket", "TakeTicket", "DeleteTicket", "ForwardMessage", "Watch"),
    *("SeeCustomField", "ModifyCustomField", "SeeClass", "ShowArticle", "CreateArticle", "ModifyArticle"),
)

Json = dict[str, Any]


def installed() -> bool:
    """Whether Debian's packages are there."""
    return SERVER.exists() and SETUP.exists()


def newest(company: Company, limit: int) -> Company:
    """The company with its newest tickets only, and so with fewer customers: each takes time to be made."""
    return company.model_copy(update={"tickets": company.tickets[-limit:], "live_pool": ()})


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@dataclass
class RT:
    """A Request Tracker of our own.

    Attributes:
        folder: Everything is in here: configuration, database, logs, mails that would have gone out.
        company: Whose queues, agents, customers, articles and custom fields it has.
        endpoint: Where the Scrip posts to.
        tokens: Of each user, by name: agents by their key, customers by their address, and `deskhand`.
    """

    folder: Path
    company: Company
    endpoint: str = "http://127.0.0.1:9/"
    workers: int = 3
    secret: str = field(default_factory=lambda: secrets.token_hex(24))
    port: int = field(default_factory=free_port)
    tokens: dict[str, str] = field(default_factory=dict)
    _server: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def database(self) -> Path:
        return self.folder / "rt.db"

    def configure(self) -> None:
        """Writes the configuration and a database with the company's frame; a few seconds."""
        for name in ("conf.d", "mason", "session"):
            (self.folder / name).mkdir(parents=True, exist_ok=True)
        (self.folder / "RT_SiteConfig.pm").write_text(self._configuration())
        (self.folder / "company.json").write_text(json.dumps(_frame(self.company)))
        tokens = _TOKENS.replace("FILE", str(self.folder / "tokens.txt"))
        (self.folder / "deskhand.initialdata").write_text(documented_initialdata() + tokens)
        self._setup("init", "--skip-create")
        for name in ("company.json", "deskhand.initialdata"):
            self._setup("insert", "--datafile", str(self.folder / name))
        lines = (self.folder / "tokens.txt").read_text().splitlines()
        self.tokens = dict(line.split(" ", 1) for line in lines)

    def _configuration(self) -> str:
        folder, quoted = self.folder, "'{}'".format
        options = {
            "rtname": "fernway.example",
            "Organization": "fernway.example",
            "DatabaseType": "SQLite",
            "DatabaseName": str(self.database),
            "WebDomain": "127.0.0.1",
            "WebPort": str(self.port),
            "WebPath": "",
            "Timezone": "America/New_York",  # the connector has to get along with any
            "MailCommand": "testfile",
            "BcryptCost": "4",  # a request checks a token: 0.07 s instead of 0.28 s
            "LogToSTDERR": "warning",
            "LogToSyslog": "",
            "DeskhandEndpoint": self.endpoint,
            "DeskhandSecret": self.secret,
        }
        lines = [f"Set(${name}, {quoted(value)});" for name, value in options.items()]
        lines += [
            "Set($InitialdataFormatHandlers, ['RT::Initialdata::JSON', 'perl']);",
            f"$RT::MasonDataDir = {quoted(folder / 'mason')};",
            f"$RT::MasonSessionDir = {quoted(folder / 'session')};",
            # All processes write their mails into one file that we can read.
            f"use Mail::Mailer::testfile; $Mail::Mailer::testfile::config{{outfile}} = {quoted(self._outbox)};",
            "1;",
        ]
        return "\n".join(lines) + "\n"

    def _environment(self) -> dict[str, str]:
        return os.environ | {
            "RT_SITE_CONFIG": str(self.folder / "RT_SiteConfig.pm"),
            "RT_SITE_CONFIG_DIR": str(self.folder / "conf.d"),
        }

    def _setup(self, action: str, *options: str) -> None:
        with (self.folder / "setup.log").open("ab") as log:
            subprocess.run(
                [SETUP, "--action", action, *options],
                env=self._environment(), cwd=self.folder, stdout=log, stderr=log, check=True, timeout=120,
            )  # fmt: skip

    def start(self) -> None:
        """Starts the server and waits until it answers."""
        with (self.folder / "server.log").open("ab") as log:
            self._server = subprocess.Popen(
                [SERVER, "--host", "127.0.0.1", "--port", str(self.port), f"--max-workers={self.workers}"],
                env=self._environment(), cwd=self.folder, stdout=log, stderr=log, start_new_session=True,
            )  # fmt: skip
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline and self._server.poll() is None:
            try:
                if requests.get(f"{self.url}/REST/2.0/rt", timeout=30).status_code == 401:
                    return
            except requests.ConnectionError:
                time.sleep(0.1)
        self.stop()
        raise RuntimeError("rt-server did not start:\n" + (self.folder / "server.log").read_text()[-2000:])

    def keep(self) -> None:
        """Remembers what is in the database now, for `reset`."""
        self._copy(self.database, self.folder / "kept.db")

    def reset(self) -> None:
        """Takes the database and the outbox back to `keep`; the server need not be stopped for it.

        RT remembers which tickets were merged, so this is not for tests that merge.
        """
        self._copy(self.folder / "kept.db", self.database)
        self._outbox.write_text("")

    @staticmethod
    def _copy(source: Path, target: Path) -> None:
        with closing(sqlite3.connect(source, timeout=30)) as one, closing(sqlite3.connect(target, timeout=30)) as other:
            one.backup(other)

    def stop(self) -> None:
        """Ends the server and its workers; by SIGTERM, as SIGINT makes rt-server chown folders of the machine."""
        if self._server is None:
            return
        os.killpg(self._server.pid, signal.SIGTERM)
        try:
            self._server.wait(10)
        except subprocess.TimeoutExpired:
            os.killpg(self._server.pid, signal.SIGKILL)
            self._server.wait(10)
        self._server = None

    @property
    def _outbox(self) -> Path:
        return self.folder / "outbox.txt"

    def mails(self) -> str:
        """All mails that would have gone out."""
        return self._outbox.read_text(errors="replace") if self._outbox.exists() else ""

    def log(self) -> str:
        """What the server logged."""
        return (self.folder / "server.log").read_text(errors="replace")

    def call(
        self, user: str, method: str, path: str, body: object = None, *, session: requests.Session | None = None
    ) -> Any:
        """A REST call of one of the users; returns the answer's JSON."""
        answer = (session or requests).request(
            method, f"{self.url}/REST/2.0{path}", json=body, timeout=60,
            headers={"Authorization": f"token {self.tokens[user]}"},
        )  # fmt: skip
        assert answer.ok, f"{method} {path} answered {answer.status_code}: {answer.text[:500]}"
        return answer.json() if answer.content else None

    def mail(self, sender: str, subject: str, text: str, queue: str = INTAKE) -> str:
        """A mail of a customer through RT's mail gateway; returns the ticket's id. The subject has to be a new one."""
        message = EmailMessage()
        message["From"], message["To"], message["Subject"] = sender, "support@fernway.example", subject
        message["Message-ID"] = f"<{secrets.token_hex(8)}@mail.example>"
        message.set_content(text)
        answer = requests.post(
            f"{self.url}/REST/1.0/NoAuth/mail-gateway", timeout=60,
            data={"queue": queue, "action": "correspond", "message": message.as_bytes()},
        )  # fmt: skip
        assert answer.text.startswith("ok"), answer.text
        found = self.call("marit", "GET", f"/tickets?query=Subject='{quote(subject)}'")
        return str(found["items"][0]["id"])

    def comments(self, ticket_id: str) -> list[tuple[str, str]]:
        """The ticket's turns as (type, text), oldest first, read with an agent's eyes."""
        query = "?fields=Type&per_page=100"
        history = self.call("marit", "GET", f"/ticket/{ticket_id}/history{query}")["items"]
        found = []
        for item in history:
            if item["Type"] in ("Create", "Correspond", "Comment"):
                path = f"/transaction/{item['id']}/attachments?fields=ContentType,Content&per_page=100"
                parts = self.call("marit", "GET", path)["items"]
                text = "".join(part.get("Content") or "" for part in parts if part["ContentType"].startswith("text/"))
                found.append((item["Type"], text))
        return found


def documented_initialdata() -> str:
    """The initialdata file that docs/request-tracker.md gives to admins."""
    found = re.search(r"```perl\n(# deskhand\.initialdata\n.*?)```", DOCS.read_text(), re.DOTALL)
    assert found, f"{DOCS} has no deskhand.initialdata"
    return found[1]


_TOKENS = r"""
push @Final, sub {
    open my $out, '>', 'FILE' or die $!;
    my $users = RT::Users->new( RT->SystemUser );
    $users->UnLimit;
    while ( my $user = $users->Next ) {
        next if $user->Name =~ /^(?:RT_System|Nobody)$/;
        my ( $id, $message, $token ) =
            RT::AuthToken->new( RT->SystemUser )->Create( Owner => $user->id, Description => 'test' );
        die $message unless $id;
        print $out $user->Name, ' ', $token, "\n";
    }
    close $out or die $!;
};
"""


def _frame(company: Company) -> Json:
    """The company as initialdata in JSON: queues, users, rights, custom fields, articles."""
    agents = [agent for agent in company.agents if agent.key != "deskhand"]  # whom the documented file makes
    users: list[Json] = [
        {"Name": agent.key, "RealName": agent.name, "EmailAddress": agent.email, "Privileged": 1} for agent in agents
    ]
    requesters = {one.requester.email: one.requester for one in (*company.tickets, *company.live_pool)}
    users += [
        {"Name": one.email, "RealName": one.name, "EmailAddress": one.email, "Privileged": 0}
        for one in requesters.values()
    ]
    users.append({"Name": CLERK, "RealName": "A clerk", "Privileged": 1})
    return {
        "Queues": [{"Name": one.name, "Description": one.description} for one in company.groups],
        "Users": users,
        "Groups": [{"Domain": "UserDefined", "Name": "Agents"}],
        "Members": [
            {"GroupDomain": "UserDefined", "Group": "Agents", "Class": "RT::User", "Name": agent.key}
            for agent in agents
        ],
        "ACL": [
            {"GroupDomain": "SystemInternal", "GroupType": "Everyone", "Right": list(EVERYONES_RIGHTS)},
            {"GroupDomain": "RT::System-Role", "GroupType": "Requestor", "Right": ["ShowTicket"]},
            {"GroupDomain": "UserDefined", "GroupId": "Agents", "Right": list(AGENTS_RIGHTS)},
            {"UserId": CLERK, "Queue": company.groups[0].name, "Right": ["SeeQueue", "ShowTicket"]},
        ],
        "CustomFields": [
            *(_field(one.title, one.type, one.options) for one in company.ticket_fields),
            {"Name": "Tags", "Type": "FreeformMultiple", "LookupType": "RT::Queue-RT::Ticket", "ApplyTo": 0},
        ],
        "Articles": [
            {
                "Class": "General",
                "Name": one.title,
                "Summary": one.slug,
                "CustomFields": [{"CustomField": "Content", "Content": one.markdown}],
            }
            for one in company.articles
        ],
    }


def _field(title: str, kind: str, options: Iterable[str]) -> Json:
    found: Json = {"Name": title, "LookupType": "RT::Queue-RT::Ticket", "ApplyTo": 0}
    if kind == "tagger":
        return found | {"Type": "SelectSingle", "Values": [{"Name": option} for option in options]}
    return found | {"Type": "FreeformSingle"}
