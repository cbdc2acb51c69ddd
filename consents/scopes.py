"""The vocabulary of permission: scopes, purposes, and which fields and rows each opens. Pure.

A field opens when every scope it needs is granted and the location precision reaches far enough; nothing else opens
it. The tables below are the only list: policy, the read seam, the pages and the API are all fed from them.
"""

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache


class Scope(StrEnum):
    ACCOUNTS = "accounts"
    ACCOUNT_NUMBERS = "account_numbers"
    BALANCES = "balances"
    TRANSACTIONS = "transactions"
    MERCHANTS = "merchants"
    LOCATIONS = "locations"
    COUNTERPARTIES = "counterparties"
    INSIGHTS = "insights"
    ALERTS = "alerts"
    ANSWERS = "answers"


class Purpose(StrEnum):
    BALANCE_CHECK = "balance_check"
    FRAUD_ALERTS = "fraud_alerts"
    SPENDING_INSIGHTS = "spending_insights"
    BUDGETING = "budgeting"
    ACCOUNT_OVERVIEW = "account_overview"


class LocationPrecision(StrEnum):
    """How closely a place may be told. Ordered by `reach`."""

    COUNTRY = "country"
    CITY = "city"
    STORE = "store"

    @property
    def reach(self) -> int:
        return tuple(LocationPrecision).index(self)


class SensitiveGroup(StrEnum):
    """Merchants that tell more than money. NONE: looked at, and not sensitive; null in a row: not yet looked at."""

    NONE = "NONE"
    HEALTH = "HEALTH"
    GAMBLING = "GAMBLING"
    ADULT = "ADULT"
    ALCOHOL_TOBACCO = "ALCOHOL_TOBACCO"
    RELIGION = "RELIGION"
    POLITICS = "POLITICS"
    CHARITY = "CHARITY"


class DurationType(StrEnum):
    """FDX durationType."""

    ONE_TIME = "ONE_TIME"
    TIME_BOUND = "TIME_BOUND"
    PERSISTENT = "PERSISTENT"


class Presence(StrEnum):
    """Whether the user is there while data is asked for. Banks count and charge by it (RTS 2018/389 article 36(5))."""

    ABSENT = "ABSENT"
    ATTESTED = "ATTESTED"  #: the platform says so; worth what the bank's policy makes of it
    PRESENT = "PRESENT"  #: at our own pages


#: Derived answers: they stand alone and release no rows of what they are worked out from.
DERIVED_SCOPES = frozenset({Scope.INSIGHTS, Scope.ALERTS, Scope.ANSWERS})

#: `merchants` says shop names *of transactions*: granting it grants the rows it describes.
IMPLIED_SCOPES: dict[Scope, frozenset[Scope]] = {Scope.MERCHANTS: frozenset({Scope.TRANSACTIONS})}

#: Meaningless alone: a request without the scope on the right is refused, not widened.
DEPENDENT_SCOPES: dict[Scope, Scope] = {
    Scope.MERCHANTS: Scope.TRANSACTIONS,
    Scope.LOCATIONS: Scope.TRANSACTIONS,
    Scope.COUNTERPARTIES: Scope.TRANSACTIONS,
}

#: The most each purpose may ask for. Advertising and onward sharing have no row, so nothing can ask for them.
PURPOSE_SCOPES: dict[Purpose, frozenset[Scope]] = {
    Purpose.BALANCE_CHECK: frozenset({Scope.ACCOUNTS, Scope.BALANCES, Scope.ANSWERS}),
    Purpose.FRAUD_ALERTS: frozenset(
        {Scope.ACCOUNTS, Scope.BALANCES, Scope.TRANSACTIONS, Scope.MERCHANTS, Scope.LOCATIONS, Scope.ALERTS}
    ),
    Purpose.SPENDING_INSIGHTS: frozenset({Scope.ACCOUNTS, Scope.TRANSACTIONS, Scope.MERCHANTS, Scope.INSIGHTS}),
    Purpose.BUDGETING: frozenset(
        {
            Scope.ACCOUNTS,
            Scope.BALANCES,
            Scope.TRANSACTIONS,
            Scope.MERCHANTS,
            Scope.INSIGHTS,
            Scope.ALERTS,
            Scope.ANSWERS,
        }
    ),
    Purpose.ACCOUNT_OVERVIEW: frozenset(
        {
            Scope.ACCOUNTS,
            Scope.ACCOUNT_NUMBERS,
            Scope.BALANCES,
            Scope.TRANSACTIONS,
            Scope.MERCHANTS,
            Scope.LOCATIONS,
            Scope.COUNTERPARTIES,
        }
    ),
}


class Record(StrEnum):
    """What banks.read hands out."""

    ACCOUNT = "account"
    BALANCE = "balance"
    TRANSACTION = "transaction"


#: Any one of these opens the record at all; its fields then open one by one.
RECORD_SCOPES: dict[Record, frozenset[Scope]] = {
    Record.ACCOUNT: frozenset({Scope.ACCOUNTS, Scope.ACCOUNT_NUMBERS, Scope.BALANCES, Scope.TRANSACTIONS}),
    Record.BALANCE: frozenset({Scope.BALANCES}),
    Record.TRANSACTION: frozenset({Scope.TRANSACTIONS}),
}


