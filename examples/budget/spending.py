"""Where the money went: sums by category. Pure; amounts are Decimal and never float."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from examples.budget.words import kind

GROUPS_SHOWN = 7
#: Money that goes from one pocket to another is not spent.
_SPENT = frozenset({"CARD_PAYMENT", "DIRECT_DEBIT", "STANDING_ORDER", "CASH", "FEE"})


@dataclass(frozen=True, slots=True)
class Bar:
    """`share`: of the largest, in whole percent, 1 to 100."""

    label: str
    amount: Decimal
    share: int


def by_category(rows: Iterable[Mapping[str, Any]]) -> dict[str, list[Bar]]:
    """Currency -> its groups, the largest first; what is small goes into one last group.

    Groups are shops' categories where the user shares them, else kinds of payment. Nothing is converted: two
    currencies are two lists.
    """
    sums: dict[str, dict[str, Decimal]] = defaultdict(lambda: defaultdict(Decimal))
    for row in rows:
        amount = Decimal(row["amount"])
        if amount < 0 and row["kind"] in _SPENT:
            sums[row["currency"]][_group(row)] -= amount
    return {currency: _bars(groups) for currency, groups in sorted(sums.items())}


def _group(row: Mapping[str, Any]) -> str:
    category = (row.get("merchant") or {}).get("category")
    return kind(category or row["kind"])


def _bars(groups: Mapping[str, Decimal]) -> list[Bar]:
    ranked = sorted(groups.items(), key=lambda group: (-group[1], group[0]))
    shown, rest = ranked[:GROUPS_SHOWN], ranked[GROUPS_SHOWN:]
    if rest:
        shown.append(("All else", sum((amount for _, amount in rest), Decimal())))
    largest = max(amount for _, amount in shown)
    return [Bar(label, amount, max(1, int(100 * amount / largest))) for label, amount in shown]
