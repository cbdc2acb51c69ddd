"""What each address answers, member by member."""

from datetime import UTC, datetime, timedelta

from banks.models import Account
from consents.models import Consent
from consents.scopes import LocationPrecision, Scope
from tests.gateway.api import world
from tests.gateway.api.conftest import LetIn
from tests.gateway.api.world import Api
from tests.support.cast import Member

EVERYTHING = (
    Scope.ACCOUNTS,
    Scope.ACCOUNT_NUMBERS,
    Scope.BALANCES,
    Scope.TRANSACTIONS,
    Scope.MERCHANTS,
    Scope.LOCATIONS,
    Scope.COUNTERPARTIES,
)


def test_institutions(api: Api) -> None:
    answer = api.get("/v1/institutions")

    assert answer.json() == {
        "institutions": [
            {
                "id": "northbank",
                "name": "Northbank",
                "country": "GB",
                "status": "ALIVE",
                "history_days_max": 730,
                "consent_days_max": 365,
                "is_sandbox": True,
            }
        ]
    }


def test_accounts(let_in: LetIn, account_id: str) -> None:
    answer = let_in(EVERYTHING).get("/v1/accounts")

    assert answer.json() == {
        "accounts": [
            {
                "account_id": account_id,
                "institution": {"id": "northbank", "name": "Northbank"},
                "name": "Current",
                "type": "CACC",
                "category": "DEPOSIT",
                "status": "OPEN",
                "currency": "GBP",
                "masked_number": "1234",
                "identifications": [{"scheme_name": "IBAN", "value": "GB33BUKB20201555555555"}],
                "as_of": "2026-01-02T03:04:05Z",
                "next_refresh_after": None,
            }
        ],
        "as_of": "2026-01-02T03:04:05Z",
        "next_refresh_after": None,
    }


def test_one_account_is_the_same_account(api: Api, account_id: str) -> None:
    listed = api.get("/v1/accounts").json()["accounts"]

    alone = api.get(f"/v1/accounts/{account_id}").json()

    assert alone == {"account": listed[0], "as_of": "2026-01-02T03:04:05Z", "next_refresh_after": None}


def test_balances(api: Api, account_id: str) -> None:
    answer = api.get(f"/v1/accounts/{account_id}/balances")

    assert answer.json() == {
        "account_id": account_id,
        "balances": [
            {
                "type": "ITAV",
                "amount": "-12.50",
                "currency": "GBP",
                "credit_debit_indicator": "DEBIT",
                "credit_lines": [{"included": True, "type": "Pre-Agreed", "amount": "500.00", "currency": "GBP"}],
                "as_of": "2026-01-02T03:04:05Z",
            }
        ],
        "as_of": "2026-01-02T03:04:05Z",
        "next_refresh_after": None,
    }


def test_transactions(let_in: LetIn, chat: Member, account: Account, account_id: str) -> None:
    (row,) = world.Transaction.objects.for_sync().filter(account_id=account.id)
    day = (datetime.now(UTC).date() - timedelta(days=1)).isoformat()

    answer = let_in(EVERYTHING, location_precision=LocationPrecision.STORE).get(
        f"/v1/accounts/{account_id}/transactions"
    )

    body = answer.json()
    assert body["transactions"] == [
        {
            "transaction_id": world.seen(chat, "txn", row.id),
            "account_id": account_id,
            "status": "BOOKED",
            "listed_on": day,
            "booked_on": day,
            "value_on": day,
            "transacted_at": "2026-01-02T03:04:05Z",
            "kind": "CARD_PAYMENT",
            "amount": "-4.20",
            "currency": "GBP",
            "credit_debit_indicator": "DEBIT",
            "merchant": {"name": "Boulangerie", "category": "food_and_drink", "mcc": "5462", "channel": "IN_STORE"},
            "location": {
                "country": "FR",
                "region": "Ile-de-France",
                "city": "Paris",
                "postal_code": "75001",
                "address": "1 rue du Four",
            },
            "currency_exchange": {"instructed_amount": "-5.00", "instructed_currency": "EUR", "exchange_rate": "0.84"},
            "counterparty_name": "Marie Dupont",
            "balance_after": {"amount": "100.00", "currency": "GBP", "credit_debit_indicator": "CREDIT"},
            "description": "CARD 1234 BOULANGERIE PARIS",
        }
    ]
    assert body["next_cursor"] is None
    assert body["as_of"] == "2026-01-02T03:04:05Z"
    assert body["coverage"]["gaps"] == []


