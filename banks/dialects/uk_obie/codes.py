"""Code lists of UK Open Banking Read/Write and what they are in our words. Tables only.

Codes in no table are OTHER or None; the raw row keeps them. One `Version` per published version holds all it spells its
own way: 4.0 took over the codes of ISO 20022 where 3.1.11 has words (Booked, Authorised, InterimBooked). What stands
outside a `Version` is the same in both.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass

from banks.types import (
    ISO_ACCOUNT_TYPES,
    AccountCategory,
    AccountStatus,
    Channel,
    Resource,
    TransactionKind,
    TransactionStatus,
)

#: Permissions (Account and Transaction API Profile, "Permissions") for each of our resources: nothing more is asked.
PERMISSIONS: dict[Resource, tuple[str, ...]] = {
    Resource.ACCOUNTS: ("ReadAccountsBasic",),
    # Basic has no number at all, not even its end; the store keeps the end and drops the rest.
    Resource.MASKED_NUMBERS: ("ReadAccountsDetail",),
    Resource.ACCOUNT_NUMBERS: ("ReadAccountsDetail",),
    Resource.BALANCES: ("ReadBalances",),
    Resource.TRANSACTIONS: ("ReadTransactionsDetail", "ReadTransactionsCredits", "ReadTransactionsDebits"),
}


#: Ours: ISO ExternalBalanceType1Code, of which 4.0 takes these (OBBalanceType1Code).
_ISO_BALANCE_TYPES = ("CLAV", "CLBD", "FWAV", "INFO", "ITAV", "ITBD", "OPAV", "OPBD", "PRCD", "XPCD")

@dataclass(frozen=True, slots=True, kw_only=True)
class Version:
    """What one version of the standard spells its own way; every table leads to our words."""

    entry_status: Mapping[str, TransactionStatus]
    not_entries: frozenset[str]  #: statuses of rows that move no money, or not yet: they are no transactions of ours
    consent_authorised: frozenset[str]
    consent_ended: frozenset[str]
    balance_types: Mapping[str, str]  #: to ISO codes
    account_type_member: str
    account_types: Mapping[str, str]  #: to ISO codes
    reason_not_found: str  #: ErrorCode (OBError1)
    reason_reauthenticate: str


VERSIONS: dict[str, Version] = {
    "3.1.11": Version(
        entry_status={"Booked": TransactionStatus.BOOKED, "Pending": TransactionStatus.PENDING},
        not_entries=frozenset(("Rejected",)),
        consent_authorised=frozenset(("Authorised",)),
        # There is no status for a consent that ran out: its ExpirationDateTime alone says so.
        consent_ended=frozenset(("Rejected", "Revoked")),
        # ISO has nothing for ClosingCleared, InterimCleared and OpeningCleared.
        balance_types={
            "ClosingAvailable": "CLAV",
            "ClosingBooked": "CLBD",
            "Expected": "XPCD",
            "ForwardAvailable": "FWAV",
            "Information": "INFO",
            "InterimAvailable": "ITAV",
            "InterimBooked": "ITBD",
            "OpeningAvailable": "OPAV",
            "OpeningBooked": "OPBD",
            "PreviouslyClosedBooked": "PRCD",
        },
        account_type_member="AccountSubType",
        # EMoney and PrePaidCard hold deposits and have no code. CHAR is where charges are booked, not a charge card.
        account_types={
            "ChargeCard": "CARD",
            "CreditCard": "CARD",
            "CurrentAccount": "CACC",
            "Loan": "LOAN",
            "Mortgage": "MORT",
            "Savings": "SVGS",
            "Wallet": "WALT",
        },
        reason_not_found="UK.OBIE.Resource.NotFound",
        reason_reauthenticate="UK.OBIE.Reauthenticate",
    ),
    "4.0": Version(
        entry_status={"BOOK": TransactionStatus.BOOKED, "PDNG": TransactionStatus.PENDING},
        # INFO is told for information only, FUTR has yet to happen and comes again as PDNG or BOOK, RJCT never will:
        # a row that was pending and is now RJCT is thereby gone, and reconciled as such.
        not_entries=frozenset(("INFO", "FUTR", "RJCT")),
        consent_authorised=frozenset(("AUTH",)),
        consent_ended=frozenset(("CANC", "EXPD", "RJCT")),
        balance_types={code: code for code in _ISO_BALANCE_TYPES},
        account_type_member="AccountTypeCode",
        account_types={code: code for code in ISO_ACCOUNT_TYPES},
        reason_not_found="U011",  # ExternalStatusReason1Code
        reason_reauthenticate="U028",
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
#: Names of the codes above (ISO 20022 External Code Sets), which banks send in the codes' place, written as they like:
#: even the standard's own examples have ReceivedCreditTransfer for RCDT. Keys are as `_folded` makes them.
_TRANSACTION_CODE_BY_NAME: dict[str, str] = {
    "cashdeposit": "CDPT",
    "cashwithdrawal": "CWDL",
    "charge": "CHRG",
    "commission": "COMM",
    "creditcardpayment": "POSC",
    "crossbordercashwithdrawal": "XBCW",
    "crossbordercreditcardpayment": "XBCP",
    "customercardtransaction": "CCRD",
    "directdebit": "PMDD",
    "fee": "FEES",
    "interest": "INTR",
    "issuedcredittransfer": "ICDT",
    "issueddirectdebit": "IDDT",
    "issuedrealtimecredittransfer": "IRCT",
    "oneoffdirectdebit": "OODD",
    "payrollsalarypayment": "SALA",
    "pointofsaledebitcard": "POSD",
    "pointofsalepaymentdebitcard": "POSD",
    "pointofsalepospaymentdebitcard": "POSD",
    "receivedcredittransfer": "RCDT",
    "receiveddirectdebit": "RDDT",
    "receivedrealtimecredittransfer": "RRCT",
    "reimbursement": "RIMB",
    "sepab2bdirectdebit": "BBDD",
    "sepacoredirectdebit": "ESDD",
    "smartcardpayment": "SMRT",
    "standingorder": "STDO",
}


def transaction_code(text: str) -> str:
    """The four-letter code of a family or sub-family told by code or by name; any other text as it stands."""
    return _TRANSACTION_CODE_BY_NAME.get(_folded(text), text)


def _folded(name: str) -> str:
    """One spelling of ReceivedCreditTransfer, Received Credit Transfers and received-credit-transfer."""
    return re.sub(r"[^a-z0-9]", "", name.lower()).removesuffix("s")


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

#: Of a balance (OBCreditLine1); one of a bank's own is not known.
CREDIT_LINE_TYPES = frozenset(("Available", "Credit", "Emergency", "Pre-Agreed", "Temporary"))

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
