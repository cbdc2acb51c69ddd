"""How instants and sums look in an answer. Pure."""

from datetime import datetime


def instant(moment: datetime) -> str:
    """ISO 8601 to the second, with its offset: every date-time in an answer must carry one."""
    return moment.isoformat(timespec="seconds")


def money(minor: int, currency: str) -> dict[str, str]:
    """Amount and Currency of a sum in minor units; the sign lives in CreditDebitIndicator. Two-decimal currencies."""
    return {"Amount": f"{abs(minor) // 100}.{abs(minor) % 100:02d}", "Currency": currency}


def direction(minor: int) -> str:
    """CreditDebitIndicator; zero is a credit balance (OBCreditDebitCode_2)."""
    return "Debit" if minor < 0 else "Credit"
