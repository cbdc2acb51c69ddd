"""Code lists of UK Open Banking Read/Write and what they are in our words. Tables only.

Codes in no table are OTHER or None; the raw row keeps them. One `Version` per published version: 3.1.11 spells the same
things in other words (Booked, Authorised, InterimBooked) and becomes a second row of VERSIONS.
"""

from dataclasses import dataclass

from banks.types import AccountCategory, AccountStatus, Channel, Resource, TransactionKind, TransactionStatus

#: Permissions (Account and Transaction API Profile, "Permissions") for each of our resources: nothing more is asked.
PERMISSIONS: dict[Resource, tuple[str, ...]] = {
    Resource.ACCOUNTS: ("ReadAccountsBasic",),
    # Basic has no number at all, not even its end; the store keeps the end and drops the rest.
    Resource.MASKED_NUMBERS: ("ReadAccountsDetail",),
    Resource.ACCOUNT_NUMBERS: ("ReadAccountsDetail",),
    Resource.BALANCES: ("ReadBalances",),
    Resource.TRANSACTIONS: ("ReadTransactionsDetail", "ReadTransactionsCredits", "ReadTransactionsDebits"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Version:
    """What one version of the standard spells its own way."""

    entry_status: dict[str, TransactionStatus]
    not_entries: frozenset[str]  #: statuses of rows that move no money, or not yet: they are no transactions of ours
    consent_authorised: frozenset[str]
    consent_ended: frozenset[str]


VERSIONS: dict[str, Version] = {
    "4.0": Version(
        entry_status={"BOOK": TransactionStatus.BOOKED, "PDNG": TransactionStatus.PENDING},
        # INFO is told for information only, FUTR has yet to happen and comes again as PDNG or BOOK, RJCT never will:
        # a row that was pending and is now RJCT is thereby gone, and reconciled as such.
        not_entries=frozenset(("INFO", "FUTR", "RJCT")),
        consent_authorised=frozenset(("AUTH",)),
        consent_ended=frozenset(("CANC", "EXPD", "RJCT")),
    ),
}

#: ExternalBankTransactionSubFamily1Code: looked at first, because it says more.
KIND_BY_SUB_FAMILY: dict[str, TransactionKind] = {
    "BBDD": TransactionKind.DIRECT_DEBIT,
    "CDPT": TransactionKind.CASH,
    "CHRG": TransactionKind.FEE,
    "COMM": TransactionKind.FEE,
    "CWDL": TransactionKind.CASH,
    "ESDD": TransactionKind.DIRECT_DEBIT,
    "FEES": TransactionKind.FEE,
    "INTR": TransactionKind.INTEREST,
    "OODD": TransactionKind.DIRECT_DEBIT,
    "PMDD": TransactionKind.DIRECT_DEBIT,
    "POSC": TransactionKind.CARD_PAYMENT,
    "POSD": TransactionKind.CARD_PAYMENT,
    "RIMB": TransactionKind.REFUND,
    "SALA": TransactionKind.SALARY,
    "SMRT": TransactionKind.CARD_PAYMENT,
    "STDO": TransactionKind.STANDING_ORDER,
    "XBCP": TransactionKind.CARD_PAYMENT,
    "XBCW": TransactionKind.CASH,
}
#: ExternalBankTransactionFamily1Code.
KIND_BY_FAMILY: dict[str, TransactionKind] = {
    "CCRD": TransactionKind.CARD_PAYMENT,
    "ICDT": TransactionKind.TRANSFER,
    "IDDT": TransactionKind.DIRECT_DEBIT,
    "IRCT": TransactionKind.TRANSFER,
    "RCDT": TransactionKind.TRANSFER,
    "RDDT": TransactionKind.DIRECT_DEBIT,
    "RRCT": TransactionKind.TRANSFER,
}
CARD_KINDS = frozenset((TransactionKind.CARD_PAYMENT, TransactionKind.REFUND, TransactionKind.CASH))
TRANSFER_KINDS = frozenset(
    (
        TransactionKind.DIRECT_DEBIT,
        TransactionKind.SALARY,
        TransactionKind.STANDING_ORDER,
        TransactionKind.TRANSFER,
    )
)
#: ISO 18245: manual and automated cash disbursement.
CASH_MCC = frozenset(("6010", "6011"))

#: OBInternalCardAuthorisationType1Code. ConsumerDevice may be a till or a web shop, None anything without a PIN.
CHANNEL_BY_AUTHORISATION: dict[str, Channel] = {"Contactless": Channel.IN_STORE, "PIN": Channel.IN_STORE}

#: OBInternalTransactionMutability1Code.
IMMUTABLE: dict[str, bool] = {"Immutable": True, "Mutable": False}

#: OBBalanceType1Code (ISO ExternalBalanceType1Code).
BALANCE_TYPES = frozenset(("CLAV", "CLBD", "FWAV", "INFO", "ITAV", "ITBD", "OPAV", "OPBD", "PRCD", "XPCD"))

#: OBExternalAccountSubType1Code (ISO ExternalCashAccountType1Code).
ACCOUNT_TYPES = frozenset(
    (
        "CACC",
        "CARD",
        "CASH",
        "CHAR",
        "CISH",
        "COMM",
        "CPAC",
        "LLSV",
        "LOAN",
        "MGLD",
        "MOMA",
        "MORT",
        "NFCA",
        "NREX",
        "ODFT",
        "ONDP",
        "SACC",
        "SLRY",
        "SVGS",
        "TAXE",
        "TRAN",
        "TRAS",
        "VACC",
        "WALT",
    )
)
#: What is neither a card nor a loan holds deposits.
CATEGORY_BY_TYPE: dict[str, AccountCategory] = {
    "CARD": AccountCategory.CREDIT_CARD,
    "LOAN": AccountCategory.LOAN,
    "MORT": AccountCategory.LOAN,
}

#: OBInternalAccountStatus1Code. A bank that sends none, or one of its own, lists the account all the same: open.
ACCOUNT_STATUS: dict[str, AccountStatus] = {
    "Deleted": AccountStatus.CLOSED,
    "Disabled": AccountStatus.RESTRICTED,
    "Enabled": AccountStatus.OPEN,
    "Pending": AccountStatus.PENDING_OPEN,
    "ProForma": AccountStatus.PENDING_OPEN,
}

#: OBInternalAccountIdentification4Code. Paym and Wallet are telephone numbers and handles: not taken.
SCHEMES: dict[str, str] = {
    "UK.OBIE.BBAN": "BBAN",
    "UK.OBIE.IBAN": "IBAN",
    "UK.OBIE.PAN": "MaskedPAN",
    "UK.OBIE.SortCodeAccountNumber": "SortCodeAccountNumber",
}
#: Which number the last four digits shown are taken from, the most familiar first.
MASKED_FROM = ("SortCodeAccountNumber", "MaskedPAN", "IBAN", "BBAN")

#: OBExternalStatusReason1Code (Read/Write profile v4.0, "Error codes").
REASON_NOT_FOUND = "U011"
REASON_REAUTHENTICATE = "U028"
