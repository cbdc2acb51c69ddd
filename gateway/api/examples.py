"""One realistic answer of each operation, for the OpenAPI document; a test holds every one against its schema."""

from typing import Any

from drf_spectacular.utils import OpenApiExample

_CONSENT = "con_7d1f0c9a4be25836ffa1c0de93b74582"
_OTHER_CONSENT = "con_19c4e7a0b3f54d8f8a2b6c1d0e9f7a35"
_ACCOUNT = "acc_3f9a12c07be84d56a1e0b9c8d7f6e5a4"
_CARD = "acc_b07c55e1d2f34a9890ab1c2d3e4f5a6b"
_TRANSACTION = "txn_c5d81f2e09a74b36bb0f4e1a7c8d9e20"
_PENDING = "txn_0a4f7b93e6d141c28f5c3e2d1b0a9876"
_REFRESH = "rfr_e1b2c3d4a5f647809ab1c2d3e4f5a6b7"
_NEXT = "AyNTq8HWVpjCFnZpR1pUz7w7wWZ0Mv7m"
_AS_OF = "2026-03-04T06:12:09Z"

_BANK = {"id": "first", "name": "First Sandbox Bank"}
_FRESH: dict[str, Any] = {"as_of": _AS_OF, "next_refresh_after": None}
_LIMITS: dict[str, Any] = {
    "history_from": "2025-12-04",
    "location_precision": "city",
    "on_platform_only": False,
    "hidden_groups": ["HEALTH"],
}

_ACCOUNT_BODY: dict[str, Any] = {
    "account_id": _ACCOUNT,
    "institution": _BANK,
    "name": "Everyday account",
    "type": "CACC",
    "category": "DEPOSIT",
    "status": "OPEN",
    "currency": "GBP",
    "masked_number": "6819",
    **_FRESH,
}

_BOOKED: dict[str, Any] = {
    "transaction_id": _TRANSACTION,
    "account_id": _ACCOUNT,
    "status": "BOOKED",
    "listed_on": "2026-03-02",
    "booked_on": "2026-03-02",
    "value_on": "2026-03-02",
    "transacted_at": "2026-03-01T18:44:02Z",
    "kind": "CARD_PAYMENT",
    "amount": "-23.40",
    "currency": "GBP",
    "credit_debit_indicator": "DEBIT",
    "merchant": {"name": "Corner Grocer", "category": "groceries", "mcc": "5411", "channel": "IN_STORE"},
    "location": {"country": "GB", "region": None, "city": "Leeds"},
}
_WAITING: dict[str, Any] = {
    **_BOOKED,
    "transaction_id": _PENDING,
    "status": "PENDING",
    "listed_on": "2026-03-04",
    "booked_on": None,
    "value_on": None,
    "transacted_at": None,
    "amount": "-4.10",
    "merchant": {"name": None, "category": None, "mcc": None, "channel": None},
    "location": {"country": None, "region": None, "city": None},
}
_COVERAGE: dict[str, Any] = {
    "first_on": "2025-12-04",
    "last_on": "2026-03-04",
    "gaps": [{"first_on": "2026-01-10", "last_on": "2026-01-12"}],
}

_REFRESH_BODY: dict[str, Any] = {
    "refresh_id": _REFRESH,
    "status": "RUNNING",
    "parts": [
        {
            "institution": _BANK,
            "account_ids": [_ACCOUNT],
            "status": "RUNNING",
            "code": None,
            "retry_after": None,
        },
        {
            "institution": {"id": "card", "name": "Harbour Card"},
            "account_ids": [_CARD],
            "status": "REFUSED",
            "code": "fetch_quota_spent",
            "retry_after": 12840,
        },
    ],
    "created_at": "2026-03-04T08:30:11Z",
    "next_refresh_after": "2026-03-04T12:04:11Z",
}
_REFRESHED: dict[str, Any] = {
    **_REFRESH_BODY,
    "status": "PARTIAL",
    "parts": [{**_REFRESH_BODY["parts"][0], "status": "DONE"}, _REFRESH_BODY["parts"][1]],
}

_MANAGED: dict[str, Any] = {
    "consent_id": _CONSENT,
    "status": "AUTHORISED",
    "status_reason": "granted",
    "status_initiator": "USER",
    "status_changed_at": "2026-03-04T08:12:45Z",
    "scopes": ["accounts", "balances", "locations", "transactions"],
    "purposes": ["budgeting"],
    **_LIMITS,
    "duration_type": "TIME_BOUND",
    "created_at": "2026-03-04T08:10:02Z",
    "authorised_at": "2026-03-04T08:12:45Z",
    "expires_at": "2026-06-02T08:12:45Z",
    "ended_at": None,
}
_ENDED: dict[str, Any] = {
    **_MANAGED,
    "consent_id": _OTHER_CONSENT,
    "status": "REVOKED",
    "status_reason": "user_revoked",
    "status_changed_at": "2026-03-03T19:20:31Z",
    "ended_at": "2026-03-03T19:20:31Z",
}

