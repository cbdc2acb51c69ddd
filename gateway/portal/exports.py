"""The usage log as files: complete, written line by line, and harmless in a spreadsheet. Pure."""

import csv
import json
from collections.abc import Iterable, Iterator

from gateway.portal.usage_lines import ReadLine

COLUMNS = (
    "at", "who", "what", "bank", "account", "records", "purpose", "presence", "scopes", "reference", "consent",
)  # fmt: skip

#: A spreadsheet takes a cell that begins so for a formula (OWASP, CSV injection).
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n")


class _Line:
    """A file of which csv writes one line at a time."""

    def write(self, text: str) -> str:
        return text


def csv_of(lines: Iterable[ReadLine]) -> Iterator[str]:
    """RFC 4180; the first line names the columns. What an app or a bank named cannot become a formula."""
    writer = csv.writer(_Line())
    yield writer.writerow(COLUMNS)
    for line in lines:
        yield writer.writerow([_harmless(_text(value)) for value in _values(line).values()])


def json_of(lines: Iterable[ReadLine]) -> Iterator[str]:
    """`{"reads": [...]}`, newest first; unknown is null. Cut off on the way it is no JSON at all."""
    before = '{"reads": ['
    for line in lines:
        yield f"{before}\n{json.dumps(_values(line), ensure_ascii=False)}"
        before = ","
    yield "\n]}\n" if before == "," else f"{before}]}}\n"


def _values(line: ReadLine) -> dict[str, object]:
    """`at` is RFC 3339 in UTC; `records` is null for a look-up by a bank."""
    values = (
        line.at.strftime("%Y-%m-%dT%H:%M:%S.%fZ"),
        line.who,
        line.what,
        line.bank or None,
        line.account or None,
        line.rows,
        line.purpose or None,
        line.presence or None,
        list(line.scopes),
        line.reference,
        None if line.consent_id is None else str(line.consent_id),
    )
    return dict(zip(COLUMNS, values, strict=True))


def _text(value: object) -> str:
    if isinstance(value, list):
        return "; ".join(value)
    return "" if value is None else str(value)


def _harmless(text: str) -> str:
    return f"'{text}" if text.startswith(_FORMULA) else text
