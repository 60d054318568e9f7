"""The note: an agent sees at a glance what to check, and nothing in a draft becomes markup."""

from __future__ import annotations

from collections.abc import Callable
from html.parser import HTMLParser
from typing import Any

import pytest

from connectors.store.suggestions import Claim, Route, Source, Suggestion
from plugin import note

Make = Callable[..., Suggestion]


class Reader(HTMLParser):
    """What a browser would make of it."""

    def __init__(self, html: str) -> None:
        super().__init__(convert_charrefs=True)
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.strong: list[str] = []
        self._in_strong = False
        self.feed(html)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        self._in_strong = tag == "strong"
        self.text += "\n" if tag in ("p", "br", "li") else ""

    def handle_endtag(self, tag: str) -> None:
        self._in_strong = self._in_strong and tag != "strong"

    def handle_data(self, data: str) -> None:
        self.text += data
        if self._in_strong:
            self.strong.append(data)


def read(suggestion: Suggestion, *, applied: bool = True) -> Reader:
    return Reader(note.render(suggestion, applied=applied))


def claim(draft: str, text: str, *, supported: bool = False) -> Claim:
    return Claim(text, draft.index(text), draft.index(text) + len(text), supported, "Refunds" if supported else "")


def test_the_draft_stands_there_with_its_doubts_marked(suggestion: Make) -> None:
    seen = read(suggestion())
    assert "Suggested reply (draft by Deskhand, nothing was sent)" in seen.text
    assert "Hi Deniz,\nIt comes on ⚠ 14 April.\nYou get €6.95 back by ⚠ [date].\nMarit" in seen.text.replace(
        "\n\n", "\n"
    )
    assert seen.strong == ["Suggested reply", "⚠ 14 April", "⚠ [date]", "TRK1"]
    assert "Check before sending: 14 April stands neither in the ticket nor in an article." in seen.text
    assert "Fill in: [date]" in seen.text


def test_a_supported_claim_is_not_marked(suggestion: Make) -> None:
    draft = "You get €6.95 back."
    seen = read(suggestion(draft=draft, claims=(claim(draft, "€6.95", supported=True),)))
    assert seen.text.count("⚠") == 0
    assert "Check before sending" not in seen.text
    assert "Fill in" not in seen.text


def test_the_same_doubt_and_the_same_blank_are_named_once(suggestion: Make) -> None:
    draft = "On 14 April, I say on 14 April. [date] or [date], [time]."
    first, second = claim(draft, "14 April"), Claim("14 April", 22, 30, False)
    assert draft[22:30] == "14 April"
    seen = read(suggestion(draft=draft, claims=(first, second, claim(draft, "[time]"))))
    assert "14 April, [time] stand neither" in seen.text
    assert "Fill in: [date], [time]" in seen.text
    assert seen.text.count("⚠ 14 April") == 2


def test_paragraphs_and_line_breaks_stay(suggestion: Make) -> None:
    html = note.render(suggestion(draft="one\ntwo\n\n\n \n three ", claims=()), applied=False)
    assert "<p>one<br>two</p>" in html
    assert "<p> three </p>" in html
    assert html.count("<br>") == 1


def test_a_mark_over_a_line_break_tears_nothing_apart(suggestion: Make) -> None:
    draft = "It comes on 14\nApril, we think."
    seen = read(suggestion(draft=draft, claims=(Claim("14\nApril", 12, 20, False),)))
    assert "It comes on ⚠ 14\n⚠ April, we think." in seen.text


@pytest.mark.parametrize("swapped", [False, True])
def test_a_blank_inside_a_claim_does_not_double_the_text(suggestion: Make, swapped: bool) -> None:
    draft = "See https://desk.example/track/[reference] please, or call [phone] now."
    link = claim(draft, "https://desk.example/track/[reference]")
    wide = Claim("call [phone] now", draft.index("call"), draft.index(" now") + 4, False)
    seen = read(suggestion(draft=draft, claims=(wide, link) if swapped else (link, wide)))
    assert draft in seen.text.replace("⚠ ", "")
    assert seen.strong[1:3] == ["⚠ https://desk.example/track/[reference]", "⚠ call [phone] now"]


HOSTILE = '<script>alert("x")</script> <img src=x onerror=alert(1)> </p><b>&amp; {{ 7*7 }} javascript:alert(1)'


