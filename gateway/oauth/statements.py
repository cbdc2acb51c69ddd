"""What the token endpoint asks of the database and writes to it, each statement written by the ORM once and run as text
from then on (banks.compiled).

A code or a refresh token is read and locked together with its consent, in one statement: the consent's row first, as
everywhere (gateway.oauth.locks), then its own. Whoever waited for either sees the row as the other left it, and no row
where it was deleted meanwhile.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any, TypeVar
from uuid import UUID

from django.db import DEFAULT_DB_ALIAS
from django.db.models import Model, QuerySet
from django.db.models.sql import InsertQuery, UpdateQuery

from banks.compiled import SLOTS, CompiledModels, Statement, adapted
from consents.models import AccessToken, Consent, Grant, Platform, PlatformToken, RefreshToken
from consents.states import PlatformStatus

Values = Mapping[str, Any]
Bound = TypeVar("Bound", Grant, RefreshToken)

#: Those of the reads, and what only a token has.
_SLOTS: dict[str, Any] = {
    **SLOTS,
    "grant_id": -0x51075,
    "expires_at": datetime(7, 9, 1, tzinfo=UTC),
    **{name: f"slot:{name}" for name in ("client_id", "secret_digest", "access_digest", "refresh_digest", "scope")},
}


# -- reading -----------------------------------------------------------------------------------------------------------


def active_platform(client_id: str) -> Platform | None:
    """The ACTIVE platform of this id, of any profile, with what proves who it is and no more."""
    found = _platform().models({"client_id": client_id})
    return found[0] if found else None


def locked_grant(code_digest: str, platform_id: UUID) -> tuple[Grant, Consent] | None:
    """The code of this platform, used or not, and its consent with user and platform: both rows held."""
    return _locked(Grant, code_digest, platform_id)


def locked_refresh_token(token_digest: str, platform_id: UUID) -> tuple[RefreshToken, Consent] | None:
    """The live refresh token of this platform and its consent with user and platform: both rows held."""
    return _locked(RefreshToken, token_digest, platform_id)


def _locked(kind: type[Bound], secret_digest: str, platform_id: UUID) -> tuple[Bound, Consent] | None:
    found = _bound(kind).models({"secret_digest": secret_digest, "platform_id": platform_id})
    return (found[0], found[0].consent) if found else None


@lru_cache(maxsize=1)
def _platform() -> CompiledModels[Platform]:
    active = Platform.objects.filter(client_id=_SLOTS["client_id"], status=PlatformStatus.ACTIVE)
    columns = ("client_id", "client_secret", "status", "profile", "authorization_grant_type")
    return CompiledModels(active.only(*columns), slots=_SLOTS)


@lru_cache(maxsize=2)
def _bound(kind: type[Bound]) -> CompiledModels[Bound]:
    return CompiledModels(bound_query(kind, _SLOTS), slots=_SLOTS)


_CONSENT_COLUMNS = (
    *("user", "platform", "status", "scopes", "purposes", "duration_days", "history_from", "location_precision"),
    *("on_platform_only", "hidden_groups", "expires_at"),
)
_COLUMNS: dict[type[Model], tuple[str, ...]] = {
    Grant: ("consent", "used_at", "expires", "redirect_uri", "code_challenge", "code_challenge_method"),
    RefreshToken: ("consent", "grant"),
}


def bound_query(kind: type[Bound], values: Values) -> QuerySet[Bound, Bound]:
    """`values`: `secret_digest` (SHA-256, hex) and `platform_id`, or slots for them."""
    rows: QuerySet[Any, Any] = kind.objects.all()  # Grant's manager would hash what is a digest already
    if kind is Grant:
        rows = rows.filter(code=values["secret_digest"])
    else:
        rows = rows.filter(token_checksum=values["secret_digest"], revoked=None)
    return (
        rows.filter(application_id=values["platform_id"])
        .select_for_update(no_key=True, of=("consent", "self"))  # in this order
        .select_related("consent__user", "consent__platform")
        .only(
            *_COLUMNS[kind],
            *(f"consent__{name}" for name in _CONSENT_COLUMNS),
            *("consent__user__is_active", "consent__user__pseudonym", "consent__platform__status"),
        )
    )


# -- writing -----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Minted:
    """What every token row of one answer says. Instants are aware."""

    user_id: UUID
    platform_id: UUID
    consent_id: UUID
    grant_id: int | None
    scope: str  #: words, sorted, one blank between them
    resource: str
    now: datetime

    def values(self) -> dict[str, Any]:
        return {name: getattr(self, name) for name in self.__slots__ if name != "resource"}


def exchange_code(access_digest: str, refresh_digest: str, minted: Minted, *, expires_at: datetime) -> None:
    """Two new rows, and the code is used. Digests: SHA-256, hex; the tokens themselves are nowhere."""
    values = {**minted.values(), "access_digest": access_digest, "refresh_digest": refresh_digest}
    _exchange(minted.resource).run({**values, "expires_at": expires_at})


def add_access_token(token_digest: str, minted: Minted, *, expires_at: datetime) -> None:
    """Always a new row. `token_digest`: SHA-256, hex; the token itself is nowhere."""
    _access_token(minted.resource).run({**minted.values(), "access_digest": token_digest, "expires_at": expires_at})


def add_platform_token(token_digest: str, platform_id: UUID, *, id: UUID, now: datetime, expires_at: datetime) -> None:
    """`token_digest`: SHA-256, hex; the token itself is nowhere."""
    values = {"access_digest": token_digest, "platform_id": platform_id, "row_id": id, "now": now}
    _platform_token().run({**values, "expires_at": expires_at})


class _Writes:
    """Statements that change rows. On PostgreSQL they are one: all but the last stand in its WITH, and none sees what
    another writes. The last is an insert, and returns its key: what is run must give rows there.
    """

    def __init__(self, *compilers: Any) -> None:
        names = {adapted(slot): name for name, slot in _SLOTS.items() if not isinstance(slot, dict)}
        written = [_text(compiler) for compiler in compilers]
        if len(written) > 1 and compilers[0].connection.vendor == "postgresql":
            written = [_joined(written)]
        self._statements = [
            (Statement(text), [(names.get(one), one) for one in parameters]) for text, parameters in written
        ]

    def run(self, values: Values) -> None:
        for statement, parameters in self._statements:
            statement.run([one if name is None else values[name] for name, one in parameters])


_Text = tuple[str, list[Any]]


def _text(compiler: Any) -> _Text:
    written = compiler.as_sql()
    text, parameters = written[0] if isinstance(written, list) else written  # an insert's come in a list
    return text, [_plain(one) for one in parameters]


def _plain(parameter: Any) -> Any:
    """JSON as its text, which either database takes, and not in the driver's wrapping."""
    document = getattr(parameter, "obj", None)
    return parameter if document is None else json.dumps(document)


