"""The page that people read: all figures, drafts beside what was sent, nothing from elsewhere, in any browser."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Callable, Iterator
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trainer.evaluation.axes import curves, span
from trainer.evaluation.differences import Piece, compare
from trainer.evaluation.judgement import judge
from trainer.evaluation.page import PAGE, examples, render, write_page
from trainer.evaluation.scores import Report, Sample
from trainer.registry import Manifest
from trainer.replies.drafting import ARMS

CHROMIUM = Path("/usr/bin/chromium")
FACTS: dict[str, Any] = {
    "version": "v20261124-081500", "created_at": "2026-11-24T09:00:00Z", "helpdesk": "fernway",
    "base_model": "tiny/base", "encoder": "e", "reply_arm": "tuned", "route_arm": "tfidf", "max_prompt_tokens": 640,
    "max_reply_tokens": 220, "min_similarity": 0.4, "data_hash": "", "prompt_hash": "", "train_examples": 300,
    "train_until": "", "metrics": {}, "verdict": "", "files": {},
}  # fmt: skip
MANIFEST = Manifest(**FACTS)
VOID = {"meta", "br"}


@pytest.fixture(scope="module")
def report(route: Any, reply: Any, extras: dict[str, Any]) -> Report:
    """'tuned' is recommended."""
    replies = [
        reply(arm, 0.61 - 0.04 * place, (0.05, 0.1) if place < 3 else (-0.01, 0.01)) for place, arm in enumerate(ARMS)
    ]
    routes = [route("majority", 0.22, (-0.5, -0.3)), route("tfidf", 0.777, coverage=0.313)]
    return judge(routes, replies, **extras)


@pytest.fixture(scope="module")
def samples(sample: Callable[..., Sample]) -> list[Sample]:
    return [sample(number, tuned=number / 100, nearest=0.9) for number in range(1, 31)]


class Elements(HTMLParser):
    """What stands in a page: its tags with their attributes, and whether they are closed in order."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.texts: list[str] = []
        self._open: list[str] = []
        self.feed(page)
        self.close()
        assert self._open == []

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attributes)))
        if tag not in VOID:
            self._open.append(tag)

    def handle_startendtag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attributes)))

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.texts.append(data)

    def tags(self, name: str) -> list[dict[str, str | None]]:
        return [attributes for tag, attributes in self.found if tag == name]


# ---- what differs


def plain(pieces: list[Piece]) -> str:
    return "".join(piece.text for piece in pieces)


@pytest.mark.parametrize(
    ("draft", "sent", "gone", "new"),
    [
        ("It comes on Friday.", "It comes on Friday.", [], []),
        ("It comes on Friday.", "It comes on Monday.", ["Friday"], ["Monday"]),
        ("It comes with the early van.", "It comes.", ["with the early van"], []),
        ("", "It comes.", [], ["It comes."]),
        ("It comes.", "", ["It comes."], []),
        ("Hi Anna,\n\nit comes.", "it comes.", ["Hi Anna,"], []),
        ("One.\nTwo.", "", ["One.", "Two."], []),
        ("on [date] we come", "on Friday we come", ["[date]"], ["Friday"]),
    ],
)
def test_words_to_be_taken_out_and_written_are_marked(draft: str, sent: str, gone: list[str], new: list[str]) -> None:
    left, right = compare(draft, sent)
    assert [piece.text for piece in left if piece.mark] == gone
    assert [piece.text for piece in right if piece.mark] == new
    assert {piece.mark for piece in (*left, *right)} <= {"", "del", "ins"}


def test_slots_and_blanks_stand_alone() -> None:
    left, right = compare("Hi {{first_name}}, on [delivery date].", "Hi {{first_name}}, today.")
    assert [(piece.text, piece.mark) for piece in left if piece.slot] == [
        ("{{first_name}}", ""),
        ("[delivery date]", "del"),
    ]
    assert [piece.text for piece in right if piece.slot] == ["{{first_name}}"]


@settings(max_examples=200, deadline=None)
@given(st.text(alphabet="ab .\n[]{}_é'<", max_size=60), st.text(alphabet="ab .\n[]{}_é'<", max_size=60))
def test_no_character_is_lost_and_only_equal_words_are_left_unmarked(draft: str, sent: str) -> None:
    left, right = compare(draft, sent)
    assert (plain(left), plain(right)) == (draft, sent)
    kept = ["".join(piece.text for piece in side if not piece.mark).split() for side in (left, right)]
    assert "".join(kept[0]) == "".join(kept[1])


# ---- which drafts


