"""`run.py bench`, small: real servers, real requests, no word about how long anything took."""

import json
import os
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree

from tests import environment, servers
from tests.benchmarks.cases import CASES

ROOT = Path(__file__).resolve().parents[2]


def bench(*arguments: str, **variables: str) -> "subprocess.CompletedProcess[str]":
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("SLUICE_", "SANDBOX_"))}
    return subprocess.run(
        [sys.executable, "-m", "tests.benchmarks.command", *arguments],
        cwd=ROOT, env={**kept, **variables}, capture_output=True, text=True, check=False,
    )  # fmt: skip


def test_help_names_every_case_and_touches_nothing() -> None:
    done = bench("--help")

    assert done.returncode == 0
    for word in (*CASES, "--quick", "--rows", "--json", "--chart", "--strict", "DATABASE_URL"):
        assert word in done.stdout


def test_an_unknown_case_and_too_few_rows_are_refused_in_one_line() -> None:
    for arguments in (("--only", "nothing"), ("--rows", "99")):
        done = bench(*arguments)

        assert done.returncode == 2
        assert "Traceback" not in done.stderr


def test_a_page_is_measured_end_to_end(tmp_path: Path) -> None:
    urls = {
        "DATABASE_URL": environment.server_url(servers.POSTGRESQL, "SLUICE_TEST_POSTGRESQL"),
        "REDIS_URL": environment.server_url(servers.REDIS, "SLUICE_TEST_REDIS"),
    }
    files = ["--json", "bench.json", "--chart", "bench.svg", "--from", str(tmp_path)]

    done = bench("--quick", "--only", "page", "--rows", "2000", *files, **urls)

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
