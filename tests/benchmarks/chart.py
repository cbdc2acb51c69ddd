"""The picture of the documentation: what one request costs, as bars. SVG without script, for light and dark."""

from collections.abc import Sequence
from dataclasses import dataclass
from xml.sax.saxutils import escape

from tests.benchmarks.figures import Figure

WIDTH, ROW, TOP, LEFT, RIGHT = 760, 46, 64, 230, 170
_STYLE = """
    text { font: 14px system-ui, sans-serif; fill: #1f2328 }
    .title { font-size: 16px; font-weight: 600 }
    .quiet { fill: #59636e }
    .ground { fill: #ffffff }
    .ours { fill: #1f6feb }
    .theirs { fill: #8c959f }
    @media (prefers-color-scheme: dark) {
      text { fill: #f0f6fc }
      .quiet { fill: #9198a1 }
      .ground { fill: #0d1117 }
      .ours { fill: #4493f8 }
      .theirs { fill: #656c76 }
    }
"""


@dataclass(frozen=True, slots=True)
class Bar:
    """`value` in us of processor time."""

    label: str
    value: float
    is_ours: bool


def bars(figures: Sequence[Figure]) -> list[Bar]:
    """Ours beside the stock app, the limit and an unchanged page; empty when the page was not measured."""
    page = next((one for one in figures if one.name.startswith("page of 100 of ")), None)
    limit = next((one for one in figures if one.name == "the same page, beside the limit"), None)
    unchanged = next((one for one in figures if one.name == "unchanged page (304)"), None)
    if page is None or page.baseline is None or limit is None or limit.baseline is None:
        return []
    drawn = [
        Bar("Stock app (DRF + toolkit)", page.baseline.value, False),
        Bar("Sluice", page.value, True),
        Bar("Bare WSGI app", limit.baseline.value, False),
    ]
    if unchanged is not None and not unchanged.note:
        drawn.append(Bar("Sluice, page unchanged (304)", unchanged.value, True))
    return drawn


def svg(drawn: Sequence[Bar], *, title: str, caption: str) -> str:
    """The first bar is what the others are told as a share of."""
    height = TOP + ROW * len(drawn) + 40
    widest = max(bar.value for bar in drawn)
    described = "; ".join(f"{bar.label}: {_milliseconds(bar.value)}" for bar in drawn)
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" role="img"'
        ' aria-labelledby="title description">',
        f'  <title id="title">{escape(title)}</title>',
        f'  <desc id="description">{escape(described)}</desc>',
        f"  <style>{_STYLE}  </style>",
        f'  <rect class="ground" width="{WIDTH}" height="{height}" rx="6"/>',
        f'  <text class="title" x="20" y="34">{escape(title)}</text>',
        *(line for number, bar in enumerate(drawn) for line in _bar(number, bar, widest, drawn[0].value)),
        f'  <text class="quiet" x="20" y="{height - 16}">{escape(caption)}</text>',
        "</svg>",
    ]
    return "\n".join(lines) + "\n"


def _bar(number: int, bar: Bar, widest: float, stock: float) -> list[str]:
    top = TOP + number * ROW
    length = max(2.0, (WIDTH - LEFT - RIGHT) * bar.value / widest)
    share = "" if number == 0 else f"  (1/{stock / bar.value:.1f})" if bar.value < stock else "  (more)"
    kind = "ours" if bar.is_ours else "theirs"
    return [
        f'  <text x="{LEFT - 12}" y="{top + 19}" text-anchor="end">{escape(bar.label)}</text>',
        f'  <rect class="{kind}" x="{LEFT}" y="{top}" width="{length:.1f}" height="28" rx="3"/>',
        f'  <text x="{LEFT + length + 10:.1f}" y="{top + 19}">{_milliseconds(bar.value)}{share}</text>',
    ]


def _milliseconds(value: float) -> str:
    return f"{value / 1000:.2f} ms"
