"""Rows of UK Open Banking Read/Write as our values. Pure; one bad row never loses the others.

Amounts are unsigned in the standard; the sign is CreditDebitIndicator's: Debit is money out and negative, on credit
cards too, and a debit balance is owed.
"""

import re
from datetime import date

from banks.dialects.members import Row, RowRejected
from banks.dialects.uk_obie.codes import (
    ACCOUNT_STATUS,
    CARD_KINDS,
    CASH_MCC,
    CATEGORY_BY_TYPE,
    CHANNEL_BY_AUTHORISATION,
    IMMUTABLE,
    KIND_BY_FAMILY,
    KIND_BY_SUB_FAMILY,
    MASKED_FROM,
    SCHEMES,
    TRANSFER_KINDS,
    Version,
    transaction_code,
)
from banks.normalize.dates import DateRejected, calendar_date
from banks.normalize.merchants import merchant_category_code
from banks.normalize.text import clean
from banks.strict_json import JsonValue, canonical
from banks.types import (
    AccountCategory,
    AccountData,
    AccountStatus,
    BalanceData,
    Channel,
    CounterpartyKind,
    Coverage,
    CreditLine,
    Identification,
    Money,
    Place,
    RejectedRow,
    TransactionData,
    TransactionKind,
    TransactionStatus,
)

NAME_LENGTH_MAX = 140
ACCOUNT_ID_LENGTH_MAX = 40  # AccountId in the document
TRANSACTION_ID_LENGTH_MAX = 210

_HOLDER_NAME_LENGTH_MAX = 350  # Name in the document
_PAGES_MAX = 2**31 - 1  # int32 in the document
_COUNTRY = re.compile(r"[A-Z]{2}")
_LAST_FOUR = re.compile(r"[0-9]{4}\Z")


def parse_account(value: JsonValue, *, version: Version) -> AccountData:
    """OBAccount6. Basic and Detail alike: numbers and owners' names are there only with ReadAccountsDetail.

    Raises RowRejected; Currency is 0..1 in the document, but an account without one cannot be kept (missing_member).
    """
    row = Row(value)
    bank_account_id = row.identifier("AccountId", into="bank_account_id", length_max=ACCOUNT_ID_LENGTH_MAX)
    if bank_account_id is None:
        raise RowRejected("missing_member", "AccountId")
    account_type = version.account_types.get(row.code(version.account_type_member, into="account_type") or "", "OTHER")
    identifications = _identifications(row)
    return AccountData(
        bank_account_id=bank_account_id,
        category=CATEGORY_BY_TYPE.get(account_type, AccountCategory.DEPOSIT),
        account_type=account_type,
        # Account.Name is the owner's name, never the account's.
        name=row.text("Nickname", into="name", length_max=NAME_LENGTH_MAX)
        or row.text("Description", into="name", length_max=NAME_LENGTH_MAX),
        currency=_currency(row),
        status=ACCOUNT_STATUS.get(row.code("Status", into="status") or "", AccountStatus.OPEN),
        identifications=identifications,
        masked_number=_masked(identifications),
        opened_on=row.calendar_date("OpeningDate", into="opened_on"),
        holder_names=_holder_names(row),
        provenance=row.provenance,
    )


def _currency(row: Row) -> str:
    currency = row.needed_code("Currency", into="currency")
    if not re.fullmatch(r"[A-Z]{3}", currency):
        raise RowRejected("unknown_currency", "Currency")
    return currency


def _holder_names(row: Row) -> tuple[str, ...]:
    """Account[].Name, each once: the owners' names, neither product nor nickname (document, OBCashAccount5)."""
    listed = row.at("Account")
    entries = listed if isinstance(listed, list) else []
    names = (entry.get("Name") for entry in entries if isinstance(entry, dict))
    cleaned = (_free_text(name, _HOLDER_NAME_LENGTH_MAX) for name in names)
    return tuple(dict.fromkeys(name for name in cleaned if name is not None))


