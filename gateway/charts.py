"""Charts as server-side SVG, with the same figures in a table beside them. Pure; no script and no inline style.

A page that shows one links `sluice/charts.css`. Words stand outside of the drawing, so it may stretch with the page.
"""

from collections.abc import Sequence

from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

_HEIGHT = 40
_STEP = 10
_BAR = 8


def bars(title: str, points: Sequence[tuple[str, int]], *, unit: str) -> SafeString:
    """A `<figure>`: one bar for each (label, count), oldest first, and a table of the same on demand.

    Where nothing was counted it says so, and draws nothing. `unit` is what is counted, in the plural: "reads". Counts
    are 0 or more. Raises ValueError for less than 0, and without any point.
    """
    if not points or any(value < 0 for _, value in points):
        raise ValueError("at least one count, and none below 0")
    highest, total = max(value for _, value in points), sum(value for _, value in points)
    if not total:
        empty = '<figure class="chart"><figcaption>{}</figcaption><p class="chart-sum">No {}</p></figure>'
        return format_html(empty, title, unit)
    return format_html(
        '<figure class="chart"><figcaption>{title}</figcaption>'
        '<p class="chart-sum">{total} {unit} in all, {highest} in the highest bar</p>'
        '<svg role="img" aria-label="{title}: {total} {unit}" viewBox="0 0 {width} {height}" '
        'preserveAspectRatio="none">{bars}</svg>'
        '<p class="chart-ends"><span>{first}</span><span>{last}</span></p>{table}</figure>',
        title=title,
        total=total,
        highest=highest,
        unit=unit,
        width=len(points) * _STEP,
        height=_HEIGHT,
        bars=_drawn([value for _, value in points], highest),
        first=points[0][0],
        last=points[-1][0],
        table=_table(title, points, unit),
    )


def _drawn(values: Sequence[int], highest: int) -> SafeString:
    """In tenths of a unit at the least, so that one of many is still seen."""
    return format_html_join(
        "",
        '<rect x="{}" y="{}" width="{}" height="{}"></rect>',
        (
            (index * _STEP + 1, f"{_HEIGHT - height:.1f}", _BAR, f"{height:.1f}")
            for index, height in enumerate(_drawn_height(value, highest) for value in values)
        ),
    )


def _drawn_height(value: int, highest: int) -> float:
    return max(_HEIGHT * value / highest, 1.0) if value else 0.0


def _table(title: str, points: Sequence[tuple[str, int]], unit: str) -> SafeString:
    rows = format_html_join("", '<tr><th scope="row">{}</th><td>{}</td></tr>', points)
    return format_html(
        '<details class="figures"><summary>The same as a table</summary><table><caption class="unseen">{}</caption>'
        '<thead><tr><th scope="col">When</th><th scope="col">{}</th></tr></thead><tbody>{}</tbody></table></details>',
        title,
        unit.capitalize(),
        rows,
    )
