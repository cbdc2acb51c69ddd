"""Adds a bank by data: which dialect, where, and as whom we speak to it."""

import importlib.resources
import json
import re
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from jwcrypto import jwk
from jwcrypto.common import JWException

from banks import registry, vault
from banks.errors import InstitutionInvalid
from banks.models import Institution
from banks.normalize.text import clean

DAYS_MAX = 3650
#: Member -> lowest and highest value. Upper bounds keep a slip of the finger from being a promise to the bank.
RANGES: dict[str, tuple[int, int]] = {
    "history_days_max": (1, DAYS_MAX),
    "consent_days_max": (1, DAYS_MAX),
    "authentication_days_max": (1, DAYS_MAX),
    "concurrent_jobs_max": (1, 100),
    "calls_per_minute_max": (1, 60_000),
    "unattended_fetches_max": (1, 1_000),
    "attested_fetches_max": (0, 1_000),
    "refresh_minutes": (5, 7 * 24 * 60),
}
_SLUG = re.compile(r"[-a-z0-9]{2,50}")
_QUEUE = re.compile(r"[-.a-z0-9]{1,60}")


@dataclass(frozen=True, slots=True, kw_only=True)
class InstitutionData:
    """What `manage.py add_bank` takes. `signing_key` is a private JWK (EC P-256 or RSA from 2048 bits), JSON."""

    slug: str
    name: str
    connector: str
    version: str
    issuer: str
    authorization_url: str
    token_url: str
    resource_url: str
    client_id: str
    signing_key: str
    country: str
    timezone: str
    is_sandbox: bool = False
    history_days_max: int = 730
    consent_days_max: int = 365
    authentication_days_max: int | None = None  #: None: the bank never asks its customer to log in again
    queue: str = ""  #: Celery queue of its jobs; "": the common one
    concurrent_jobs_max: int = 3
    calls_per_minute_max: int = 600
    unattended_fetches_max: int = 4
    attested_fetches_max: int = 24
    refresh_minutes: int = 360


def new_signing_key() -> tuple[str, str]:
    """A fresh P-256 key: (private JWK, JWK Set with the public half to register at the bank), both JSON."""
    key = jwk.JWK.generate(kty="EC", crv="P-256", use="sig", alg="ES256")
    key_id = key.thumbprint()
    private = {**json.loads(key.export_private()), "kid": key_id}
    public = {**json.loads(key.export_public()), "kid": key_id}
    return json.dumps(private), json.dumps({"keys": [public]})


def signing_key(slug: str) -> str | None:
    """The private JWK we sign with at this bank; None when there is no such bank. Raises Unsealable."""
    row = Institution.objects.filter(slug=slug).first()
    return None if row is None else vault.open_alone(row.id, "signing_key", row.sealed_signing_key).decode()


def add(data: InstitutionData, *, now: datetime) -> Institution:
    """Add the bank, or bring a known one (by slug) up to date. Raises InstitutionInvalid, UnknownConnector."""
    _check(data)
    row = Institution.objects.filter(slug=data.slug).first() or Institution(slug=data.slug, created_at=now)
    for name in (
        "name",
        "connector",
        "version",
        "issuer",
        "authorization_url",
        "token_url",
        "resource_url",
        "client_id",
        "country",
        "timezone",
        "is_sandbox",
        "queue",
        *RANGES,
    ):
        setattr(row, name, getattr(data, name))
    row.sealed_signing_key = vault.seal_alone(row.id, "signing_key", data.signing_key.encode())
    row.save()
    return row


def _check(data: InstitutionData) -> None:
    info = registry.connector(data.connector).info
    if data.version not in info.versions:
        raise InstitutionInvalid("version", f"{data.connector} speaks {', '.join(info.versions)}")
    if not _SLUG.fullmatch(data.slug):
        raise InstitutionInvalid("slug", "2 to 50 of a-z, 0-9 and -, as in first-bank")
    for member in ("name", "client_id"):
        _check_text(member, getattr(data, member))
    for member in ("issuer", "authorization_url", "token_url", "resource_url"):
        _check_url(member, getattr(data, member), is_sandbox=data.is_sandbox)
    for member, (lowest, highest) in RANGES.items():
        value = getattr(data, member)
        if value is not None and not lowest <= value <= highest:
            raise InstitutionInvalid(member, f"must be from {lowest} to {highest}")
    if data.queue and not _QUEUE.fullmatch(data.queue):
        raise InstitutionInvalid("queue", "up to 60 of a-z, 0-9, . and -, as in bank.first")
    _check_timezone(data.timezone)
    if data.country not in _countries():
        raise InstitutionInvalid("country", "ISO 3166-1 alpha-2, as in GB")
    _check_key(data.signing_key)


def _check_text(member: str, text: str) -> None:
    """Customers read the name at the moment they consent: nothing invisible, and no direction marks."""
    length_max = _length_max(member)
    if not 1 <= len(text) <= length_max or clean(text, length_max=length_max) != text:
        raise InstitutionInvalid(member, f"1 to {length_max} visible characters on one line, single blanks")


def _check_url(member: str, url: str, *, is_sandbox: bool) -> None:
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname, parts.port  # both raise ValueError where an HTTP client would guess
    except ValueError as error:
        raise InstitutionInvalid(member, "must be an https address without query or fragment") from error
    plain = is_sandbox and parts.scheme == "http" and host in ("127.0.0.1", "localhost", "::1")
    if not (parts.scheme == "https" or plain) or not host or parts.query or parts.fragment or "@" in url:
        raise InstitutionInvalid(member, "must be an https address without query or fragment")
    if url.endswith("/"):
        raise InstitutionInvalid(member, "without the slash at its end")
    if len(url) > _length_max(member) or not url.isprintable() or " " in url:
        raise InstitutionInvalid(member, f"at most {_length_max(member)} characters, without blanks")


def _check_timezone(timezone: str) -> None:
    try:
        ZoneInfo(timezone)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:  # OSError: `Europe` alone is a folder
        raise InstitutionInvalid("timezone", "not an IANA time zone such as Europe/London") from error


def _length_max(member: str) -> int:
    """Of the column: SQLite would store what PostgreSQL refuses."""
    length: int = Institution._meta.get_field(member).max_length  # type: ignore[union-attr,assignment]
    return length


@cache
def _countries() -> frozenset[str]:
    """ISO 3166-1 alpha-2 as the time zone database lists it: assigned codes only, so UK and ZZ are not among them."""
    table = importlib.resources.files("tzdata").joinpath("zoneinfo/iso3166.tab").read_text(encoding="utf-8")
    return frozenset(line[:2] for line in table.splitlines() if line and not line.startswith("#"))


def _check_key(signing_key: str) -> None:
    try:
        key = jwk.JWK.from_json(signing_key)
        fits = key.has_private and (
            (key["kty"] == "EC" and key.get("crv") == "P-256")
            or (key["kty"] == "RSA" and key.get_op_key("sign").key_size >= 2048)
        )
    except (JWException, ValueError, KeyError) as error:
        raise InstitutionInvalid("signing_key", "not a JWK") from error
    if not fits:
        raise InstitutionInvalid("signing_key", "must be a private EC P-256 or RSA key of at least 2048 bits")
