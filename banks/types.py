"""Values that cross the connector boundary. Frozen, typed, already in our vocabulary.

Amounts are Decimal in major units with an ISO 4217 code; money out is negative, on cards too. Dates are the bank's
calendar dates; instants are aware and in UTC. Unknown is None, never 0, "" or "Unknown".
"""

from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal
from enum import StrEnum


class TransactionStatus(StrEnum):
    """ISO 20022 entry status in our words; REMOVED marks what the bank no longer lists."""

    PENDING = "PENDING"
    BOOKED = "BOOKED"
    REMOVED = "REMOVED"


class TransactionKind(StrEnum):
    CARD_PAYMENT = "CARD_PAYMENT"
    TRANSFER = "TRANSFER"
    DIRECT_DEBIT = "DIRECT_DEBIT"
    STANDING_ORDER = "STANDING_ORDER"
    CASH = "CASH"
    FEE = "FEE"
    INTEREST = "INTEREST"
    SALARY = "SALARY"
    REFUND = "REFUND"
    OTHER = "OTHER"


class Channel(StrEnum):
    ONLINE = "ONLINE"
    IN_STORE = "IN_STORE"
    ATM = "ATM"
    TRANSFER = "TRANSFER"
    OTHER = "OTHER"


class CounterpartyKind(StrEnum):
    MERCHANT = "MERCHANT"
    PERSON = "PERSON"
    FINANCIAL_INSTITUTION = "FINANCIAL_INSTITUTION"
    ORGANISATION = "ORGANISATION"


class AccountCategory(StrEnum):
    DEPOSIT = "DEPOSIT"
    CREDIT_CARD = "CREDIT_CARD"
    LOAN = "LOAN"
    INVESTMENT = "INVESTMENT"


class AccountStatus(StrEnum):
    OPEN = "OPEN"
    CLOSED = "CLOSED"
    PENDING_OPEN = "PENDING_OPEN"
    PENDING_CLOSE = "PENDING_CLOSE"
    RESTRICTED = "RESTRICTED"


class InstitutionStatus(StrEnum):
    """FDX availability."""

    ALIVE = "ALIVE"
    PARTIAL = "PARTIAL"
    MAINTENANCE = "MAINTENANCE"
    DOWN = "DOWN"


class Resource(StrEnum):
    """What can be fetched from a bank, apart from one another."""

    ACCOUNTS = "accounts"
    MASKED_NUMBERS = "masked_numbers"  #: last four digits; at banks that tell them only with the whole number
    ACCOUNT_NUMBERS = "account_numbers"
    BALANCES = "balances"
    TRANSACTIONS = "transactions"


@dataclass(frozen=True, slots=True)
class Money:
    """Major units, signed. Raises TypeError on anything but Decimal, ValueError on NaN, infinity or a bad code."""

    amount: Decimal
    currency: str

    def __post_init__(self) -> None:
        if not isinstance(self.amount, Decimal):
            raise TypeError(f"amount must be Decimal, not {type(self.amount).__name__}")
        if not self.amount.is_finite():
            raise ValueError("amount is not finite")
        if not (len(self.currency) == 3 and self.currency.isascii() and self.currency.isupper()):
            raise ValueError("currency is not an ISO 4217 code")


#: ISO ExternalCashAccountType1Code, of which UK OBIE 4.0 takes these (OBExternalAccountSubType1Code) and OTHR.
ISO_ACCOUNT_TYPES = (
    *("CACC", "CARD", "CASH", "CHAR", "CISH", "COMM", "CPAC", "LLSV", "LOAN", "MGLD", "MOMA", "MORT", "NFCA", "NREX"),
    *("ODFT", "ONDP", "SACC", "SLRY", "SVGS", "TAXE", "TRAN", "TRAS", "VACC", "WALT"),
)
#: Every `account_type` there is; OTHER: the bank's word for it is no code of ours.
ACCOUNT_TYPES = (*ISO_ACCOUNT_TYPES, "OTHER")


