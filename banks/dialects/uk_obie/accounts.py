"""Accounts and balances of UK Open Banking Read/Write as our values. Pure.

Of an account its id, numbers and, where told, currency must be right: by them it is recognised. Its names, type, status
and opening day merely describe it, and are unknown where they are not what the standard says. A balance must be right
in all.
"""

import re
from collections.abc import Iterable, Sequence

from banks.dialects.members import Row, RowRejected
from banks.dialects.uk_obie.codes import (
    ACCOUNT_STATUS,
    CATEGORY_BY_TYPE,
    CREDIT_LINE_TYPES,
    MASKED_FROM,
    SCHEMES,
    Version,
)
from banks.dialects.uk_obie.common import NAME_LENGTH_MAX, check_account, described_day, is_debit
from banks.normalize.text import clean
from banks.strict_json import JsonValue
from banks.types import AccountCategory, AccountData, AccountStatus, BalanceData, CreditLine, Identification

ACCOUNT_ID_LENGTH_MAX = 40  # AccountId in the document

_HOLDER_NAME_LENGTH_MAX = 350  # Name in the document
_LAST_FOUR = re.compile(r"[0-9]{4}\Z")


def parse_account(value: JsonValue, *, version: Version) -> AccountData:
    """OBAccount6. Basic and Detail alike: numbers and owners' names are there only with ReadAccountsDetail.

    Raises RowRejected. Currency is 0..1 in the document.
    """
    row = Row(value)
    bank_account_id = row.identifier("AccountId", into="bank_account_id", length_max=ACCOUNT_ID_LENGTH_MAX)
    if bank_account_id is None:
        raise RowRejected("missing_member", "AccountId")
    account_type = version.account_types.get(row.hint(version.account_type_member, into="account_type") or "", "OTHER")
    numbers = row.rows("Account")
    identifications = _identifications(numbers)
    if identifications:
        row.note("identifications", "Account")
    return AccountData(
        bank_account_id=bank_account_id,
        category=CATEGORY_BY_TYPE.get(account_type, AccountCategory.DEPOSIT),
        account_type=account_type,
        # Account.Name is the owner's name, never the account's.
        name=row.text("Nickname", into="name", length_max=NAME_LENGTH_MAX)
        or row.text("Description", into="name", length_max=NAME_LENGTH_MAX),
        currency=_currency(row),
        status=ACCOUNT_STATUS.get(row.hint("Status", into="status") or "", AccountStatus.OPEN),
        identifications=identifications,
        masked_number=_masked(identifications),
        opened_on=described_day(row, "OpeningDate", into="opened_on"),
        holder_names=_holder_names(numbers),
        provenance=row.provenance,
    )


def _currency(row: Row) -> str | None:
    currency = row.code("Currency", into="currency")
    if currency is not None and not re.fullmatch(r"[A-Z]{3}", currency):
        raise RowRejected("unknown_currency", "Currency")
    return currency


def _holder_names(numbers: Sequence[Row]) -> tuple[str, ...]:
    """Account[].Name, each once: the owners' names, neither product nor nickname (document, OBCashAccount5)."""
    names = (number.text("Name", into="holder_names", length_max=_HOLDER_NAME_LENGTH_MAX) for number in numbers)
    return tuple(dict.fromkeys(name for name in names if name is not None))


def _identifications(numbers: Sequence[Row]) -> tuple[Identification, ...]:
    """An account is recognised by its numbers, so one that cannot be read is no account that can be kept."""
    found = []
    for entry in numbers:
        scheme, number = entry.needed_code("SchemeName"), entry.needed_code("Identification")
        scheme_name = SCHEMES.get(scheme)
        cleaned = clean(number, length_max=256)
        if scheme_name is None or cleaned is None:
            continue
        if scheme_name == "MaskedPAN":
            # Banks differ in whether they mask it. A whole card number is never kept (PCI DSS 3.4).
            last = _LAST_FOUR.search(cleaned)
            if last is None:
                continue
            cleaned = f"************{last[0]}"
        found.append(Identification(scheme_name=scheme_name, value=cleaned))
    return tuple(found)


def _masked(identifications: tuple[Identification, ...]) -> str | None:
    numbers = {number.scheme_name: number.value for number in identifications}
    for scheme in MASKED_FROM:
        last = _LAST_FOUR.search(numbers.get(scheme, ""))
        if last is not None:
            return last[0]
    return None


def parse_balance(value: JsonValue, *, bank_account_id: str, version: Version) -> BalanceData:
    """One Balance of OBReadBalance1. Raises RowRejected; DateTime must name a moment, so it needs its offset."""
    row = Row(value)
    check_account(row, bank_account_id)
    type_code = row.needed_code("Type")
    money = row.unsigned_money("Amount", negative=is_debit(row, "CreditDebitIndicator"))
    if money is None:
        raise RowRejected("missing_member", "Amount")
    as_of = row.instant("DateTime")
    if as_of is None:
        raise RowRejected("missing_member", "DateTime")
    return BalanceData(
        type=version.balance_types.get(type_code, "OTHER"),
        money=money,
        as_of=as_of,
        credit_lines=_credit_lines(row),
    )


def _credit_lines(row: Row) -> tuple[CreditLine, ...]:
    lines = []
    for line in row.rows("CreditLine"):
        included = line.flag("Included")
        if included is None:
            raise line.rejected("missing_member", "Included")
        code = line.hint("Type")
        lines.append(
            CreditLine(
                included=included,
                type=code if code in CREDIT_LINE_TYPES else None,
                amount=line.unsigned_money("Amount", negative=False),
            )
        )
    return tuple(lines)


def latest_of_each_type(balances: Iterable[BalanceData]) -> list[BalanceData]:
    """One balance for each type and currency: of several, the latest, as a bank that lists a day's course means it.

    Of those without a word of ours (OTHER) of one instant, the first stays. Raises RowRejected(ambiguous) for a known
    type that is told twice for one instant and not alike.
    """
    kept: dict[tuple[str, str], BalanceData] = {}
    for balance in balances:
        before = kept.setdefault((balance.type, balance.money.currency), balance)
        if balance.as_of > before.as_of:
            kept[balance.type, balance.money.currency] = balance
        elif balance.as_of == before.as_of and balance != before and balance.type != "OTHER":
            raise RowRejected("ambiguous", "Type")
    return list(kept.values())
