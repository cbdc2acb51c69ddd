"""The benchmark's page in the documentation: the last run's table, JSON and picture, so that they cannot disagree."""

from pathlib import Path

from tests.benchmarks import chart
from tests.benchmarks.report import Report, heading, table

DOCS = Path(__file__).resolve().parents[2] / "docs"
PAGE, JSON, PICTURE = DOCS / "benchmarks.md", DOCS / "benchmarks.json", DOCS / "images" / "benchmark.svg"
BEGIN, END = "<!-- the last run -->\n", "<!-- end of the last run -->\n"


def block(report: Report) -> str:
    """What stands in the page between BEGIN and END."""
    return f"```text\n{heading(report)}\n\n{table(report)}\n```\n"


def picture(report: Report) -> str:
    """The chart as SVG; empty when the page was not measured."""
    drawn = chart.bars(report.figures)
    if not drawn:
        return ""
    quick = ", a quick run" if report.run["is_quick"] else ""
    return chart.svg(
        drawn,
        title="Processor time of one page of 100 transactions",
        caption=f"Web server, PostgreSQL and Redis together, of {report.run['rows']:,} rows{quick}. Less is better.",
    )


def renew(report: Report) -> None:
    """Write all three. Raises ValueError where the page has lost its marks."""
    report.write(JSON)
    if drawn := picture(report):
        PICTURE.write_text(drawn)
    text = PAGE.read_text()
    before, begin, rest = text.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise ValueError(f"{PAGE} has no place for the table")
    PAGE.write_text(before + BEGIN + block(report) + END + after)