def _identifications(row: Row) -> tuple[Identification, ...]:
    listed = row.at("Account")
    if listed is None:
        return ()
    if not isinstance(listed, list):
        raise RowRejected("bad_type", "Account")
    found = []
    for index, entry in enumerate(listed):
        path = f"Account[{index}]"
        scheme, number = (_entry_code(entry, name, path) for name in ("SchemeName", "Identification"))
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
    if found:
        row.note("identifications", "Account")
    return tuple(found)


def _entry_code(entry: JsonValue, name: str, path: str) -> str:
    try:
        return Row(entry).needed_code(name)
    except RowRejected as error:
        raise RowRejected(error.reason, f"{path}.{error.field}".rstrip(".")) from None


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
    _check_account(row, bank_account_id)
    type_code = row.needed_code("Type")
    money = row.unsigned_money("Amount", negative=_is_debit(row, "CreditDebitIndicator"))
    if money is None:
        raise RowRejected("missing_member", "Amount")
    if not row.has("DateTime"):
        raise RowRejected("missing_member", "DateTime")
    as_of = row.instant("DateTime")
    if as_of is None:
        raise RowRejected("bad_date", "DateTime")
    return BalanceData(
        type=version.balance_types.get(type_code, "OTHER"),
        money=money,
        as_of=as_of,
        credit_lines=_credit_lines(row),
    )


def _credit_lines(row: Row) -> tuple[CreditLine, ...]:
    listed = row.at("CreditLine")
    if listed is None:
        return ()
    if not isinstance(listed, list):
        raise RowRejected("bad_type", "CreditLine")
    lines = []
    for entry in listed:
        line = Row(entry)
        included = line.flag("Included")
        if included is None:
            raise RowRejected("missing_member", "CreditLine.Included")
        lines.append(
            CreditLine(
                included=included,
                type=line.code("Type"),
                amount=line.unsigned_money("Amount", negative=False),
            )
        )
    return tuple(lines)


def parse_transaction(
    value: JsonValue, *, bank_account_id: str, version: Version
) -> TransactionData | RejectedRow | None:
    """OBTransaction6 of one account. None: a row that is no entry (see Version.not_entries).

    RejectedRow, never an exception: missing_member, bad_type, bad_amount, bad_date, bad_number, bad_identifier,
    bad_indicator, unknown_status, unknown_currency, too_many_decimals, amount_out_of_range, other_account or
    not_an_object, with the path in the row.
    """
    try:
        return _entry(Row(value), canonical(value), bank_account_id, version)
    except RowRejected as error:
        return RejectedRow(reason=error.reason, field=error.field, raw=canonical(value))


