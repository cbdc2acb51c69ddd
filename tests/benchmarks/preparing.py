"""Our side of a run, in a process of its own: `python -m tests.benchmarks.preparing`, on DATABASE_URL.

`--stage tables` makes them in an empty database; `--stage rows` fills it and writes what there is to ask for as JSON.
"""

import argparse
import json
import os
import secrets
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psycopg

from tests.benchmarks import dataset, filling

if TYPE_CHECKING:
    from banks.models import Account
    from tests.support.cast import Member

#: Accounts whose owners are asked about, in turn.
TARGETS = 20
_LIFE = timedelta(days=1)  # longer than any run: no token ends by the clock
_REDIRECT_URI = "https://bench.example/callback"


def make_tables(*, is_quick: bool) -> None:
    from django.core.management import call_command

    from tests.benchmarks import tables

    if is_quick:
        tables.of_the_models()
    else:
        tables.by_migrations()
    call_command("createcachetable", verbosity=0)


def fill(rows: int, codes: int) -> dict[str, Any]:
    """Accounts, rows, consents and tokens; what the benchmark has to know of them."""
    from consents import clock
    from tests.support import cast

    now = clock.now()
    member = cast.platform("bench", redirect_uri=_REDIRECT_URI, now=now)
    bank = cast.institution("bench", now=now)
    cast.permissive_policy(bank, now=now)
    counted = dataset.accounts(rows)
    numbers = [dataset.BIG, *range(1, min(TARGETS, counted) + 1)]
    made = [_target(number, member, bank, now) for number in numbers]
    _copy(rows, made[0][0], counted, now)
    return {
        "client_id": member.platform.client_id,
        "secret": member.secret,
        "redirect_uri": member.redirect_uri,
        "big": _told(*made[0], member),
        "targets": [_told(*one, member) for one in made[1:]],
        "codes": _codes(codes, [consent for _, consent, _, _ in made[1:]], now),
        "verifier": _VERIFIER,
    }


def _target(number: int, member: "Member", bank: Any, now: datetime) -> tuple[Any, Any, str, str]:
    """A person with one account, a consent to read it, an access token and a refresh token."""
    from consents.models import AccessToken, RefreshToken
    from consents.scopes import Scope
    from tests.support import cast, ledger

    person = ledger.user(f"bench-{number}")
    account = ledger.account(
        cast.connection(person, bank, now=now),
        id=dataset.account_id(number),
        fetched_at=now,
        balances_as_of=now,
        transactions_as_of=now,
        coverage_last_on=now.date(),
    )
    consent = cast.authorised_consent(
        person,
        member.platform,
        (Scope.ACCOUNTS, Scope.TRANSACTIONS, Scope.MERCHANTS),
        accounts=[cast.choice(account)],
        history_days=730,
        now=now,
    )
    access, renewal = secrets.token_urlsafe(32), secrets.token_urlsafe(32)
    common = {**_common(consent), "grant": _grant(consent, now), "resource": _resource()}
    AccessToken.objects.create(**common, token=access, expires=now + _LIFE)
    RefreshToken.objects.create(**common, token=renewal)
    return account, consent, access, renewal


def _common(consent: Any) -> dict[str, Any]:
    return {"consent": consent, "application": consent.platform, "user": consent.user, "scope": ""}


def _resource() -> list[str]:
    from gateway.oauth import addresses

    return [addresses.resource()]


def _grant(consent: Any, now: datetime) -> Any:
    from consents.models import Grant

    code = secrets.token_urlsafe(32)
    return Grant.objects.create(**_common(consent), code=code, expires=now + _LIFE, redirect_uri=_REDIRECT_URI)


_VERIFIER = secrets.token_urlsafe(48)


def _codes(count: int, consents: list[Any], now: datetime) -> list[str]:
    """Authorization codes, each good for once, spread over the consents: two exchanges of one wait for each other."""
    from consents.models import Grant
    from consents.models.tokens import digest
    from tests.support import cast

    codes = [secrets.token_urlsafe(32) for _ in range(count)]
    Grant.objects.bulk_create(
        Grant(
            **_common(consents[number % len(consents)]),
            code=digest(code),  # bulk_create goes past the manager that hashes
            expires=now + _LIFE,
            redirect_uri=_REDIRECT_URI,
            code_challenge=cast.challenge(_VERIFIER),
            code_challenge_method="S256",
        )
        for number, code in enumerate(codes)
    )
    return codes


def _told(account: Any, consent: Any, access: str, renewal: str, member: "Member") -> dict[str, Any]:
    """`ids`: what we call the newest hundred rows -> what they are."""
    from banks.models import Transaction
    from gateway import pairwise

    newest = Transaction.objects.for_sync().filter(account_id=account.id).order_by("-listed_on", "-id")
    ids = list(newest.values_list("id", flat=True)[:100])
    platform_id = member.platform.id
    told = pairwise.encode_all("txn", platform_id, ids)
    return {
        "account_id": str(account.id),
        "told_account_id": pairwise.encode("acc", platform_id, account.id),
        "ids": dict(zip(told, map(str, ids), strict=True)),
        "access_token": access,
        "refresh_token": renewal,
        "rows": newest.count(),
    }


def _copy(rows: int, like: "Account", counted: int, now: datetime) -> None:
    """Every other account and every transaction, as copies of one of each that differ where `dataset` says so."""
    from banks.models import Account, Transaction
    from tests.support import ledger

    one = ledger.transaction(like, transacted_at=now)
    values = dataset.expressions(rows, dataset.last_day(now))
    sequence = {"change_sequence": "n", "added_sequence": "n", "identity_key": "lpad(n::text, 64, '0')"}
    accounts = {"id": "md5('account ' || n)::uuid", "bank_account_id": "'bank-account-' || n"}
    with psycopg.connect(os.environ["DATABASE_URL"], autocommit=True) as connection:
        connection.execute("SET TIME ZONE 'UTC'")
        _insert(connection, Account, str(like.pk), accounts, (min(TARGETS, counted) + 1, counted))
        with filling.emptied_of_indexes(connection, Transaction._meta.db_table):
            _insert(connection, Transaction, str(one.id), {**values, **sequence}, (1, rows))
        connection.execute("DELETE FROM banks_transaction WHERE id = %s", [one.id])
        filling.settle(connection)


def _insert(
    connection: psycopg.Connection[Any], model: Any, pattern: str, values: dict[str, str], span: tuple[int, int]
) -> None:
    columns = [field.column for field in model._meta.concrete_fields]
    assert values.keys() <= set(columns), values.keys() - set(columns)
    chosen = ", ".join(values.get(column, f'pattern."{column}"') for column in columns)
    named = ", ".join(f'"{column}"' for column in columns)
    connection.execute(
        f'INSERT INTO "{model._meta.db_table}" ({named}) SELECT {chosen}'
        f' FROM "{model._meta.db_table}" AS pattern, generate_series({span[0]}::bigint, {span[1]}::bigint) AS n'
        f" WHERE pattern.id = '{pattern}'"
    )


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.preparing")
    parser.add_argument("--stage", choices=["tables", "rows"], required=True)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--rows", type=int)
    parser.add_argument("--codes", type=int)
    parser.add_argument("--result", type=Path)
    options = parser.parse_args()
    import django

    django.setup()
    if options.stage == "tables":
        make_tables(is_quick=options.quick)
    else:
        options.result.write_text(json.dumps(fill(options.rows, options.codes)))


if __name__ == "__main__":
    main()