def _joined(written: list[_Text]) -> _Text:
    *before, (last, _) = written
    named = ", ".join(f"part_{number} AS ({text})" for number, (text, _) in enumerate(before))
    return f"WITH {named} {last}", [one for _, parameters in written for one in parameters]


def _insert(row: Model) -> Any:
    """Of every column as `row` has it; those that fields fill in as they save are the caller's to say."""
    query = InsertQuery(type(row))
    fields = [field for field in type(row)._meta.concrete_fields if getattr(row, field.attname) is not None]
    query.insert_values(fields, [row], raw=True)
    compiler: Any = query.get_compiler(using=DEFAULT_DB_ALIAS)
    compiler.returning_fields = [type(row)._meta.pk]
    return compiler


def _token_columns(resource: str) -> dict[str, Any]:
    return {
        "token": "",
        "user_id": _SLOTS["user_id"],
        "application_id": _SLOTS["platform_id"],
        "consent_id": _SLOTS["consent_id"],
        "grant_id": _SLOTS["grant_id"],
        "scope": _SLOTS["scope"],
        "resource": [resource],
        "created": _SLOTS["now"],
        "updated": _SLOTS["now"],
    }


def _new_access_token(resource: str) -> Any:
    columns = {**_token_columns(resource), "token_checksum": _SLOTS["access_digest"]}
    return _insert(AccessToken(expires=_SLOTS["expires_at"], **columns))


def _new_refresh_token(resource: str) -> Any:
    return _insert(RefreshToken(**{**_token_columns(resource), "token_checksum": _SLOTS["refresh_digest"]}))


def _used_code() -> Any:
    query: Any = Grant.objects.filter(pk=_SLOTS["grant_id"]).query.chain(UpdateQuery)
    query.add_update_values({"used_at": _SLOTS["now"]})
    return query.get_compiler(using=DEFAULT_DB_ALIAS)


@lru_cache(maxsize=8)
def _access_token(resource: str) -> _Writes:
    return _Writes(_new_access_token(resource))


@lru_cache(maxsize=8)
def _exchange(resource: str) -> _Writes:
    return _Writes(_used_code(), _new_refresh_token(resource), _new_access_token(resource))


@lru_cache(maxsize=1)
def _platform_token() -> _Writes:
    row = PlatformToken(
        id=_SLOTS["row_id"],
        token_digest=_SLOTS["access_digest"],
        platform_id=_SLOTS["platform_id"],
        created_at=_SLOTS["now"],
        expires_at=_SLOTS["expires_at"],
    )
    return _Writes(_insert(row))