@dataclass(frozen=True, slots=True)
class FieldRule:
    """What must be granted before `name`, a column of the record's table, may be in a SELECT."""

    name: str
    needs: frozenset[Scope] = frozenset()
    precision: LocationPrecision | None = None


def _rules(names: str, *needs: Scope, precision: LocationPrecision | None = None) -> list[FieldRule]:
    return [FieldRule(name, frozenset(needs), precision) for name in names.split()]


FIELD_RULES: dict[Record, tuple[FieldRule, ...]] = {
    Record.ACCOUNT: (
        *_rules("id"),
        *_rules("institution_id name account_type category status currency masked_number", Scope.ACCOUNTS),
        *_rules("identifications", Scope.ACCOUNT_NUMBERS),
    ),
    Record.BALANCE: (*_rules("type amount_minor currency credit_lines as_of", Scope.BALANCES),),
    Record.TRANSACTION: (
        *_rules("id listed_on status booked_on value_on transacted_at amount_minor currency kind", Scope.TRANSACTIONS),
        *_rules("merchant_name category mcc channel", Scope.TRANSACTIONS, Scope.MERCHANTS),
        *_rules("place_country", Scope.TRANSACTIONS, Scope.LOCATIONS, precision=LocationPrecision.COUNTRY),
        *_rules("place_region place_city", Scope.TRANSACTIONS, Scope.LOCATIONS, precision=LocationPrecision.CITY),
        *_rules(
            "place_postal_code place_address", Scope.TRANSACTIONS, Scope.LOCATIONS, precision=LocationPrecision.STORE
        ),
        # A currency tells the country.
        *_rules(
            "instructed_amount_minor instructed_currency exchange_rate",
            Scope.TRANSACTIONS,
            Scope.LOCATIONS,
            precision=LocationPrecision.COUNTRY,
        ),
        *_rules("counterparty_name", Scope.TRANSACTIONS, Scope.COUNTERPARTIES),
        *_rules("balance_after_minor", Scope.TRANSACTIONS, Scope.BALANCES),
        # The bank's own line names shop, place and payee at once.
        *_rules(
            "description",
            Scope.TRANSACTIONS,
            Scope.MERCHANTS,
            Scope.LOCATIONS,
            Scope.COUNTERPARTIES,
            precision=LocationPrecision.STORE,
        ),
    ),
}


#: Columns that add up over rows: beside withheld rows their differences would tell the amounts withheld.
RUNNING_FIELDS = frozenset({"balance_after_minor"})


def opened_fields(record: Record, scopes: Collection[Scope], precision: LocationPrecision | None) -> tuple[str, ...]:
    """Columns of `record` that these scopes open, in the table's order; empty when the record is closed."""
    return _opened_fields(record, frozenset(scopes), precision)


@lru_cache(maxsize=1024)  # asked several times of every read
def _opened_fields(record: Record, granted: frozenset[Scope], precision: LocationPrecision | None) -> tuple[str, ...]:
    if not RECORD_SCOPES[record] & granted:
        return ()
    reach = -1 if precision is None else precision.reach
    return tuple(
        rule.name
        for rule in FIELD_RULES[record]
        if rule.needs <= granted and (rule.precision is None or rule.precision.reach <= reach)
    )


def implied(scopes: Iterable[Scope]) -> frozenset[Scope]:
    """`scopes` with what they imply (`merchants` brings `transactions`)."""
    asked = frozenset(scopes)
    return asked.union(*(IMPLIED_SCOPES.get(scope, frozenset()) for scope in asked))


def consistent(scopes: Iterable[Scope]) -> frozenset[Scope]:
    """`scopes` without those whose ground is missing: what is left after a policy took `transactions` away."""
    left = frozenset(scopes)
    return frozenset(scope for scope in left if DEPENDENT_SCOPES.get(scope, scope) in left)


def purpose_scopes(purposes: Iterable[Purpose]) -> frozenset[Scope]:
    """The most that these purposes together may ask for."""
    return frozenset[Scope]().union(*(PURPOSE_SCOPES[purpose] for purpose in purposes))


#: What must be fetched from a bank so that a scope can be served. A scope without a row needs no fetch of its own.
FETCHED_FOR: dict[Scope, frozenset[str]] = {
    Scope.ACCOUNTS: frozenset({"accounts", "masked_numbers"}),
    Scope.ACCOUNT_NUMBERS: frozenset({"accounts", "account_numbers"}),
    Scope.BALANCES: frozenset({"accounts", "balances"}),
    Scope.TRANSACTIONS: frozenset({"accounts", "transactions"}),
    Scope.INSIGHTS: frozenset({"accounts", "transactions"}),
    Scope.ALERTS: frozenset({"accounts", "balances", "transactions"}),
    Scope.ANSWERS: frozenset({"accounts", "balances"}),
}


def fetched_for(scopes: Iterable[Scope]) -> frozenset[str]:
    """Names of the bank resources (`banks.types.Resource`) these scopes need; nothing else may be fetched."""
    return frozenset[str]().union(*(FETCHED_FOR.get(scope, frozenset()) for scope in scopes))
