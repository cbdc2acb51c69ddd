"""Figures that pages quote are those of the last run that docs/benchmarks.json holds, rounded as they are written."""

import json
import re
from typing import Any

import pytest

from tests.docs.markdown import ROOT

RUN: dict[str, dict[str, Any]] = {
    figure["name"]: figure for figure in json.loads((ROOT / "docs" / "benchmarks.json").read_text())["figures"]
}
PAGE = "page of 100 of 1 000 000 rows"
SAME_PAGE = "the same page, beside the limit"
UNCHANGED = "unchanged page (304)"
GROWTH = "growth from 10 000 to 1 000 000 rows"
DEPTH = "page at depth 99 % of 100 000 rows of one account"
REFRESH = "token: refresh, web tree"
NEW = "ingest, batches of 50: new rows"
AGAIN = "ingest, batches of 50: the same rows again"
RATE = "fan-out: connections synced, 3 calls of 200 ms, rows unchanged"
WORKER = "fan-out: CPU of the worker, a connection"
WORKER_MEMORY = "fan-out: memory of the worker at its peak"
SCRIPT = "fan-out: the same calls by a bare script, 64 threads, a session each, nothing stored"
COLD, WARM = "cold start with pip, until ready", "warm start with an empty data directory, until ready"
FIRST, MEMORY = "first balance after the bank's redirect", "memory of all processes"


def of(name: str, member: str = "value") -> float:
    return float(RUN[name][member])


def milliseconds(name: str, part: str | None = None) -> float:
    return (of(name) if part is None else float(RUN[name]["parts"][part])) / 1000


def baseline(name: str) -> float:
    return float(RUN[name]["baseline"]["value"])


def noted(name: str, what: str) -> float:
    """A number that stands in the figure's note, behind `what`."""
    found = re.search(rf"{what}:? ([\d.]+)", RUN[name]["note"])
    assert found, RUN[name]["note"]
    return float(found[1])


def split(name: str) -> list[float]:
    return [milliseconds(name, part) for part in ("web", "PostgreSQL", "Redis")]


#: Page -> first cell of a row -> the numbers of the other cells, in their order.
QUOTED: dict[str, dict[str, list[float]]] = {
    "README.md": {
        "a page of 100 of 1 000 000 transactions": [milliseconds(PAGE), of(PAGE, "ratio"), of(SAME_PAGE, "ratio")],
        "the same page, unchanged (304)": [milliseconds(UNCHANGED), of(UNCHANGED, "ratio")],
        "from 10 000 to 1 000 000 rows; at depth 99 %": [of(GROWTH, "ratio"), of(DEPTH, "ratio")],
        "a refreshed token, web server alone": [milliseconds(REFRESH), baseline(REFRESH) / 1000],
        "a new row stored; the same row again": [
            milliseconds(NEW), milliseconds(AGAIN), of(NEW, "ratio"), of(AGAIN, "ratio"),
        ],
        "500 connections synced, 3 calls of 200 ms each": [of(RATE), baseline(RATE), of(SCRIPT)],
        "a processor for one of them, PostgreSQL apart": [
            of(WORKER), baseline(WORKER), float(RUN[SCRIPT]["note"].split()[0]),
        ],
        "first start with pip; a new instance; first balance after the bank": [of(COLD), of(WARM), of(FIRST)],
        "memory of all eight processes": [of(MEMORY)],
    },
    "docs/production.md": {
        "a page of 100 transactions": split(PAGE),
        "the same, unchanged (304)": split(UNCHANGED),
        "a refreshed token": [
            milliseconds(REFRESH), noted(REFRESH, "PostgreSQL") / 1000, noted(REFRESH, "Redis") / 1000,
        ],
        "a sync in which nothing changed": [of(WORKER), noted(WORKER, "PostgreSQL beside it")],
        "a new transaction stored, of a batch of 50": [milliseconds(NEW, "client"), milliseconds(NEW, "PostgreSQL")],
    },
}  # fmt: skip


def is_rounded(written: str, measured: float) -> bool:
    decimals = len(written.partition(".")[2])
    return abs(float(written) - measured) <= 0.5001 * 10**-decimals


def cells(page: str, label: str) -> str:
    (row,) = [line for line in (ROOT / page).read_text().splitlines() if line.startswith(f"| {label} |")]
    return row.removeprefix(f"| {label} |")


@pytest.mark.parametrize(("page", "label"), [(page, label) for page, rows in QUOTED.items() for label in rows])
def test_a_figure_that_a_page_quotes_is_the_last_runs(page: str, label: str) -> None:
    written, measured = re.findall(r"\d+(?:\.\d+)?", cells(page, label)), QUOTED[page][label]

    assert len(written) == len(measured), written
    assert all(map(is_rounded, written, measured)), f"{page}: {written} is quoted, {measured} was measured"


def test_what_the_sizing_is_reckoned_with_is_the_last_runs() -> None:
    text = " ".join((ROOT / "docs" / "production.md").read_text().split())
    quoted = re.search(
        r"serves some (\d+) pages a second.* keeps some (\d+) 000 connections fresh at four syncs a day"
        r".*64 threads took (\d+) MiB at its peak, and the eight processes of a whole trial instance (\d+) MiB",
        text,
    )
    assert quoted
    pages, thousands, worker, instance = map(int, quoted.groups())

    assert pages == pytest.approx(1000 / milliseconds(PAGE, "web"), rel=0.1)
    assert thousands == pytest.approx(of(RATE) * 86_400 / 4 / 1000, rel=0.1)
    assert is_rounded(str(worker), of(WORKER_MEMORY)) and is_rounded(str(instance), of(MEMORY))


def test_every_row_of_the_tables_is_held() -> None:
    for page, rows in QUOTED.items():
        text = (ROOT / page).read_text()
        table = text[text.index("\n| a page of 100") :].partition("\n\n")[0]
        assert [line.split(" | ")[0].removeprefix("| ") for line in table.strip().splitlines()] == list(rows)


def test_a_figure_of_another_run_would_be_found() -> None:
    assert is_rounded("0.25", 0.2469) and is_rounded("50", 50.04)
    assert not is_rounded("0.25", 0.26) and not is_rounded("5.0", 5.1)
