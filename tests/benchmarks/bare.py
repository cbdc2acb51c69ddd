"""The limit: no framework, two statements, one JSON document. It serves nothing but the page.

It reads our tables, looks at token, consent and account in one statement, and takes the page in the next, rows as the
driver gives them. No pairwise ids, no policy of a bank, no log of reads, no request limits.
"""

import hashlib
import json
import os
import threading
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from typing import Any

import psycopg

_LIMIT = 100
_OPEN = """
SELECT consent.history_from
  FROM consents_accesstoken token
  JOIN consents_consent consent ON consent.id = token.consent_id
  JOIN consents_platform platform ON platform.id = consent.platform_id
  JOIN identity_user person ON person.id = consent.user_id
  JOIN consents_consentaccount account ON account.consent_id = consent.id
 WHERE token.token_checksum = %s AND token.expires > %s AND consent.status = 'AUTHORISED' AND consent.expires_at > %s
   AND consent.scopes @> '["transactions", "merchants"]' AND platform.status = 'ACTIVE' AND person.is_active
   AND account.account_id = %s AND account.status = 'ACTIVE'
"""
_PAGE = """
SELECT id::text, account_id::text, status, listed_on::text, booked_on::text, value_on::text,
       to_char(transacted_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"'), kind, amount_minor, currency,
       merchant_name, category, mcc, channel
  FROM banks_transaction
 WHERE account_id = %s AND listed_on >= %s AND status <> 'REMOVED'
 ORDER BY listed_on DESC, id DESC
 LIMIT %s
"""
_kept = threading.local()

StartResponse = Callable[[str, list[tuple[str, str]]], object]


def application(environ: dict[str, Any], start_response: StartResponse) -> Iterable[bytes]:
    """GET /accounts/{id}/transactions with a bearer token."""
    account_id = environ["PATH_INFO"].split("/")[2]
    now = datetime.now(UTC)
    checksum = hashlib.sha256(environ.get("HTTP_AUTHORIZATION", "").removeprefix("Bearer ").encode()).hexdigest()
    connection = _connection()
    opened = connection.execute(_OPEN, (checksum, now, now, account_id)).fetchone()
    if opened is None:
        start_response("401 Unauthorized", [("Content-Length", "0")])
        return [b""]
    rows = connection.execute(_PAGE, (account_id, opened[0], _LIMIT + 1)).fetchall()
    body = json.dumps(
        {"transactions": [_row(row) for row in rows[:_LIMIT]], "has_more": len(rows) > _LIMIT}, separators=(",", ":")
    ).encode()
    start_response("200 OK", [("Content-Type", "application/json"), ("Content-Length", str(len(body)))])
    return [body]


def _row(row: tuple[Any, ...]) -> dict[str, object]:
    minor = row[8]
    return {
        "transaction_id": row[0],
        "account_id": row[1],
        "status": row[2],
        "listed_on": row[3],
        "booked_on": row[4],
        "value_on": row[5],
        "transacted_at": row[6],
        "kind": row[7],
        "amount": f"{'-' if minor < 0 else ''}{abs(minor) // 100}.{abs(minor) % 100:02}",
        "currency": row[9],
        "credit_debit_indicator": "DEBIT" if minor < 0 else "CREDIT",
        "merchant": {"name": row[10], "category": row[11], "mcc": row[12], "channel": row[13]},
    }


def _connection() -> psycopg.Connection[tuple[Any, ...]]:
    """Of this thread; kept, and its statements prepared from the second use on."""
    if not hasattr(_kept, "connection"):
        _kept.connection = psycopg.connect(os.environ["DATABASE_URL"], autocommit=True, prepare_threshold=1)
    connection: psycopg.Connection[tuple[Any, ...]] = _kept.connection
    return connection
