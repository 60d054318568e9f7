"""The lock of a task: one process at a time, and none left behind by a dead one."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from connectors.errors import ConfigError, LockedError
from connectors.lock import exclusive, holder


def test_one_sync_at_a_time_in_a_home(tmp_path: Path) -> None:
    with exclusive(tmp_path / "home", "sync"):
        with pytest.raises(LockedError, match=f"'deskhand sync' is running .*process {os.getpid()}") as caught:
            exclusive(tmp_path / "home", "sync").__enter__()
        assert caught.value.hint
        with exclusive(tmp_path / "home", "train"):
            pass
    with exclusive(tmp_path / "home", "sync"):
        pass


def test_the_lock_goes_when_its_process_dies(tmp_path: Path) -> None:
    script = "import os, sys\nfrom pathlib import Path\nfrom connectors.lock import exclusive\n"
    script += "with exclusive(Path(sys.argv[1]), 'sync'):\n    os._exit(9)\n"
    assert subprocess.run([sys.executable, "-c", script, tmp_path], timeout=30, check=False).returncode == 9
    assert " since " in (tmp_path / "sync.lock").read_text(), "what is left of it"
    assert holder(tmp_path, "sync") == "", "is recognised as no lock"
    with exclusive(tmp_path, "sync"):
        assert (tmp_path / "sync.lock").read_text().startswith(f"{os.getpid()} on ")
        assert holder(tmp_path, "sync").startswith(f"{os.getpid()} on ")
    assert holder(tmp_path, "sync") == holder(tmp_path / "nowhere", "sync") == ""


def test_a_home_that_cannot_hold_a_lock_is_explained(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigError, match=r"sync\.lock"), exclusive(tmp_path / "file", "sync"):
        pass
