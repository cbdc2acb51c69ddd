"""A run on paper: JSON, table, picture, and the page of the documentation that shows them."""

import json
from pathlib import Path
from xml.etree import ElementTree

import pytest

from tests.benchmarks import chart, document, report
from tests.benchmarks.figures import Baseline, Figure, Goal, Sense
from tests.benchmarks.page import BARE_APP, STOCK_APP
from tests.benchmarks.report import Report

AT_MOST = Sense.AT_MOST
PAGE = Figure(
    name="page of 100 of 2 000 rows",
    value=1234.0,
    unit="us CPU",
    baseline=Baseline(name=STOCK_APP, value=9870.0),
    goal=Goal(sense=AT_MOST, value=1 / 6, of_ratio=True),
    parts={"web": 834.0, "PostgreSQL": 380.0, "Redis": 20.0},
)
LIMIT = Figure(
    name="the same page, beside the limit",
    value=1234.0,
    unit="us CPU",
    baseline=Baseline(name=BARE_APP, value=600.0),
    goal=Goal(sense=AT_MOST, value=2, of_ratio=True),
)
UNCHANGED = Figure(name="unchanged page (304)", value=300.0, unit="us CPU", baseline=PAGE.baseline)
START = Figure(name="warm start", value=8.25, unit="s", goal=Goal(sense=AT_MOST, value=10))
RUN = {"rows": 2000, "rounds": 1, "seconds": 0.5, "is_quick": True, "load_at_start": 0.1, "was_loaded": False}
MACHINE = {
    "processor": "A processor",
    "processors": 2,
    "memory_mib": 1024,
    "system": "Linux",
    "versions": {"Python": "3.11"},
    "measured_at": "2026-03-04T12:00:00Z",
}


def made(*figures: Figure, missing: dict[str, str] | None = None) -> Report:
    return Report(machine=MACHINE, run=RUN, figures=list(figures), missing=missing or {})


def test_what_was_written_is_read_again(tmp_path: Path) -> None:
    written = made(PAGE, LIMIT, START, missing={"token": "no server"})

    written.write(tmp_path / "new" / "bench.json")

    assert report.read(tmp_path / "new" / "bench.json") == written


def test_the_json_says_of_each_figure_what_follows_from_it(tmp_path: Path) -> None:
    made(PAGE, LIMIT, UNCHANGED).write(tmp_path / "bench.json")

    told = json.loads((tmp_path / "bench.json").read_text())["figures"]
    assert [one["is_met"] for one in told] == [True, False, None]
    assert told[0]["ratio"] == pytest.approx(0.125, abs=0.001)


def test_a_line_of_the_table_names_figure_baseline_ratio_and_goal() -> None:
    _, page, parts, limit, start, missing = report.table(
        made(PAGE, LIMIT, START, missing={"token": "no server"})
    ).splitlines()

    assert page.split("  ")[0] == PAGE.name
    for part in ("1 234 us CPU", f"{STOCK_APP}: 9 870 us CPU", "0.125", "at most 0.167", "met"):
        assert part in page
    assert parts.strip() == "web 834, PostgreSQL 380, Redis 20"
    assert limit.endswith("MISSED")
    assert "8.25 s" in start and "at most 10" in start and start.endswith("met")
    assert missing == "token: not measured: no server"
    assert made(PAGE, LIMIT, START).missed == [LIMIT.name]


@pytest.mark.parametrize(
    ("value", "said"),
    [
        (0.5, "0.5 s"),
        (3.0, "3 s"),
        (8.256, "8.26 s"),
        (10.0, "10 s"),
        (12.34, "12.3 s"),
        (2000.0, "2 000 s"),
        (0, "0 s"),
    ],
)
def test_an_amount_has_three_digits_and_no_idle_ones(value: float, said: str) -> None:
    assert report.amount(value, "s") == said


def test_the_heading_says_when_others_were_at_work_and_that_it_was_quick() -> None:
    loaded = Report(machine=MACHINE, run={**RUN, "was_loaded": True, "is_quick": False}, figures=[], missing={})

    assert "others were at work" in report.heading(loaded)
    assert "others were at work" not in report.heading(made())
    assert "a quick run" in report.heading(made())
    assert "a quick run" not in report.heading(loaded)


def test_the_picture_has_a_bar_and_a_text_for_each_and_no_script() -> None:
    drawn = chart.bars([PAGE, LIMIT, UNCHANGED])
    text = chart.svg(drawn, title="Less & less", caption="of <all>")

    picture = ElementTree.fromstring(text)
    namespace = "{http://www.w3.org/2000/svg}"
    bars = [one for one in picture.iter(f"{namespace}rect") if one.get("class") in ("ours", "theirs")]
    said = [one.text for one in picture.iter(f"{namespace}text")]
    widths = [float(bar.get("width", "0")) for bar in bars]
    assert [bar.value for bar in drawn] == [9870.0, 1234.0, 600.0, 300.0]
    assert widths == sorted(widths, reverse=True)
    assert {"Sluice", "9.87 ms", "1.23 ms  (1/8.0)", "Less & less", "of <all>"} <= set(said)
    assert "<script" not in text.lower()
    assert "prefers-color-scheme: dark" in text


def test_without_a_page_there_is_no_picture_and_without_a_304_no_bar_of_it() -> None:
    whole = Figure(name=UNCHANGED.name, value=1234.0, unit="us CPU", note="not offered")

    assert document.picture(made(START)) == ""
    assert [bar.label for bar in chart.bars([PAGE, LIMIT, whole])][-1].startswith("Bare")


def test_the_documentation_shows_the_run_whose_json_lies_beside_it() -> None:
    """Stale? python3 run.py bench --docs"""
    last = report.read(document.JSON)

    text = document.PAGE.read_text()
    assert text.count(document.BEGIN) == text.count(document.END) == 1
    assert document.block(last) == text.partition(document.BEGIN)[2].partition(document.END)[0]
    assert document.PICTURE.read_text() == document.picture(last)


def test_renewing_replaces_the_table_and_leaves_the_words(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    page = tmp_path / "benchmarks.md"
    page.write_text(f"before\n{document.BEGIN}old\n{document.END}after\n")
    monkeypatch.setattr(document, "PAGE", page)
    monkeypatch.setattr(document, "JSON", tmp_path / "benchmarks.json")
    monkeypatch.setattr(document, "PICTURE", tmp_path / "benchmark.svg")

    document.renew(made(PAGE, LIMIT))

    text = page.read_text()
    assert text.startswith("before\n") and text.endswith("after\n")
    assert "old" not in text and PAGE.name in text
    assert report.read(tmp_path / "benchmarks.json").figures == [PAGE, LIMIT]
    ElementTree.parse(tmp_path / "benchmark.svg")