_EVENTS: list[dict[str, Any]] = [
    {
        "event_id": "evt_51f0d7c2a98b4e03b6a7c8d9e0f1a2b3",
        "type": "consent.revoked",
        "occurred_at": "2026-03-03T19:20:31Z",
        "consent_id": _OTHER_CONSENT,
        "details": {"reason": "user_revoked", "initiator": "USER"},
    },
    {
        "event_id": "evt_62a1e8d3b09c4f14c7b8d9e0f1a2b3c4",
        "type": "consent.suspended",
        "occurred_at": "2026-03-03T21:00:00Z",
        "consent_id": _CONSENT,
        "details": {"reason": "suspected_fraud", "initiator": "BANK", "institution": _BANK},
    },
    {
        "event_id": "evt_73b2f9e4c1ad4025d8c9e0f1a2b3c4d5",
        "type": "transactions.updated",
        "occurred_at": "2026-03-04T06:12:09Z",
        "consent_id": _CONSENT,
        "details": {"account_ids": [_ACCOUNT]},
    },
    {
        "event_id": "evt_84c30af5d2be4136e9daf1a2b3c4d5e6",
        "type": "connection.needs_renewal",
        "occurred_at": "2026-03-04T07:00:00Z",
        "consent_id": _CONSENT,
        "details": {"code": "connection_expiring", "days": 7, "account_ids": [_ACCOUNT]},
    },
]

_ANSWERS: dict[str, dict[int, Any]] = {
    "listInstitutions": {
        200: {
            "institutions": [
                {
                    **_BANK,
                    "country": "GB",
                    "status": "ALIVE",
                    "history_days_max": 730,
                    "consent_days_max": 90,
                    "is_sandbox": True,
                }
            ]
        }
    },
    "listAccounts": {200: {"accounts": [_ACCOUNT_BODY], **_FRESH}},
    "getAccount": {200: {"account": _ACCOUNT_BODY, **_FRESH}},
    "listBalances": {
        200: {
            "account_id": _ACCOUNT,
            "balances": [
                {
                    "type": "ITAV",
                    "amount": "1240.55",
                    "currency": "GBP",
                    "credit_debit_indicator": "CREDIT",
                    "credit_lines": [{"included": True, "type": "Pre-Agreed", "amount": "500.00", "currency": "GBP"}],
                    "as_of": "2026-03-04T06:12:00Z",
                }
            ],
            **_FRESH,
        }
    },
    "listTransactions": {
        200: {"transactions": [_WAITING, _BOOKED], "next_cursor": None, **_FRESH, "coverage": _COVERAGE}
    },
    "syncTransactions": {
        200: {
            "added": [_WAITING],
            "modified": [_BOOKED],
            "removed": [{"transaction_id": "txn_f00d1e2c3b4a5968778695a4b3c2d1e0", "account_id": _ACCOUNT}],
            "next_cursor": "Ap3cT0wq5qXyZk1mV9s2Jr8nYb4uHf6dLg7eKaPo",
            "has_more": False,
            "update_status": "BACKFILLING",
            "accounts": [
                {
                    "account_id": _ACCOUNT,
                    "update_status": "BACKFILLING",
                    **_FRESH,
                    "coverage": _COVERAGE,
                }
            ],
            **_FRESH,
        }
    },
    "startRefresh": {200: _REFRESHED, 202: _REFRESH_BODY},
    "getRefresh": {200: _REFRESHED},
    "getConsent": {
        200: {
            "consent_id": _CONSENT,
            "status": "AUTHORISED",
            "scopes": _MANAGED["scopes"],
            "purposes": ["budgeting"],
            **_LIMITS,
            "authorised_at": "2026-03-04T08:12:45Z",
            "expires_at": "2026-06-02T08:12:45Z",
            "open": [{"institution": _BANK, "scopes": ["accounts", "balances", "transactions"], **_LIMITS}],
            "open_until": "2026-06-02T08:12:45Z",
            "denial": None,
        }
    },
    "listConsents": {200: {"consents": [_MANAGED, _ENDED], "next_cursor": None}},
    "getConsentById": {200: _MANAGED},
    "listEvents": {200: {"events": _EVENTS, "next_after": _NEXT, "has_more": False}},
    "acknowledgeEvents": {200: {"acknowledged_through": _NEXT}},
}

_REQUESTS: dict[str, Any] = {
    "startRefresh": {"account_ids": [_ACCOUNT, _CARD]},
    "acknowledgeEvents": {"through": _NEXT},
}


def of(operation_id: str) -> list[OpenApiExample]:
    """For `extend_schema(examples=...)`: the request, where there is a body, and one answer of each good status."""
    found = [
        OpenApiExample(f"{operation_id}{status}", value=value, response_only=True, status_codes=[str(status)])
        for status, value in _ANSWERS[operation_id].items()
    ]
    if operation_id in _REQUESTS:
        found.append(OpenApiExample(f"{operation_id}Request", value=_REQUESTS[operation_id], request_only=True))
    return found
