"""The table of what each vendor passes."""

from __future__ import annotations

import textwrap
from pathlib import Path

import pytest

from .contract_table import Collector, Result, table


def test_items_go_down_and_vendors_across() -> None:
    results = [
        Result("Acme", "Reads", "passed"),
        Result("Acme", "Reads", "skipped", "one case of several"),
        Result("Brisk", "Reads", "failed"),
        Result("Brisk", "Reads", "passed"),
        Result("Acme", "Writes", "skipped", "it is a folder"),
        Result("Brisk", "Signs", "passed"),
    ]
    assert table(results) == textwrap.dedent(
        """\
        | | Acme | Brisk |
        |---|---|---|
        | Reads | yes | **NO** |
        | Writes | n/a (1) |  |
        | Signs |  | yes |

        1. Acme: it is a folder"""
    )


def test_results_are_collected_from_the_contracts_tests_only(tmp_path: Path) -> None:
    (tmp_path / "test_it.py").write_text(
        textwrap.dedent(
            '''\
            import pytest

            class HelpdeskContract:
                @pytest.fixture
                def broken(self):
                    raise RuntimeError

                def test_good(self):
                    """It is good."""

                def test_bad(self):
                    """It is bad."""
                    assert False

                def test_not_for_us(self):
                    """It is not for us."""
                    pytest.skip("because")

                def test_not_set_up(self, broken):
                    """It cannot be set up."""

            class TestAcme(HelpdeskContract):
                pass

            def test_else():
                """Something else."""
            '''
        )
    )
    collector = Collector()
    pytest.main(["-q", "-c", "/dev/null", "-p", "no:cacheprovider", str(tmp_path)], plugins=[collector])
    assert collector.results == [
        Result("Acme", "It is good", "passed"),
        Result("Acme", "It is bad", "failed"),
        Result("Acme", "It is not for us", "skipped", "because"),
        Result("Acme", "It cannot be set up", "failed"),
    ]
