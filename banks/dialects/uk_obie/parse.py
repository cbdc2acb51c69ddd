"""Transactions of UK Open Banking Read/Write, and what is said beside them, as our values. Pure.

One bad row never loses the others.

Amounts are unsigned in the standard; the sign is CreditDebitIndicator's: Debit is money out and negative, on credit
cards too, and a debit balance is owed.

What says which entry a row is, how much and when must be right, or the row is rejected: AccountId, TransactionId,
Status, CreditDebitIndicator, Amount, BookingDateTime. So must every other amount in it (Balance, InstructedAmount,
ExchangeRate): a bank that gets one wrong is not believed in the next. What merely describes the row (codes of its kind,
names, places, texts, merchant, category code, mutability, ValueDateTime) is unknown where it is not what the standard
says, and the row stays; it is kept whole under seal.
"""

import re

from banks.dialects.members import Row, RowRejected
from banks.dialects.uk_obie.codes import (
    CARD_KINDS,
    CASH_MCC,
    CHANNEL_BY_AUTHORISATION,
    IMMUTABLE,
    KIND_BY_FAMILY,
    KIND_BY_SUB_FAMILY,
    TRANSFER_KINDS,
    Version,
    transaction_code,
)
from banks.dialects.uk_obie.common import (
    NAME_LENGTH_MAX,
    check_account,
    day_or_none,
    described_day,
    is_debit,
)
from banks.normalize.merchants import merchant_category_code
from banks.normalize.text import clean
from banks.strict_json import JsonValue, canonical
from banks.types import (
    Channel,
    CounterpartyKind,
    Coverage,
    Money,
    Place,
    RejectedRow,
    TransactionData,
    TransactionKind,
    TransactionStatus,
)

TRANSACTION_ID_LENGTH_MAX = 210

_PAGES_MAX = 2**31 - 1  # int32 in the document
_COUNTRY = re.compile(r"[A-Z]{2}")


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
    check_account(row, bank_account_id)
    status_code = row.needed_code("Status", into="status")
    if status_code in version.not_entries:
        return None
    status = version.entry_status.get(status_code)
    if status is None:
        raise RowRejected("unknown_status", "Status")
    debit = is_debit(row, "CreditDebitIndicator")
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
    mcc = merchant_category_code(row.hint("MerchantDetails.MerchantCategoryCode"))
    if mcc is not None:
        row.note("mcc", "MerchantDetails.MerchantCategoryCode")
    kind = _kind(row, mcc, debit)
    place = _place(row, kind)
    merchant_name = row.text("MerchantDetails.MerchantName", into="merchant_name", length_max=NAME_LENGTH_MAX)
    counterparty_name = _counterparty_name(row, debit)
    balance_after = _balance_after(row)
    bank_transaction_id = row.identifier(
        "TransactionId", into="bank_transaction_id", length_max=TRANSACTION_ID_LENGTH_MAX
    )
    return TransactionData(
        bank_transaction_id=bank_transaction_id,
        status=status,
        money=money,
        booked_on=booked_on,
        listed_on=listed_on,
        value_on=described_day(row, "ValueDateTime", into="value_on"),
        # BookingDateTime is when the bank posted the entry, at most banks midnight: not when it happened.
        transacted_at=None,
        kind=kind,
        channel=_channel(row, kind, place),
        immutable=IMMUTABLE.get(row.hint("TransactionMutability", into="immutable") or ""),
        merchant_name=merchant_name,
        mcc=mcc,
        counterparty_name=counterparty_name,
        counterparty_kind=_counterparty_kind(row, debit, merchant_name, counterparty_name, mcc),
        place=place,
        instructed=row.unsigned_money("CurrencyExchange.InstructedAmount", negative=debit, into="instructed"),
        exchange_rate=row.positive_number("CurrencyExchange.ExchangeRate", into="exchange_rate"),
        balance_after=balance_after,
        balance_after_type=_balance_type(row, version) if balance_after is not None else None,
        description=row.text("TransactionInformation", into="description", length_max=500),
        reference=_reference(row, bank_transaction_id),
        provenance=row.provenance,
        raw=raw,
    )


def _reference(row: Row, bank_transaction_id: str | None) -> str | None:
    """The payer's reference. Some banks write the beginning of their own id there, anew with each id: that is none."""
    reference = row.text("TransactionReference", into="reference", length_max=210)
    repeats_id = reference and bank_transaction_id and bank_transaction_id.casefold().startswith(reference.casefold())
    return None if repeats_id else reference


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
        kind = kinds.get(transaction_code(row.hint(path) or ""))
        if kind is not None:
            row.note("kind", path)
            return kind
    return None


def _kind_of_members(row: Row, mcc: str | None) -> TransactionKind:
    if row.hint("CategoryPurposeCode") == "SALA":
        row.note("kind", "CategoryPurposeCode")
        return TransactionKind.SALARY
    if row.is_object("CardInstrument"):
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
    if kind is TransactionKind.CASH and row.is_object("CardInstrument"):
        row.note("channel", "CardInstrument")
        return Channel.ATM
    if kind not in CARD_KINDS:
        return None
    channel = CHANNEL_BY_AUTHORISATION.get(row.hint("CardInstrument.AuthorisationType") or "")
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
    if kind not in CARD_KINDS and not row.is_object("MerchantDetails"):
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


def _other_side(debit: bool) -> tuple[str, str]:
    return ("CreditorAccount.Name", "UltimateCreditor.Name") if debit else ("DebtorAccount.Name", "UltimateDebtor.Name")


def _counterparty_name(row: Row, debit: bool) -> str | None:
    for path in _other_side(debit):
        name = row.text(path, into="counterparty_name", length_max=NAME_LENGTH_MAX)
        if name is not None:
            return name
    return None


def _counterparty_kind(
    row: Row, debit: bool, merchant_name: str | None, counterparty_name: str | None, mcc: str | None
) -> CounterpartyKind | None:
    """Only what is proven; None is treated as a private person.

    A merchant beside a named payee proves nothing of the payee: on a marketplace that is a person. So does one beside a
    payee whose name cannot be read.
    """
    if merchant_name is None or counterparty_name is not None:
        return None
    if any(row.is_unreadable(path) for path in _other_side(debit)):
        return None
    row.note("counterparty_kind", "MerchantDetails")
    return CounterpartyKind.FINANCIAL_INSTITUTION if mcc in CASH_MCC else CounterpartyKind.MERCHANT


def _balance_after(row: Row) -> Money | None:
    if not row.has("Balance"):
        return None
    money = row.unsigned_money(
        "Balance.Amount", negative=is_debit(row, "Balance.CreditDebitIndicator"), into="balance_after"
    )
    if money is None:
        raise RowRejected("missing_member", "Balance.Amount")
    return money


def _balance_type(row: Row, version: Version) -> str:
    return version.balance_types.get(row.needed_code("Balance.Type", into="balance_after_type"), "OTHER")


def parse_coverage(meta: JsonValue) -> Coverage:
    """FirstAvailableDateTime and LastAvailableDateTime of Meta; what is not said, or not a date, is None."""
    members = meta if isinstance(meta, dict) else {}
    first, last = (day_or_none(members.get(name)) for name in ("FirstAvailableDateTime", "LastAvailableDateTime"))
    return Coverage(first_on=first, last_on=last)


def parse_pages_total(meta: JsonValue) -> int | None:
    """TotalPages of Meta; None when it is not said, or is no count of pages."""
    total = meta.get("TotalPages") if isinstance(meta, dict) else None
    if not isinstance(total, int) or isinstance(total, bool) or not 1 <= total <= _PAGES_MAX:
        return None
    return total