def test_the_best_and_the_worst_drafts_of_the_recommended_arm_are_shown(samples: list[Sample]) -> None:
    best, worst = examples(samples[::-1], "tuned")
    assert [example.ticket_id for example in best] == ["1", "2", "3", "4", "5"]
    assert [example.ticket_id for example in worst] == ["30", "29", "28", "27", "26"]
    assert [example.effort for example in worst] == [0.3, 0.29, 0.28, 0.27, 0.26]
    assert plain(best[0].nearest) == "Hi {{first_name}}, nearest 1."
    assert best[0].nearest_effort == 0.9
    assert plain(best[0].asked).endswith("Where is my parcel 1?")


def test_no_ticket_is_shown_twice(sample: Callable[..., Sample]) -> None:
    turns = [dataclasses.replace(sample(n, nearest=n / 10), ticket_id=str(n // 3)) for n in range(9)]
    best, worst = examples(turns, "nearest")
    assert [(example.ticket_id, example.effort) for example in best] == [("0", 0.0), ("1", 0.3)]
    assert [(example.ticket_id, example.effort) for example in worst] == [("2", 0.8)]
    assert all(example.nearest == [] for example in best), "the draft is the nearest reply itself"
    few = [sample(1, tuned=0.4)]
    assert [len(shown) for shown in examples(few, "tuned")] == [1, 0]
    assert examples(few, "retrieval") == ([], [])


# ---- the page


def test_the_page_says_all_that_is_known(report: Report, samples: list[Sample]) -> None:
    page = render(report, samples, MANIFEST)
    found = Elements(page)
    text = " ".join(" ".join(found.texts).split())
    for known in (
        report.verdict,
        "fernway",
        "v20261124-081500",
        "2026-11-24",
        "tiny/base",
        "49.0%",
        "44% to 54%",
        "77.7%",
        "0.76",
        "91%",
        "31%",
    ):
        assert known in text
    for heading in ("Replies", "Routing", "What more tickets would give", "When an article changes", "What it took"):
        assert heading in text
    assert "3.21" not in text
    assert "5.20 → 4.40 → 4.10" in text
    assert text.count("Ticket ") == 10
    assert "The customer wrote" in text
    assert [one["scope"] for one in found.tags("th") if one.get("title")] == ["col"] * 35
    chosen = [one for one in found.tags("tr") if one.get("class") == "chosen"]
    assert len(chosen) == 5, "in each table but that of the learning curve"


def test_plots_show_every_arm_every_point_and_stay_on_their_axes(report: Report) -> None:
    found = Elements(render(report, [], MANIFEST))
    assert len([one for one in found.tags("line") if one["class"] == "range"]) == len(report.replies)
    assert len([one for one in found.tags("rect") if one["class"] == "bar"]) == len(report.routes)
    assert report.calibration is not None
    points = [one for one in found.tags("circle") if "point" in str(one["class"])]
    assert len(points) == 2 * len(report.curve) + len(report.calibration.bins)
    places = [one[name] for one in points for name in ("cx", "cy")]
    assert all(0 <= float(str(place).removesuffix("%")) <= 100 for place in places)


def test_only_what_was_measured_has_a_place(report: Report) -> None:
    bare = dataclasses.replace(report, calibration=None, curve=(), stale=(), cost=None, heads=())
    page = render(bare, [], MANIFEST)
    Elements(page)
    for missing in (
        "Ticket ",
        "What more tickets",
        "When an article",
        "What it took",
        "Drafts to look at",
        "predicted",
        "What else",
    ):
        assert missing not in page


def test_what_cannot_be_said_is_a_dash_and_no_number(report: Report) -> None:
    replies = tuple(dataclasses.replace(score, style_auc=None) for score in report.replies)
    page = render(dataclasses.replace(report, replies=replies), [], MANIFEST)
    assert "nan" not in Elements(page).texts
    assert page.count("<td>\u2013</td>") == len(replies) + 2  # and the bits of 'nearest', and tags


def test_a_desk_that_no_draft_helps_gets_no_recommendation(route: Any, reply: Any) -> None:
    hopeless = judge([route("tfidf")], [reply(arm, 0.96) for arm in ARMS])
    page = render(hopeless, [], MANIFEST)
    assert "Drafts are no help yet on this desk" in page
    assert "None is recommended" in page
    assert "nearest, recommended" not in page


def test_whatever_a_ticket_holds_is_text(report: Report) -> None:
    nasty = "<script>alert(1)</script><img src=x onerror=alert(1)> & {{first_name}} {% raw %} {{ 7 * 7 }} \"'"
    sample = Sample("<b>1</b>", f"Customer: {nasty}", nasty, {"tuned": f"Hi {nasty}", "nearest": nasty}, {"tuned": 0.5})
    page = render(report, [sample], dataclasses.replace(MANIFEST, helpdesk=nasty))
    found = Elements(page)
    assert not {tag for tag, _ in found.found} & {"script", "img", "b", "link", "iframe", "object"}
    assert {tag for tag, _ in found.found} >= {"ins", "del", "svg"}
    assert "".join(found.texts).count(nasty) >= 2
    assert page.count('<span class="slot">{{first_name}}</span>') == 5


def test_the_page_needs_nothing_from_elsewhere(report: Report, samples: list[Sample]) -> None:
    page = render(report, samples, MANIFEST)
    found = Elements(page)
    assert not [one for _, one in found.found if {"src", "href", "srcset", "data"} & one.keys()]
    assert not re.search(r"url\(|@import|https?:", page)
    assert not [name for _, one in found.found for name in one if name.startswith("on")]
    policy = next(one["content"] for one in found.tags("meta") if one.get("http-equiv") == "Content-Security-Policy")
    assert policy == "default-src 'none'; style-src 'unsafe-inline'"


def test_the_page_is_written_whole_or_not_at_all(
    report: Report, samples: list[Sample], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write_page(tmp_path, report, samples, MANIFEST)
    assert path == tmp_path / PAGE
    before = path.read_text(encoding="utf-8")
    assert before == render(report, samples, MANIFEST)
    monkeypatch.setattr("os.fsync", lambda _: (_ for _ in ()).throw(OSError(28, "No space left on device")))
    with pytest.raises(OSError, match="No space"):
        write_page(tmp_path, report, [], MANIFEST)
    assert path.read_text(encoding="utf-8") == before


# ---- scales


@pytest.mark.parametrize(
    ("values", "ticks"),
    [
        ([0.42, 0.58], ["40%", "50%", "60%", "70%"]),
        ([0.96, 0.99], ["70%", "80%", "90%", "100%"]),
        ([0.0, 0.0], ["0%", "10%", "20%", "30%"]),
        ([0.05, 1.0], [f"{n}%" for n in range(0, 101, 10)]),
    ],
)
def test_a_scale_holds_its_values_and_is_not_too_short(values: list[float], ticks: list[str]) -> None:
    axis = span(values)
    assert [label for _, label in axis.ticks] == ticks
    assert all(axis.low <= value <= axis.high for value in values)
    assert (axis.place(axis.low), axis.place(axis.high), axis.place(9.0)) == (0, 100, 100)


def test_doubling_the_tickets_is_one_step_to_the_right(extras: dict[str, Any]) -> None:
    assert curves(()) == []
    effort, bits = curves(extras["curve"])
    for curve in (effort, bits):
        ((arm, points),) = curve.lines
        assert arm == "tuned_retrieval"
        (first, _, _), (second, _, _), (third, _, _) = points
        assert third - second == pytest.approx(2 * (second - first), abs=0.1)
        assert [label for _, label in curve.across.ticks] == ["50", "100", "400"]
    assert [said for _, _, said in effort.lines[0][1]] == ["60.0%", "55.0%", "48.0%"]
    assert [y for _, y, _ in bits.lines[0][1]] == sorted((y for _, y, _ in bits.lines[0][1]), reverse=True)


def test_a_curve_of_one_point_has_a_place(extras: dict[str, Any]) -> None:
    effort, _ = curves(extras["curve"][:1])
    assert effort.lines[0][1][0][0] == 50


# ---- in a browser


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    playwright_api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    if not CHROMIUM.exists():
        pytest.skip(f"no browser at {CHROMIUM}: apt install chromium")
    with playwright_api.sync_playwright() as playwright:
        chromium = playwright.chromium.launch(
            executable_path=str(CHROMIUM), args=["--headless", "--no-sandbox", "--disable-gpu"]
        )
        yield chromium
        chromium.close()


@pytest.mark.browser
@pytest.mark.parametrize("width", [400, 1200])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_browser_shows_it_without_complaint(
    browser: Any, report: Report, samples: list[Sample], tmp_path: Path, width: int, scheme: str
) -> None:
    path = write_page(tmp_path, report, samples, MANIFEST)
    page = browser.new_page(viewport={"width": width, "height": 900}, color_scheme=scheme)
    problems: list[str] = []
    page.on("console", lambda line: problems.append(line.text))
    page.on("request", lambda asked: problems.append(asked.url) if asked.url != path.as_uri() else None)
    page.goto(path.as_uri())
    sideways = "() => document.documentElement.scrollWidth - document.documentElement.clientWidth"
    ground = "() => getComputedStyle(document.body).backgroundColor"
    channels = [int(part) for part in page.evaluate(ground)[4:-1].split(",")]
    tall = "() => [...document.querySelectorAll('.row svg')].map(one => one.getBoundingClientRect().height)"
    heights = page.evaluate(tall)
    overflow = page.evaluate(sideways)
    page.close()
    assert problems == []
    assert overflow <= 0
    assert (max(channels) < 60) == (scheme == "dark")
    assert len(heights) == len(report.replies) + len(report.routes)
    assert all(40 <= height <= 120 for height in heights)
