"""One statement for all that a request with a token is decided by: the token, its consent with user and platform, the
accounts under it with their connections, and the policies in force.

Tables of three packages in one text: the columns are the models' own, and a test holds what comes out to what the ORM's
queries gather one by one (gateway.oauth.bearer did, consents.facts and banks.authority do).
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from itertools import groupby
from typing import Any
from uuid import UUID

from django.contrib.auth import get_user_model
from django.db.models import Model
from django.db.models.expressions import Col

from banks.compiled import converted, converters_of, loaded
from banks.models import Account, Connection
from banks.prepared import Statement
from consents import facts
from consents.models import AccessToken, BankPolicy, Consent, ConsentAccount, Platform
from consents.policy_facts import PolicyFacts
from consents.states import ConsentAccountStatus, ConsentStatus

_CONSENT = (
    *("id", "user_id", "platform_id", "status", "scopes", "purposes", "duration_type", "history_from"),
    *("location_precision", "on_platform_only", "hidden_groups", "authorised_at", "expires_at", "revision"),
)
_POLICY = (
    *("id", "platform_id", "status", "scopes", "purposes", "history_days_max", "duration_days_max"),
    *("location_precision", "on_platform_only", "hidden_groups", "requires_attended", "accepts_attestation"),
    "requires_fapi2",
)
_PERSON, _PLATFORM = ("id", "is_active"), ("id", "status", "profile")
#: Alias in the statement -> table and columns, in the order of a row.
_Parts = tuple[tuple[str, type[Model], tuple[str, ...]], ...]
_PARTS: _Parts = (
    ("token", AccessToken, ("id", "expires", "resource")),
    ("consent", Consent, _CONSENT),
    ("person", get_user_model(), _PERSON),
    ("platform", Platform, _PLATFORM),
    ("held", ConsentAccount, ("account_id", "institution_id", "status", "connection_id")),
    ("link", Connection, ("status", "consent_expires_at", "authentication_expires_at")),
    ("own", BankPolicy, _POLICY),
    ("general", BankPolicy, _POLICY),
)
_REACHING = _PARTS[1:]


@dataclass(frozen=True, slots=True, kw_only=True)
class HeldAccount:
    """An account under the consent; `connection_id` as the consent names it.

    `link`: status and the two clocks of the connection it comes from; None: what the bank's consent does not reach, or
    what is not there any more.
    """

    account_id: UUID
    institution_id: UUID
    status: str
    connection_id: UUID
    link: tuple[str, datetime | None, datetime | None] | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Gathered:
    """`consent` comes with its user and platform, each with the columns that a decision needs."""

    token_id: int
    token_expires_at: datetime
    token_resource: list[str]
    consent: Consent
    held: tuple[HeldAccount, ...]  #: by account_id
    policies: Mapping[UUID, PolicyFacts]  #: by institution


def gather(token_digest: str, *, now: datetime) -> Gathered | None:
    """Behind the token with this SHA-256; None: there is none."""
    statement, converters = _statement()
    rows = converted(statement.run([now, now, token_digest]), converters)
    if not rows:
        return None
    token, consent, person, platform, *_ = _split(rows[0], _PARTS)
    parts = [_split(row, _PARTS)[4:] for row in rows]
    return Gathered(
        token_id=token[0],
        token_expires_at=token[1],
        token_resource=token[2],
        consent=_consent(consent, person, platform),
        held=tuple(_held(held, link) for held, link, _, _ in parts if held[0] is not None),
        policies=_policies(parts),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Reaching:
    """A consent that may open something of a connection; `held`: its accounts, wherever they lie, by account_id."""

    consent: Consent
    held: tuple[HeldAccount, ...]
    policies: Mapping[UUID, PolicyFacts]  #: by institution


def gather_reaching(connection_id: UUID, *, now: datetime) -> list[Reaching]:
    """Every authorised consent under which an account of the connection is shared, by id."""
    statement, converters = _reaching()
    rows = converted(statement.run([connection_id, now, now]), converters)
    found = []
    for _, of_consent in groupby(rows, key=lambda row: row[0]):
        parts = [_split(row, _REACHING) for row in of_consent]
        consent, person, platform, *_ = parts[0]
        ends = [part[3:] for part in parts]
        found.append(
            Reaching(
                consent=_consent(consent, person, platform),
                held=tuple(_held(held, link) for held, link, _, _ in ends),
                policies=_policies(ends),
            )
        )
    return found


def _policies(ends: Iterable[Sequence[Sequence[Any]]]) -> dict[UUID, PolicyFacts]:
    """By institution, of the last four parts of each row."""
    return {held[1]: policy for held, _, own, general in ends if (policy := _policy(_key(own), _key(general)))}


def _split(row: Sequence[Any], parts: _Parts) -> list[Sequence[Any]]:
    return [row[start:end] for start, end in _bounds(parts)]


@lru_cache(maxsize=2)
def _bounds(parts: _Parts) -> tuple[tuple[int, int], ...]:
    ends = [sum(len(columns) for _, _, columns in parts[: number + 1]) for number in range(len(parts))]
    return tuple(zip([0, *ends], ends, strict=False))


def _consent(columns: Sequence[Any], person: Sequence[Any], platform: Sequence[Any]) -> Consent:
    consent = loaded(Consent, _CONSENT, columns)
    # Past the descriptors, which look the keys of both up: the statement has joined by them.
    joined = consent._state.fields_cache
    joined["user"] = loaded(get_user_model(), _PERSON, person)
    joined["platform"] = loaded(Platform, _PLATFORM, platform)
    return consent


def _held(columns: Sequence[Any], link: Sequence[Any]) -> HeldAccount:
    account_id, institution_id, status, connection_id = columns
    return HeldAccount(
        account_id=account_id,
        institution_id=institution_id,
        status=status,
        connection_id=connection_id,
        link=None if link[0] is None else (link[0], link[1], link[2]),
    )


# -- policies: few, the same for many consents, and read anew each time ------------------------------------------------

_Key = tuple[object, ...]


def _key(columns: Sequence[Any]) -> _Key | None:
    """A policy's content; None: there is no such policy."""
    if columns[0] is None:
        return None
    return tuple(tuple(value) if isinstance(value, list) else value for value in columns)


