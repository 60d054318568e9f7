from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from connectors.errors import ConfigError
from connectors.sandbox.company import load_company


def test_newest_future_tickets_are_held_back(company_folder: Path) -> None:
    company = load_company(company_folder)
    assert [one.id for one in company.live_pool] == list(range(102, 126))
    assert [one.id for one in company.tickets] == [1, 2, 3, 4, 5, 6, 7, 100, 101]
    assert company.writer().key == "deskhand"


def test_a_partly_filled_folder_loads(tmp_path: Path, company_folder: Path) -> None:
    shutil.copy(company_folder / "company.yaml", tmp_path)
    company = load_company(tmp_path)
    assert company.groups[0].name == "TRK1"
    assert company.tickets == company.live_pool == company.articles == company.macros == ()


@pytest.fixture
def broken(tmp_path: Path, company_folder: Path) -> Path:
    return Path(shutil.copytree(company_folder, tmp_path / "company"))


def test_all_bad_tickets_are_named_with_file_and_id(broken: Path) -> None:
    path = broken / "tickets/2026-04.yaml"
    text = path.read_text().replace("group: FIN", "group: NOPE").replace("channel: email", "channel: fax", 1)
    path.write_text(text)
    with pytest.raises(ConfigError, match=r"(?s)2026-04.yaml, ticket 1: channel.*ticket 6: no group 'NOPE'") as caught:
        load_company(broken)
    assert caught.value.hint
    assert "parcel" not in str(caught.value).lower().replace(str(broken).lower(), "")  # never a ticket's text


def test_unknown_agent_and_double_id(broken: Path) -> None:
    path = broken / "tickets/2026-04.yaml"
    path.write_text(path.read_text().replace("from: karim", "from: nobody", 1).replace("id: 3\n", "id: 2\n"))
    with pytest.raises(ConfigError, match=r"(?s)nobody has the key 'nobody'") as caught:
        load_company(broken)
    assert "ticket 2: the id is used twice" in str(caught.value)


@pytest.mark.parametrize("text", ["- id: [", "just words"])
def test_broken_yaml_names_the_file(broken: Path, text: str) -> None:
    (broken / "tickets/2026-04.yaml").write_text(text)
    with pytest.raises(ConfigError, match=r"2026-04\.yaml"):
        load_company(broken)


def test_a_missing_folder_is_explained(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot read"):
        load_company(tmp_path / "nowhere")


def test_the_sample_company_that_is_shipped_has_its_frame() -> None:
    from connectors.sandbox import company

    assert (company.COMPANY_FOLDER / "company.yaml").exists()
    assert company.LIVE_POOL == 24
