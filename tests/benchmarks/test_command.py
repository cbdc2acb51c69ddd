"""`run.py bench`, small: real servers, real requests, no word about how long anything took."""

import json
import os
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree

import pytest

from tests import environment, servers
from tests.benchmarks import command, options
from tests.benchmarks.cases import CASES

ROOT = Path(__file__).resolve().parents[2]


def test_help_names_every_case_and_option(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as left:
        command.main(["--help"])

    assert left.value.code == 0
    told = capsys.readouterr().out
    assert tuple(CASES) == options.CASES
    for word in (*CASES, "--quick", "--only", "--rows", "--json", "--chart", "--docs", "--strict", "DATABASE_URL"):
        assert word in told


@pytest.mark.parametrize("wrong", [["--only", "nothing"], ["--rows", "99"], ["--rows", "x"], ["--fast"]])
def test_a_mistyped_command_line_is_refused_before_anything_is_started(
    wrong: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(command, "run", None)

    with pytest.raises(SystemExit) as left:
        command.main(wrong)

    assert left.value.code == 2


def test_results_go_where_the_caller_stands(tmp_path: Path) -> None:
    options = command.parse(["--from", str(tmp_path), "--json", "a/b.json", "--chart", "/c.svg"])

    assert (options.json, options.chart) == (tmp_path / "a" / "b.json", Path("/c.svg"))
    assert command.parse([]).json == ROOT / "var" / "benchmarks.json"


def test_a_page_is_measured_end_to_end(tmp_path: Path) -> None:
    urls = {
        "DATABASE_URL": environment.server_url(servers.POSTGRESQL, "SLUICE_TEST_POSTGRESQL"),
        "REDIS_URL": environment.server_url(servers.REDIS, "SLUICE_TEST_REDIS"),
    }
    files = ["--json", "bench.json", "--chart", "bench.svg", "--from", str(tmp_path)]

    kept = {name: value for name, value in os.environ.items() if not name.startswith(("SLUICE_", "SANDBOX_"))}
    done = subprocess.run(
        [sys.executable, "-m", "tests.benchmarks.command", "--quick", "--only", "page", "--rows", "2000", *files],
        cwd=ROOT, env={**kept, **urls}, capture_output=True, text=True, check=False,
    )  # fmt: skip

    assert done.returncode == 0, done.stdout + done.stderr
    assert "400 rows are the same in all three" in done.stderr
    told = json.loads((tmp_path / "bench.json").read_text())
    assert told["run"]["is_quick"] and told["run"]["rows"] == 2000
    assert told["machine"]["versions"]["Django"]
    page, limit, unchanged = told["figures"]
    assert page["name"] == "page of 100 of 2 000 rows" and page["unit"] == "us CPU"
    assert set(page["parts"]) == {"web", "PostgreSQL", "Redis"}
    assert page["value"] == sum(page["parts"].values()) == limit["value"]
    assert all(one["goal"] and one["baseline"]["value"] > 0 and one["ratio"] > 0 for one in told["figures"])
    assert unchanged["baseline"] == page["baseline"]
    assert page["name"] in done.stdout and "of 2,000 rows, a quick run" in (tmp_path / "bench.svg").read_text()
    ElementTree.parse(tmp_path / "bench.svg")