@lru_cache(maxsize=1024)
def _policy(own: _Key | None, general: _Key | None) -> PolicyFacts | None:
    """From contents, so what is kept here cannot be out of date."""
    return facts.policy_facts(_row(own), _row(general))


def _row(key: _Key | None) -> BankPolicy | None:
    return None if key is None else loaded(BankPolicy, _POLICY, key)


# -- the text ---------------------------------------------------------------------------------------------------------


_Compiled = tuple[Statement, list[tuple[int, list[Any], Any]]]


@lru_cache(maxsize=1)
def _statement() -> _Compiled:
    table = _tables()
    return _compiled(
        _PARTS,
        f"""
        FROM {table["token"]}
        JOIN {table["consent"]} ON consent.id = token.consent_id
        {_people()}
        LEFT JOIN {table["held"]} ON held.consent_id = consent.id
        {_links_and_policies()}
        WHERE token.token_checksum = %s
        ORDER BY held.account_id
        """,
    )


@lru_cache(maxsize=1)
def _reaching() -> _Compiled:
    # The few consents come first: as a condition at the end PostgreSQL, which reorders no more than eight tables
    # (join_collapse_limit), joins everybody's rows before it throws all but these away.
    table = _tables()
    return _compiled(
        _REACHING,
        f"""
        FROM (
            SELECT DISTINCT one.consent_id FROM "{ConsentAccount._meta.db_table}" one
            WHERE one.connection_id = %s AND one.status = '{ConsentAccountStatus.ACTIVE}'
        ) reaching
        JOIN {table["consent"]} ON consent.id = reaching.consent_id AND consent.status = '{ConsentStatus.AUTHORISED}'
        {_people()}
        JOIN {table["held"]} ON held.consent_id = consent.id
        {_links_and_policies()}
        ORDER BY consent.id, held.account_id
        """,  # noqa: S608 -- names of our own tables, columns and statuses
    )


def _compiled(parts: _Parts, rest: str) -> _Compiled:
    """All columns of `parts`, `rest`."""
    columns: list[Col] = [_field(model, name).get_col(alias) for alias, model, names in parts for name in names]
    selected = ", ".join(f'{column.alias}."{column.target.column}"' for column in columns)
    text = f"SELECT {selected} {rest}"
    return Statement(" ".join(text.split()), is_read=True), converters_of(columns)


def _tables() -> dict[str, str]:
    return {alias: f'"{model._meta.db_table}" {alias}' for alias, model, _ in _PARTS}


def _people() -> str:
    table = _tables()
    return f"""
        JOIN {table["person"]} ON person.id = consent.user_id
        JOIN {table["platform"]} ON platform.id = consent.platform_id
    """


def _links_and_policies() -> str:
    table = _tables()
    return f"""
        LEFT JOIN "{Account._meta.db_table}" account ON account.id = held.account_id AND account.is_covered
        LEFT JOIN {table["link"]} ON link.id = account.connection_id
        LEFT JOIN {table["own"]} ON own.id = ({_newest("own_one", "= consent.platform_id")})
        LEFT JOIN {table["general"]} ON general.id = ({_newest("general_one", "IS NULL")})
    """


def _newest(alias: str, of_platform: str) -> str:
    """The newest version in force of the account's bank, as consents.facts has it."""
    return f"""
        SELECT {alias}.id FROM "{BankPolicy._meta.db_table}" {alias}
        WHERE {alias}.institution_id = held.institution_id AND {alias}.platform_id {of_platform}
            AND {alias}.effective_from <= %s
        ORDER BY {alias}.version DESC LIMIT 1
    """  # noqa: S608


def _field(model: type[Model], name: str) -> Any:
    return next(field for field in model._meta.concrete_fields if field.attname == name)
