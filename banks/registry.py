"""Which connectors are installed: entry points of the group `banks.connectors`, imported when first asked for.

It makes no connector and knows no bank: an institution names its connector by slug.
"""

from functools import cache
from importlib.metadata import EntryPoint, entry_points

from banks.connector import Connector
from banks.errors import UnknownConnector

GROUP = "banks.connectors"


def slugs() -> tuple[str, ...]:
    """Slugs of all installed connectors, sorted. Imports none of them."""
    return tuple(sorted(_found()))


@cache
def connector(slug: str) -> type[Connector]:
    """The connector's class. Raises UnknownConnector when none is installed under this slug, or its slug differs."""
    found = _found().get(slug)
    if found is None:
        raise UnknownConnector(f"not installed; there are: {', '.join(slugs()) or 'none'}")
    loaded: type[Connector] = found.load()
    if loaded.info.slug != slug:
        raise UnknownConnector("slug_differs")
    return loaded


@cache
def _found() -> dict[str, EntryPoint]:
    return {entry.name: entry for entry in entry_points(group=GROUP)}
