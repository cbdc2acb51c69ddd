"""A platform's own copy of the transactions, kept up to date by `GET /v1/transactions/sync`."""

from typing import Any

from examples.tour.platform import Platform


class Copy:
    """Rows by id. What follows is all there is to it: put what was added or modified, drop what was removed."""

    def __init__(self, platform: Platform, url: str) -> None:
        self.platform = platform
        self.url = url
        self.rows: dict[str, dict[str, Any]] = {}
        self.update_status = ""
        self._cursor: str | None = None

    def follow(self, token: str) -> None:
        """One walk: page by page until there is no more."""
        while True:
            query = {"limit": "500"} if self._cursor is None else {"limit": "500", "cursor": self._cursor}
            page = self.platform.read(self.url, token, **query)
            self.rows |= {row["transaction_id"]: row for row in [*page["added"], *page["modified"]]}
            for gone in page["removed"]:
                self.rows.pop(gone["transaction_id"], None)
            self._cursor, self.update_status = page["next_cursor"], page["update_status"]
            if not page["has_more"]:
                return
