"""Customers of Harbour Card: one per scenario. Pure data; the home page shows the same table.

No user name of another bank is used again, because recipes are found by it.
"""

from datetime import date

from banks.sandbox.people import BankAccount, Scenario


def _card(
    holder: str, *, limit_minor: int, ending: str, code: str = "card", nickname: str = "Card", product: str = "Classic"
) -> BankAccount:
    return BankAccount(
        holder=holder,
        code=code,
        type_code="CARD",
        description=f"Harbour {product} Credit Card",
        nickname=nickname,
        opened_on=date(2021, 6, 14),
        credit_limit_minor=limit_minor,
        card_ending=ending,
    )


_PEOPLE = (
    Scenario(
        name="cardholder",
        full_name="Harriet Penrose",
        description="One credit card: 13 months of shopping, travel, refunds, and holds that change when they book.",
        accounts=(_card("cardholder", limit_minor=750_000, ending="7730"),),
    ),
    Scenario(
        name="twocards",
        full_name="Tomas Brennan",
        description="Two credit cards: one for every day, one for travel that charges no fee abroad.",
        accounts=(
            _card("twocards", code="everyday", limit_minor=600_000, ending="1046", nickname="Every day"),
            _card("twocards", code="travel", limit_minor=500_000, ending="5582", nickname="Travel", product="Voyager"),
        ),
    ),
    Scenario(
        name="overlimit",
        full_name="Olive Tranter",
        description="One credit card that has been over its limit for months: nothing is left to spend.",
        accounts=(_card("overlimit", limit_minor=100_000, ending="9917"),),
    ),
    Scenario(
        name="unused",
        full_name="Edith Marsh",
        description="One credit card that was never used: nothing owed, no transactions at all.",
        accounts=(_card("unused", limit_minor=150_000, ending="3305"),),
    ),
)

SCENARIOS: dict[str, Scenario] = {person.name: person for person in _PEOPLE}
