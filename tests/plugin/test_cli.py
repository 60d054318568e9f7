"""The commands on a real home: what they print, for people and for scripts, and how they fail."""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import click
import pytest
from click.testing import CliRunner, Result

from connectors.settings import Settings, write_home
from connectors.store.database import Store
from connectors.store.inbox import WorkerState
from plugin.cli import deskhand
from trainer.evaluation.scores import ReplyScore, Report, RouteScore, Sample, write_report, write_samples
from trainer.registry import Registry

Run = Callable[..., Result]


@pytest.fixture(autouse=True)
def levels() -> Iterator[None]:
    """The commands set the levels of our loggers."""
    loggers = [logging.getLogger(name) for name in ("connectors", "trainer", "plugin")]
    before = [logger.level for logger in loggers]
    yield
    for logger, level in zip(loggers, before, strict=True):
        logger.setLevel(level)


@pytest.fixture
def run(settings: Settings, no_environment: None, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Runs a command in the home, as from a shell."""
    monkeypatch.setenv("DESKHAND_HOME", str(settings.home))

    def run(*arguments: str, code: int = 0, **more: Any) -> Result:
        result = CliRunner().invoke(deskhand, list(arguments), **more)
        assert result.exit_code == code, result.output
        assert "Traceback" not in result.output
        return result

    return run


def commands(group: click.Group, *names: str) -> Iterator[tuple[str, ...]]:
    for name, command in group.commands.items():
        yield (*names, name)
        if isinstance(command, click.Group):
            yield from commands(command, *names, name)


# ---- help


@pytest.mark.parametrize("command", [(), *commands(deskhand)], ids=" ".join)
def test_every_command_explains_itself(command: tuple[str, ...]) -> None:
    result = CliRunner().invoke(deskhand, [*command, "--help"])
    assert (result.exit_code, result.stderr) == (0, "")
    usage, _, rest = result.stdout.partition("\n")
    assert usage.startswith("Usage: ")
    assert " ".join(command) in usage
    assert len(rest.split("Options:")[0].strip()) > 20, "it says what it does"


def test_the_commands_are_the_ones_that_are_documented() -> None:
    names = {" ".join(names) for names in commands(deskhand)}
    wanted = (
        "init doctor sync watch export curate forget train evaluate models promote rollback suggest serve work demo"
    )
    assert {*wanted.split(), "app package", "inbox", "inbox retry"} <= names


def test_a_wrong_option_is_a_usage_error(run: Run) -> None:
    assert "No such option" in run("sync", "--ful", code=2).stderr
    assert "Missing argument 'TICKET_ID'" in run("suggest", code=2).stderr


# ---- sync, curate


def test_sync_says_what_is_stored_and_a_second_one_that_nothing_is_new(run: Run, settings: Settings) -> None:
    settings.database_path.unlink()
    first = json.loads(run("sync", "--json").stdout)
    assert first["changed"]["tickets"] == first["stored"]["tickets"] == 16
    assert first["comments_fetched"] + first["comments_settled"] == 16
    assert (first["stored"]["articles"], first["skipped"], first["failed"]) == (1, {}, {})
    assert first["requests_made"] > 10
    second = json.loads(run("sync", "--json").stdout)
    assert (second["changed"], second["comments_fetched"]) == ({}, 0)
    assert second["requests_made"] <= 12, "a handful"
    lines = run("sync", "--full").stdout.splitlines()
    assert "16 stored" in next(line for line in lines if line.startswith("tickets"))


def test_sync_with_a_refused_credential_says_what_to_do(run: Run, settings: Settings, desk: Any) -> None:
    config = {"helpdesk": {"url": desk.sandbox.url}}
    write_home(settings.home, config, {"helpdesk": {"token": "refused-token"}})
    result = run("sync", code=1)
    assert result.stdout == ""
    assert "the credential is not accepted" in result.stderr
    assert "run: deskhand init" in result.stderr
    assert "refused-token" not in result.output


def test_a_rate_limit_is_an_exit_code_that_cron_understands(run: Run, desk: Any) -> None:
    desk.fault("groups", 429, retry_after=5000, body="Where is my parcel?")
    result = run("sync", code=75)
    assert "groups                 not finished, run it again" in result.stdout
    assert "answered 429" in result.stdout
    assert "parcel" not in result.output


def test_a_helpdesk_that_is_down_ends_the_sync_with_the_same_code(run: Run, desk: Any) -> None:
    desk.fault("groups", 429, retry_after=5000)
    desk.fault("brands", 429, retry_after=5000, body="Where is my parcel?")
    result = run("sync", code=75)
    assert (result.stdout, "answered 429" in result.stderr) == ("", True)
    assert "try again later" in result.stderr
    assert "parcel" not in result.output


def test_a_dry_run_says_what_would_come_and_stores_nothing(run: Run, settings: Settings) -> None:
    settings.database_path.unlink()
    lines = run("sync", "--dry-run").stdout.splitlines()
    (tickets,) = [line for line in lines if line.startswith("tickets")]
    assert "from: beginning, 16 there, at most 1 requests" in tickets
    assert json.loads(run("sync", "--dry-run", "--json", "--only", "users").stdout)[0]["stream"] == "users"
    with Store(settings.database_path) as store:
        assert store.history.counts("sandbox")["users"] == 0


def test_a_sync_of_some_streams_since_a_day(run: Run, settings: Settings) -> None:
    settings.database_path.unlink()
    run("sync", "--only", "tickets", "--since", "2026-04-10")
    with Store(settings.database_path) as store:
        days = [row["updated_at"] for row in store.rows("select updated_at from tickets")]
        assert days
        assert min(days) >= "2026-04-10"
    assert "there are: groups" in run("sync", "--only", "ticktes", code=78).stderr


def test_doctor_ends_with_1_where_something_has_to_be_mended(run: Run, settings: Settings) -> None:
    assert "model" in run("doctor").stdout
    (settings.home / "secrets.toml").chmod(0o644)
    result = run("doctor", "--json", code=1)
    assert [one["what"] for one in json.loads(result.stdout) if one["state"] == "wrong"] == ["secrets.toml"]


def test_watch_looks_once_for_cron(run: Run, settings: Settings, desk: Any, store: Store) -> None:
    run("sync")
    number = desk.open_ticket()
    assert "1 tickets to look at" in run("watch", "--once").stderr
    assert store.inbox.open_for("sandbox", number)


def test_the_inbox_shows_what_waits_and_what_was_given_up_and_takes_it_back(run: Run, store: Store) -> None:
    assert run("inbox").stdout == "0 waiting, 0 being worked on, 0 done, 0 given up; no worker runs\n"
    ids = []
    for number in "789":
        store.inbox.put("sandbox", f"d-{number}", number)
        job = store.inbox.claim("w", lease_s=60)
        assert job
        store.inbox.bury(job, "w", error="[no] model is live")
        ids.append(job.id)
    store.inbox.put("sandbox", "d-1", "1")
    at = time.time()
    for name, pid, ticket_id, seen_s in (("worker-1", 41, "5", at), ("worker-2", 42, "", at), ("worker-3", 43, "", 1)):
        state = WorkerState(name, pid, "here", "v20261124-081500", ticket_id, "2026-11-24T08:15:00Z", seen_s)
        store.inbox.seen(state)
    printed = run("inbox").stdout
    assert "1 waiting, 0 being worked on, 0 done, 3 given up\n" in printed
    assert "worker-1 on here, process 41: works on ticket 5, v20261124-081500" in printed
    assert "worker-2 on here, process 42: waits" in printed
    assert "worker-3 on here, process 43: has given no sign of life for" in printed
    assert "[no] model is live" in printed
    assert "Dead letters, the newest 2 of 3" in run("inbox", "--limit", "2").stdout

    shown = json.loads(run("inbox", "--json").stdout)
    assert shown["counts"] == {"waiting": 1, "leased": 0, "done": 0, "dead": 3}
    assert [(one["id"], one["ticket_id"], one["attempts"]) for one in shown["dead"]] == [
        (ids[2], "9", 1), (ids[1], "8", 1), (ids[0], "7", 1),
    ]  # fmt: skip
    assert [one["alive"] for one in shown["workers"]] == [True, True, False]
    assert [one["ticket_id"] for one in shown["open"]] == ["1"]

    assert run("inbox", "retry", str(ids[0])).stdout == "1 back in the queue\n"
    refused = run("inbox", "retry", str(ids[1]), str(ids[0]), "99", code=1)
    assert f"not a dead letter: {ids[0]} is waiting, 99 is not there" in refused.stderr
    assert "deskhand inbox" in refused.stderr
    assert store.inbox.counts()["dead"] == 2, "none was touched"
    assert run("inbox", "retry", "--all").stdout == "2 back in the queue\n"
    assert store.inbox.counts()["waiting"] == 4
    assert run("inbox", "retry", "--all").stdout == "0 back in the queue\n"


def test_which_dead_letters_must_be_said(run: Run) -> None:
    assert "or --all" in run("inbox", "retry", code=2).stderr
    assert "or --all" in run("inbox", "retry", "--all", "7", code=2).stderr


def test_export_writes_what_is_stored(run: Run, settings: Settings, tmp_path: Path) -> None:
    out = run("export", str(tmp_path / "out")).stdout
    assert "tickets                      16 rows" in out
    assert (tmp_path / "out" / "tickets.jsonl").read_text().count("\n") == 16


def test_curate_counts_and_explains_a_single_ticket(run: Run, store: Store) -> None:
    made = json.loads(run("curate", "--json").stdout)
    assert {"tickets": 16, "kept": 16, "dropped": {}, "problems": []}.items() <= made.items()
    assert sum(agent["answers"] for agent in made["agents"]) == 16
    printed = run("curate").stdout
    assert "16 solved tickets, 16 answers kept, 0 dropped" in printed
    assert "came back" in printed
    answer = store.history.turns("sandbox", "7")[-1].comment.id
    assert run("curate", "--ticket", "7").stdout.startswith(f"answer {answer}: in, weight ")
    said = json.loads(run("curate", "--ticket", "7", "--json").stdout)
    assert (said["ticket"], said["why"], said["frozen"]) == ("7", "", False)
    assert {"answer": answer, "kept": True, "reason": "", "route_label": True}.items() <= said["answers"][0].items()
    store.execute("update examples set kept = 0, reason = 'rated bad by the customer' where ticket_id = '7'")
    store.examples.freeze("sandbox", ["7"])
    assert run("curate", "--ticket", "7").stdout == (
        f"answer {answer}: out, rated bad by the customer\nit judges every version, and is never trained on\n"
    )
    assert "not in the database" in run("curate", "--ticket", "404").stdout
    assert json.loads(run("curate", "--ticket", "404", "--json").stdout)["answers"] == []


def test_curate_says_which_settings_name_nothing(run: Run, settings: Settings, desk: Any) -> None:
    config = {"helpdesk": {"url": desk.sandbox.url, "name": "sandbox"}, "trainer": {"exclude_groups": ["NOPE"]}}
    write_home(settings.home, config, {"helpdesk": {"token": desk.sandbox.token}})
    assert "[trainer] exclude_groups: there is no group 'NOPE'" in run("curate").stderr


def test_forget_removes_a_customer_and_names_the_versions(run: Run, store: Store, versions: list[str]) -> None:
    requester = store.history.ticket("sandbox", "7").requester_id  # type: ignore[union-attr]
    email = store.history.user("sandbox", requester).email  # type: ignore[union-attr]
    registry = Registry(store.path.parent / "models")
    registry.write_tickets(registry.path(versions[0]), ["7"])
    registry.write_tickets(registry.path(versions[1]), ["1"])
    run("promote", versions[0])
    assert "Aborted" in run("forget", email, input="n\n", code=1).output
    assert store.history.user("sandbox", requester) is not None
    result = run("forget", email, "--yes")
    assert "Removed: 1 tickets" in result.stdout
    assert f"Trained on tickets of forgotten customers: {versions[0]}\n" in result.stdout
    assert f"{versions[0]} is live" in result.stdout
    assert email not in result.output
    assert store.history.user("sandbox", requester) is None
    lines = run("models").stdout.splitlines()
    assert [line.split()[1] for line in lines if "forgotten customer: retrain" in line] == [versions[0]]
    assert json.loads(run("sync", "--full", "--json").stdout)["failed"] == {}
    assert store.history.turns("sandbox", "7") == []
    assert store.history.user("sandbox", requester) is None
    again = json.loads(run("forget", email, "--yes", "--json").stdout)
    assert (again["already"], again["versions"], again["live"]) == (True, [versions[0]], versions[0])
    assert "customer was forgotten" in run("curate", "--ticket", "7").stdout


def test_forget_does_not_know_everybody(run: Run) -> None:
    result = run("forget", "nobody@mail.example", "--yes", code=1)
    assert "nobody in the database has this id or address" in result.stderr
    assert "nobody@mail.example" not in result.output


def test_too_little_to_train_on_is_said_before_anything_is_loaded(run: Run, settings: Settings) -> None:
    before = sorted(settings.models_path.iterdir())
    result = run("train", "--json", code=1)
    assert result.stdout == ""
    assert "16 good examples, 40 are needed" in result.stderr
    assert sorted(settings.models_path.iterdir()) == before


# ---- versions


def test_a_version_is_promoted_and_rolled_back(run: Run, versions: list[str]) -> None:
    older, newer = versions
    listed = json.loads(run("models", "--json").stdout)
    assert listed["live"] is None
    assert [one["version"] for one in listed["versions"]] == [newer, older]
    assert run("promote", older).stdout == f"{older} is live\n"
    assert run("promote", newer).stdout == f"{newer} is live, before it {older}\n"
    assert json.loads(run("models", "--json").stdout)["live"]["version"] == newer
    marked = [line for line in run("models").stdout.splitlines() if line.startswith("*")]
    assert len(marked) == 1
    assert newer in marked[0]
    assert "routes by tfidf" in marked[0]
    assert run("rollback").stdout == f"{older} is live again\n"


def test_a_version_that_is_not_whole_does_not_go_live(run: Run, settings: Settings, versions: list[str]) -> None:
    run("promote", versions[1])
    with (settings.models_path / versions[0] / "route.json").open("a") as file:
        file.write(" ")
    assert "route.json is missing or was changed" in run("promote", versions[0], code=1).stderr
    for name in ("v1", "../models", "latest", "v/../x"):
        assert "see: deskhand models" in run("promote", name, code=1).stderr
    assert json.loads((settings.models_path / "live.json").read_text())["version"] == versions[1]


def test_without_an_earlier_version_there_is_nothing_to_go_back_to(run: Run, versions: list[str]) -> None:
    assert "no earlier version" in run("rollback", code=1).stderr
    run("promote", versions[0])
    assert "no earlier version" in run("rollback", code=1).stderr


def test_an_evaluation_that_is_not_there_is_said(run: Run, versions: list[str]) -> None:
    assert "no model is live yet" in run("evaluate", code=1).stderr
    assert "there is no evaluation" in run("evaluate", versions[0], code=1).stderr


@pytest.fixture
def judged(settings: Settings, versions: list[str]) -> Path:
    """The folder of the older version, evaluated, its page not yet made."""
    folder = settings.models_path / versions[0]
    route = RouteScore("tfidf", 40, 0.8, 0.7, 0.9, 0.1, 0.3, 0.2, 1.0, (0.0, 0.0))
    reply = ReplyScore(
        "nearest", 40, 0.512, (0.4, 0.6), (0.0, 0.0), 31.0, 0.4, 0.5, 32.0, 0.6, 0.3, 1.0, None, 0.6, 0, 0, 0, 0, 0, 0
    )
    write_report(folder, Report((route,), (reply,), "tfidf", "nearest", "A verdict."))
    write_samples(folder, [Sample("7", "Customer: tulip?", "acorn", {"nearest": "walnut"}, {"nearest": 1.0})])
    return folder


def test_an_evaluation_is_shown_with_its_page(run: Run, versions: list[str], judged: Path) -> None:
    page = judged / "report.html"
    shown = run("evaluate", versions[0]).stdout
    assert "nearest *" in shown
    assert "Verdict. A verdict." in shown
    assert shown.splitlines()[-1].endswith(str(page))
    text = page.read_text(encoding="utf-8")
    assert all(word in text for word in ("A verdict.", versions[0], "tulip", "acorn", "walnut"))
    page.write_text("by somebody else")
    run("promote", versions[0])
    found = json.loads(run("evaluate", "--json").stdout)
    assert (found["version"], found["page"], found["reply_arm"]) == (versions[0], str(page), "nearest")
    assert found["replies"][0]["effort"] == 0.512
    assert "tulip" not in json.dumps(found)
    assert page.read_text() == "by somebody else", "what is there is left alone"


def test_an_evaluation_without_samples_has_a_page_without_drafts(run: Run, versions: list[str], judged: Path) -> None:
    (judged / "samples.json").write_text("{")
    run("evaluate", versions[0])
    page = (judged / "report.html").read_text(encoding="utf-8")
    assert "A verdict." in page
    assert "Drafts to look at" not in page


def test_a_page_that_cannot_be_written_hides_no_figures(run: Run, versions: list[str], judged: Path) -> None:
    (judged / "report.html.partial").mkdir()
    result = run("evaluate", versions[0])
    assert "A verdict." in result.stdout
    assert "report.html cannot be written: Is a directory" in result.stderr
    assert json.loads(run("evaluate", versions[0], "--json").stdout)["page"] is None


def test_a_home_without_versions_says_how_to_make_one(run: Run, tmp_path: Path) -> None:
    assert "deskhand train" in run("models", "--home", str(tmp_path / "empty")).stdout
    assert not (tmp_path / "empty").exists(), "looking makes nothing"


# ---- suggest


@pytest.mark.weights
def test_suggest_prints_a_draft_and_writes_nothing(run: Run, trained: Settings, desk: Any) -> None:
    ticket_id = desk.open_ticket("Hello, I want my money back for the damaged lamp. How do I get the refund? Deniz")
    updates = desk.updates(ticket_id)
    printed = run("suggest", ticket_id).stdout
    assert "Hi Deniz," in printed
    assert "Route: FIN (" in printed
    made = json.loads(run("suggest", ticket_id, "--json").stdout)
    assert made["draft"] in printed
    assert (made["ticket_id"], made["state"], made["route"]["group_name"]) == (ticket_id, "shown", "FIN")
    assert desk.updates(ticket_id) == updates
    with Store(trained.database_path) as store:
        assert store.suggestions.latest("sandbox", ticket_id) is None
        assert store.inbox.counts()["waiting"] == 0


def test_suggest_without_a_model_or_a_ticket_says_so(run: Run, desk: Any) -> None:
    result = run("suggest", desk.open_ticket(), code=1)
    assert "no model is live yet" in result.stderr
    assert "deskhand train" in result.stderr
    assert "answered 404" in run("suggest", "404404", code=1).stderr


# ---- settings, app


def test_without_a_helpdesk_the_commands_send_to_init(run: Run, tmp_path: Path) -> None:
    for command in (("sync",), ("curate",), ("train",), ("suggest", "7"), ("serve",), ("work",)):
        result = run(*command, "--home", str(tmp_path / "empty"), code=78)
        assert (result.stdout, "run: deskhand init" in result.stderr) == ("", True)


def test_all_problems_of_the_settings_are_said_at_once(run: Run, settings: Settings) -> None:
    config = {"trainer": {"epochs": 0, "epoch": 3}, "plugin": {"port": 70_000}}
    write_home(settings.home, config, {"plugin": {"sidebar_token": "a-token"}})
    result = run("models", code=78)
    for name in ("trainer.epochs", "trainer.epoch]", "plugin.port"):
        assert name in result.stderr
    assert "a-token" not in result.output


def test_init_asks_checks_and_connects(run: Run, desk: Any, tmp_path: Path) -> None:
    home = tmp_path / "new"
    asked = ("init", "--home", str(home), "--url", desk.sandbox.url)
    result = run(*asked, "--auth", "bearer", input="refused-token\n", code=1)
    assert "the credential is not accepted" in result.stderr
    assert not home.exists()
    result = run(*asked, input=f"bearer\n{desk.sandbox.token}\n")
    assert "Connected as admin" in result.stdout
    assert desk.sandbox.token not in result.output
    assert json.loads(run("sync", "--home", str(home), "--json").stdout)["stored"]["tickets"] == 16


def test_tokens_are_made_listed_and_revoked(run: Run, store: Store) -> None:
    made = run("token", "create", "Zendesk sidebar")
    secret = made.stdout.strip()
    assert (secret.startswith("deskhand_"), "shown this once" in made.stderr, secret in made.stderr) == (
        True,
        True,
        False,
    )
    token_id = store.tokens.check(secret, used=False)
    assert token_id
    listed = run("token", "list").stdout
    assert "Zendesk sidebar" in listed
    assert "never used" in listed
    assert secret not in listed + run("token", "list", "--json").stdout
    other = json.loads(run("token", "create", "x", "--json").stdout)
    assert store.tokens.check(other["token"]) == other["id"]
    assert store.tokens.check(secret), "both are valid while one takes over from the other"
    run("token", "revoke", str(token_id))
    assert store.tokens.check(secret) is None
    assert "see: deskhand token list" in run("token", "revoke", str(token_id), code=78).stderr
    assert "needs a name" in run("token", "create", " ", code=78).stderr


def test_the_app_is_packaged_where_it_is_wanted(run: Run, tmp_path: Path) -> None:
    output = tmp_path / "app.zip"
    assert run("app", "package", "--output", str(output)).stdout.endswith(f"files in {output}\n")
    assert output.stat().st_size > 1000
    assert "--output" in run("app", "package", "--output", str(tmp_path / "no" / "app.zip"), code=78).stderr
