"""What there is to measure, in the order of the report. A case is a function from the run to its figures."""

from collections.abc import Callable

from tests.benchmarks import alone, growth, page, start, tokens
from tests.benchmarks.bench import Bench
from tests.benchmarks.figures import Figure

Case = Callable[[Bench], list[Figure]]

CASES: dict[str, Case] = {
    "page": page.measure,
    "growth": growth.measure,
    "token": tokens.measure,
    "ingest": alone.case("ingest"),
    "fanout": alone.case("fanout"),
    "start": start.measure,
}