def test_unknown_is_null_and_never_left_out(let_in: LetIn, account: Account, account_id: str) -> None:
    world.Transaction.objects.for_sync().filter(account_id=account.id).update(
        **dict.fromkeys(
            [
                "booked_on",
                "value_on",
                "transacted_at",
                "merchant_name",
                "category",
                "mcc",
                "channel",
                "place_country",
                "place_region",
                "place_city",
                "place_postal_code",
                "place_address",
                "instructed_amount_minor",
                "instructed_currency",
                "exchange_rate",
                "counterparty_name",
                "balance_after_minor",
                "description",
            ]
        )
    )

    answer = let_in(EVERYTHING, location_precision=LocationPrecision.STORE).get(
        f"/v1/accounts/{account_id}/transactions"
    )

    (row,) = answer.json()["transactions"]
    assert row["merchant"] == {"name": None, "category": None, "mcc": None, "channel": None}
    assert row["currency_exchange"] == {"instructed_amount": None, "instructed_currency": None, "exchange_rate": None}
    assert set(row["location"].values()) == {None}
    assert row["balance_after"] is None and row["counterparty_name"] is None and row["description"] is None
    assert row["booked_on"] is None and row["transacted_at"] is None


def test_before_the_first_fetch_as_of_and_coverage_are_null(api: Api, account: Account, account_id: str) -> None:
    Account.objects.for_sync().filter(id=account.id).update(
        balances_as_of=None, transactions_as_of=None, coverage_first_on=None, coverage_last_on=None
    )
    world.Transaction.objects.for_sync().filter(account_id=account.id).delete()

    body = api.get(f"/v1/accounts/{account_id}/transactions").json()

    assert body == {
        "transactions": [],
        "next_cursor": None,
        "as_of": None,
        "next_refresh_after": None,
        "coverage": {"first_on": None, "last_on": None, "gaps": []},
    }
    assert api.get(f"/v1/accounts/{account_id}/balances").json()["as_of"] is None


def test_currencies_keep_their_own_decimals(api: Api, account: Account, account_id: str) -> None:
    world.Transaction.objects.for_sync().filter(account_id=account.id).delete()
    for number, (amount_minor, currency) in enumerate(((-12, "JPY"), (-1, "KWD"), (0, "GBP"), (5, "GBP"))):
        row = world.transaction_row(account, number, amount_minor=amount_minor, currency=currency)
        row.save(force_insert=True)

    rows = api.get(f"/v1/accounts/{account_id}/transactions").json()["transactions"]

    told = {(row["amount"], row["currency"], row["credit_debit_indicator"]) for row in rows}
    assert told == {
        ("-12", "JPY", "DEBIT"),
        ("-0.001", "KWD", "DEBIT"),
        ("0.00", "GBP", "CREDIT"),
        ("0.05", "GBP", "CREDIT"),
    }


def test_consent_says_what_was_agreed_and_what_is_open(api: Api, chat: Member) -> None:
    assert api.tokens is not None
    row = Consent.objects.get(id=api.tokens.consent.id)

    body = api.get("/v1/consent").json()

    assert body["consent_id"] == world.seen(chat, "con", row.id)
    assert body["status"] == "AUTHORISED"
    assert body["scopes"] == ["accounts", "balances", "transactions"]
    assert body["purposes"] == ["account_overview"]
    assert body["expires_at"] == body["open_until"] == row.expires_at.isoformat().replace("+00:00", "Z")
    assert body["denial"] is None
    assert body["open"] == [
        {
            "institution": {"id": "northbank", "name": "Northbank"},
            "scopes": ["accounts", "balances", "transactions"],
            "history_from": str(row.history_from),
            "location_precision": None,
            "on_platform_only": False,
            "hidden_groups": [],
        }
    ]


def test_a_consent_for_worked_out_answers_alone_does_not_name_the_bank(let_in: LetIn) -> None:
    api = let_in([Scope.INSIGHTS], purposes=["spending_insights"])

    body = api.get("/v1/consent").json()

    assert [part["institution"] for part in body["open"]] == [None]
    assert "orthbank" not in api.get("/v1/accounts").content.decode()
