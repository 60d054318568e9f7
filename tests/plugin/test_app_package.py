"""The zip that an admin uploads: whole, and the same bytes from the same files."""

from __future__ import annotations

import json
import os
import shutil
import zipfile
from pathlib import Path

import pytest

from connectors.errors import ConfigError
from plugin import app_package
from plugin.app_package import APP_FOLDER, write_package


def test_the_same_files_give_the_same_bytes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first, second = tmp_path / "first.zip", tmp_path / "second.zip"
    write_package(first)
    checkout = Path(shutil.copytree(APP_FOLDER, tmp_path / "checkout"))
    for number, path in enumerate(checkout.rglob("*.*")):  # of another day, and for the group as well
        path.chmod(0o664)
        os.utime(path, (number, number))
    monkeypatch.setattr(app_package, "APP_FOLDER", checkout)
    write_package(second)
    assert first.read_bytes() == second.read_bytes()
    (checkout / "assets/sidebar.js").write_text("another")
    write_package(second)
    assert first.read_bytes() != second.read_bytes()


def test_it_holds_the_whole_app_with_the_manifest_at_the_top(tmp_path: Path) -> None:
    output = tmp_path / "app.zip"
    count = write_package(output)
    with zipfile.ZipFile(output) as package:
        names = package.namelist()
        assert package.testzip() is None
        manifest = json.loads(package.read("manifest.json"))
        contents = {name: package.read(name) for name in names}
    assert manifest["location"]["support"]["ticket_sidebar"]["url"] in names
    assert {"assets/sidebar.js", "assets/logo.png", "translations/en.json"} <= set(names)
    files = {path.relative_to(APP_FOLDER).as_posix(): path.read_bytes() for path in APP_FOLDER.rglob("*.*")}
    assert contents == files
    assert count == len(files)
    assert not [name for name in names if name.startswith("/") or ".." in name]


def test_an_older_package_is_replaced_and_nothing_half_written_stays(tmp_path: Path) -> None:
    output = tmp_path / "app.zip"
    output.write_text("an older one")
    write_package(output)
    assert zipfile.is_zipfile(output)
    assert list(tmp_path.iterdir()) == [output]


def test_a_place_that_cannot_be_written_is_explained(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"cannot write .*No such file or directory") as caught:
        write_package(tmp_path / "nowhere" / "app.zip")
    assert "--output" in caught.value.hint
