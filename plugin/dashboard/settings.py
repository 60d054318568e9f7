"""What can be changed while the plugin runs, and who changed what."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from flask import Blueprint, current_app, g, redirect, render_template, request, url_for
from werkzeug.wrappers import Response

from connectors.errors import ConfigError
from connectors.records import Group
from plugin.context import context
from plugin.dashboard import forms, site
from plugin.switches import Switches

blueprint = Blueprint("settings", __name__, url_prefix="/settings")

_HISTORY = 50
MODES = {"draft": "drafts and routes", "route": "routes only", "off": "nothing"}


@dataclass(frozen=True, slots=True)
class Field:
    """A switch as the form shows it.

    Attributes:
        says: What it does, in a sentence.
    """

    name: str
    label: str
    says: str


SHARES = (
    Field(
        "shadow_share", "Shadow share, in percent",
        "On this share of the tickets the draft is made and kept, but shown to no agent: without that, nobody can say "
        "whether agents edit less because of the draft.",
    ),
    Field(
        "max_effort", "Highest predicted edit effort, in percent",
        "Drafts of which more than this share of words would probably be changed are not shown. 100 shows all.",
    ),
    Field(
        "min_route_probability", "Lowest probability of a route, in percent",
        "Below it a group is suggested, not set. The model's own thresholds are mostly stricter.",
    ),
)  # fmt: skip
CHECKS = (
    Field("write_note", "Write drafts as internal notes", "Without, drafts are in the sidebar only."),
    Field("chat_note", "Write notes in chats, too", "Without, a chat's drafts are in the sidebar only."),
    Field("write_route", "Set the group of tickets without one", "Without, the group is only suggested."),
)


@blueprint.get("")
def show() -> str:
    """The form, as things are set now."""
    return _page(_shown(_now()), {})


@blueprint.post("")
def save() -> tuple[str, int] | Response:
    """Changes what was changed in the form: somebody else may have changed the rest since it was loaded."""
    now = _now()
    wanted, problems = read(request.form, now, _groups())
    if problems:
        return _page(_typed(), problems), 422
    changed = {name: value for name, value in wanted.items() if value != getattr(now, name)}
    settings, store = context(current_app).settings.plugin, site.store()
    try:
        with store.transaction():
            for name, value in changed.items():
                Switches.change(settings, store, name, value, by=g.session.admin)
    except ConfigError as error:
        return _page(_typed(), {"": str(error)}), 422
    return redirect(url_for("admin.settings.show", said="saved" if changed else "unchanged"), 303)


def read(form: Mapping[str, str], now: Switches, groups: list[Group]) -> tuple[dict[str, Any], dict[str, str]]:
    """The switches that the form would change, and what is wrong with it, by field.

    A field whose value is the one that it was loaded with is left alone.
    """
    wanted: dict[str, Any] = {}
    problems: dict[str, str] = {}
    for field in SHARES:
        text = form.get(field.name, "")
        if text == form.get(f"was-{field.name}"):
            continue
        try:
            wanted[field.name] = forms.share(text)
        except ValueError:
            problems[field.name] = "Give a number from 0 to 100, such as 5 or 2.5."
    for field in CHECKS:
        value = field.name in form
        if value != (form.get(f"was-{field.name}") == "1"):
            wanted[field.name] = value
    modes = dict(now.groups)
    for group in groups:
        key = f"group-{group.id}"
        mode = form.get(key, "draft")
        if mode not in MODES:
            problems[key] = f"Choose one of: {', '.join(MODES.values())}."
        elif mode != form.get(f"was-{key}"):
            modes[group.id] = mode  # type: ignore[assignment]
    if modes != now.groups:
        wanted["groups"] = modes
    return wanted, problems


def _now() -> Switches:
    return Switches.of(context(current_app).settings.plugin, site.store())


def _groups() -> list[Group]:
    return site.store().history.groups(site.helpdesk())


def _shown(now: Switches) -> dict[str, str]:
    """The form's values by field, as texts."""
    values = {field.name: forms.percent(getattr(now, field.name)) for field in SHARES}
    values |= {field.name: "1" if getattr(now, field.name) else "" for field in CHECKS}
    return values | {f"group-{group.id}": now.mode(group.id) for group in _groups()}


def _typed() -> dict[str, str]:
    """The form's values as they were sent: nothing that somebody typed is lost."""
    return {name: request.form.get(name, "") for name in (*(one.name for one in (*SHARES, *CHECKS)), *_group_fields())}


def _group_fields() -> list[str]:
    return [f"group-{group.id}" for group in _groups()]


def _page(values: Mapping[str, str], problems: Mapping[str, str]) -> str:
    # What a field was loaded with survives a form that was refused.
    was = {name: request.form.get(f"was-{name}", value) for name, value in values.items()}
    groups = _groups()
    return render_template(
        "dashboard/settings.html",
        values=values,
        was=was,
        problems=problems,
        shares=SHARES,
        checks=CHECKS,
        modes=MODES,
        groups=groups,
        history=_history(groups),
        labels={field.name: field.label for field in (*SHARES, *CHECKS)} | {"groups": "Groups"},
    )


def _history(groups: list[Group]) -> list[dict[str, Any]]:
    names = {group.id: group.name for group in groups}
    return [row | {"text": _said(row["value"], names)} for row in site.store().switches.history(_HISTORY)]


def _said(value: object, names: Mapping[str, str]) -> str:
    """A switch's value in words."""
    if isinstance(value, bool):
        return "on" if value else "off"
    if isinstance(value, dict):
        said = [f"{names.get(group, group)}: {MODES.get(mode, mode)}" for group, mode in value.items()]
        return ", ".join(said) or "drafts and routes for all"
    return f"{forms.percent(value)}%" if isinstance(value, int | float) else str(value)