def _entry(row: Row, raw: bytes, bank_account_id: str, version: Version) -> TransactionData | None:
    _check_account(row, bank_account_id)
    status_code = row.needed_code("Status", into="status")
    if status_code in version.not_entries:
        return None
    status = version.entry_status.get(status_code)
    if status is None:
        raise RowRejected("unknown_status", "Status")
    debit = _is_debit(row, "CreditDebitIndicator")
    money = row.unsigned_money("Amount", negative=debit, into="money")
    if money is None:
        raise RowRejected("missing_member", "Amount")
    listed_on = row.calendar_date("BookingDateTime", into="listed_on")
    if listed_on is None:
        raise RowRejected("missing_member", "BookingDateTime")
    # Of a pending row it is the day on which the bank expects to book it.
    booked_on = listed_on if status is TransactionStatus.BOOKED else None
    if booked_on is not None:
        row.note("booked_on", "BookingDateTime")
    mcc = merchant_category_code(row.code("MerchantDetails.MerchantCategoryCode"))
    if mcc is not None:
        row.note("mcc", "MerchantDetails.MerchantCategoryCode")
    kind = _kind(row, mcc, debit)
    place = _place(row, kind)
    merchant_name = row.text("MerchantDetails.MerchantName", into="merchant_name", length_max=NAME_LENGTH_MAX)
    counterparty_name = _counterparty_name(row, debit)
    balance_after = _balance_after(row)
    return TransactionData(
        bank_transaction_id=row.identifier(
            "TransactionId", into="bank_transaction_id", length_max=TRANSACTION_ID_LENGTH_MAX
        ),
        status=status,
        money=money,
        booked_on=booked_on,
        listed_on=listed_on,
        value_on=row.calendar_date("ValueDateTime", into="value_on"),
        # BookingDateTime is when the bank posted the entry, at most banks midnight: not when it happened.
        transacted_at=None,
        kind=kind,
        channel=_channel(row, kind, place),
        immutable=IMMUTABLE.get(row.code("TransactionMutability", into="immutable") or ""),
        merchant_name=merchant_name,
        mcc=mcc,
        counterparty_name=counterparty_name,
        counterparty_kind=_counterparty_kind(row, merchant_name, counterparty_name, mcc),
        place=place,
        instructed=row.unsigned_money("CurrencyExchange.InstructedAmount", negative=debit, into="instructed"),
        exchange_rate=row.positive_number("CurrencyExchange.ExchangeRate", into="exchange_rate"),
        balance_after=balance_after,
        balance_after_type=_balance_type(row, version) if balance_after is not None else None,
        description=row.text("TransactionInformation", into="description", length_max=500),
        reference=row.text("TransactionReference", into="reference", length_max=210),
        provenance=row.provenance,
        raw=raw,
    )


def _check_account(row: Row, bank_account_id: str) -> None:
    """What is said of another account than the one asked for is nobody's here."""
    if row.needed_code("AccountId") != bank_account_id:
        raise RowRejected("other_account", "AccountId")


def _is_debit(row: Row, path: str) -> bool:
    indicator = row.needed_code(path)
    if indicator not in ("Credit", "Debit"):
        raise RowRejected("bad_indicator", path)
    return indicator == "Debit"


def _kind(row: Row, mcc: str | None, debit: bool) -> TransactionKind:
    kind = _kind_of_codes(row)
    if kind is None:
        kind = _kind_of_members(row, mcc)
    if kind is TransactionKind.CARD_PAYMENT and mcc in CASH_MCC:
        return TransactionKind.CASH
    if kind is TransactionKind.CARD_PAYMENT and not debit:
        return TransactionKind.REFUND
    if kind is TransactionKind.SALARY and debit:
        return TransactionKind.TRANSFER  # wages this customer pays
    return kind


def _kind_of_codes(row: Row) -> TransactionKind | None:
    tables = {"SubCode": KIND_BY_SUB_FAMILY, "Code": KIND_BY_FAMILY}
    for member, kinds in tables.items():
        path = f"BankTransactionCode.{member}"
        kind = kinds.get(transaction_code(row.code(path) or ""))
        if kind is not None:
            row.note("kind", path)
            return kind
    return None


def _kind_of_members(row: Row, mcc: str | None) -> TransactionKind:
    if row.code("CategoryPurposeCode") == "SALA":
        row.note("kind", "CategoryPurposeCode")
        return TransactionKind.SALARY
    if row.has("CardInstrument"):
        row.note("kind", "CardInstrument")
        return TransactionKind.CARD_PAYMENT
    if mcc is not None:  # only card schemes assign one
        row.note("kind", "MerchantDetails.MerchantCategoryCode")
        return TransactionKind.CARD_PAYMENT
    return TransactionKind.OTHER


def _channel(row: Row, kind: TransactionKind, place: Place | None) -> Channel | None:
    if kind in TRANSFER_KINDS:
        row.note("channel", row.provenance["kind"])
        return Channel.TRANSFER
    if kind is TransactionKind.CASH and row.has("CardInstrument"):
        row.note("channel", "CardInstrument")
        return Channel.ATM
    if kind not in CARD_KINDS:
        return None
    channel = CHANNEL_BY_AUTHORISATION.get(row.code("CardInstrument.AuthorisationType") or "")
    if channel is not None:
        row.note("channel", "CardInstrument.AuthorisationType")
        return channel
    if place is not None and place.country is not None and place.city is None and place.address is None:
        # The extension read in _place: a shop without premises has a country and nothing more.
        row.note("channel", "SupplementaryData.Place")
        return Channel.ONLINE
    return None


