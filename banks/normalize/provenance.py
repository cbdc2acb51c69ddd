"""Where each column of a transaction comes from: {column: {"source", "rule", "confidence"}}. Pure.

`source`: the path in the bank's answer, or "rule" for what we worked out ourselves. `rule`: a stable code.
`confidence`: 0 to 100; what the bank told is 100, and a kind that nothing told is OTHER with 0.
"""

from collections.abc import Mapping
from typing import Final

from banks.normalize.categories import Rule
from banks.types import TransactionKind

#: The bank's own member, as it stands or cleaned.
TOLD: Final = "told"
#: The connector said it without naming a member.
UNNAMED: Final = "connector"
#: Nothing said it.
UNKNOWN: Final = "no_code"

_CONFIDENCE_OF_TABLES: dict[Rule, int] = {Rule.KIND: 95, Rule.MCC: 90}
#: Columns that come of one member of TransactionData with another name.
_MEMBER_OF = {
    "amount_minor": "money",
    "currency": "money",
    "instructed_amount_minor": "instructed",
    "instructed_currency": "instructed",
    "balance_after_minor": "balance_after",
    "place_country": "place",
    "place_region": "place",
    "place_city": "place",
    "place_postal_code": "place",
    "place_address": "place",
}
#: Columns that we make of another one, whatever the bank.
_MADE = {"merchant_key": "merchant_key", "reference_digest": "sha256"}

Origin = dict[str, str | int]


def provenance(
    columns: Mapping[str, object], paths: Mapping[str, str], *, by_table: Mapping[str, Rule]
) -> dict[str, Origin]:
    """One entry for every column that is not None.

    `paths`: member of TransactionData -> path in the bank's answer. `by_table`: column -> the table that decided it.
    """
    return {name: _origin(name, value, paths, by_table) for name, value in columns.items() if value is not None}


def _origin(name: str, value: object, paths: Mapping[str, str], by_table: Mapping[str, Rule]) -> Origin:
    if name in by_table:
        rule = by_table[name]
        return {"source": "rule", "rule": rule.value, "confidence": _CONFIDENCE_OF_TABLES[rule]}
    if name in _MADE:
        return {"source": "rule", "rule": _MADE[name], "confidence": 100}
    path = paths.get(_MEMBER_OF.get(name, name))
    if path is not None:
        return {"source": path, "rule": TOLD, "confidence": 100}
    if name == "kind" and value == TransactionKind.OTHER:
        return {"source": "rule", "rule": UNKNOWN, "confidence": 0}
    return {"source": "rule", "rule": UNNAMED, "confidence": 100}
