"""What the token endpoint asks of the database and writes to it, each statement written by the ORM once and run as text
from then on (banks.compiled).

A code or a refresh token is read together with its consent, in one statement. On PostgreSQL what is decided by that is
written by one more, which locks both rows, the consent's first as everywhere (gateway.oauth.locks), and writes nothing
unless they are still as they were read: a transaction by itself. Where it wrote nothing, and on SQLite, the rows are
locked as they are read, in a transaction: whoever waited for either sees the row as the other left it, and no row where
it was deleted meanwhile.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any, TypeVar
from uuid import UUID

from django.db import DEFAULT_DB_ALIAS, transaction
from django.db.models import Model, QuerySet
from django.db.models.sql import InsertQuery, UpdateQuery

from banks.compiled import SLOTS, CompiledModels
from banks.prepared import Statement, adapted
from banks.usage_sql import is_one_statement
from consents.models import AccessToken, Consent, Grant, Platform, PlatformToken, RefreshToken
from consents.states import ConsentStatus, PlatformStatus

Values = Mapping[str, Any]
Bound = TypeVar("Bound", Grant, RefreshToken)

#: Those of the reads, and what only a token has.
_SLOTS: dict[str, Any] = {
    **SLOTS,
    "grant_id": -0x51075,
    "bound_id": -0x51076,
    "revision": 0x51075,
    "expires_at": datetime(7, 9, 1, tzinfo=UTC),
    **{name: f"slot:{name}" for name in ("client_id", "secret_digest", "access_digest", "refresh_digest", "scope")},
}


# -- reading -----------------------------------------------------------------------------------------------------------


def active_platform(client_id: str) -> Platform | None:
    """The ACTIVE platform of this id, of any profile, with what proves who it is and no more."""
    found = _platform().models({"client_id": client_id})
    return found[0] if found else None


def grant(code_digest: str, platform_id: UUID, *, held: bool) -> tuple[Grant, Consent] | None:
    """The code of this platform, used or not, and its consent with user and platform. `held`: both rows are locked."""
    return _found(Grant, code_digest, platform_id, held)


def refresh_token(token_digest: str, platform_id: UUID, *, held: bool) -> tuple[RefreshToken, Consent] | None:
    """The live refresh token of this platform, and its consent with user and platform. `held`: both rows are locked."""
    return _found(RefreshToken, token_digest, platform_id, held)


def _found(kind: type[Bound], secret_digest: str, platform_id: UUID, held: bool) -> tuple[Bound, Consent] | None:
    found = _bound(kind, held).models({"secret_digest": secret_digest, "platform_id": platform_id})
    return (found[0], found[0].consent) if found else None


@lru_cache(maxsize=1)
def _platform() -> CompiledModels[Platform]:
    active = Platform.objects.filter(client_id=_SLOTS["client_id"], status=PlatformStatus.ACTIVE)
    columns = ("client_id", "client_secret", "status", "profile", "authorization_grant_type")
    return CompiledModels(active.only(*columns), slots=_SLOTS)


@lru_cache(maxsize=4)
def _bound(kind: type[Bound], held: bool) -> CompiledModels[Bound]:
    query = bound_query(kind, _SLOTS)
    return CompiledModels(locked(query) if held else query, slots=_SLOTS)


_CONSENT_COLUMNS = (
    *("user", "platform", "status", "scopes", "purposes", "duration_days", "history_from", "location_precision"),
    *("on_platform_only", "hidden_groups", "expires_at", "revision"),
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
        .select_related("consent__user", "consent__platform")
        .only(
            *_COLUMNS[kind],
            *(f"consent__{name}" for name in _CONSENT_COLUMNS),
            *("consent__user__is_active", "consent__user__pseudonym", "consent__platform__status"),
        )
    )


def locked(query: QuerySet[Bound, Bound]) -> QuerySet[Bound, Bound]:
    return query.select_for_update(no_key=True, of=("consent", "self"))  # in this order


# -- writing -----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Minted:
    """What every token row of one answer says. Instants are aware."""

    user_id: UUID
    platform_id: UUID
    consent_id: UUID
    grant_id: int | None
    bound_id: int  #: of the code or refresh token that it is made from
    revision: int  #: of the consent, as it was read
    scope: str  #: words, sorted, one blank between them
    resource: str
    now: datetime

    def values(self) -> dict[str, Any]:
        return {name: getattr(self, name) for name in self.__slots__ if name != "resource"}


def exchange_code(access_digest: str, refresh_digest: str, minted: Minted, *, expires_at: datetime) -> bool:
    """Two new rows, and the code is used; False, and nothing, where code and consent are not as they were read.

    Digests: SHA-256, hex; the tokens themselves are nowhere.
    """
    values = {**minted.values(), "access_digest": access_digest, "refresh_digest": refresh_digest}
    return _exchange(minted.resource).run({**values, "expires_at": expires_at})


def add_access_token(token_digest: str, minted: Minted, *, expires_at: datetime) -> bool:
    """Always a new row; none, and False, where refresh token and consent are not as they were read."""
    values = {**minted.values(), "access_digest": token_digest, "expires_at": expires_at}
    return _access_token(minted.resource).run(values)


def add_platform_token(token_digest: str, platform_id: UUID, *, id: UUID, now: datetime, expires_at: datetime) -> None:
    """`token_digest`: SHA-256, hex; the token itself is nowhere."""
    values = {"access_digest": token_digest, "platform_id": platform_id, "row_id": id, "now": now}
    _platform_token().run({**values, "expires_at": expires_at})


_Parameters = list[tuple[str | None, Any]]  #: name of a slot, or None and the value itself
_Text = tuple[str, _Parameters]


class _Writes:
    """Statements that change rows, one after another. The last is an insert, and returns its key: what is run must give
    rows there.
    """

    def __init__(self, *written: _Text) -> None:
        self._statements = [(Statement(text), parameters) for text, parameters in written]

    def run(self, values: Values) -> bool:
        """Whether the last wrote a row."""
        found: list[Any] = []
        for statement, parameters in self._statements:
            found = statement.run([one if name is None else values[name] for name, one in parameters])
        return bool(found)


def _only_as_read(kind: type[Bound], *compilers: Any) -> _Writes:
    """On PostgreSQL one statement: all but the last stand in its WITH behind the lock, and none sees what another
    writes. Elsewhere they are run with the rows held, so that nothing is to be asked again.
    """
    if not is_one_statement():
        return _Writes(*(_text(compiler) for compiler in compilers))
    with transaction.atomic():  # or the ORM compiles no lock
        held = CompiledModels(locked(_as_read(kind)), slots=_SLOTS).embedded()
    parts: list[_Text] = [held, *(_from_held(compiler) for compiler in compilers)]
    names = ["held", *(f"part_{number}" for number in range(1, len(compilers)))]
    named = ", ".join(f"{name} AS ({part[0]})" for name, part in zip(names, parts, strict=False))  # but the last
    return _Writes((f"WITH {named} {parts[-1][0]}", [one for _, parameters in parts for one in parameters]))


def _as_read(kind: type[Bound]) -> QuerySet[Bound, Bound]:
    """The code or token, and its consent, if all that let it mint still holds."""
    rows: QuerySet[Any, Any] = kind.objects.filter(
        pk=_SLOTS["bound_id"],
        consent__revision=_SLOTS["revision"],
        consent__status=ConsentStatus.AUTHORISED,
        consent__user__is_active=True,
        consent__platform__status=PlatformStatus.ACTIVE,
        **({"used_at": None} if kind is Grant else {"revoked": None}),
    )
    return rows.select_related("consent").only("consent__status")


def _from_held(compiler: Any) -> _Text:
    """Of an insert or update: nothing where nothing is held."""
    text, parameters = _text(compiler)
    if isinstance(compiler.query, UpdateQuery):
        return f"{text} AND EXISTS (SELECT FROM held)", parameters
    into, _, rest = text.partition(" VALUES (")
    # Without its length: a cast to it would cut a value off where an insert raises an error.
    types = [str(field.db_type(compiler.connection)).partition("(")[0] for field in compiler.query.fields]
    values = ", ".join(f"%s::{one}" for one in types)
    return f"{into} SELECT {values} FROM held{rest.partition(')')[2]}", parameters  # noqa: S608 -- the ORM's own text


def _text(compiler: Any) -> _Text:
    written = compiler.as_sql()
    text, parameters = written[0] if isinstance(written, list) else written  # an insert's come in a list
    names = {adapted(slot): name for name, slot in _SLOTS.items() if not isinstance(slot, dict)}
    return text, [(names.get(one), one) for one in map(_plain, parameters)]


def _plain(parameter: Any) -> Any:
    """JSON as its text, which either database takes, and not in the driver's wrapping."""
    document = getattr(parameter, "obj", None)
    return parameter if document is None else json.dumps(document)


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
    return _only_as_read(RefreshToken, _new_access_token(resource))


@lru_cache(maxsize=8)
def _exchange(resource: str) -> _Writes:
    return _only_as_read(Grant, _used_code(), _new_refresh_token(resource), _new_access_token(resource))


@lru_cache(maxsize=1)
def _platform_token() -> _Writes:
    row = PlatformToken(
        id=_SLOTS["row_id"],
        token_digest=_SLOTS["access_digest"],
        platform_id=_SLOTS["platform_id"],
        created_at=_SLOTS["now"],
        expires_at=_SLOTS["expires_at"],
    )
    return _Writes(_text(_insert(row)))
