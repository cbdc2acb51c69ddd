"""How instants and sums look in an answer. Pure."""

from datetime import datetime

#: Currencies of these banks that have not two decimals (ISO 4217).
_DECIMALS = {"JPY": 0, "KWD": 3}


def instant(moment: datetime) -> str:
    """ISO 8601 to the second, with its offset: every date-time in an answer must carry one."""
    return moment.isoformat(timespec="seconds")


def decimals(currency: str) -> int:
    """Digits behind the point of one unit of this currency."""
    return _DECIMALS.get(currency, 2)


def decimal(minor: int, currency: str) -> str:
    """Minor units of `currency` as a decimal without its sign; a whole number where the currency has no decimals."""
    places = decimals(currency)
    whole, rest = divmod(abs(minor), 10**places)
    return f"{whole}.{rest:0{places}d}" if places else str(whole)


def money(minor: int, currency: str) -> dict[str, str]:
    """Amount and Currency of a sum in minor units; the sign lives in CreditDebitIndicator."""
    return {"Amount": decimal(minor, currency), "Currency": currency}


def direction(minor: int) -> str:
    """CreditDebitIndicator; zero is a credit balance (OBCreditDebitCode_2)."""
    return "Debit" if minor < 0 else "Credit"
