"""What the `garbage` customer's answers look like: two ways in which real banks break their own documents."""

from typing import Any

from django.http import HttpResponse

from banks.sandbox.customers import SCENARIOS
from banks.sandbox.people import BankAccount, Behaviour


def balances(answer: HttpResponse, accounts: tuple[BankAccount, ...]) -> HttpResponse:
    """Cut the answer off in the middle when it covers a garbage customer's savings account."""
    if any(_broken(account, "savings") for account in accounts):
        answer.content = answer.content[: len(answer.content) // 2]
    return answer


def transactions(rows: list[dict[str, Any]], accounts: tuple[BankAccount, ...]) -> None:
    """Give the third row of the current account five decimals; allowed by the document, impossible in pounds."""
    for account in accounts:
        if _broken(account, "current"):
            own = [row for row in rows if row["AccountId"] == account.account_id]
            for row in own[2:3]:
                row["Amount"] = {**row["Amount"], "Amount": f"{row['Amount']['Amount']}345"}


def _broken(account: BankAccount, code: str) -> bool:
    return SCENARIOS[account.holder].behaviour is Behaviour.GARBAGE and account.code == code
