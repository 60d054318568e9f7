"""Files as people have them: encodings, delimiters, line ends, huge and broken rows; all problems at once."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from connectors.errors import ConfigError
from connectors.files import table
from connectors.records import Thread, Ticket

Problems = Callable[[Any], list[str]]
HEAD = "id,created_at,subject\n"


def subjects(folder: Any) -> list[str]:
    return [one.subject for one in folder.of(Ticket)]


def test_a_byte_order_mark_is_no_part_of_the_first_name(folder: Any) -> None:
    assert subjects(folder.put(tickets_csv="\ufeff" + HEAD + "1,2026-04-01,Größe\n")) == ["Größe"]


def test_cp1252_has_to_be_said(folder: Any) -> None:
    folder.put(tickets_csv=(HEAD + '1,2026-04-01,a\n2,2026-04-01,"Größe, €5"\n').encode("cp1252"))
    with pytest.raises(ConfigError, match=r"tickets\.csv, line 3: not in utf-8") as caught:
        folder.read()
    assert 'encoding = "cp1252"' in caught.value.hint
    folder.put(mapping_toml='[settings]\nencoding = "cp1252"\n')
    assert subjects(folder) == ["a", "Größe, €5"]


def test_utf_16_is_told(folder: Any) -> None:
    with pytest.raises(ConfigError, match="UTF-16"):
        folder.put(tickets_csv=(HEAD + "1,2026-04-01,a\n").encode("utf-16")).read()


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
def test_the_delimiter_is_found_out(delimiter: str, folder: Any) -> None:
    rows = [{"id": 1, "created_at": "2026-04-01", "subject": "a, b; c, d | e\tf, g"}]
    folder.put_csv("tickets.csv", rows, delimiter=delimiter)
    assert subjects(folder) == ["a, b; c, d | e\tf, g"]


def test_another_delimiter_can_be_said(folder: Any) -> None:
    folder.put(tickets_csv="id~created_at\n1~2026-04-01\n", mapping_toml='[settings]\ndelimiter = "~"\n')
    assert subjects(folder) == [""]


def test_line_ends_inside_of_texts_stay(folder: Any) -> None:
    text = 'Hi,\r\n\r\n"quoted"\n\rlast \u2028 line'
    folder.put_csv("tickets.csv", [{"id": 1, "created_at": "2026-04-01", "question": text}])
    (thread,) = folder.of(Thread)
    assert thread.comments[0].text == text


def test_a_huge_field_is_read(folder: Any) -> None:
    text = "Where is it? " * 100_000
    folder.put_csv("tickets.csv", [{"id": 1, "created_at": "2026-04-01", "question": text}])
    assert folder.of(Thread)[0].comments[0].text == text


def test_a_line_without_end_is_no_file_of_ours(folder: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(table, "MAX_LINE_BYTES", 1000)
    with pytest.raises(ConfigError, match=r"line 2: longer than"):
        folder.put(tickets_csv=HEAD + "1" * 2000).read()


def test_all_problems_are_told_at_once(folder: Any, problems: Problems) -> None:
    folder.put(
        tickets_csv=HEAD + "1,2026-04-01,fine\n,soon,no id and no time\n\n3,2026-04-01\n4,2026-04-01,x,y\n",
        comments_jsonl='{"ticket_id": 1, "public": "perhaps", "text": "x", "created_at": 1775120400}\nno json\n[1]\n',
        satisfaction_ratings_csv="ticket_id,score\n1,\n",
    )
    said = problems(folder)
    assert said[0].startswith("8 problem(s) in ")
    assert [line.strip() for line in said[1:]] == [
        "tickets.csv, line 3, column id: empty",
        "tickets.csv, line 3, column created_at: not a time in ISO 8601; say how it is written by a format",
        "tickets.csv, line 5: 2 cells, but the header has 3",
        "tickets.csv, line 6: 4 cells, but the header has 3",
        "satisfaction_ratings.csv, line 2, column score: empty",
        "comments.jsonl, line 1, column public: neither yes nor no",
        "comments.jsonl, line 2: not JSON (column 1)",
        "comments.jsonl, line 3: not a JSON object",
    ]


def test_of_many_bad_rows_the_first_twenty_are_told(folder: Any, problems: Problems) -> None:
    folder.put(tickets_csv=HEAD + "1,soon,x\n" * 5000)
    said = problems(folder)
    assert said[0].startswith("20 problem(s) of the first bad rows")
    assert len(said) == 21


def test_lines_are_counted_through_texts_of_many_lines(folder: Any, problems: Problems) -> None:
    folder.put(tickets_csv=HEAD + '1,2026-04-01,"a\nb\nc"\n2,soon,x\n')
    assert "tickets.csv, line 5, column created_at" in problems(folder)[1]


def test_a_quote_that_is_not_closed_is_told(folder: Any, problems: Problems) -> None:
    folder.put(tickets_csv=HEAD + '1,2026-04-01,"a\n2,2026-04-01,b\n')
    assert "tickets.csv, line 2: not CSV" in problems(folder)[1]


def test_columns_need_names_of_their_own(folder: Any) -> None:
    with pytest.raises(ConfigError, match="two columns are called id"):
        folder.put(tickets_csv="id,created_at,id\n").read()
    with pytest.raises(ConfigError, match="no names of columns"):
        folder.put(tickets_csv="\n").read()


def test_a_zipped_file_that_was_cut_short_is_told(folder: Any) -> None:
    import gzip

    whole = gzip.compress((HEAD + "".join(f"{n},2026-04-01,x\n" for n in range(5000))).encode())
    (folder.path / "tickets.csv.gz").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(ConfigError, match="cannot read"):
        folder.read()


def test_a_file_in_the_place_of_a_folder_is_told(folder: Any) -> None:
    folder.path.rmdir()
    folder.path.write_text("x")
    with pytest.raises(ConfigError, match="there is no folder"):
        folder.read()
