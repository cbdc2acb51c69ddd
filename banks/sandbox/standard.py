"""What the versions of UK Open Banking Read/Write spell in their own way: one row of STANDARDS each. Pure.

Inside, the bank has one word for everything: the code of 4.0, which is ISO 20022's wherever that has one. A table here
says how a version writes it. A code in no table of a version is not told by a bank that speaks that version.
"""

from collections.abc import Mapping
from dataclasses import dataclass


def _same(*codes: str) -> dict[str, str]:
    return {code: code for code in codes}


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """How access under a consent that does not stand is refused: HTTP status, reason codes with a message each."""

    status: int
    reasons: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Standard:
    """One version. Every table leads from the bank's own word to the version's."""

    version: str
    resource_path: str
    entry_statuses: Mapping[str, str]
    balance_types: Mapping[str, str]
    account_types: Mapping[str, str]
    account_category_member: str
    account_type_member: str
    transaction_codes: Mapping[str, str]  #: families and sub-families of BankTransactionCode
    consent_statuses: Mapping[str, str]
    consent_reasons: bool  #: whether a consent says why it is in its status (StatusReason)
    authorised_again: frozenset[str]  #: consent statuses from which the same consent can be authorised once more
    refusals: Mapping[str, Refusal]  #: by consent status
    reasons: Mapping[str, str]  #: codes of an error answer
    servicer_name: bool  #: whether an account's Servicer has a Name


_NOT_AUTHORISED = Refusal(status=403, reasons=(("U009", "The consent is not authorised."),))

V4_0 = Standard(
    version="4.0",
    resource_path="/open-banking/v4.0/aisp",
    entry_statuses=_same("BOOK", "PDNG"),
    balance_types=_same("ITBD", "ITAV"),
    account_types=_same("CACC", "SVGS", "CARD"),
    account_category_member="AccountCategory",
    account_type_member="AccountTypeCode",
    transaction_codes=_same(
        *("CCRD", "ICDT", "IRCT", "MCOP", "MDOP", "RCDT", "RDDT", "RRCT"),
        *("BOOK", "CWDL", "DMCT", "FEES", "INTR", "PMDD", "POSC", "POSD", "RIMB", "SALA", "STDO"),
    ),
    consent_statuses=_same("AWAU", "AUTH", "RJCT", "CANC", "EXPD"),
    consent_reasons=True,
    # The same consent is authenticated again under its own id (profile, Consent Re-authentication).
    authorised_again=frozenset(("AUTH", "CANC")),
    # Read/Write profile, 401: an ended consent is a 401 with reasons; U028 only where the customer can mend it.
    refusals={
        "AWAU": _NOT_AUTHORISED,
        "RJCT": _NOT_AUTHORISED,
        "EXPD": Refusal(status=401, reasons=(("TKXP", "The consent has expired."),)),
        "CANC": Refusal(
            status=401,
            reasons=(
                ("TKSP", "Access was cancelled at the bank."),
                ("U028", "The customer has to authenticate at the bank again."),
            ),
        ),
    },
    reasons=_same("U000", "U002", "U003", "U004", "U006", "U008", "U009", "U010", "U011", "U028", "TKXP", "TKSP"),
    servicer_name=True,
)

V3_1_11 = Standard(
    version="3.1.11",
    resource_path="/open-banking/v3.1/aisp",
    entry_statuses={"BOOK": "Booked", "PDNG": "Pending"},
    balance_types={"ITBD": "InterimBooked", "ITAV": "InterimAvailable"},
    account_types={"CACC": "CurrentAccount", "SVGS": "Savings", "CARD": "CreditCard"},
    account_category_member="AccountType",
    account_type_member="AccountSubType",
    # ISO 20022's names of the codes, written in one word as the standard's own examples write them.
    transaction_codes={
        "CCRD": "CustomerCardTransactions",
        "ICDT": "IssuedCreditTransfers",
        "IRCT": "IssuedRealTimeCreditTransfers",
        "MCOP": "MiscellaneousCreditOperations",
        "MDOP": "MiscellaneousDebitOperations",
        "RCDT": "ReceivedCreditTransfers",
        "RDDT": "ReceivedDirectDebits",
        "RRCT": "ReceivedRealTimeCreditTransfers",
        "BOOK": "InternalBookTransfer",
        "CWDL": "CashWithdrawal",
        "DMCT": "DomesticCreditTransfer",
        "FEES": "Fees",
        "INTR": "Interests",
        "PMDD": "DirectDebit",
        "POSC": "CreditCardPayment",
        "POSD": "PointOfSalePaymentDebitCard",
        "RIMB": "Reimbursements",
        "SALA": "PayrollSalaryPayment",
        "STDO": "StandingOrder",
    },
    # No word for an expired consent: it stays what it was, and its ExpirationDateTime tells.
    consent_statuses={
        "AWAU": "AwaitingAuthorisation",
        "AUTH": "Authorised",
        "RJCT": "Rejected",
        "CANC": "Revoked",
    },
    consent_reasons=False,
    authorised_again=frozenset(("AUTH",)),
    refusals={
        "AWAU": _NOT_AUTHORISED,
        "RJCT": _NOT_AUTHORISED,
        # Read/Write profile, 401: expired "without any error response".
        "EXPD": Refusal(status=401, reasons=()),
        "CANC": Refusal(status=403, reasons=(("U009", "The customer revoked the consent at the bank."),)),
    },
    reasons={
        "U000": "UK.OBIE.UnexpectedError",
        "U002": "UK.OBIE.Field.Invalid",
        "U003": "UK.OBIE.Field.InvalidDate",
        "U004": "UK.OBIE.Field.Missing",
        "U006": "UK.OBIE.Header.Invalid",
        "U008": "UK.OBIE.Resource.ConsentMismatch",
        "U009": "UK.OBIE.Resource.InvalidConsentStatus",
        "U010": "UK.OBIE.Resource.InvalidFormat",
        "U011": "UK.OBIE.Resource.NotFound",
        "U028": "UK.OBIE.Reauthenticate",
        "TKXP": "UK.OBIE.Resource.InvalidConsentStatus",
        "TKSP": "UK.OBIE.Resource.InvalidConsentStatus",
    },
    servicer_name=False,
)

STANDARDS = {standard.version: standard for standard in (V3_1_11, V4_0)}
