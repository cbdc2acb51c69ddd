"""Stock's side of a run, in a process of its own: tables, the same rows, people, consents and tokens.

`python -m tests.benchmarks.stock.preparing --rows N --result FILE`, with stock's settings on an empty DATABASE_URL.
"""

import argparse
import base64
import hashlib
import json
import os
import secrets
from datetime import timedelta
from pathlib import Path

import django
import psycopg

from tests.benchmarks import dataset, filling
from tests.benchmarks.preparing import TARGETS

_LIFE = timedelta(days=1)
_REDIRECT_URI = "https://bench.example/callback"


def fill(rows, codes, now):
    from django.contrib.auth.models import User
    from oauth2_provider.models import Application

    from tests.benchmarks.stock.models import Account

    counted = dataset.accounts(rows)
    owner = User.objects.create(username="owner")
    people = {number: User.objects.create(username=f"bench-{number}") for number in range(min(TARGETS, counted) + 1)}
    Account.objects.bulk_create(
        Account(id=dataset.account_id(number), user=people.get(number, owner), name="Everyday")
        for number in range(counted + 1)
    )
    _copy(rows, now)
    secret = secrets.token_urlsafe(96)
    application = _application(Application.GRANT_AUTHORIZATION_CODE, owner, secret)
    own = _application(Application.GRANT_CLIENT_CREDENTIALS, owner, secret)
    targets = [_target(number, people[number], application, now) for number in people]
    verifier = secrets.token_urlsafe(48)
    return {
        "client_id": application.client_id,
        "own_client_id": own.client_id,
        "secret": secret,
        "redirect_uri": _REDIRECT_URI,
        "big": targets[0],
        "targets": targets[1:],
        "refresh_tokens": _refresh_tokens(codes, list(people.values())[1:], application, now),
        "codes": _codes(codes, list(people.values())[1:], application, verifier, now),
        "verifier": verifier,
    }


def _application(grant_type, owner, secret):
    from oauth2_provider.models import Application

    return Application.objects.create(
        name=grant_type,
        user=owner,
        client_type=Application.CLIENT_CONFIDENTIAL,
        authorization_grant_type=grant_type,
        redirect_uris=_REDIRECT_URI,
        client_secret=secret,
    )


def _target(number, person, application, now):
    from oauth2_provider.models import AccessToken

    from tests.benchmarks.stock.models import Consent

    account_id = dataset.account_id(number)
    consent = Consent.objects.create(
        user=person, application=application, status="AUTHORISED", expires_at=now + timedelta(days=90)
    )
    consent.accounts.set([account_id])
    token = secrets.token_urlsafe(32)
    AccessToken.objects.create(
        user=person, application=application, token=token, expires=now + _LIFE, scope="transactions"
    )
    return {"account_id": str(account_id), "access_token": token}


def _refresh_tokens(count, people, application, now):
    """The toolkit lets each be used once."""
    from oauth2_provider.models import AccessToken, RefreshToken

    tokens = [secrets.token_urlsafe(32) for _ in range(count)]
    for number, token in enumerate(tokens):
        common = {"user": people[number % len(people)], "application": application}
        access = AccessToken.objects.create(
            **common, token=secrets.token_urlsafe(32), expires=now + _LIFE, scope="transactions"
        )
        RefreshToken.objects.create(**common, token=token, access_token=access)
    return tokens


def _codes(count, people, application, verifier, now):
    from oauth2_provider.models import Grant

    challenge = base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=").decode()
    codes = [secrets.token_urlsafe(32) for _ in range(count)]
    Grant.objects.bulk_create(
        Grant(
            user=people[number % len(people)],
            application=application,
            code=code,
            expires=now + _LIFE,
            redirect_uri=_REDIRECT_URI,
            scope="transactions",
            code_challenge=challenge,
            code_challenge_method="S256",
        )
        for number, code in enumerate(codes)
    )
    return codes


def _copy(rows, now):
    values = dataset.expressions(rows, dataset.last_day(now))
    minor = values.pop("amount_minor")
    values |= {
        "amount": f"{minor}::numeric / 100",
        "credit_debit_indicator": f"(CASE WHEN {minor} < 0 THEN 'DEBIT' ELSE 'CREDIT' END)",
    }
    with psycopg.connect(os.environ["DATABASE_URL"], autocommit=True) as connection:
        connection.execute("SET TIME ZONE 'UTC'")
        with filling.emptied_of_indexes(connection, "stock_transaction"):
            connection.execute(
                f"INSERT INTO stock_transaction ({', '.join(values)}) SELECT {', '.join(values.values())}"
                f" FROM generate_series(1::bigint, {rows}::bigint) AS n"
            )
        filling.settle(connection)


def main():
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.stock.preparing")
    parser.add_argument("--rows", type=int, required=True)
    parser.add_argument("--codes", type=int, required=True)
    parser.add_argument("--result", type=Path, required=True)
    options = parser.parse_args()
    django.setup()
    from django.utils import timezone

    from tests.benchmarks import tables

    tables.of_the_models()
    options.result.write_text(json.dumps(fill(options.rows, options.codes, timezone.now())))


if __name__ == "__main__":
    main()