def test_nothing_in_a_hostile_suggestion_becomes_markup(suggestion: Make) -> None:
    sources = (
        Source("article", "1", HOSTILE, "https://desk.example/?a=1&b=<script>\"'", "x"),
        Source("ticket", "2", "Ticket #2", "javascript:alert(1)", "x"),
        Source("ticket", "3", "Ticket #3", " JavaScript:alert(1)", "x"),
        Source("ticket", "4", "Ticket #4", "data:text/html,<script>", "x"),
        Source("ticket", "5", "Ticket #5", "//evil.example", "x"),
        Source("article", "6", "Without an address", "", "x"),
    )
    route = Route("1", HOSTILE, 0.5)
    marked = claim(HOSTILE, "<img src=x onerror=alert(1)>")
    html = note.render(suggestion(draft=HOSTILE, claims=(marked,), sources=sources, route=route), applied=True)
    seen = Reader(html)
    assert {tag for tag, _ in seen.tags} <= {"p", "strong", "br", "ul", "li", "a"}
    assert [attributes for _, attributes in seen.tags if attributes] == [{"href": sources[0].url}]
    assert seen.text.count('<script>alert("x")</script>') == 3, "in the draft, in the source's title, in the route"
    assert "{{ 7*7 }}" in seen.text
    assert "Without an address" in seen.text


def test_the_sources_are_linked(suggestion: Make) -> None:
    seen = read(suggestion())
    assert ("a", {"href": "https://desk.example/901"}) in seen.tags
    assert "Based on" not in read(suggestion(sources=())).text


def test_an_article_is_named_with_the_day_of_its_version(suggestion: Make) -> None:
    sources = (
        Source("article", "1", "Refunds", "https://desk.example/1", "x", "2026-11-12T23:59:59Z"),
        Source("article", "2", "Prices", "", "x", "2026-03-01"),
        Source("article", "3", "Hours", "", "x", "lately"),
        Source("article", "4", "Islands", "", "x"),
        Source("ticket", "5", "Ticket #5", "", "x", "2026-11-12T09:00:00Z"),
    )
    listed = read(suggestion(sources=sources)).text.partition("Based on:")[2].partition("Route")[0]
    assert [line for line in listed.split("\n") if line] == [
        "Refunds (updated 12 Nov 2026)", "Prices (updated 1 Mar 2026)", "Hours", "Islands", "Ticket #5",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("confidence", "percent"), [(0.62, 40), (0.6, 40), (0.22, 80), (0.0, 100), (0.99, 5), (1.0, 5)]
)
def test_what_will_have_to_be_changed_is_said_in_steps_of_five(
    suggestion: Make, confidence: float, percent: int
) -> None:
    assert f"\nExpect to change or add about {percent}% of the words." in read(suggestion(confidence=confidence)).text


def test_nothing_is_expected_where_nothing_predicts_it(suggestion: Make) -> None:
    assert "Expect" not in read(suggestion(confidence=None)).text


@pytest.mark.parametrize(("applied", "word"), [(True, ", set"), (False, ", not set")])
def test_the_route_says_whether_it_is_set(suggestion: Make, applied: bool, word: str) -> None:
    assert f"Route: TRK1 (83%){word}\n" in read(suggestion(), applied=applied).text
    assert "Route" not in read(suggestion(route=None), applied=False).text


@pytest.mark.parametrize(
    ("route", "least", "why"),
    [
        (Route("1", "TRK1", 0.83), 0.0, ""),
        (Route("1", "TRK1", 0.83, out_of_scope=1.0), 0.83, ""),
        (Route("1", "TRK1", 0.83), 0.84, ": not sure enough"),
        (Route("1", "TRK1", 0.83, abstain=True, out_of_scope=0.98), 0.0, ": not sure enough"),
        (
            Route("1", "TRK1", 0.83, abstain=True, out_of_scope=0.99),
            0.0,
            ": unlike anything the team has routed before",
        ),
    ],
)
def test_the_route_says_why_it_is_not_set(suggestion: Make, route: Route, least: float, why: str) -> None:
    made = suggestion(route=route)
    assert f"Route: TRK1 (83%), not set{why}\n" in Reader(note.render(made, applied=False, least=least)).text
    assert "Route: TRK1 (83%), set\n" in Reader(note.render(made, applied=True, least=least)).text


def test_priority_and_tags_are_suggestions(suggestion: Make) -> None:
    seen = read(suggestion(route=Route("1", "TRK1", 0.83, priority="<high>", tags=("delay", "<b>"))))
    assert "Priority: <high>, not set\n" in seen.text
    assert "Tags: delay, <b>, not set\n" in seen.text
    assert {"<high>", "delay, <b>"} <= set(seen.strong)
    bare = read(suggestion()).text
    assert "Priority" not in bare
    assert "Tags" not in bare


def test_the_marker_names_the_suggestion_and_stays_the_same(suggestion: Make) -> None:
    made: Any = suggestion()
    assert note.marker(made) == note.marker(suggestion(draft="another")) == "deskhand:s-1"
    assert note.marker(suggestion(id="s-2")) != note.marker(made)
