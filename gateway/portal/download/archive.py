"""The ZIP file: each table as JSON and as CSV, and all of them as one page that opens without anything else.

Rows go through files on the disk, never all through memory: a spool per table, and one for the page.
"""

import csv
import io
import json
import tempfile
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import IO

from django.template.loader import render_to_string
from django.utils.html import escape

from gateway.portal.download.cells import cell
from gateway.portal.download.tables import Table, TableRow

FOLDER = "sluice-data"
_COPY_CHARACTERS = 64 * 1024


@dataclass(frozen=True, slots=True)
class _Written:
    """A table on the disk: a JSON row a line."""

    table: Table
    spool: IO[str]
    rows: int


def write(file: IO[bytes], tables: Iterator[Table], *, username: str, now: datetime) -> dict[str, int]:
    """Rows by table. `file` is left at its end."""
    counts: dict[str, int] = {}
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive, _spool() as page:
        page.write(render_to_string("portal/download/head.html", {"username": username, "now": now}))
        for table in tables:
            with _spool() as spool:
                written = _spooled(table, spool)
                _add_json(archive, written)
                _add_csv(archive, written)
                _add_section(page, written)
                counts[table.name] = written.rows
        page.write(render_to_string("portal/download/foot.html"))
        page.seek(0)
        with _entry(archive, "index.html") as entry:
            while piece := page.read(_COPY_CHARACTERS):
                entry.write(piece)
        with _entry(archive, "README.txt") as entry:
            entry.write(render_to_string("portal/download/readme.txt", {"username": username, "now": now}))
    return counts


def _spooled(table: Table, spool: IO[str]) -> _Written:
    rows = 0
    for row in table.rows:
        spool.write(json.dumps(dict(row), ensure_ascii=False) + "\n")
        rows += 1
    return _Written(table, spool, rows)


def _lines(written: _Written) -> Iterator[str]:
    written.spool.seek(0)
    return (line.rstrip("\n") for line in written.spool)


def _rows(written: _Written) -> Iterator[TableRow]:
    return (json.loads(line) for line in _lines(written))


def _add_json(archive: zipfile.ZipFile, written: _Written) -> None:
    with _entry(archive, f"json/{written.table.name}.json") as entry:
        entry.write("[")
        for number, line in enumerate(_lines(written)):
            entry.write(f"{',' if number else ''}\n  {line}")
        entry.write("\n]\n")


def _add_csv(archive: zipfile.ZipFile, written: _Written) -> None:
    with _entry(archive, f"csv/{written.table.name}.csv") as entry:
        entry.write("\ufeff")  # without it spreadsheets take UTF-8 for something else
        out = csv.writer(entry)
        out.writerow(written.table.columns)
        for row in _rows(written):
            out.writerow([cell(row[column]) for column in written.table.columns])


def _add_section(page: IO[str], written: _Written) -> None:
    """Row by row: a template would hold all of them in memory."""
    table = written.table
    heads = [column.replace("_", " ") for column in table.columns]
    page.write(render_to_string("portal/download/table.html", {"table": table, "heads": heads, "count": written.rows}))
    for row in _rows(written):
        cells = "".join(f"<td>{escape(_readable(row[column]))}</td>" for column in table.columns)
        page.write(f"<tr>{cells}</tr>\n")
    page.write("</tbody></table></div></section>\n" if written.rows else "</section>\n")


def _readable(value: object) -> str:
    """As in CSV, but text as it is: nothing runs a cell of a page."""
    return value if isinstance(value, str) else cell(value)


def _spool() -> IO[str]:
    return tempfile.TemporaryFile("w+", encoding="utf-8", newline="\n")


def _entry(archive: zipfile.ZipFile, name: str) -> io.TextIOWrapper:
    return io.TextIOWrapper(archive.open(f"{FOLDER}/{name}", "w", force_zip64=True), encoding="utf-8", newline="")