@dataclass(frozen=True, slots=True, kw_only=True)
class Identification:
    """One number of an account. `scheme_name`: IBAN, SortCodeAccountNumber, BBAN, MaskedPAN (UK OBIE, data-model)."""

    scheme_name: str
    value: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where a card was used. `country` is ISO 3166-1 alpha-2. Everything below `country` may be None."""

    country: str | None = None
    region: str | None = None
    city: str | None = None
    postal_code: str | None = None
    address: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountData:
    bank_account_id: str  #: the bank's own; never shown, never assumed unique across banks
    category: AccountCategory
    account_type: str  #: ISO 20022 cash account type: CACC, SVGS, CARD ... or OTHER
    name: str | None  #: what the customer calls it: nickname, else the product
    currency: str | None  #: ISO 4217; None: the bank did not say
    status: AccountStatus
    identifications: tuple[Identification, ...] = ()
    masked_number: str | None = None  #: last four digits, nothing more
    opened_on: date | None = None
    #: Names of the owners, cleaned, as the bank told them. They serve to notice that another person is behind a login,
    #: and nothing else; never stored in the clear, never shown.
    holder_names: tuple[str, ...] = field(default=(), repr=False)
    provenance: dict[str, str] = field(default_factory=dict)  #: our field -> path in the bank's answer


@dataclass(frozen=True, slots=True, kw_only=True)
class CreditLine:
    included: bool
    type: str | None
    amount: Money | None


@dataclass(frozen=True, slots=True, kw_only=True)
class BalanceData:
    type: str  #: ISO 20022: CLBD, ITBD, ITAV, CLAV, OPBD, FWAV, XPCD ... or OTHER
    money: Money
    as_of: datetime
    credit_lines: tuple[CreditLine, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class TransactionData:
    bank_transaction_id: str | None  #: UK TransactionId is 0..1: may be absent, may be reissued
    status: TransactionStatus
    money: Money
    booked_on: date | None  #: the bank's calendar date; None while pending
    listed_on: date  #: booked date, else the bank's date of the pending row; orders every list
    value_on: date | None = None
    transacted_at: datetime | None = None  #: instant, only when the bank gave one with an offset
    kind: TransactionKind = TransactionKind.OTHER
    channel: Channel | None = None
    immutable: bool | None = None  #: UK TransactionMutability
    merchant_name: str | None = None
    mcc: str | None = None  #: ISO 18245, four digits
    counterparty_name: str | None = None
    counterparty_kind: CounterpartyKind | None = None
    place: Place | None = None
    instructed: Money | None = None  #: the amount in the other currency
    exchange_rate: Decimal | None = None
    balance_after: Money | None = None
    balance_after_type: str | None = None
    description: str | None = None  #: the bank's own line, as it stands
    reference: str | None = None  #: the payment reference the payer gave
    provenance: dict[str, str] = field(default_factory=dict)  #: our field -> path in the bank's answer
    raw: bytes = b""  #: the bank's row, canonical JSON; sealed at rest


@dataclass(frozen=True, slots=True, kw_only=True)
class RejectedRow:
    """A row we could not take. The row itself travels sealed; the operator sees the rest."""

    reason: str  #: stable code: too_many_decimals, amount_out_of_range, unknown_currency, missing_member, bad_date ...
    field: str  #: path in the bank's answer
    raw: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Coverage:
    """How far back and forth the bank says its answer reaches (UK Meta); None where it did not say."""

    first_on: date | None = None
    last_on: date | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class TransactionPage:
    rows: tuple[TransactionData | RejectedRow, ...]
    coverage: Coverage = Coverage()
    pages_total: int | None = None  #: of the whole list, at least 1; None when the bank does not say, or says nonsense


@dataclass(frozen=True, slots=True, kw_only=True)
class BankConsentStatus:
    """What the bank says of one consent now. `expires_at` None: open-ended, or of a consent that the bank denies."""

    ended: bool
    expires_at: datetime | None
