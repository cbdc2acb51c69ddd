"""Documents with too little in them, with too much, and with times where this bank has only days."""

from typing import Any

from banks.sandbox.behaviours.base import Behaviour, Visit
from banks.sandbox.ledger import Entry
from banks.sandbox.recipes.troubled import TIMES

#: What the standard requires (OBAccount6Detail, OBReadBalance1, OBTransaction6); everything else is optional.
_REQUIRED = {
    "Account": ("AccountId", "Account"),
    "Balance": ("AccountId", "CreditDebitIndicator", "Type", "DateTime", "Amount"),
    "Transaction": ("AccountId", "CreditDebitIndicator", "Status", "BookingDateTime", "Amount"),
}
_UNKNOWN = {"XBankNote": "new", "XBankMore": {"Deep": [{"Deeper": None}, 1.5, True], "Amount": "not yours"}}


class WithoutFirstAvailable(Behaviour):
    """Transactions do not say how far back they reach."""

    def body(self, body: dict[str, Any], visit: Visit) -> dict[str, Any]:
        body["Meta"].pop("FirstAvailableDateTime", None)
        return body


class Sparse(Behaviour):
    """Every member that the standard calls optional is missing; the next page alone is still linked."""

    def body(self, body: dict[str, Any], visit: Visit) -> dict[str, Any]:
        data = {
            name: [{member: row[member] for member in _REQUIRED[name] if member in row} for row in rows]
            for name, rows in body["Data"].items()
        }
        for account in data.get("Account", ()):
            for number in account.get("Account", ()):
                number.pop("Name", None)
        links = {name: body["Links"][name] for name in ("Self", "Next") if name in body["Links"]}
        return {"Data": data} | ({"Links": links} if "Next" in links else {})


class Verbose(Behaviour):
    """Every object of every document has members that no standard knows."""

    def body(self, body: dict[str, Any], visit: Visit) -> dict[str, Any]:
        extended: dict[str, Any] = _extended(body)
        return extended


class ClockTimes(Behaviour):
    """Rows around the nights when London changes its clocks have times of day, with their offset."""

    def transaction(self, document: dict[str, Any], entry: Entry) -> dict[str, Any]:
        time = TIMES.get(entry.draft.reference or "")
        if time is None:
            return document
        booked = f"{entry.draft.day.isoformat()}T{time}"
        return document | {"BookingDateTime": booked, "ValueDateTime": booked}


def _extended(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _extended(member) for name, member in value.items()} | _UNKNOWN
    if isinstance(value, list):
        return [_extended(member) for member in value]
    return value
