"""Customers of First Sandbox Bank: one per scenario. Pure data; the home page shows the same table."""

import hashlib
from dataclasses import dataclass, replace
from datetime import date
from enum import StrEnum

from banks.sandbox.troubles import TROUBLES, Trouble

#: The password of every scenario user, documented on the home page: there is nothing here to protect.
PASSWORD = "sandbox"  # noqa: S105


class Behaviour(StrEnum):
    """How the bank's resource answers go wrong for a scenario, if they do."""

    SOUND = "sound"
    DOWN = "down"
    GARBAGE = "garbage"


@dataclass(frozen=True, slots=True, kw_only=True)
class BankAccount:
    """One account. `code` is the bank's internal word for it; amounts in minor units of `currency`."""

    holder: str  #: name of the scenario that owns it
    code: str
    type_code: str  #: ISO 20022 ExternalCashAccountType1Code
    description: str
    nickname: str
    currency: str = "GBP"
    opened_on: date = date(2019, 4, 8)
    overdraft_minor: int = 0
    history_days: int | None = None  #: how far back the bank shows it; None: as far as it shows any
    number_of: str = ""  #: whose number it has, as "holder|code"; empty: its own
    names: str = ""  #: who holds it, where that is not the full name of `holder`
    credit_limit_minor: int = 0
    card_ending: str = "4821"  #: last four digits of the card that pays from it

    @property
    def account_id(self) -> str:
        """AccountId: opaque to the client, the same for ever."""
        return hashlib.sha256(f"account|{self.holder}|{self.code}".encode()).hexdigest()[:20]

    @property
    def sort_code(self) -> str:
        return "009910"

    @property
    def number(self) -> str:
        """Eight digits, as UK account numbers are."""
        owner = self.number_of or f"{self.holder}|{self.code}"
        digest = hashlib.sha256(f"number|{owner}".encode()).digest()
        return f"{int.from_bytes(digest[:6], 'big') % 90_000_000 + 10_000_000}"

    @property
    def iban(self) -> str:
        """IBAN with valid check digits (ISO 13616, mod 97-10)."""
        bban = f"FSBK{self.sort_code}{self.number}"
        digits = "".join(str(int(character, 36)) for character in f"{bban}GB00")
        return f"GB{98 - int(digits) % 97:02d}{bban}"

    @property
    def is_card(self) -> bool:
        return self.type_code == "CARD"

    @property
    def credit_line_minor(self) -> int:
        """How far the account may go below zero."""
        return self.credit_limit_minor if self.is_card else self.overdraft_minor

    @property
    def identifications(self) -> dict[str, str]:
        """OBExternalAccountIdentification4Code -> number. A card's is masked whatever was granted (PCI DSS 3.4)."""
        if self.is_card:
            return {"UK.OBIE.PAN": f"************{self.card_ending}"}
        return {"UK.OBIE.SortCodeAccountNumber": self.sort_code + self.number, "UK.OBIE.IBAN": self.iban}

    @property
    def ending(self) -> str:
        """The last four digits that its holder knows it by."""
        return self.card_ending if self.is_card else self.number[-4:]


@dataclass(frozen=True, slots=True, kw_only=True)
class Scenario:
    """One customer. `name` is the user name at the login page; `full_name` a made-up person.

    `advice`: what a client should do about it, where that is not obvious.
    """

    name: str
    full_name: str
    description: str
    accounts: tuple[BankAccount, ...]
    behaviour: Behaviour = Behaviour.SOUND
    advice: str = ""

    def account(self, account_id: str) -> BankAccount | None:
        return next((account for account in self.accounts if account.account_id == account_id), None)


def _current(holder: str, *, overdraft_minor: int = 50_000, nickname: str = "Everyday") -> BankAccount:
    return BankAccount(
        holder=holder,
        code="current",
        type_code="CACC",
        description="First Current Account",
        nickname=nickname,
        overdraft_minor=overdraft_minor,
    )


def _savings(holder: str) -> BankAccount:
    return BankAccount(
        holder=holder, code="savings", type_code="SVGS", description="First Instant Saver", nickname="Rainy days"
    )


