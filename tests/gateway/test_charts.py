"""Charts: what is drawn is what the table says."""

import re

import pytest

from gateway.charts import bars

POINTS = [("1 May", 0), ("2 May", 4), ("3 May", 1)]


def heights(svg: str) -> list[float]:
    return [float(found) for found in re.findall(r'<rect [^>]*height="([\d.]+)"', svg)]


def test_bars_are_as_high_as_their_counts() -> None:
    nothing, four, one = heights(bars("Reads a day", POINTS, unit="reads"))

    assert nothing == 0
    assert four == 4 * one


def test_the_table_holds_the_same_figures_in_the_same_order() -> None:
    chart = bars("Reads a day", POINTS, unit="reads")

    rows = re.findall(r'<th scope="row">(.*?)</th><td>(\d+)</td>', chart)
    assert [(label, int(count)) for label, count in rows] == POINTS
    assert "5 reads in all, 4 in the highest bar" in chart


def test_one_of_very_many_is_still_seen() -> None:
    _, one = heights(bars("Reads a day", [("1 May", 100_000), ("2 May", 1)], unit="reads"))

    assert one >= 1


def test_where_nothing_was_counted_it_says_so_and_draws_no_empty_frame() -> None:
    chart = bars("Reads a day", [("1 May", 0), ("2 May", 0)], unit="reads")

    assert "Reads a day" in chart and "No reads" in chart
    assert "<svg" not in chart and "<table" not in chart


def test_what_is_named_from_outside_is_text() -> None:
    chart = bars("<b>Reads</b>", [("<i>1</i>", 1)], unit='"reads"')

    assert "<b>" not in chart
    assert "<i>" not in chart
    assert "&quot;reads&quot;" in chart


def test_nothing_in_it_needs_a_script_or_an_inline_style() -> None:
    chart = bars("Reads a day", POINTS, unit="reads")

    assert not re.search(r"<script|<style|\sstyle=|\son\w+=", chart)


@pytest.mark.parametrize("points", [[], [("1 May", -1)]])
def test_no_point_and_less_than_nothing_are_refused(points: list[tuple[str, int]]) -> None:
    with pytest.raises(ValueError, match="at least one count"):
        bars("Reads a day", points, unit="reads")