def _place(row: Row, kind: TransactionKind) -> Place | None:
    """Where a card was used: the standard's one line of text, or a bank's own Place in the free object.

    SupplementaryData.Place {Country, Town, PostCode, AddressLine} is documented by the sandbox bank (banks.sandbox).
    The object is free (OBSupplementaryData1), so another bank's Place of another shape is ignored, not rejected.
    """
    if kind not in CARD_KINDS and not row.has("MerchantDetails"):
        return None
    extension = row.at("SupplementaryData")
    listed = extension.get("Place") if isinstance(extension, dict) else None
    place = listed if isinstance(listed, dict) else {}
    country = place.get("Country")
    found = Place(
        country=country if isinstance(country, str) and _COUNTRY.fullmatch(country) else None,
        city=_free_text(place.get("Town"), 80),
        postal_code=_free_text(place.get("PostCode"), 20),
        address=_free_text(place.get("AddressLine"), 200),
    )
    if found != Place():
        row.note("place", "SupplementaryData.Place")
        return found
    address = row.text("AddressLine", into="place", length_max=200)
    return None if address is None else Place(address=address)


def _free_text(value: JsonValue, length_max: int) -> str | None:
    return clean(value, length_max=length_max) if isinstance(value, str) else None


def _counterparty_name(row: Row, debit: bool) -> str | None:
    paths = (
        ("CreditorAccount.Name", "UltimateCreditor.Name") if debit else ("DebtorAccount.Name", "UltimateDebtor.Name")
    )
    for path in paths:
        name = row.text(path, into="counterparty_name", length_max=NAME_LENGTH_MAX)
        if name is not None:
            return name
    return None


def _counterparty_kind(
    row: Row, merchant_name: str | None, counterparty_name: str | None, mcc: str | None
) -> CounterpartyKind | None:
    """Only what is proven; None is treated as a private person.

    A merchant beside a named payee proves nothing of the payee: on a marketplace that is a person.
    """
    if counterparty_name is not None:
        return None
    if merchant_name is None:
        return None
    row.note("counterparty_kind", "MerchantDetails")
    return CounterpartyKind.FINANCIAL_INSTITUTION if mcc in CASH_MCC else CounterpartyKind.MERCHANT


def _balance_after(row: Row) -> Money | None:
    if not row.has("Balance"):
        return None
    money = row.unsigned_money(
        "Balance.Amount", negative=_is_debit(row, "Balance.CreditDebitIndicator"), into="balance_after"
    )
    if money is None:
        raise RowRejected("missing_member", "Balance.Amount")
    return money


def _balance_type(row: Row, version: Version) -> str:
    return version.balance_types.get(row.needed_code("Balance.Type", into="balance_after_type"), "OTHER")


def parse_coverage(meta: JsonValue) -> Coverage:
    """FirstAvailableDateTime and LastAvailableDateTime of Meta; what is not said, or not a date, is None."""
    members = meta if isinstance(meta, dict) else {}
    first, last = (_date_or_none(members.get(name)) for name in ("FirstAvailableDateTime", "LastAvailableDateTime"))
    return Coverage(first_on=first, last_on=last)


def parse_pages_total(meta: JsonValue) -> int | None:
    """TotalPages of Meta; None when it is not said, or is no count of pages."""
    total = meta.get("TotalPages") if isinstance(meta, dict) else None
    if not isinstance(total, int) or isinstance(total, bool) or not 1 <= total <= _PAGES_MAX:
        return None
    return total


def _date_or_none(value: JsonValue) -> date | None:
    try:
        return calendar_date(value) if isinstance(value, str) else None
    except DateRejected:
        return None
