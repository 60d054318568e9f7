"""Times as the store keeps them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors import clock

ZONES = st.integers(-14 * 60, 14 * 60).map(lambda minutes: timezone(timedelta(minutes=minutes)))
YEARS = (datetime(1901, 1, 1), datetime(2199, 12, 31))  # noqa: DTZ001 - hypothesis wants them naive
MOMENTS = st.datetimes(*YEARS, timezones=ZONES)


@given(MOMENTS, MOMENTS)
def test_stored_times_sort_as_text_in_the_order_of_the_moments(first: datetime, second: datetime) -> None:
    earlier, later = sorted([first, second])
    assert clock.to_iso(earlier) <= clock.to_iso(later)


@given(MOMENTS)
def test_a_stored_time_is_the_moments_whole_second_in_utc(moment: datetime) -> None:
    text = clock.to_iso(moment)
    assert text.endswith("Z")
    assert len(text) == len("2026-11-24T08:15:00Z")
    assert clock.from_iso(text) == moment.replace(microsecond=0)


@given(MOMENTS)
def test_unix_seconds_and_stored_times_say_the_same(moment: datetime) -> None:
    assert clock.from_epoch(clock.to_epoch(moment.isoformat())) == clock.to_iso(moment)


@pytest.mark.parametrize(
    ("text", "stored"),
    [
        ("2026-03-29T03:30:00+02:00", "2026-03-29T01:30:00Z"),
        ("2026-03-29T03:30:00.999Z", "2026-03-29T03:30:00Z"),
        ("2026-03-29 03:30", "2026-03-29T03:30:00Z"),
        ("2026-03-29", "2026-03-29T00:00:00Z"),
    ],
)
def test_helpdesks_forms_of_a_time_are_read(text: str, stored: str) -> None:
    assert clock.to_iso(clock.from_iso(text)) == stored


@pytest.mark.parametrize("text", ["", "yesterday", "2026-13-01T00:00:00Z"])
def test_what_is_no_time_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"isoformat|month"):
        clock.from_iso(text)


def test_seconds_before_1970_are_rounded_down_too() -> None:
    assert clock.to_epoch("1969-12-31T23:59:59.5Z") == -1


def test_now_is_now() -> None:
    before = datetime.now(UTC).replace(microsecond=0)
    assert before <= clock.from_iso(clock.now()) <= datetime.now(UTC)
