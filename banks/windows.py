"""One window of one account's transactions, page by page, from the bank. Nothing is stored here.

A list that changes while it is paged cannot be believed: the page set is thrown away and fetched once more. A second
time it is handed on as it is, marked unstable, so that nothing on it is called absent.
"""

import time
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date

from banks.connector import Connector
from banks.coverage import Window
from banks.errors import AccountUnavailable, AnswerTooLarge, BankError, BankMisconfigured
from banks.normalize.entries import Entry, entry
from banks.types import RejectedRow, TransactionPage


class WindowTooLarge(Exception):
    """More rows, pages or seconds than one window may have: ask for fewer days."""


class _ListChanged(Exception):
    """It is another list than the one whose first page was read."""


@dataclass(slots=True, kw_only=True)
class Fetched:
    """What the pages said. `bank_first_on`: first day the bank says it has anything for; None: it did not say."""

    entries: list[Entry] = field(default_factory=list)
    rejected: list[RejectedRow] = field(default_factory=list)
    bank_first_on: date | None = None
    stable: bool = True


def fetch(
    connector: Connector,
    bank_account_id: str,
    window: Window,
    *,
    before_page: Callable[[], None],
    seconds_max: float | None,
) -> Fetched:
    """All rows of the window that were listed from its first day on.

    `before_page` is called before each page is asked for, and may raise what ends the fetch. `seconds_max` None: it
    takes what it takes (a single day cannot be made smaller).
    Raises WindowTooLarge, BankError.
    """
    ends = None if seconds_max is None else time.monotonic() + seconds_max
    reading = _Reading(window)
    try:
        return reading.all(connector, bank_account_id, before_page, ends)
    except _ListChanged:
        reading = _Reading(window)
    except AnswerTooLarge as error:
        raise WindowTooLarge from error
    try:
        return reading.all(connector, bank_account_id, before_page, ends)
    except _ListChanged:
        reading.fetched.stable = False
        return reading.fetched
    except AnswerTooLarge as error:
        raise WindowTooLarge from error


class _Reading:
    """One walk through the pages."""

    def __init__(self, window: Window) -> None:
        self.fetched = Fetched()
        self._window = window
        self._pages_total: int | None = None
        self._pages = 0
        #: Identity of a bank's id -> page, content and status that it was seen with.
        self._seen: dict[str, list[tuple[int, str, object]]] = defaultdict(list)

    def all(
        self, connector: Connector, bank_account_id: str, before_page: Callable[[], None], ends: float | None
    ) -> Fetched:
        """Raises _ListChanged, once every page that could be read is in `fetched`; WindowTooLarge, BankError."""
        pages = connector.transactions(bank_account_id, since=self._window.since, until=self._window.until)
        changed = False
        while True:
            if not self._has_told_all:
                if ends is not None and self._pages and time.monotonic() > ends:
                    raise WindowTooLarge
                before_page()
            try:
                page = next(pages, None)
            except BankError as error:
                if self._pages and _is_gone(error):
                    raise _ListChanged from error
                raise
            if page is None:
                break
            changed = self._read(page) or changed
        if changed:
            raise _ListChanged
        return self.fetched

    @property
    def _has_told_all(self) -> bool:
        return self._pages_total is not None and self._pages >= self._pages_total

    def _read(self, page: TransactionPage) -> bool:
        """Whether this page shows that the list changed meanwhile."""
        self._pages += 1
        changed = self._pages_total not in (None, page.pages_total) and page.pages_total is not None
        self._pages_total = self._pages_total or page.pages_total
        if page.coverage.first_on is not None:
            self.fetched.bank_first_on = page.coverage.first_on
        for row in page.rows:
            taken = row if isinstance(row, RejectedRow) else entry(row)
            if isinstance(taken, RejectedRow):
                self.fetched.rejected.append(taken)
            elif taken.listed_on >= self._window.since:
                self.fetched.entries.append(taken)
                changed = self._was_on_an_earlier_page(taken) or changed
        return changed

    def _was_on_an_earlier_page(self, row: Entry) -> bool:
        """The same entry, or its pending twin: a boundary moved. Two entries under one id are the bank's habit."""
        if not row.has_bank_id:
            return False
        status, seen = row.columns["status"], self._seen[row.identity_key]
        moved = any(
            page < self._pages and (content == row.content_hash or was != status) for page, content, was in seen
        )
        seen.append((self._pages, row.content_hash, status))
        return moved


def _is_gone(error: BankError) -> bool:
    """A refusal of a page that the page before it named. One of the whole account would have met the first page."""
    refused = isinstance(error, AccountUnavailable | BankMisconfigured)
    return refused and error.upstream_status is not None and 400 <= error.upstream_status < 500