def _euro(holder: str) -> BankAccount:
    return BankAccount(
        holder=holder,
        code="euro",
        type_code="CACC",
        description="First Euro Account",
        nickname="Euros",
        currency="EUR",
        opened_on=date(2022, 9, 1),
    )


_PEOPLE = (
    Scenario(
        name="happy",
        full_name="Harriet Penrose",
        description="A current and a savings account; about 13 months of ordinary life in London.",
        accounts=(_current("happy"), _savings("happy")),
    ),
    Scenario(
        name="happy2",
        full_name="Tomas Brennan",
        description="Somebody else: a job in Leeds, and a euro account for the freelance work.",
        accounts=(_current("happy2", nickname="Main"), _euro("happy2")),
    ),
    Scenario(
        name="overdrawn",
        full_name="Gareth Price",
        description="One current account that has been in its overdraft for months: negative balances.",
        advice="Show what is below zero as below zero.",
        accounts=(_current("overdrawn", overdraft_minor=75_000),),
    ),
    Scenario(
        name="empty",
        full_name="Edith Marsh",
        description="One account with a zero balance and no transactions at all.",
        advice="Show an account without rows, and no error.",
        accounts=(_current("empty", overdraft_minor=0),),
    ),
    Scenario(
        name="many",
        full_name="Malcolm Reyes",
        description="One account with exactly 10 000 transactions in the last 400 days: paging.",
        advice="Read every page, and each row once.",
        accounts=(_current("many", overdraft_minor=0, nickname="Shop till"),),
    ),
    Scenario(
        name="down",
        full_name="Dora Whitfield",
        description="Login and consent work; every account, balance and transaction answer is 503.",
        advice="Try again after the 120 seconds that Retry-After names; do not ask the user to connect again.",
        accounts=(_current("down"), _savings("down")),
        behaviour=Behaviour.DOWN,
    ),
    Scenario(
        name="garbage",
        full_name="Gus Hallam",
        description=(
            "Broken answers: balances that include the savings account are cut off in mid-JSON; "
            "one transaction of the current account has an amount with five decimals."
        ),
        advice="Refuse the broken balances; hold back the one row with its reason, and keep the others.",
        accounts=(_current("garbage"), _savings("garbage")),
        behaviour=Behaviour.GARBAGE,
    ),
)


def _joint(holder: str) -> BankAccount:
    return BankAccount(
        holder=holder,
        code="joint",
        type_code="CACC",
        description="First Joint Account",
        nickname="Household",
        number_of="joint|joint",
        names="Joan Ashdown & Jack Ashdown",
    )


#: Accounts of those who do not simply have a current account.
_ACCOUNTS: dict[str, tuple[BankAccount, ...]] = {
    "joint": (_current("joint"), _joint("joint")),
    "joint2": (_current("joint2"), _joint("joint2")),
    "one_account_refused": (_current("one_account_refused"), _savings("one_account_refused")),
    "closed_account": (_current("closed_account"), _savings("closed_account")),
    "short_history": (replace(_current("short_history"), history_days=30),),
    "short_history_silent": (replace(_current("short_history_silent"), history_days=30),),
}


def _troubled(trouble: Trouble) -> Scenario:
    return Scenario(
        name=trouble.name,
        full_name=trouble.full_name,
        description=trouble.happens,
        advice=trouble.advice,
        accounts=_ACCOUNTS.get(trouble.name) or (_current(trouble.name),),
    )


#: Who stands behind the login of `another_person` later. Has no login of its own.
OTHER_PERSON = Scenario(
    name="another_person",
    full_name="Wilma Castle",
    description="Somebody else.",
    accounts=(
        BankAccount(
            holder="another_person",
            code="other",
            type_code="CACC",
            description="First Current Account",
            nickname="Wilma's",
            names="Wilma Castle",
        ),
    ),
)

SCENARIOS: dict[str, Scenario] = {
    person.name: person for person in (*_PEOPLE, *(_troubled(trouble) for trouble in TROUBLES))
}
