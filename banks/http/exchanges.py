"""One call to a bank: what it may cost, and what is told of it."""

import logging
import re
from dataclasses import dataclass

#: Path segments that name no one; every other segment is logged as `{id}`.
_PATH_WORDS = frozenset(
    ("open-banking", "aisp", "accounts", "balances", "transactions", "account-access-consents", "token", "oauth")
)
_VERSION_SEGMENT = re.compile(r"v\d{1,2}(\.\d{1,2})?")


def _names_no_url(record: logging.LogRecord) -> bool:
    return record.levelno >= logging.ERROR


# urllib3 writes whole URLs, queries too, at DEBUG, and at WARNING when a bank's headers do not parse.
for _name in ("urllib3.connectionpool", "urllib3.connection"):
    logging.getLogger(_name).addFilter(_names_no_url)


@dataclass(frozen=True, slots=True, kw_only=True)
class HttpLimits:
    """What one exchange, or one walk through pages, may cost.

    Bytes and values together keep the dearest answer that is still taken below 64 MiB of memory: one character beyond
    the BMP makes four bytes of every other in its text, and a key in a large object costs some 200.
    """

    total_deadline_seconds: float = 30.0  #: one exchange, from name resolution to the last byte
    connect_timeout: float = 5.0  #: seconds, per verified address
    decoded_bytes_max: int = 4 * 1024 * 1024
    pages_max: int = 100
    rows_max: int = 50_000  #: over all pages of one list; counted by the dialect
    json_depth_max: int = 32
    json_values_max: int = 100_000  #: per answer: some 2000 rows with all that the standard has, 4000 plain ones


@dataclass(frozen=True, slots=True, kw_only=True)
class Exchange:
    """One call, for logs and counters. Holds no query, id, token or content."""

    method: str
    host: str
    path: str  #: with every segment that is not a known word replaced by {id}
    status: int | None  #: None: no answer
    milliseconds: int
    bytes: int  #: decoded bytes of the body that were read
    code: str | None  #: code of the BankError raised; None when the caller got an Answer
    retry_after: int | None = None  #: seconds the bank asked to wait (429 and 5xx); None: it did not say


def path_template(path: str) -> str:
    """With every segment that is not a known word replaced by {id}."""
    return "/".join(
        segment if not segment or segment in _PATH_WORDS or _VERSION_SEGMENT.fullmatch(segment) else "{id}"
        for segment in path.split("/")
    )
